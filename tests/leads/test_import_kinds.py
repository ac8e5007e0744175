"""Files as programs really write them: each is read, or refused with what it is and what to do."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import openpyxl
import pytest

from leads.imports import workbooks
from leads.imports.packed import FileRefused
from leads.models import Lead
from tests.factories.leads import upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    type Rows = Sequence[Sequence[object]]

TABLE: Rows = [["name", "phone"], ["Ada", "212-555-0101"]]
COVER: Rows = [["Spring lead list"]]
LETTER: Rows = [["Spring lead list"], ["made by Bob"], ["see the next sheet"]]
LEGEND: Rows = [["Status", "Meaning"], ["hot", "call at once"], ["cold", "call later"]]


def book(*sheets: tuple[str, Rows], active: str = "", hidden: Sequence[str] = ()) -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    made.remove(made.active)
    for name, rows in sheets:
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
    made.active = made.sheetnames.index(active or sheets[0][0])
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "sheet"),
    [
        (book(("Blank", []), ("Leads", TABLE)), "Leads"),
        (book(("Cover", COVER), ("Leads", TABLE)), "Leads"),
        (book(("Read me", LETTER), ("Leads", TABLE)), "Leads"),
        (book(("Legend", LEGEND), ("Leads", TABLE)), "Leads"),
        (book(("Read me", LETTER), ("Legend", LEGEND)), "Legend"),
        (book(("Leads", TABLE), ("More", TABLE)), "Leads"),
        (book(("Leads", TABLE), ("More", TABLE), active="More"), "More"),
        (book(("Leads", TABLE), ("Legend", LEGEND), active="Legend"), "Leads"),
        (book(("Old", TABLE), ("Leads", TABLE), hidden=["Old"]), "Leads"),
        (book(("Old", TABLE), ("Legend", LEGEND), hidden=["Old"]), "Legend"),
        (book(("Blank", []), ("Old", TABLE), hidden=["Old"]), "Old"),
        (book(("Wide", [["x"] * 300] * 2), ("Leads", TABLE)), "Leads"),
    ],
)  # fmt: skip
def test_reads_the_sheet_that_holds_the_table(alice, content, sheet):
    row = upload(alice, content)

    assert row.detected["sheet"] == sheet
    assert len(row.detected["sheets"]) == len(row.detected["sheet_rows"]) > 1


def test_imports_the_people_of_a_second_sheet_and_counts_them(imported):
    done = imported(book(("Cover", COVER), ("Leads", [*TABLE, ["Bob", "212-555-0102"]])))

    assert (done.counts, done.rows_total) == ({"new": 2}, 2)
    assert set(Lead.objects.values_list("first_name", flat=True)) == {"Ada", "Bob"}


def test_says_of_a_workbook_without_a_table_what_the_first_sheet_lacks(alice):
    with pytest.raises(FileRefused, match="one row only"):
        upload(alice, book(("Cover", COVER), ("Blank", [])))
    with pytest.raises(FileRefused, match="no rows we can read"):
        upload(alice, book(("Blank", []), ("Cover", COVER)))


def test_looks_at_twenty_sheets_in_one_opening(alice, monkeypatch):
    opened: list[object] = []

    class Counted(workbooks._Book):
        def __init__(self, stream) -> None:
            opened.append(stream)
            super().__init__(stream)

    monkeypatch.setattr(workbooks, "_Book", Counted)
    blank: list[tuple[str, Rows]] = [(f"S{n}", []) for n in range(20)]

    assert upload(alice, book(*blank[1:], ("Leads", TABLE))).detected["sheet"] == "Leads"
    assert len(opened) == 2  # how long the sheets are, and their rows
    with pytest.raises(FileRefused, match="no rows we can read"):
        upload(alice, book(*blank, ("Leads", TABLE)))
