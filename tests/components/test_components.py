"""Each component renders its data, escapes it, and carries what assistive technology needs."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import QueryDict
from django.template.loader import render_to_string
from django.test import Client as Browser

from convomono.lib.styleguide import specimen

NASTY = '<script>alert("x")</script>'
COMPONENTS = sorted(
    path.stem for path in (settings.BASE_DIR / "templates/components").glob("*.html")
)
SPECIMEN = specimen("light")


class Elements(HTMLParser):
    """Collects every element as (tag, attributes) and every text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.found if name == tag]

    def one(self, tag: str) -> dict[str, str | None]:
        (only,) = self.all(tag)
        return only


def render(name: str, **context: Any) -> Elements:
    return Elements(render_to_string(f"components/{name}.html", context))


class NastyForm(forms.Form):
    name = forms.CharField(label=NASTY, help_text="Only your team sees this.")
    agree = forms.BooleanField(label="Agree")


TEXTS: dict[str, dict[str, Any]] = {
    "badge": {"status": "running", "label": NASTY},
    "banners": {"impersonation": {"client": NASTY, "actor": NASTY, "stop_url": "/x/"}},
    "button": {"label": NASTY, "variant": "primary"},
    "card": {"title": NASTY, "text": NASTY, "url": "/x/", "link_label": NASTY},
    "copy": {"text": NASTY, "label": NASTY},
    "dialog": {"id": "d", "title": NASTY, "text": NASTY, "action": "/x/", "confirm": NASTY},
    "empty": {"title": NASTY, "text": NASTY, "url": "/x/", "link_label": NASTY},
    "flash": {"level": "error", "text": NASTY, "url": "/x/", "link_label": NASTY},
    "form": {"form": NastyForm({"name": ""}), "submit": NASTY, "csrf_token": NASTY},
    "meter": {"label": NASTY, "value": 1, "max": 2, "text": NASTY},
    "progress": {"label": NASTY, "value": 1, "max": 2, "text": NASTY},
    "stat": {"label": NASTY, "value": NASTY, "unit": NASTY, "note": NASTY, "formula": NASTY},
    "steps": {"items": [{"label": NASTY, "state": "current"}]},
    "table": {
        "caption": NASTY,
        "columns": [{"label": NASTY}],
        "rows": [[{"text": NASTY}], [{"text": NASTY, "url": "/x/"}]],
    },
    "tabs": {"label": NASTY, "items": [{"label": NASTY, "url": "/x/", "current": True}]},
    "timeline": {"items": [{"title": NASTY, "text": NASTY, "offset": NASTY}]},
    "transcript": {"turns": [{"speaker": "user", "text": NASTY, "at_seconds": 3}], "lead": NASTY},
}


@pytest.mark.parametrize("name", TEXTS)
def test_shows_markup_in_data_as_text(name: str) -> None:
    html = render_to_string(f"components/{name}.html", TEXTS[name])

    assert NASTY not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("name", COMPONENTS)
def test_says_on_its_first_line_what_it_is_for(name: str) -> None:
    source = Path(settings.BASE_DIR / f"templates/components/{name}.html").read_text()

    assert source.startswith("{# ")


def test_says_a_status_in_a_word_and_an_icon_and_not_by_colour_alone() -> None:
    badge = render("badge", status="in_call")

    assert badge.texts == ["In call"]
    assert badge.one("svg")["aria-hidden"] == "true"
    assert badge.one("span")["data-tone"] == "accent"


def test_takes_an_unknown_status_calmly() -> None:
    assert render("badge", status="brand_new").texts == ["Brand new"]


def test_ties_hint_and_error_to_the_field() -> None:
    form = NastyForm({"name": "", "agree": "on"})
    page = render("field", field=form["name"])

    field = page.one("input")
    assert field["aria-invalid"] == "true"
    named = (field["aria-describedby"] or "").split()
    assert named == [attrs["id"] for attrs in page.all("div") if attrs.get("id")]
    assert page.one("label")["for"] == field["id"]


def test_begins_a_refused_form_with_a_focused_summary_that_links_to_the_fields() -> None:
    page = render("form", form=NastyForm({"name": ""}), submit="Save", csrf_token="t")

    (summary,) = [attrs for attrs in page.all("div") if attrs.get("class") == "error-summary"]
    assert summary["role"] == "alert"
    assert "autofocus" in summary
    assert [attrs["href"] for attrs in page.all("a")] == ["#id_name", "#id_agree"]
    assert {"id_name", "id_agree"} <= {attrs.get("id") for attrs in page.all("input")}


def test_has_no_summary_before_anything_was_refused() -> None:
    page = render("form", form=NastyForm(), submit="Save", csrf_token="t")

    assert not [attrs for attrs in page.all("div") if attrs.get("class") == "error-summary"]


def test_keeps_what_was_typed_and_carries_the_token() -> None:
    page = render("form", form=NastyForm({"name": "Spring"}), submit="Save", csrf_token="t0k")

    values = {attrs.get("name"): attrs.get("value") for attrs in page.all("input")}
    assert values["name"] == "Spring"
    assert values["csrfmiddlewaretoken"] == "t0k"


def test_announces_failures_as_alerts_and_the_rest_as_status() -> None:
    roles = {
        level: render("flash", level=level, text="x").all("div")[0]["role"]
        for level in ("success", "info", "warning", "error")
    }

    assert roles == {"success": "status", "info": "status", "warning": "status", "error": "alert"}


def test_names_a_button_that_shows_an_icon_alone() -> None:
    button = render("button", label="Settings", icon="cog-6-tooth", label_hidden=True)

    assert button.one("button")["aria-label"] == "Settings"
    assert button.texts == []


def test_asks_before_it_acts_and_cancels_without_posting() -> None:
    dialog = render(
        "dialog", id="stop", title="Stop 3 calls?", action="/x/", confirm="Stop 3 calls"
    )

    assert dialog.one("dialog")["aria-labelledby"] == "stop-title"
    confirm, cancel = dialog.all("button")
    assert confirm["type"] == "submit" and "formmethod" not in confirm
    assert cancel["formmethod"] == "dialog"


def test_heads_a_table_with_a_caption_and_scoped_columns() -> None:
    table = render("table", caption="Leads", columns=[{"label": "Name"}], rows=[[{"text": "Ada"}]])

    assert table.one("caption")
    assert table.one("th")["scope"] == "col"
    assert table.one("div") == {
        "class": "table-scroll",
        "tabindex": "0",
        "role": "region",
        "aria-label": "Leads",
    }


def test_keeps_filters_when_paging() -> None:
    page = Paginator(range(100), 10).page(2)
    pager = render("pager", page=page, params=QueryDict("status=running&page=2"), total="100")

    assert [attrs["href"] for attrs in pager.all("a")] == [
        "?status=running&page=1",
        "?status=running&page=3",
    ]


def test_marks_the_step_one_is_at() -> None:
    steps = render("steps", items=SPECIMEN["steps"])

    assert [item.get("aria-current") for item in steps.all("li")] == [None, "step", None, None]


@pytest.mark.parametrize(("name", "chart"), [("chart_bar", "bars"), ("chart_line", "lines")])
def test_gives_a_chart_a_title_a_description_and_its_figures(name: str, chart: str) -> None:
    page = render(name, chart=SPECIMEN[chart])

    picture = next(attrs for attrs in page.all("svg") if attrs.get("role") == "img")
    named = (picture["aria-labelledby"] or "").split()
    assert named == [attrs["id"] for tag in ("title", "desc") for attrs in page.all(tag)[:1]]
    rows = [attrs for attrs in page.all("th") if attrs["scope"] == "row"]
    assert len(rows) == len(SPECIMEN[chart].axes.rows)


def test_lists_each_part_of_a_whole_with_its_share() -> None:
    page = render("chart_outcomes", chart=SPECIMEN["share"])

    assert {"Human", "361"} <= set(page.texts)
    assert [attrs["href"] for attrs in page.all("a")] == ["#human", "#machine"]


def test_the_style_guide_shows_each_component_in_both_themes() -> None:
    html = Browser().get("/styleguide/").content.decode()
    page = Elements(html)

    assert html.count('data-theme="light"') == html.count('data-theme="dark"') == 1
    ids = [attrs["id"] for _tag, attrs in page.found if attrs.get("id")]
    assert len(ids) == len(set(ids))


def test_holds_no_inline_script_style_or_handler() -> None:
    page = Elements(Browser().get("/styleguide/").content.decode())

    assert not page.all("style")
    for tag, attrs in page.found:
        assert "style" not in attrs, tag
        assert not [name for name in attrs if name.startswith(("on", "hx-on"))], tag
    assert all(attrs.get("src") for attrs in page.all("script"))
