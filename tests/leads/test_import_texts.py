"""Texts as programs write them: encodings without a mark, quoted lines, lines without an end, DOS."""

from __future__ import annotations

import random
import struct
import tracemalloc

import pytest

from convomono.lib.utf16 import unmarked_utf_16
from leads.imports.error_file import error_lines
from leads.imports.packed import FileRefused
from leads.models import Lead
from leads.services.imports import read_import_again
from tests.factories.leads import upload

RUSSIAN = "First name;Телефон\n" + "".join(
    f"Иван Петрович Константинов;212-555-01{n}\n" for n in range(10, 40)
)
GREEK = "First name;Τηλέφωνο\r\n" + "".join(
    f"Νίκος Παπαδόπουλος;212-555-01{n}\r\n" for n in range(10, 40)
)
CHINESE = "First name,电话\n" + "".join(f"{'李小一龙' * 20},212-555-01{n}\n" for n in range(10, 40))
JAPANESE = "First name\t電話\r\n" + "".join(f"山田　太郎\t212-555-01{n}\r\n" for n in range(10, 40))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [RUSSIAN, GREEK, CHINESE, JAPANESE])
def test_reads_utf_16_of_any_script_without_a_mark(imported, text, encoding):
    done = imported(text.encode(encoding))

    assert done.detected["encoding"] == encoding
    assert done.counts == {"new": 30}
    name = Lead.objects.get(phone_number="+12125550110").first_name
    assert name in text
    assert not name.isascii()


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_reads_utf_32_with_its_mark(imported, encoding):
    mark = "" if encoding == "utf-32" else "\ufeff"

    done = imported(f"{mark}name,phone\nZoë,212-555-0101\n".encode(encoding))

    assert (done.counts, done.rows_total) == ({"new": 1}, 1)
    assert done.detected["header"] == ["name", "phone"]
    assert Lead.objects.get().first_name == "Zoë"


def noise(seed: int) -> bytes:
    return random.Random(seed).randbytes(600)  # noqa: S311  # no secret


@pytest.mark.parametrize(
    "content",
    [
        *map(noise, range(20)),
        struct.pack("<500H", *range(500)),
        struct.pack(">500I", *range(40_000, 40_500)),
        b"SQLite format 3\0" + bytes(2000),
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    ],
)
def test_goes_on_to_refuse_what_is_no_text(alice, content):
    with pytest.raises(FileRefused, match="isn't a spreadsheet we can read"):
        upload(alice, content)


def test_takes_no_utf_8_with_stray_zeros_for_utf_16():
    rows = b"".join(b"Ada,21255501%02d\n" % n for n in range(10, 99))

    assert unmarked_utf_16(b"name,phone\nA\0da,2125550101\n\0" + rows) == ""
    assert unmarked_utf_16(b"name,phone\nA\0da\0,2125550101\n" + rows) == ""


def test_refuses_a_file_that_is_read_as_what_it_is_not(alice):
    row = upload(alice, "name,phone\nAda,212-555-0101\n")

    with pytest.raises(FileRefused, match="isn't a spreadsheet we can read"):
        read_import_again(lead_import=row, reading={"encoding": "utf-16", "has_header": True})


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ('"name,phone"\n"Ada,212-555-0101"\n"Bob,212-555-0102"\n', ","),
        ('"name;phone"\r\n\r\n"Ada;212-555-0101"\r\n"Bob;212-555-0102"', ";"),
        ('"name,phone"\n"""Byron, Ada"",212-555-0101"\n"Bob,""212-555-0102"""\n', ","),
    ],
)
def test_reads_lines_that_are_quoted_as_a_whole_once_more_inside(imported, content, delimiter):
    done = imported(content)

    assert done.detected["header"] == ["name", "phone"]
    assert (done.detected["quoting"], done.detected["delimiter"]) == ("lines", delimiter)
    assert done.counts == {"new": 2}


@pytest.mark.parametrize(
    "content",
    [
        '"name","phone"\n"Ada","212-555-0101"\n',
        '"name","phone"\n"Ada",""\n"","212-555-0101"\n',
        'phone\n"212-555-0101, home"\n"212-555-0102, work"\n',
        '"phone"\n"212-555-0101"\n',
        '"name,phone"\nAda,212-555-0101\n',
        "name,phone\nAda,212-555-0101\n",
    ],
)
def test_takes_quoted_cells_for_no_quoted_lines(alice, content):
    assert "quoting" not in upload(alice, content).detected


def test_lets_somebody_say_that_lines_are_quoted_or_not(browse, mia):
    row = upload(mia, '"name,phone"\n"Ada,212-555-0101"\n')
    path = f"/app/imports/{row.pk}/reading/"
    read = {"encoding": "utf-8", "delimiter": ",", "has_header": "on"}

    browse(mia).post(path, {**read, "quoting": "double"})
    row.refresh_from_db()
    assert row.detected["header"] == ["name,phone"]
    browse(mia).post(path, {**read, "quoting": "lines"})
    row.refresh_from_db()
    assert row.detected["header"] == ["name", "phone"]


@pytest.mark.parametrize("length", [140_000, 999_000, 1_048_576, 3_000_000])
@pytest.mark.parametrize("quote", ["", '"'])
def test_keeps_the_rows_around_a_line_without_an_end(imported, verdicts, length, quote):
    long = f"Cid,212-555-0103,{quote}{'x' * length}{quote}"

    done = imported(
        f'name,phone,note\nAda,212-555-0101,a\n{long}\nBob,212-555-0102,b\n"Di\n",212-555-0104,d\n'
    )

    assert verdicts(done) == {3: "row_unreadable"}
    assert done.counts == {"new": 3, "row_unreadable": 1}
    assert Lead.objects.filter(first_name="Di").exists()


def test_keeps_the_lines_that_a_stray_quote_before_a_long_one_has_swallowed(imported, verdicts):
    good = "Bob,212-555-0102\nCid,212-555-0103\n"

    done = imported(f'name,phone\n"Ada,212-555-0101\n{good}{"x" * 2_000_000}\nDi,212-555-0104\n')

    assert verdicts(done) == {2: "row_unreadable", 5: "row_unreadable"}
    assert done.counts["new"] == 3


def test_says_of_a_long_line_of_short_cells_that_it_is_too_long(imported):
    wide = ",".join(f"c{n}" for n in range(100))
    cells = ",".join(["x" * 20_000] * 100)

    done = imported(f"phone,{wide}\n212-555-0101,\n212-555-0102,{cells}\n")

    assert done.counts == {"new": 1, "row_unreadable": 1}
    assert "A cell is longer than 32,767 characters." in "".join(error_lines(lead_import=done))


def test_keeps_little_of_long_lines_in_memory(imported):
    lines = b"".join(b"%d," % n + b"x" * 2_000_000 + b"\n" for n in range(10))
    tracemalloc.start()
    try:
        done = imported(b"name,phone\nAda,212-555-0101\n" + lines, commit=False)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert done.counts == {"new": 1, "row_unreadable": 10}
    assert peak - 2 * len(lines) < 12_000_000  # but for the test's own copies


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("x" * 1_000_001 + "\nAda,212-555-0101\n", 1),
        ("name,phone\n\n" + "x" * 1_000_001 + "\n", 3),
    ],
)
def test_refuses_a_file_whose_first_line_or_only_row_has_no_end(alice, content, line):
    with pytest.raises(FileRefused, match=f"Line {line} is longer .* one row a line"):
        upload(alice, content)


@pytest.mark.parametrize("end", ["\x1a", "\x1a\x1a\x1a", "\x1a\r\n", "\r\n\x1a\r\n"])
def test_leaves_the_end_of_a_text_of_dos_out(imported, end):
    done = imported(f"name,phone\r\nAda,212-555-0101\r\n{end}")

    assert done.counts == {"new": 1}
    assert done.rows_total == 1
