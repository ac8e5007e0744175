"""The tokens are legible in both themes, what styles name exists, and scripts stay small."""

from __future__ import annotations

import re
from itertools import product

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders

from convomono.lib.shapes import PAPER

STATIC = settings.BASE_DIR / "static"
TOKENS = {
    name: {"light": light, "dark": dark}
    for name, light, dark in re.findall(
        r"--([\w-]+):\s*light-dark\((#\w{6}),\s*(#\w{6})\)",
        (STATIC / "css/tokens.css").read_text(),
    )
}
THEMES = ("light", "dark")
GROUNDS = ("color-bg", "color-surface", "color-raised", "color-hover", "color-soft")
TONES = ("accent", "ok", "warn", "bad", "info")
FILLS = ("color-accent-fill", "color-accent-press", "color-bad-fill")

TEXT_PAIRS = [
    *product(("color-text", "color-muted"), GROUNDS),
    *product([f"color-{tone}" for tone in TONES], GROUNDS[:3]),
    *[(f"color-{tone}", f"color-{tone}-soft") for tone in TONES],
    *[("color-text", f"color-{tone}-soft") for tone in TONES],
    *[("color-on-fill", fill) for fill in FILLS],
]
MARK_PAIRS = [
    *product(("color-control", "focus", *FILLS), GROUNDS[:2]),
    *product([f"chart-{number}" for number in range(1, 7)], GROUNDS[:2]),
]


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it, of #rrggbb."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_measures_contrast_as_wcag_does() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("text", "ground"), TEXT_PAIRS)
def test_text_is_legible(text: str, ground: str, theme: str) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[ground][theme]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("mark", "ground"), MARK_PAIRS)
def test_controls_and_marks_stand_out(mark: str, ground: str, theme: str) -> None:
    assert contrast(TOKENS[mark][theme], TOKENS[ground][theme]) >= 3


def test_pictures_on_paper_have_the_light_themes_colours() -> None:
    assert list(PAPER) == [TOKENS[f"chart-{number}"]["light"] for number in range(1, 7)]
    light = {shades["light"] for shades in TOKENS.values()}
    for path in (settings.BASE_DIR / "templates/components").glob("*.html"):
        assert set(re.findall(r'"(#[0-9a-f]{6})"', path.read_text())) <= light, path.name


def test_raw_colours_live_in_the_tokens_alone() -> None:
    for path in (STATIC / "css").glob("*.css"):
        if path.name in {"tokens.css", "print.css"}:  # paper's page margin can't read tokens
            continue
        found = re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsl\(|\boklch\(", path.read_text())
        assert not found, path.name


def test_every_token_named_is_defined() -> None:
    sources = {path.name: path.read_text() for path in (STATIC / "css").glob("*.css")}
    everything = "\n".join(sources.values())
    defined = set(re.findall(r"^\s*(--[\w-]+):", everything, re.MULTILINE))

    assert set(re.findall(r"var\((--[\w-]+)", everything)) <= defined


def test_styles_carry_no_force_and_no_ids() -> None:
    for path in (STATIC / "css").glob("*.css"):
        source = path.read_text()
        assert "!important" not in source, path.name
        assert not re.search(r"^\s*#[\w-]+[^;]*\{", source, re.MULTILINE), path.name
        assert len(source.splitlines()) <= 300, path.name


def static_names() -> set[str]:
    """Return each static path that a template names or a style sheet points at."""
    names = set()
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        names |= set(re.findall(r"{%\s*static\s+['\"]([^'\"]+)['\"]", path.read_text()))
    for path in (STATIC / "css").glob("*.css"):
        names |= set(re.findall(r"url\(\"\.\./([^\"]+)\"\)", path.read_text()))
    return names


@pytest.mark.parametrize("name", sorted(static_names()))
def test_static_files_named_by_us_exist(name: str) -> None:
    assert finders.find(name)


def test_nothing_comes_from_another_host() -> None:
    for folder in ("templates", "static"):
        for path in (settings.BASE_DIR / folder).rglob("*"):
            if path.suffix in {".html", ".css", ".js"}:
                assert not re.search(r"(src|href|url|import)\W{1,3}https?://", path.read_text()), (
                    path
                )


def test_own_scripts_stay_under_thirteen_kilobytes() -> None:
    scripts = list((STATIC / "js").glob("*.js"))

    assert sum(path.stat().st_size for path in scripts) <= 13_312
    assert all(len(path.read_text().splitlines()) <= 150 for path in scripts)
