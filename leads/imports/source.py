"""A stored upload as rows, whatever its format: detection, and reading with limits."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import openpyxl
from django.utils.translation import gettext as _

from convomono.lib import csvio
from convomono.lib.csvio import BrokenRow, FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leads.models import Detected

SAMPLE_ROWS = 20
MAX_COLUMNS = 250
MAX_UNPACKED_BYTES = 400 * 1024 * 1024
MAX_TEXTS_BYTES = 64 * 1024 * 1024  # the workbook's shared texts are held in memory
MAX_RATIO = 200
MAX_ENTRIES = 2000
FEWEST_DIGITS, MOST_DIGITS = 7, 15
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


class FileRefused(Exception):
    """The file can't be imported; the message tells a person what to do."""


def sentence(unreadable: FileUnreadable) -> str:
    """Return what to do about a file that is no text."""
    if unreadable.reason == "empty":
        return _("The file is empty. Save the spreadsheet again and upload that.")
    if unreadable.reason == "long_line":
        return _(
            "Line %(line)d is longer than a million characters, so this isn't a table with a row "
            "for each person. Save it as CSV, one row a line, and upload that."
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
    head = stream.read(8)
    stream.seek(0)
    if head.startswith(_OLD_EXCEL):
        raise FileRefused(
            _("This is an old Excel file (.xls). Save it as .xlsx or CSV and upload that.")
        )
    found: Detected = {
        "format": "xlsx" if head.startswith(_ZIP) else "csv",
        "encoding": "",
        "delimiter": "",
        "has_header": True,
        "header": [],
        "samples": [],
    }
    try:
        if found["format"] == "xlsx":
            _refuse_bombs(stream)
        else:
            found["encoding"] = sniffer.encoding()
            found["delimiter"] = _delimiter(stream, found["encoding"])
        rows = [row for _number, row in islice(open_rows(stream, found), SAMPLE_ROWS + 1)]
    except FileUnreadable as exc:
        raise FileRefused(sentence(exc)) from None
    cells = [row for row in rows if not isinstance(row, BrokenRow)]
    if not cells:
        raise FileRefused(_("The file has no rows we can read."))
    if any(is_like_phone(cell) for cell in cells[0]):
        found["has_header"] = False
        found["header"] = [_("Column %d") % place for place, _one in enumerate(cells[0], start=1)]
    else:
        found["header"] = [csvio.clean_cell(cell)[:120] for cell in cells.pop(0)]
    found["samples"] = [[csvio.clean_cell(cell)[:200] for cell in row] for row in cells]
    _refuse_shape(found)
    return found


def is_like_phone(cell: str) -> bool:
    """Tell whether a cell has the look of a phone number: 7 to 15 digits and little else."""
    digits = sum(map(str.isdigit, cell))
    others = sum(map(str.isalpha, cell))
    return FEWEST_DIGITS <= digits <= MOST_DIGITS and not others and len(cell) <= 2 * digits


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


def _delimiter(stream: IO[bytes], encoding: str) -> str:
    sample = list(islice(csvio.text_lines(stream, encoding), SAMPLE_ROWS))
    stream.seek(0)
    return csvio.guess_delimiter(sample)


def open_rows(stream: IO[bytes], found: Detected) -> Iterator[tuple[int, list[str] | BrokenRow]]:
    """
    Yield (row number as a spreadsheet shows it, cells), the header included.

    Rows without any text are left out.

    :raises FileUnreadable: at a line too long to be a row
    """
    rows = (
        _workbook_rows(stream)
        if found["format"] == "xlsx"
        else csvio.read_rows(stream, encoding=found["encoding"], delimiter=found["delimiter"])
    )
    for number, row in enumerate(rows, start=1):
        if isinstance(row, BrokenRow) or "".join(row).strip():
            yield number, row


def _refuse_bombs(stream: IO[bytes]) -> None:
    """Look at the sizes that a workbook declares before anything of it is unpacked."""
    try:
        entries = zipfile.ZipFile(stream).infolist()
    except zipfile.BadZipFile:
        raise FileUnreadable("binary") from None
    finally:
        stream.seek(0)
    names = {entry.filename for entry in entries}
    if "xl/workbook.xml" not in names:
        raise FileRefused(
            _("This is a ZIP file and no Excel workbook. Unpack it and upload the spreadsheet.")
        )
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    texts = sum(
        entry.file_size for entry in entries if entry.filename.endswith("sharedStrings.xml")
    )
    if (
        len(entries) > MAX_ENTRIES
        or unpacked > MAX_UNPACKED_BYTES
        or texts > MAX_TEXTS_BYTES
        or unpacked > max(packed, 4096) * MAX_RATIO
    ):
        raise FileRefused(
            _("This workbook unpacks to far more than it should. Save it as CSV and upload that.")
        )


def _workbook_rows(stream: IO[bytes]) -> Iterator[list[str]]:
    try:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size isn't always true
        for row in sheet.iter_rows(values_only=True):
            yield [_cell_text(value) for value in row]
    except Exception as exc:  # a broken workbook raises what it likes in openpyxl
        raise FileUnreadable("binary") from exc


def _cell_text(value: Any) -> str:
    """Return a cell as people see it: whole numbers without a point, dates as ISO."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)[: csvio.MAX_CELL + 1]
