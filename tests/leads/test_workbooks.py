"""Workbooks are read as openpyxl reads them, in memory that doesn't grow with the sheet."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import date, datetime, time
from itertools import islice
from typing import IO, Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from convomono.lib.csvio import FileUnreadable
from leads.imports import workbooks
from leads.imports.workbooks import SharedTexts, sheet_sizes, workbook_rows

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
STRICT = {
    b"http://schemas.openxmlformats.org/spreadsheetml/2006/main": b"http://purl.oclc.org/ooxml/spreadsheetml/main",
    b"http://schemas.openxmlformats.org/officeDocument/2006/relationships": b"http://purl.oclc.org/ooxml/officeDocument/relationships",
}
LIST_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
VALUES: tuple[list[Any], ...] = (
    ["Phone", "Name", "Day", "At", "Hour", "Yes", "Sum", "Share"],
    ["(212) 555-0101", "Ada & <Co>", date(2026, 5, 1), datetime(2026, 5, 1, 14, 30)],  # noqa: DTZ001
    [],
    [2125550102, " two  blanks ", None, None, time(9, 5), True, "=1+1", 0.25],
    [2125550103.0, "Zoë 🎉\nbelow", datetime(1899, 12, 31), 1e21, "#N/A", False, -3, 1.10],  # noqa: DTZ001
)


def book_of(sheet: str, texts: str | None = None, **parts: str) -> io.BytesIO:
    """Return a workbook of one sheet of this XML, with a list of shared texts."""
    plain, out = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                data = sheet.encode()
            if name == "[Content_Types].xml" and texts is not None:
                told = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{LIST_TYPE}"/>'
                data = data.replace(b"</Types>", told.encode() + b"</Types>")
            new.writestr(name, parts.get(name.rpartition("/")[2].partition(".")[0], data))
        if texts is not None:
            new.writestr("xl/sharedStrings.xml", f"<sst {NAMESPACE}>{texts}</sst>")
    out.seek(0)
    return out


def sheet_of(rows: str, *, before: str = "", after: str = "") -> str:
    return f"<worksheet {NAMESPACE}>{before}<sheetData>{rows}</sheetData>{after}</worksheet>"


def as_openpyxl_reads(stream: IO[bytes]) -> list[list[str]]:
    """Return the rows of the first sheet as openpyxl's own way of reading gives them."""
    book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()
    return [
        [workbooks._cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True)
    ]


def test_reads_what_openpyxl_reads():
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in VALUES:
        book.active.append(row)
    book.active["I5"] = CellRichText("one ", TextBlock(InlineFont(b=True), "bold"))
    book.active["K9"] = "far"
    book.save(out)

    rows = list(workbook_rows(out, ""))

    assert rows == as_openpyxl_reads(out)
    assert rows[1] == ["(212) 555-0101", "Ada & <Co>", "2026-05-01", "2026-05-01 14:30"]
    assert rows[3][:5] == ["2125550102", " two  blanks ", "", "", "09:05"]
    assert rows[4][8] == "one bold"
    assert rows[8] == [""] * 10 + ["far"]


def strict(content: IO[bytes]) -> io.BytesIO:
    """Return a workbook as Excel saves "Strict Open XML": other names, and days as texts."""
    out = io.BytesIO()
    with zipfile.ZipFile(content) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            for usual, other in STRICT.items():
                data = data.replace(usual, other)
            new.writestr(name, data)
    out.seek(0)
    return out


def test_reads_strict_workbooks_as_others():
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "Leads"
    for row in VALUES:
        book.active.append(row)
    book.create_sheet("More").append(["x"])
    book.save(out)
    content = strict(out)

    assert sheet_sizes(content) == sheet_sizes(out) == {"Leads": 5, "More": 1}
    assert list(workbook_rows(content, "")) == list(workbook_rows(out, ""))
    assert list(workbook_rows(content, "More")) == [["x"]]


def test_reads_the_days_of_strict_workbooks():
    cells = '<c r="A1" t="d"><v>2026-05-01T14:30:00</v></c><c r="B1" t="d"><v>2026-05-01</v></c>'

    rows = list(workbook_rows(strict(book_of(sheet_of(f'<row r="1">{cells}</row>'))), ""))

    assert rows == [["2026-05-01 14:30", "2026-05-01"]]


def test_reads_shared_texts_in_any_order_without_how_they_are_pronounced():
    texts = (
        "<si><t>東京</t><rPh sb='0' eb='2'><t>トウキョウ</t></rPh></si>"
        "<si><r><t>bold</t></r><r><t xml:space='preserve'> and not</t></r></si>"
        "<si><t/></si><si><t>a_x005F_x0041_</t></si>"
    )
    cells = "".join(f'<c t="s"><v>{number}</v></c>' for number in (3, 0, 1, 2, 0))
    content = book_of(sheet_of(f'<row r="1">{cells}</row>'), texts)

    rows = list(workbook_rows(content, ""))

    assert rows == [["a_x0041_", "東京", "bold and not", "", "東京"]]
    assert rows == as_openpyxl_reads(content)


def test_reads_a_sheet_whose_names_have_a_prefix_and_whose_rows_have_no_numbers():
    sheet = (
        f"<x:worksheet {NAMESPACE.replace('xmlns', 'xmlns:x')}><x:sheetData>"
        "<x:row><x:c><x:v>1</x:v></x:c></x:row><x:row><x:c><x:v>2</x:v></x:c></x:row>"
        "</x:sheetData></x:worksheet>"
    )

    assert list(workbook_rows(book_of(sheet), "")) == [["1"], ["2"]]


def test_takes_no_more_memory_for_more_rows(monkeypatch):
    def peak(rows: int) -> int:
        row = '<row r="{n}" ht="15" customHeight="1"><c r="A{n}" t="s"><v>{n}</v></c></row>'
        links = "".join(f'<hyperlink ref="A{n}" location="x"/>' for n in range(rows))
        content = book_of(
            sheet_of(
                "".join(row.format(n=n) for n in range(1, rows)),
                after=f"<hyperlinks>{links}</hyperlinks>",
            ),
            "".join(f"<si><t>person{n}@example.test</t></si>" for n in range(rows)),
        )
        tracemalloc.start()
        try:
            assert sum(1 for _row in workbook_rows(content, "")) == rows - 1
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    monkeypatch.setattr(workbooks, "_REMEMBERED", 100)
    assert peak(25_000) < 1.5 * peak(5_000)


def test_reads_no_more_of_the_texts_than_the_first_rows_ask_for():
    many = "".join(f"<si><t>text {n}</t></si>" for n in range(100_000))
    source = io.BytesIO(f"<sst {NAMESPACE}>{many}</sst>".encode())

    with SharedTexts(source) as texts:
        assert texts[20] == "text 20"
        assert source.tell() < 500_000
        assert texts[99_999] == "text 99999"


@pytest.mark.parametrize("number", ["-1", "2", "999999999"])
def test_refuses_a_cell_whose_text_is_not_in_the_book(number):
    sheet = sheet_of(f'<row r="1"><c r="A1" t="s"><v>{number}</v></c></row>')

    with pytest.raises(FileUnreadable):
        list(workbook_rows(book_of(sheet, "<si><t>a</t></si><si><t>b</t></si>"), ""))


@pytest.mark.parametrize(
    "sheet",
    [
        sheet_of('<row r="1">' + "<c/>" * 5000 + "</row>"),
        sheet_of('<row r="1">' + "<row/>" * 5000 + "</row>"),
        sheet_of('<row r="1"><c t="inlineStr"><is><t>' + "x" * 9000 + "</t></is></c></row>"),
        sheet_of("", before="<a/>" * 5000),
        f"<worksheet {NAMESPACE}>" + "<a>" * 5000,
    ],
    ids=["cells", "rows in a row", "a text", "before the rows", "deep"],
)
def test_refuses_what_never_comes_to_a_row(sheet, monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_ITEM_BYTES", 8000)
    monkeypatch.setattr(workbooks, "_CHUNK_BYTES", 1000)

    with pytest.raises(FileUnreadable):
        list(workbook_rows(book_of(sheet), ""))


def test_refuses_a_part_that_is_read_whole_and_huge(monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_PART_BYTES", 20_000)
    content = book_of(sheet_of(""), styles=" " * 20_001)

    assert sheet_sizes(content) == {"Sheet": 0}
    with pytest.raises(FileUnreadable):
        list(workbook_rows(content, ""))


def test_tells_at_once_how_long_a_sheet_says_it_is():
    said = sheet_of("<row/>" * 10, before='<dimension ref="A1:C700"/>')
    silent = sheet_of("<row/>" * 10)

    assert sheet_sizes(book_of(said)) == {"Sheet": 700}
    assert sheet_sizes(book_of(silent)) == {"Sheet": 0}


def test_refuses_a_sheet_that_ends_in_the_middle():
    rows = "".join(f'<row r="{n}"><c><v>{n}</v></c></row>' for n in range(1, 5000))
    content = book_of(sheet_of(rows)[:-40])

    rows_read = workbook_rows(content, "")
    assert list(islice(rows_read, 2)) == [["1"], ["2"]]
    with pytest.raises(FileUnreadable):
        list(rows_read)
