"""A stored upload as rows, whatever its format: detection, and reading with limits."""

from __future__ import annotations

import re
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import IO, TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from convomono.lib import csvio
from convomono.lib.csvio import BrokenRow, FileUnreadable
from leads.imports.cells import day_of, is_iso_day
from leads.imports.foreign import foreign_bytes, foreign_text
from leads.imports.packed import FileRefused, refuse_bombs, table_in_zip
from leads.imports.workbooks import first_rows, sheet_sizes, workbook_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from leads.models import Detected

SAMPLE_ROWS = 20
MOST_TITLES = 20  # rows above the one that names the columns
_FIRST_ROWS = SAMPLE_ROWS + MOST_TITLES + 1
_TABLE_COLUMNS = 2
_FEWEST_DATED = 3  # a title, the names of columns, a person
_DAY_DIGITS = 8
_DAY = re.compile(r"\s*\d{1,4}([-/.])\d{1,2}\1\d{1,4}(\s.*)?\Z")
MAX_COLUMNS = 250
FEWEST_DIGITS, MOST_DIGITS = 7, 15
_ZIP = b"PK\x03\x04"


def sentence(unreadable: FileUnreadable) -> str:
    """Return what to do about a file that is no text."""
    if unreadable.reason == "empty":
        return _("The file is empty. Save the spreadsheet again and upload that.")
    if unreadable.reason == "long_line":
        return _(
            "Line %(line)d is longer than a million characters, so this isn't a table with a row "
            "for each person. Save it again with one row a line, and upload that."
        ) % {"line": unreadable.line}
    return _(
        "This isn't a spreadsheet we can read. Save it as CSV or Excel workbook (.xlsx) and upload "
        "that."
    )


def detect(stream: IO[bytes], sniffer: csvio.TextSniffer) -> Detected:
    """
    Return what the file is; `sniffer` has been fed all of it.

    :raises FileRefused: with a sentence, if it can't be read as a table with a header
    """
    if told := foreign_bytes(stream):
        raise FileRefused(told)
    head = stream.read(len(_ZIP))
    stream.seek(0)
    found: Detected = {
        "format": "xlsx" if head.startswith(_ZIP) else "csv",
        "encoding": "",
        "delimiter": "",
        "has_header": True,
        "header": [],
        "samples": [],
    }
    with _told():
        if found["format"] == "xlsx":
            refuse_bombs(stream)
            sizes = sheet_sizes(stream)
            found["sheets"], found["sheet_rows"] = list(sizes), list(sizes.values())
            return _of_best_sheet(stream, found)
        found["encoding"] = sniffer.encoding()
        if told := foreign_text(stream, found["encoding"]):
            raise FileRefused(told)
        _punctuate(stream, found)
        return _with_columns(_first_rows(stream, found), found, has_header=None)


def unpacked(stream: IO[bytes], *, max_bytes: int) -> IO[bytes]:
    """
    Return the spreadsheet in a ZIP file; the stream itself if it is none.

    :raises FileRefused: with a sentence, if there isn't exactly one in it, or it has more than `max_bytes`
    """
    with _told():
        table = table_in_zip(stream, max_bytes=max_bytes)
    stream.seek(0)
    return stream if table is None else table


def read_again(stream: IO[bytes], found: Detected, *, reading: Mapping[str, Any]) -> Detected:
    """
    Return what the file is, read as somebody says: `encoding`, `delimiter`, `quoting`, `sheet`, `skipped`, `has_header`.

    :raises FileRefused: with a sentence, if it is no table then
    """
    changed = found.copy()
    for name in ("encoding", "delimiter", "quoting", "sheet"):
        if reading.get(name):
            changed[name] = reading[name]
    changed["header"], changed["skipped"] = [], int(reading.get("skipped") or 0)
    with _told():
        is_named = bool(reading.get("has_header"))
        return _with_columns(_first_rows(stream, changed), changed, has_header=is_named)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what can't be read into a sentence for people."""
    try:
        yield
    except FileUnreadable as exc:
        raise FileRefused(sentence(exc)) from None


def _of_best_sheet(stream: IO[bytes], found: Detected) -> Detected:
    """
    Return what the first sheet is that holds a table, one with numbers before one without.

    Blank ones and covers are no table; a hidden one is taken if no other can be read.
    """
    best, best_score, refused = None, (False, False, False), None
    for sheet in first_rows(stream, most=_FIRST_ROWS):
        one = found.copy()
        if len(found.get("sheets", ())) > 1:
            one["sheet"] = sheet.name
        try:
            one = _with_columns(sheet.told(), one, has_header=None)
        except (FileRefused, FileUnreadable) as exc:
            refused = refused or exc
            continue
        is_wide = len(one["header"]) >= _TABLE_COLUMNS
        score = (not sheet.is_hidden, _has_numbers(one), is_wide)
        if best is None or score > best_score:
            best, best_score = one, score
        if best_score[:2] == (True, True):
            break
    if best is None:
        raise refused or FileUnreadable("binary")
    return best


def _has_numbers(found: Detected) -> bool:
    """Tell whether most of what stands in one of the columns looks like phone numbers."""
    columns = zip_longest(*found["samples"], fillvalue="")
    return any(sum(map(is_like_phone, cells)) * 2 > sum(map(bool, cells)) for cells in columns)


def _first_rows(stream: IO[bytes], found: Detected) -> list[list[str]]:
    rows = islice(open_rows(stream, found), _FIRST_ROWS)
    return [row for _number, row in rows if not isinstance(row, BrokenRow)]


def _with_columns(cells: list[list[str]], found: Detected, *, has_header: bool | None) -> Detected:
    if not cells:
        raise FileRefused(_("The file has no rows we can read."))
    if has_header is None:
        found["skipped"] = _titles(cells)
        cells = cells[found["skipped"] :]
        has_header = not any(is_like_phone(cell) for cell in cells[0])
    found["has_header"] = has_header
    if has_header:
        found["header"] = [csvio.clean_cell(cell)[:120] for cell in cells.pop(0)]
    else:
        found["header"] = [_("Column %d") % place for place, _one in enumerate(cells[0], start=1)]
    found["samples"] = [
        [csvio.clean_cell(cell)[:200] for cell in row] for row in cells[:SAMPLE_ROWS]
    ]
    _refuse_shape(found)
    return found


def _titles(rows: list[list[str]]) -> int:
    """Return how many rows at the top are titles: narrow ones above a row as wide as most of the others."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    usual = max(set(filled), key=filled.count)
    if usual < _TABLE_COLUMNS:
        return 0
    wide = (place for place, count in enumerate(filled) if count * 2 > usual)
    first = next(wide, 0)
    if _is_dated_title(rows[first:]):
        first += 1
    is_whole = len(rows) - first > 1  # a table follows
    names_nobody = not any(_is_number(cell) for row in rows[:first] for cell in row)
    return first if first <= MOST_TITLES and is_whole and names_nobody else 0


def _is_dated_title(rows: list[list[str]]) -> bool:
    """
    Tell whether a wide row is a title all the same: "Report, Spring leads, 2026-01-02".

    A day stands in it, names of columns stand below in a wider row without a digit, and each row below that
    has a number.
    """
    if len(rows) < _FEWEST_DATED or not any(map(_is_day, rows[0])):
        return False
    (title, header), people = ([cell for cell in row if cell.strip()] for row in rows[:2]), rows[2:]
    has_names = len(header) > len(title) and not any(map(str.isdigit, "".join(header)))
    return has_names and all(any(map(is_like_phone, row)) for row in people)


def _is_number(cell: str) -> bool:
    """Tell whether a cell is surely a phone number and no day: then its row is a person, however narrow."""
    return sum(map(str.isdigit, cell)) > _DAY_DIGITS and is_like_phone(cell)


def is_like_phone(cell: str) -> bool:
    """Tell whether a cell has the look of a phone number: 7 to 15 digits and little else, and no day."""
    digits = sum(map(str.isdigit, cell))
    others = sum(map(str.isalpha, cell))
    fits = FEWEST_DIGITS <= digits <= MOST_DIGITS and not others and len(cell) <= 2 * digits
    return fits and not _is_day(cell)


def _is_day(cell: str) -> bool:
    """Tell whether a cell is a day, with a time or without, and no number that begins like one: "20-12-10-55"."""
    return is_iso_day(cell) or (_DAY.match(cell) is not None and day_of(cell, "") is not None)


def _refuse_shape(found: Detected) -> None:
    width = len(found["header"])
    if width > MAX_COLUMNS:
        raise FileRefused(
            _("The file has %(count)d columns; at most %(limit)d can be read. Delete some.")
            % {"count": width, "limit": MAX_COLUMNS}
        )
    if not found["samples"]:
        raise FileRefused(
            _("The file has one row only. The first row names the columns; people follow below it.")
        )


def _punctuate(stream: IO[bytes], found: Detected) -> None:
    """Find out what stands between cells, and whether lines are quoted as a whole."""
    sample = list(islice(csvio.text_lines(stream, found["encoding"]), SAMPLE_ROWS))
    stream.seek(0)
    below = [line for line in sample[1:] if line.strip()]
    if below and all(isinstance(line, csvio.LongLine) for line in below):
        raise FileUnreadable("long_line", sample.index(below[0]) + 1)
    if csvio.are_wrapped(sample):
        found["quoting"] = "lines"
        sample = list(csvio.unwrapped(sample))
    found["delimiter"] = csvio.guess_delimiter(sample)


def open_rows(stream: IO[bytes], found: Detected) -> Iterator[tuple[int, list[str] | BrokenRow]]:
    """
    Yield (row number as a spreadsheet shows it, cells), the header included.

    Rows without any text are left out, and the titles above the header.

    :raises FileUnreadable: if the file turns out to be broken
    """
    rows = (
        workbook_rows(stream, found.get("sheet", ""))
        if found["format"] == "xlsx"
        else csvio.read_rows(
            stream,
            encoding=found["encoding"],
            delimiter=found["delimiter"],
            width=len(found["header"]),
            quoting=found.get("quoting", "double"),
        )
    )
    numbered = enumerate(rows, start=1)
    said = (one for one in numbered if isinstance(one[1], BrokenRow) or "".join(one[1]).strip())
    yield from islice(said, found.get("skipped", 0), None)
