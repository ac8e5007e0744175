"""Every kind of broken file that the brief lists: a sentence says what to do, or the good rows are saved."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from datetime import datetime
from itertools import islice

import openpyxl
import pytest

from leads.imports.error_file import error_lines
from leads.imports.packed import FileRefused
from leads.imports.workbooks import MOST_BLANK_ROWS, workbook_rows
from leads.models import Lead
from tests.factories.leads import upload

GOOD = "Ada,212-555-0101\n"


def workbook(*rows) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("leads.csv", b"0" * 60_000_000)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(bytes(range(256)) * 40, "isn't a spreadsheet we can read", id="binary"),
        pytest.param(b"%PDF-1.7\n1 0 obj", "isn't a spreadsheet we can read", id="pdf"),
        pytest.param(b"", "The file is empty", id="empty"),
        pytest.param(b"name,phone\n", "one row only", id="header only"),
        pytest.param(
            ",".join(f"c{n}" for n in range(300)).encode() + b"\n1\n",
            "300 columns",
            id="300 columns",
        ),
        pytest.param(
            b"name,phone\n" + b"x" * 1_000_001 + b",2125550101\n",
            "Line 2 is longer",
            id="1 MB cell",
        ),
        pytest.param(bomb(), "unpacks to far more than it should", id="zip bomb"),
        pytest.param(b"PK\x03\x04" + b"\x00" * 400, "isn't a spreadsheet", id="broken workbook"),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"\x00" * 600, "old Excel file", id="old Excel"),
    ],
)
def test_is_refused_with_what_to_do(alice, content, sentence):
    with pytest.raises(FileRefused, match=sentence):
        upload(alice, content)


@pytest.mark.parametrize(
    ("content", "names", "bad"),
    [
        pytest.param(
            b"name,phone\n" + "Zo\u00eb,212-555-0101\n".encode() * 3 + b"Zo\xeb,212-555-0102\n",
            {"+12125550101": "Zo\u00eb"},
            {"row_unreadable": 1, "dup_file": 2},
            id="mixed encodings",
        ),
        pytest.param(
            workbook(["name", "phone"], ["Ada", "=A1"], ["Bob", datetime(2026, 1, 2)], ["Cid", 2125550103.0]),  # noqa: DTZ001
            {"+12125550103": "Cid"},
            {"phone_missing": 1, "phone_damaged": 1},
            id="workbook with formulas and dates as phones",
        ),
        pytest.param(
            b"name,phone\nAda,2.12555E+09\nBob,2.125550102E+09\n",
            {"+12125550102": "Bob"},
            {"phone_damaged": 1},
            id="scientific notation",
        ),
        pytest.param(
            b"name,phone\nA\x00da,212-555\x00-0101\n" + b"Bob,212-555-0102\n" * 9, {"+12125550101": "Ada"}, {"dup_file": 8}, id="NUL bytes"
        ),
        pytest.param(
            b"name,phone\rAda,212-555-0101\rBob,212-555-0102\r",
            {"+12125550101": "Ada", "+12125550102": "Bob"},
            {},
            id="CR only",
        ),
        pytest.param(
            b"name,phone,phone,name\nAda,212-555-0101,212-555-0109,x\n",
            {"+12125550101": "Ada"},
            {},
            id="duplicate headers",
        ),
        pytest.param(
            "name,phone\nעדה לוין,212-555-0101\n".encode(), {"+12125550101": "עדה"}, {}, id="right to left"
        ),
        pytest.param(
            "name,phone\n🎉Ada🦷,212-555-0101\n".encode(), {"+12125550101": "🎉Ada🦷"}, {}, id="emoji"
        ),
        pytest.param(
            b'name,phone\n"Ada,212-555-0101\n' + b"".join(b"B,2124%06d\n" % n for n in range(9000)),
            {"+12124000000": "B", "+12124008999": "B"},
            {"row_unreadable": 1, "new": 9000},
            id="a quote that never closes",
        ),
        pytest.param(
            b'name,phone\n"Ada,212-555-0101\n' + GOOD.replace("0101", "0102").encode()
            + b'Bob",212-555-0103\nCid,212-555-0104\n',
            {"+12125550102": "Ada", "+12125550103": 'Bob"', "+12125550104": "Cid"},
            {"row_unreadable": 1, "new": 3},
            id="two stray quotes that fit each other",
        ),
        pytest.param(
            b'name,phone\nAda,"212-555-0101\nBob,212-555-0102\nCid,"212-555-0103\nDi,212-555-0104\n',
            {"+12125550102": "Bob", "+12125550104": "Di"},
            {"row_unreadable": 2, "new": 2},
            id="two stray quotes at the same column",
        ),
        pytest.param(
            b'name,street,phone\nAda,"1 Main St,\nApt 4",212-555-0101\nBob,"2 ""B"" St\n",212-555-0102\n',
            {"+12125550101": "Ada", "+12125550102": "Bob"},
            {"row_unreadable": 0, "new": 2},
            id="line breaks in cells as they should be",
        ),
        pytest.param(
            b"name,phone\n" + b"x" * 40_000 + b",212-555-0101\n" + GOOD.encode().replace(b"0101", b"0102"),
            {"+12125550102": "Ada"},
            {"row_unreadable": 1},
            id="a cell longer than a spreadsheet's",
        ),
    ],
)  # fmt: skip
def test_saves_the_rows_that_are_good(imported, content, names, bad):
    done = imported(content)

    assert done.status == "committed"
    found = dict(Lead.objects.values_list("phone_number", "first_name"))
    assert {number: found.get(number) for number in names} == names
    assert {name: done.counts.get(name, 0) for name in bad} == bad
    assert (
        sum(done.counts.get(one, 0) for one in done.counts if one != "tz_uncertain")
        == done.rows_total
    )


def test_names_the_row_of_a_stray_quote_and_counts_the_others_right(imported, verdicts):
    rows = [f"P{n},2124{n:06}" for n in range(300)]
    rows[7] = '"P7,2124000007'

    done = imported("name,phone\n" + "\n".join(rows) + "\nBad,12\n")

    assert verdicts(done) == {9: "row_unreadable", 302: "phone_too_short"}
    assert Lead.objects.count() == 299
    assert "P7,2124000007,9,,row_unreadable," in "".join(error_lines(lead_import=done))


def test_refuses_a_zip_with_a_huge_list_of_contents_before_it_reads_the_list(alice):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for n in range(30_000):
            packed.writestr(f"{n:060}.txt", b"")
    content = out.getvalue()
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused, match="unpacks to far more"):
            upload(alice, content)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 8_000_000


def with_row_numbers(*numbers: str) -> bytes:
    """Return a workbook whose rows say that they are these."""
    data, out = workbook(*([f"P{n}", f"+1212555{n:04}"] for n in range(len(numbers)))), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as book, zipfile.ZipFile(out, "w") as packed:
        for name in book.namelist():
            text = book.read(name)
            if name == "xl/worksheets/sheet1.xml":
                for place, number in reversed(list(enumerate(numbers, start=1))):
                    text = text.replace(f'<row r="{place}"'.encode(), f'<row r="{number}"'.encode())
                    for column in "AB":
                        text = text.replace(
                            f'"{column}{place}"'.encode(), f'"{column}{number}"'.encode()
                        )
            packed.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize("number", ["1000000000000000", "1048577", "900000"])
def test_ends_a_sheet_behind_ten_thousand_blank_rows(number):
    content = with_row_numbers("1", "2", "9000", number)

    rows = list(islice(workbook_rows(io.BytesIO(content), ""), 100_000))

    assert len(rows) == 9000 + MOST_BLANK_ROWS
    assert [row[0] for row in rows if any(row)] == ["P0", "P1", "P2"]


def test_takes_a_small_workbook_with_a_row_far_away(alice, imported):
    done = imported(with_row_numbers("1", "2", "3", "1000000000000000"))

    assert (done.status, done.rows_total) == ("committed", 3)
