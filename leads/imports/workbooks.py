"""Workbooks read a row at a time: however long a sheet is, no more of it than that stands in memory."""

from __future__ import annotations

import os
import tempfile
import zipfile
from array import array
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import lru_cache
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, Self, cast
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, DIMENSION_TAG, ROW_TAG, WorkSheetParser
from openpyxl.worksheet.dimensions import SheetDimension
from openpyxl.xml.constants import REL_NS, SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from convomono.lib import csvio
from convomono.lib.csvio import FileUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    type _Row = tuple[int, list[dict[str, Any]]]  # its number, and the cells that are in the file

# A row may say that it is any; a sheet has no more than these, and formats blank ones to its end.
MAX_SHEET_ROWS = 1_048_576
MOST_BLANK_ROWS = 10_000
MOST_SHEETS = 20  # that are looked at for a table
MAX_PART_BYTES = 16 * 1024 * 1024  # of what is read whole: names of sheets, styles
_TABLE, _ITEM, _TEXT, _RUN = (f"{{{SHEET_MAIN_NS}}}{name}" for name in ("sst", "si", "t", "r"))
MAX_ITEM_BYTES = 8 * 1024 * 1024  # of a row, or of one shared text
_STRICT = {
    b"http://purl.oclc.org/ooxml/spreadsheetml/main": SHEET_MAIN_NS.encode(),
    b"http://purl.oclc.org/ooxml/officeDocument/relationships": REL_NS.encode(),
}
_CHUNK_BYTES = 64 * 1024
_AT_ONCE = 5000
_REMEMBERED = 50_000  # texts that are asked for again: first names, states


class _Usual:
    """A part of a workbook whose "Strict Open XML" names become the usual ones, which openpyxl knows."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._is_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def close(self) -> None:
        self._source.close()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, more than `size` by a little at first: names stand where a part begins."""
        found = self._source.read(size)
        if not self._is_begun:
            self._is_begun = True
            for strict, usual in _STRICT.items():
                found = found.replace(strict, usual)
        return found


class _Archive(zipfile.ZipFile):
    """A workbook's parts; none that is read whole is large."""

    def open(self, *args: Any, **kwargs: Any) -> IO[bytes]:
        return cast("IO[bytes]", _Usual(super().open(*args, **kwargs)))

    def read(self, name: str | zipfile.ZipInfo, pwd: bytes | None = None) -> bytes:
        entry = name if isinstance(name, zipfile.ZipInfo) else self.getinfo(name)
        if entry.file_size > MAX_PART_BYTES:
            raise FileUnreadable("binary")
        return super().read(entry, pwd)


class _Book(ExcelReader):  # type: ignore[misc]  # openpyxl has no types
    """What openpyxl finds out about a workbook before it reads a sheet: their names, and which numbers are days."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.archive = _Archive(stream)
        self.valid_files = self.archive.namelist()
        self.read_only = self.data_only = True
        self.keep_vba = self.keep_links = self.rich_text = self._is_styled = False
        self.read_manifest()
        self.read_workbook()
        found = [
            (place, sheet, rel.target)
            for place, (sheet, rel) in enumerate(self.parser.find_sheets())
            if rel.target in self.valid_files and "chartsheet" not in rel.Type
        ]
        self.sheets = {sheet.name: path for _place, sheet, path in found}
        self.hidden = {sheet.name for _place, sheet, _path in found if sheet.state != "visible"}
        active = self.wb._active_sheet_index  # noqa: SLF001  # `active` wants the sheets themselves
        self.active = next((sheet.name for place, sheet, _path in found if place == active), "")

    def texts(self) -> SharedTexts:
        """Return the texts that cells point to; a context manager."""
        part = self.package.find(SHARED_STRINGS)
        return SharedTexts(self.archive.open(part.PartName[1:]) if part is not None else None)

    def rows(self, path: str, texts: SharedTexts) -> Iterator[_Row]:
        """Yield the rows of the sheet at `path` that stand in the file."""
        if not self._is_styled:
            apply_stylesheet(self.archive, self.wb)
            self._is_styled = True
        with self.archive.open(path) as source:
            yield from _Rows(
                source,
                texts,
                data_only=True,
                epoch=self.wb.epoch,
                date_formats=self.wb._date_formats,  # noqa: SLF001  # as openpyxl's own sheets ask it
                timedelta_formats=self.wb._timedelta_formats,  # noqa: SLF001
            ).parse()


class _Rows(WorkSheetParser):  # type: ignore[misc]  # openpyxl has no types
    """openpyxl's reader of cells, without what it collects on the way: heights, links, formats."""

    row_counter: int

    def parse(self) -> Iterator[_Row]:
        for element in _each(self.source, DATA_TAG, ROW_TAG):
            said = element.get("r")
            self.row_counter = int(said) if said else self.row_counter + 1
            self.col_counter = 0
            yield self.row_counter, [self.parse_cell(cell) for cell in element]


class SharedTexts:
    """
    The texts that a workbook's cells point to by number, in a file of their own.

    Read no further than somebody asked, so that the first rows of a long sheet cost little.
    """

    def __init__(self, source: IO[bytes] | None) -> None:
        self._coming = _shared(source) if source is not None else iter(())
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # until `__exit__`
        self._ends = array("Q", [0])
        self._known = lru_cache(_REMEMBERED)(self._read)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._file.close()

    def __getitem__(self, number: int) -> str:
        return self._known(number)

    def _read(self, number: int) -> str:
        while number >= len(self._ends) - 1:
            self._go_on()
        if number < 0:
            raise IndexError(number)
        start, end = self._ends[number], self._ends[number + 1]
        return os.pread(self._file.fileno(), end - start, start).decode()

    def _go_on(self) -> None:
        some = [text.encode() for text in islice(self._coming, _AT_ONCE)]
        if not some:
            raise IndexError
        for text in some:
            self._ends.append(self._ends[-1] + len(text))
        self._file.write(b"".join(some))


def _shared(source: IO[bytes]) -> Iterator[str]:
    with source:
        for item in _each(source, _TABLE, _ITEM):
            # Runs are parts of one text in different letters; how it is pronounced isn't read.
            runs = [item, *item.iterfind(_RUN)]
            found = "".join(one.findtext(_TEXT) or "" for one in runs)
            yield found.replace("x005F_", "")[: csvio.MAX_CELL + 1]


def _each(source: IO[bytes], inside: str, tag: str) -> Iterator[Element]:
    """
    Yield the children of one element and forget them; what stands behind them isn't read.

    The parser builds a tree on its own, which is emptied after every few of its lines: asked about each
    element instead (`iterparse`) it takes twice as long, and keeps a million empty ones.
    """
    builder = TreeBuilder()
    top, parser, fruitless = builder.start("top", {}), XMLParser(target=builder), 0  # noqa: S314  # nosec B314 # expat bounds entities
    while chunk := source.read(_CHUNK_BYTES):
        parser.feed(chunk)
        parent, is_over = _grown(top, inside)
        # The last one may go on in the next lines.
        done = list(parent) if is_over else parent[:-1]
        fruitless = 0 if done else fruitless + len(chunk)
        if fruitless > MAX_ITEM_BYTES:
            raise FileUnreadable("binary")
        del parent[: len(done)]
        yield from (one for one in done if one.tag == tag)
        if is_over:
            return
    parser.close()
    yield from (one for one in _grown(top, inside)[0] if one.tag == tag)


def _grown(top: Element, inside: str) -> tuple[Element, bool]:
    """Return the element whose children are looked for, as far as it has grown, and whether it is over."""
    root = top[0] if len(top) else top
    if root.tag == inside:
        return root, False
    for place, child in enumerate(root, start=1):
        if child.tag == inside:
            return child, place < len(root)
    return Element(inside), False


def sheet_sizes(stream: IO[bytes]) -> dict[str, int]:
    """
    Return a workbook's sheets by name, and how many rows each says it has; 0 if it doesn't.

    That is an estimate for people and no more: it is whatever the file says, up to what a sheet can have.
    """
    found: dict[str, int] = {}
    try:
        book = _Book(stream)
        for name, path in book.sheets.items():
            with book.archive.open(path) as source:
                found[name] = max(0, min(_rows_said(source), MAX_SHEET_ROWS))
    except Exception as exc:  # a broken workbook raises what it likes in openpyxl
        raise FileUnreadable("binary") from exc
    finally:
        stream.seek(0)
    return found


def _rows_said(source: IO[bytes]) -> int:
    for _event, element in iterparse(source, ("start",)):
        if element.tag == DIMENSION_TAG:
            return SheetDimension.from_tree(element).boundaries[3] or 0
        if element.tag == DATA_TAG:
            break
    return 0


def workbook_rows(stream: IO[bytes], sheet_name: str) -> Iterator[list[str]]:
    """
    Yield a sheet's rows, those of the first without a name, as people see them.

    Behind 10,000 blank rows the table is over: what stands below is a stray cell or a made-up number.
    """
    try:
        book = _Book(stream)
        with book.texts() as texts:
            yield from _sheet_rows(book, _name_in(book, sheet_name), texts)
    except Exception as exc:  # a broken workbook raises what it likes in openpyxl
        raise FileUnreadable("binary") from exc


def _name_in(book: _Book, name: str) -> str:
    return name if name in book.sheets else next(iter(book.sheets))


def _sheet_rows(book: _Book, name: str, texts: SharedTexts) -> Iterator[list[str]]:
    blank = 0
    for row in _placed(book.rows(book.sheets[name], texts)):
        blank = 0 if any(row) else blank + 1
        if blank > MOST_BLANK_ROWS:
            return
        yield row


@dataclass(frozen=True)
class LookedAt:
    """A sheet's first rows; `error` is why there are none."""

    name: str
    is_hidden: bool
    rows: list[list[str]]
    error: FileUnreadable | None = None

    def told(self) -> list[list[str]]:
        """Return the rows, or raise what stands against that."""
        if self.error is not None:
            raise self.error
        return self.rows


def first_rows(stream: IO[bytes], *, most: int) -> Iterator[LookedAt]:
    """
    Yield the sheets of a workbook with at most `most` rows that aren't blank, of no more than 20 sheets.

    The one that was open when it was saved comes first and hidden ones last. One opening serves all: styles
    and shared texts are read once.
    """
    try:
        book = _Book(stream)
        order = sorted(book.sheets, key=lambda name: (name in book.hidden, name != book.active))
        with book.texts() as texts:
            for name in order[:MOST_SHEETS]:
                yield _looked_at(book, name, texts, most)
    except Exception as exc:  # a broken workbook raises what it likes in openpyxl
        raise FileUnreadable("binary") from exc


def _looked_at(book: _Book, name: str, texts: SharedTexts, most: int) -> LookedAt:
    try:
        said = (row for row in _sheet_rows(book, name, texts) if "".join(row).strip())
        rows = list(islice(said, most))
    except Exception:  # noqa: BLE001  # as above: the other sheets may be whole
        return LookedAt(name, name in book.hidden, [], FileUnreadable("binary"))
    return LookedAt(name, name in book.hidden, rows)


def _placed(rows: Iterator[_Row]) -> Iterator[list[str]]:
    """Yield each row where its number says, and blank ones for those that aren't in the file."""
    last = 0
    for number, cells in rows:
        for _missing in range(last + 1, min(number, last + MOST_BLANK_ROWS + 2)):
            yield []
        if last < number <= MAX_SHEET_ROWS:
            last = number
            yield _row_texts(cells)


def _row_texts(cells: list[dict[str, Any]]) -> list[str]:
    row: list[str] = []
    for cell in cells:
        if (missing := cell["column"] - 1 - len(row)) >= 0:
            row += [""] * missing
            row.append(_cell_text(cell["value"]))
    return row


def _cell_text(value: Any) -> str:
    """Return a cell as people see it: whole numbers without a point, days as ISO, no midnight behind them."""
    if isinstance(value, str):
        return value[: csvio.MAX_CELL + 1]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d} {_time_text(value.time())}".removesuffix(" 00:00")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return _time_text(value)
    return "" if value is None else str(value)[: csvio.MAX_CELL + 1]


def _time_text(value: time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")
