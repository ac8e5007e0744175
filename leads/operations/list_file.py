"""A do-not-call list as it came: what its file is, which of its columns hold numbers, and those of each line."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, cast

from django.utils.translation import gettext as _

from convomono.lib import files
from convomono.lib.csvio import BrokenRow, FileUnreadable, TextSniffer
from convomono.lib.phone import NumberRefused
from convomono.lib.phone_listed import listed_number
from leads.imports.cells import day_of, whole_number
from leads.imports.columns import guess_mapping, lacks_plus
from leads.imports.countries import country_said
from leads.imports.numbers import numbers_in as numbers_to_call, phone_cell
from leads.imports.packed import FileRefused
from leads.imports.source import FEWEST_DIGITS, detect, open_rows, read_again, unpacked

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from uuid import UUID

    from leads.models import Detected, ListReading

    type _Row = tuple[int, list[str] | BrokenRow]

MAX_BYTES = 20 * 1024 * 1024
LABEL = 80  # characters kept of what gave no number
_CHUNK_BYTES = 256 * 1024
_PHONES = ("phone_number", "phone_2", "phone_3")
_PHONE_NAME = re.compile(r"phone|mobile|telefon|handy|\b(cell|tel|fax)\b")
_MOST_OF_THEM = 0.6  # of a column's first cells
_BETWEEN = re.compile(r"[;,|/\n\t]|\b(?:or|and)\b|&")
_RUNS = re.compile(r"(?<![\w.,+-])(?!\d{4}-\d\d-\d\d)[+(]*\d[\d ().\-]{5,}\d(?![\w,])")
_WRITTEN = re.compile(r"(?!\d+\Z)\+?[\d\s().\-\u2010-\u2015]+\Z")


@dataclass(frozen=True, slots=True)
class ListLine:
    """A row of the list: where a spreadsheet shows it, its numbers in E.164, and what should be one and isn't."""

    number: int
    cells: list[str]
    numbers: list[str]
    unread: list[str]

    @property
    def left(self) -> list[str]:
        """Return what stood there and isn't listed: the line, or a cell of a line that has another number."""
        if self.numbers:
            return [cell[:LABEL] for cell in self.unread]
        return [", ".join(" ".join(cell.split()) for cell in self.cells if cell.strip())[:LABEL]]


def take_list(
    stream: IO[bytes], *, client_id: UUID | None, country: str
) -> tuple[str, ListReading, int]:
    """
    Keep a list in the storage; return its name there, how it is read, and about how many lines it has.

    Of a ZIP the one spreadsheet in it is kept.

    :raises FileRefused: with a sentence, if it is no list
    """
    table = unpacked(stream, max_bytes=MAX_BYTES)
    try:
        sniffer = _sniffed(table)
        found = _detected(table, sniffer, country)
        table.seek(0)
        suffix = f".{found['format']}"
        stored = files.store(room="lists", client_id=client_id, suffix=suffix, content=table)
    finally:
        if table is not stream:
            table.close()
    sizes = dict(zip(found.get("sheets", ()), found.get("sheet_rows", ()), strict=False))
    first = next(iter(sizes.values()), sniffer.lines)
    lines = sizes.get(found.get("sheet", ""), first)
    return stored, _reading(found, country), max(lines - found["has_header"], 0)


def reading_of(stored_name: str, *, country: str) -> ListReading:
    """
    Return how a stored list is read: of one that was begun before that was kept with it.

    :raises FileNotFoundError: if it is gone
    """
    with files.open_stored(stored_name) as stream:
        return _reading(_detected(stream, _sniffed(stream), country), country)


def _sniffed(stream: IO[bytes]) -> TextSniffer:
    sniffer = TextSniffer()
    stream.seek(0)
    while chunk := stream.read(_CHUNK_BYTES):
        sniffer.feed(chunk)
    stream.seek(0)
    return sniffer


def _detected(stream: IO[bytes], sniffer: TextSniffer, country: str) -> Detected:
    """Return what the file is; a first row with what may be a number is a line like the others."""
    try:
        found = detect(stream, sniffer)
    except FileRefused:
        if sniffer.lines > 1:
            raise
        stream.seek(0)
        found = _one_line(stream, sniffer)
        if not any(numbers_in(cell, country)[0] for cell in found["samples"][0]):
            raise
    if found["has_header"] and any(map(_is_like_number, found["header"])):
        found["samples"].insert(0, found["header"])
        found["header"] = [_("Column %d") % n for n, _one in enumerate(found["header"], start=1)]
        found["has_header"] = False
    return found


def _is_like_number(name: str) -> bool:
    """Tell whether the first row holds what may be a number, good or not: then it names no columns."""
    return _digits(name) >= FEWEST_DIGITS and not day_of(name, "")


def _one_line(stream: IO[bytes], sniffer: TextSniffer) -> Detected:
    try:
        encoding = sniffer.encoding()
    except FileUnreadable:
        encoding = "cp1252"  # whoever asked refuses it: no number is found
    plain: Detected = {
        "format": "csv",
        "encoding": encoding,
        "delimiter": ",",
        "has_header": False,
        "header": [],
        "samples": [],
    }
    return read_again(stream, plain, reading={})


def _reading(found: Detected, country: str) -> ListReading:
    """Return which columns hold numbers: by their names, then by what stands in them."""
    header, fields = found["header"], guess_mapping(found, variables=(), remembered=None)["fields"]
    columns = [fields[name] for name in _PHONES if name in fields]
    others = {place for name, place in fields.items() if name not in _PHONES}
    empty: list[int] = []
    for place, name in enumerate(header):
        if place in columns or place in others or name.startswith("_"):
            continue
        share = _share(found, place, country)
        is_named = found["has_header"] and _PHONE_NAME.search(name.lower())
        if (share or 0) >= _MOST_OF_THEM or (is_named and share != 0):
            columns.append(place)
        elif share is None:
            empty.append(place)
    if not columns:  # whatever its name says
        columns = [one for one in others if (_share(found, one, country) or 0) >= _MOST_OF_THEM]
        others -= set(columns)
    ours = [place for place, name in enumerate(header) if name.startswith("_")]
    columns.sort()
    # A list of numbers alone needs no word on where they stood.
    is_plain = len(header) == 1 and not found["has_header"]
    sheet = found.get("sheet", "")
    return {
        "found": {
            "format": found["format"],
            "encoding": found["encoding"],
            "delimiter": found["delimiter"],
            "has_header": found["has_header"],
            "header": [""] * len(header),
            "samples": [],
            "sheet": sheet,
            "skipped": found.get("skipped", 0),
        },
        "columns": columns,
        "names": [] if is_plain else [header[place] for place in columns],
        "empty": empty,
        "others": sorted([*others, *ours]),
        "country_column": fields.get("country", -1),
        "lost_plus": [place for place in columns if lacks_plus(found, place, country)],
        "sheets_left": [name for name in found.get("sheets", ()) if sheet and name != sheet],
    }


def _share(found: Detected, place: int, country: str) -> float | None:
    """Return how many of a column's first cells are numbers; None if it is empty there."""
    cells = [row[place] for row in found["samples"] if place < len(row) and row[place]]
    if not cells:
        return None
    return sum(bool(numbers_in(one, country)[0]) and not day_of(one, "") for one in cells) / len(
        cells
    )


def number_in(text: str, country: str) -> str:
    """Return the number that a text is in E.164, one that nobody calls too; empty if it is none."""
    try:
        return listed_number(whole_number(text), country)
    except NumberRefused:
        return ""


def numbers_in(cell: str, country: str) -> tuple[list[str], list[str]]:
    """
    Return the numbers in a cell, of which several may stand there, and what should be one and isn't.

    They are read as the import of leads reads them; what that leaves out of a cell is looked at here.
    """
    called: list[str] = []
    with suppress(NumberRefused):
        read = numbers_to_call(cell, country)
        called = [f"+{value}" for value in (read.value, *read.others)]
    parts = [part.strip() for part in _BETWEEN.split(cell) if _digits(part) >= FEWEST_DIGITS]
    if len(parts) < 2:  # noqa: PLR2004  # one number, or none
        tried = (number_in(text, country) for text in [cell, *_beside_words(cell)])
        listed = called or list(dict.fromkeys(filter(None, tried)))
        return listed, [cell] if _digits(cell) and not listed else []
    told = [(part, number_in(part, country)) for part in parts]
    found = dict.fromkeys([*called, *(number for _part, number in told if number)])
    return list(found), [part for part, number in told if not number]


def _beside_words(cell: str) -> list[str]:
    """Return what may be numbers in a text, "Ada: 212 555 0101": a list would rather name one too many than lose it."""
    return _RUNS.findall(cell) if any(map(str.isalpha, cell)) else []


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _is_written(cell: str) -> bool:
    """Tell whether a cell is written as numbers are, with + or in groups: what another column may hold by chance isn't."""
    return any(
        _WRITTEN.match(part.strip()) and not day_of(part.strip(), "")
        for part in _BETWEEN.split(cell)
    )


def _cells(row: list[str] | BrokenRow) -> list[str]:
    return row.cells if isinstance(row, BrokenRow) else row


class ListReader:
    """Reads the lines of a list; the same lines each time, so that one who goes on counts them."""

    def __init__(self, reading: ListReading, country: str) -> None:
        self.reading, self.country = reading, country
        found = reading["found"]
        self.found: Detected = {**found, "skipped": 0}  # a title may be a number as well
        self.header_at = found.get("skipped", 0) if found["has_header"] else -1
        self.width = len(found["header"])
        self.columns, self.others = reading["columns"], set(reading["others"])
        self.empty, self.lost_plus = set(reading["empty"]), set(reading["lost_plus"])

    def lines(self, stored_name: str) -> Iterator[ListLine]:
        """
        Yield each line but the column names; where it can't be read any further, a line that says so.

        :raises FileNotFoundError: if the list is gone
        """
        with (
            files.open_stored(stored_name) as stream,
            # Closed before the stream, if nobody goes on.
            closing(cast("Generator[_Row]", open_rows(stream, self.found))) as rows,
        ):
            number = 0
            try:
                for place, (number, row) in enumerate(rows):
                    if place != self.header_at:
                        yield self.read(number, _cells(row))
            except FileUnreadable:
                told = _("From here on the file can't be read. Save it again, and import that.")
                yield ListLine(number + 1, [told], [], [])

    def header(self, stored_name: str) -> list[str]:
        """Return the names of the columns as they stand in the file; none if it has none."""
        with files.open_stored(stored_name) as stream:
            rows = list(islice(open_rows(stream, self.found), self.header_at + 1))
        return _cells(rows[-1][1]) if rows else []

    def read(self, number: int, cells: list[str]) -> ListLine:
        """Return the numbers of a row: those of its columns, and what else is surely one."""
        cells = [phone_cell(cell) for cell in cells]
        country = self._country(cells)
        found: dict[str, None] = {}
        unread: list[str] = []
        for place in self.columns:
            if place < len(cells) and cells[place]:
                some, rest = self._numbers(place, cells[place], country)
                found.update(dict.fromkeys(some))
                unread += rest
        for place, cell in enumerate(cells):
            if cell and place not in self.columns and place not in self.others:
                is_free = place in self.empty or place >= self.width or not self.columns
                if is_free or _is_written(cell):
                    found.update(dict.fromkeys(numbers_in(cell, country)[0]))
        if not found:
            found = dict.fromkeys(self._anywhere(cells, country))
        return ListLine(number, cells, list(found), unread)

    def _country(self, cells: list[str]) -> str:
        place = self.reading["country_column"]
        said = cells[place] if 0 <= place < len(cells) else ""
        return country_said(said) or self.country if said else self.country

    def _numbers(self, place: int, cell: str, country: str) -> tuple[list[str], list[str]]:
        if place in self.lost_plus and cell.isdecimal() and (one := number_in(f"+{cell}", country)):
            return [one], []
        return numbers_in(cell, country)

    def _anywhere(self, cells: list[str], country: str) -> Iterator[str]:
        """Yield the numbers of a row whose columns have none: it may be out of line with the header."""
        for cell in cells:
            is_torn = len(_BETWEEN.split(cell)) > 1  # by another separator than the file's
            if _digits(cell) >= FEWEST_DIGITS and (is_torn or _is_written(cell)):
                yield from numbers_in(cell, country)[0]


def slices(lines: Iterable[ListLine], size: int) -> Iterator[list[ListLine]]:
    """Yield the lines in lists of about `size` numbers, so that a transaction stays short."""
    part: list[ListLine] = []
    weight = 0
    for line in lines:
        part.append(line)
        weight += max(1, len(line.numbers) + len(line.unread))
        if weight >= size:
            yield part
            part, weight = [], 0
    if part:
        yield part
