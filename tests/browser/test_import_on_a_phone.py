"""Leads from a spreadsheet, on a phone: upload, a mended cell, the error file, pasted rows, undo, with every process running."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from tests.browser.checks import HEIGHT, WIDTHS, axe_violations, is_wider_than_window, overlaps

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

LONG = 60_000  # milliseconds: the processes may have a busy machine
ROWS = [
    ["Name", "Mobile", "Company"],
    *([f"Thumb {n}", f"(718) 555-01{n:02d}", "Firm"] for n in range(3)),
    ["Tess", "718 555", "Firm"],
    ["Nora", "", "Firm"],
]


def is_fit_for_a_thumb(page: Page) -> None:
    wrongs = [*axe_violations(page), *overlaps(page)]
    wrongs += ["wider than the window"] if is_wider_than_window(page) else []
    assert wrongs == [], page.url


def spreadsheet(folder: Path) -> Path:
    path = folder / "thumbs.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows(ROWS)
    return path


def check(page: Page) -> None:
    """Go on from the first step: say how they agreed, and have every row checked."""
    page.get_by_role("button", name="Upload and look at the columns").click()
    page.get_by_label("What is “Mobile”?").wait_for()
    is_fit_for_a_thumb(page)
    page.get_by_label("How did they agree to be called?").select_option("written")
    page.get_by_label("Where", exact=True).fill("Intake form")
    page.get_by_label("When", exact=True).fill("2026-11-01")
    page.get_by_role("button", name="Check every row").click()
    page.get_by_role("button", name=re.compile(r"^Import \d")).wait_for(timeout=LONG)
    is_fit_for_a_thumb(page)


def mend(page: Page, verdict: str, column: str, text: str) -> None:
    """Open the one row with this verdict, type into one of its cells, and come back."""
    page.get_by_role("row", name=verdict).get_by_role("link").click()
    page.get_by_role("link", name="Mend row").click()
    page.get_by_label(column, exact=True).fill(text)
    is_fit_for_a_thumb(page)
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("link", name="Mend row").wait_for()
    page.locator("#row-table").get_by_text("New lead").wait_for()
    is_fit_for_a_thumb(page)
    page.get_by_role("link", name="thumbs.csv").click()


def error_file(page: Page) -> list[dict[str, str]]:
    """Download the rows that are still wrong."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download 1 row to mend").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def commit(page: Page, button: str) -> None:
    page.get_by_role("button", name=button).click()
    page.get_by_role("link", name="Show these leads").wait_for(timeout=LONG)
    is_fit_for_a_thumb(page)


def undo(page: Page, removed: int) -> None:
    page.get_by_role("button", name="Undo this import").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo this import").click()
    page.get_by_role("heading", name="This import was undone").wait_for(timeout=LONG)
    facts = page.locator(".facts", has=page.get_by_text("Leads removed"))
    assert facts.first.locator("dd").first.inner_text().strip() == str(removed)
    is_fit_for_a_thumb(page)


def test_takes_a_spreadsheet_from_a_thumb_and_gives_it_back(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit("/app/imports/new/", email="alice@acme.test")
    page.set_viewport_size({"width": WIDTHS["phone"], "height": HEIGHT})
    is_fit_for_a_thumb(page)
    page.locator("input[type=file]").set_input_files(spreadsheet(tmp_path))
    check(page)

    mend(page, "Phone number too short", "Mobile", "718 555 0103")
    (wrong,) = error_file(page)
    assert (wrong["Name"], wrong["_row"], wrong["_reason_code"]) == ("Nora", "6", "phone_missing")
    commit(page, "Import 4 ")
    receipt = page.url
    page.get_by_role("link", name="Show these leads").click()
    page.get_by_role("link", name="Tess", exact=True).wait_for()
    assert page.locator("#lead-table tbody tr").count() == 4

    # What the error file holds, mended in a spreadsheet and pasted.
    page.goto("/app/imports/new/")
    rows = [["Name", "Mobile"], [wrong["Name"], "718 555 0104"]]
    page.get_by_label("Or paste rows").fill("\n".join("\t".join(row) for row in rows))
    check(page)
    commit(page, "Import 1 ")
    undo(page, removed=1)

    page.goto(receipt)
    undo(page, removed=4)
    page.goto("/app/leads/?q=718555")
    page.get_by_text("No lead matches").wait_for()
