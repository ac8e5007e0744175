"""Spreadsheet text: telling encoding and delimiter, reading in bounded memory, writing safe cells."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, cast

from convomono.lib.utf16 import unmarked_utf_16
from convomono.lib.words import without_controls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_LINE = 1_000_000  # characters
MAX_CELL = 32_767  # what a spreadsheet's cell holds at most
_SHOWN = 10 * MAX_CELL  # of a line that is too long
DELIMITERS = (",", ";", "\t", "|")
QUOTES: dict[str, dict[str, Any]] = {
    "double": {"quotechar": '"'},
    "single": {"quotechar": "'"},
    "none": {"quoting": csv.QUOTE_NONE},
    "lines": {"quotechar": '"'},  # around each line, and inside once more
}
ENCODINGS = ("utf-8", "utf-16", "utf-32", "cp1252")
BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160))) | dict.fromkeys((9, 10, 13, 160), " ")
_NOT_IN_TEXT = bytes(set(range(1, 32)) - set(b"\t\n\v\f\r\x1b"))
_HEAD = 4096
_END_OF_TEXT = "\x1a"  # where a file of DOS ends
_FEWEST_DIGITS = 7  # of a phone number
_UTF8_LETTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")


class FileUnreadable(Exception):
    """The bytes are no text of a spreadsheet; `reason` is "binary", "empty" or "long_line"."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass
class TextSniffer:
    """
    Tells the encoding of a file from its chunks, fed in order, and counts its lines.

    A byte order mark decides; else zeros beside what separates rows and cells mean UTF-16; else what is
    valid UTF-8 to the end is that, and the rest is cp1252, which spreadsheets on Windows write.
    """

    lines: int = 0
    _head: bytes = b""
    _is_utf8: bool = True
    _letters: int = 0
    _strays: int = 0
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=codecs.getincrementaldecoder("utf-8")
    )

    def feed(self, chunk: bytes) -> None:
        if len(self._head) < _HEAD:
            self._head += chunk[:_HEAD]
        self.lines += max(chunk.count(b"\n"), chunk.count(b"\r"))
        if self._is_utf8:
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self._is_utf8 = False
        self._letters += len(_UTF8_LETTER.findall(chunk)) if not chunk.isascii() else 0
        if not self._is_utf8:
            self._strays += chunk.decode("utf-8", "replace").count("\ufffd")

    def encoding(self) -> str:
        """
        Return one of ENCODINGS, or "utf-16-le" or "utf-16-be" where no mark says it.

        :raises FileUnreadable: if there is nothing, or something else than text
        """
        head = self._head
        if not head.strip():
            raise FileUnreadable("empty")
        if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            return "utf-32"  # its little end begins as UTF-16's does
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8"
        if 0 in head and (encoding := unmarked_utf_16(head)):
            return encoding
        head = head.rstrip(b"\x1a")  # what DOS fills its last block with
        controls = len(head) - len(head.translate(None, _NOT_IN_TEXT))
        if not head or (head.count(0) + controls) * 20 > len(head):
            raise FileUnreadable("binary")
        # A few stray bytes in a file of UTF-8 spoil their rows and not the others' accents.
        is_mostly = self._letters > 2 * self._strays
        return "utf-8" if self._is_utf8 or is_mostly else "cp1252"


class LongLine(str):
    """The beginning of a line of more than MAX_LINE characters."""

    __slots__ = ()


def text_lines(stream: IO[bytes], encoding: str) -> Iterator[str]:
    """
    Yield the text's lines with their ends (LF, CRLF or CR), never more than one in memory.

    Of one of more than MAX_LINE characters the beginning, as a LongLine. Bytes that the encoding doesn't have
    become U+FFFD, and DOS's mark at the end of the text is left out.

    :raises FileUnreadable: if the first line is such a long one, or the mark of the encoding is missing
    """
    encoding = "utf-8-sig" if encoding == "utf-8" else encoding
    text = io.TextIOWrapper(cast("Any", stream), encoding=encoding, errors="replace", newline="")
    is_first = True
    try:
        while line := text.readline(MAX_LINE):
            if len(line) == MAX_LINE and line[-1] not in "\r\n":
                if is_first:
                    raise FileUnreadable("long_line", 1)
                _skip_rest(text)
                line = LongLine(line[:_SHOWN])
            elif line[0] == _END_OF_TEXT and not line.strip("\x1a\r\n"):
                line = line.strip(_END_OF_TEXT)
            is_first = False
            if line:
                yield line
    except UnicodeError:
        raise FileUnreadable("binary") from None
    finally:
        text.detach()  # whoever opened the stream closes it


def _skip_rest(text: io.TextIOWrapper) -> None:
    """Read a line to its end, and keep nothing of it."""
    while (more := text.readline(MAX_LINE)) and more[-1] not in "\r\n":
        pass


@dataclass(frozen=True)
class BrokenRow:
    """A line that can't be taken apart, for a quote that never closes; `cells` is it without quotes."""

    cells: list[str]


def read_rows(
    stream: IO[bytes], *, encoding: str, delimiter: str, width: int = 0, quoting: str = "double"
) -> Iterator[list[str] | BrokenRow]:
    """
    Yield each row's cells; an empty line is an empty list. `width` is how many cells a row should have,
    `quoting` one of QUOTES: what keeps a cell with a delimiter in it together.

    A quote opened by mistake spoils its own line, a BrokenRow, and none behind it: what it swallowed
    until the next quote, or the standard library's limit of 131,072 characters in a cell, is
    read again line by line. A cell that holds line breaks as it should is one. A line longer than MAX_LINE
    is a row of its own whose longest cell is cut behind MAX_CELL.
    """
    told = text_lines(stream, encoding)
    rest = unwrapped(told) if quoting == "lines" else told
    again: deque[str] = deque()  # lines to be read once more, before the rest
    lines: list[str] = []  # of the row that is being read

    def kept() -> Iterator[str]:
        held = 0
        popped = iter(lambda: again.popleft() if again else "", "")
        for line in chain(popped, rest):
            lines.append(line)
            held = held + len(line) if len(lines) > 1 else 0
            if held > MAX_LINE or isinstance(line, LongLine):
                raise csv.Error("a row longer than a line may be")
            yield line

    style = {"delimiter": delimiter, **QUOTES[quoting]}
    reader = csv.reader(kept(), **style)
    while True:
        lines.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            pass
        else:
            if len(lines) == 1 or not _has_swallowed(lines, cells, style, width):
                yield cells
                continue
        yield _unread(lines[0], quote=style.get("quotechar", '"'), delimiter=delimiter)
        again.extendleft(reversed(lines[1:]))
        reader = csv.reader(kept(), **style)


def _unread(line: str, *, quote: str, delimiter: str) -> list[str] | BrokenRow:
    """Return a row that can't be taken apart: for a cell that no spreadsheet holds, else for its quotes."""
    cells = line.replace(quote, "").rstrip("\r\n").split(delimiter)
    if any(len(cell) > MAX_CELL for cell in cells):
        return [cell[: MAX_CELL + 1] for cell in cells]
    return [line[: MAX_CELL + 1]] if isinstance(line, LongLine) else BrokenRow(cells)


def _unwrapped(line: str) -> str:
    """Return what stands in a line that is one quoted cell; any other as it is."""
    text = line.rstrip("\r\n")
    inside = text[1:-1]
    is_one = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inside.replace('""', "")
    is_one = is_one and not isinstance(line, LongLine)
    return inside.replace('""', '"') + line[len(text) :] if is_one else line


def unwrapped(lines: Iterable[str]) -> Iterator[str]:
    """Yield what stands in lines that are quoted as a whole; others as they are."""
    return map(_unwrapped, lines)


def are_wrapped(sample: Iterable[str]) -> bool:
    """Tell whether all lines of a sample are quoted as a whole, and are rows of several cells inside."""
    lines = [line for line in sample if line.strip()]
    inside = [_unwrapped(line) for line in lines]
    delimiter = guess_delimiter(inside)
    pairs = zip(lines, inside, strict=True)
    return len(lines) > 1 and all(line != row and delimiter in row for line, row in pairs)


def _has_swallowed(lines: list[str], cells: list[str], style: dict[str, Any], width: int) -> bool:
    """Tell whether a row of several lines is several rows, run together by a stray quote."""
    if width and len(cells) > width:
        return True
    try:
        next(csv.reader(lines, strict=True, **style))
    except csv.Error:
        return True
    # Two stray quotes that fit each other: most lines are rows of a person, each with a number.
    said = [line for line in lines if line.strip()]
    whole = [
        line
        for line in said
        if line.count(style["delimiter"]) == width - 1
        and sum(map(str.isdigit, line)) >= _FEWEST_DIGITS
    ]
    return len(whole) * 2 > len(said)


def guess_delimiter(sample: Iterable[str]) -> str:
    """Return the delimiter that cuts the sample's lines into most columns alike; else a comma."""
    lines = [line for line in sample if line.strip() and len(line) < csv.field_size_limit()]
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:
            continue
        if not widths:
            continue
        common = max(set(widths), key=widths.count)
        # Agreement counts more than width: commas inside sentences give many ragged columns.
        score = (common - 1) * (widths.count(common) / len(widths)) ** 2
        if score > best_score:
            best, best_score = delimiter, score
    return best


def clean_cell(cell: str) -> str:
    """Return the cell without control characters, outer blanks and our own safety apostrophe."""
    if not cell.isprintable():
        cell = cell.translate(_CONTROLS)
    cell = cell.strip()
    if len(cell) > 1 and cell[0] == "'" and cell[1] in "=+-@":
        return cell[1:]
    return cell


def safe_cell(value: object) -> str:
    """
    Return the value as a cell that no spreadsheet takes for a formula; `clean_cell` undoes that.

    Control characters are left out: a workbook can't hold them.

    A number stays one: a correction of -5.00 minutes can be added up.
    """
    text = "" if value is None else without_controls(str(value))
    if isinstance(value, int | float | Decimal):
        return text
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Line:
    """A file for the csv module that keeps the one line just written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text = text


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield the rows as CSV, UTF-8 with a byte order mark for Excel, every cell made safe."""
    line = _Line()
    writer = csv.writer(line)
    yield BOM
    for row in rows:
        writer.writerow([safe_cell(value) for value in row])
        yield line.text
