"""What every page is asked in the browser."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# Of what passes no list is made: that takes longer than the checks.
RUN_AXE = (
    "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})"
)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def axe_violations(page: Page) -> list[str]:
    """Return what axe finds wrong on the page, one line each with the elements concerned."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)  # through the debugger: the content security policy stays in force
    found = page.evaluate(RUN_AXE, WCAG)
    return [
        f"{violation['id']}: {violation['help']} ({'; '.join(map(_told, violation['nodes'][:5]))})"
        for violation in found["violations"]
    ]


def _told(node: dict[str, Any]) -> str:
    # What it measured, colours and sizes: a violation that comes and goes can't be found without.
    measured = [check["message"] for check in node["any"] + node["all"] + node["none"]]
    return f"{node['target']} {' '.join(measured)}"


def is_wider_than_window(page: Page) -> bool:
    """Tell whether the page scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


LOOKS = {"light": ("desk", "phone"), "dark": ("desk", "narrow")}
WIDTHS = {"desk": 1280, "phone": 390, "narrow": 320}
HEIGHT = 860
# Another width starts transitions, a millisecond long for who wants less motion: let them end.
TWO_FRAMES = (
    "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
)
OVERLAPS = """() => {
  const found = [...document.querySelectorAll("main :is(a, button, input, select, textarea, summary)")]
    .filter((one) => !one.closest(".choices")) // scrolls: what is cut off lies over nothing
    .filter((one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    .map((one) => [one, [...one.getClientRects()].filter((box) => box.width > 1 && box.height > 1)]);
  const meet = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
  const name = (one) => one.outerHTML.replace(/\\s+/g, " ").slice(0, 80);
  return found.flatMap(([one, boxes], place) => found.slice(place + 1)
    .filter(([other, others]) => !one.contains(other) && !other.contains(one) &&
      boxes.some((a) => others.some((b) => meet(a, b))))
    .map(([other]) => `${name(one)} lies over ${name(other)}`));
}"""


def overlaps(page: Page) -> list[str]:
    """Return each pair of controls of the page's main part that lie over one another."""
    found: list[str] = page.evaluate(OVERLAPS)
    return found


def wrongs_in_every_look(page: Page) -> list[str]:
    """
    Look at the open page wide, narrow, light and dark; return what is wrong, each with its look.

    A theme is loaded anew, a width isn't: the layout follows by itself, as when a phone is turned.
    """
    wrongs = []
    for theme, widths in LOOKS.items():
        page.emulate_media(
            color_scheme="dark" if theme == "dark" else "light", reduced_motion="reduce"
        )
        page.reload()
        for width in widths:
            page.set_viewport_size({"width": WIDTHS[width], "height": HEIGHT})
            page.evaluate(TWO_FRAMES)
            found = axe_violations(page) + overlaps(page)
            if is_wider_than_window(page):
                found.append("wider than the window")
            wrongs += [f"{width} {theme}: {wrong}" for wrong in found]
    return wrongs
