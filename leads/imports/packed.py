"""ZIP files, and workbooks, which are such: what they say that they unpack to is never trusted."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from typing import IO, Any, cast

from django.utils.translation import gettext as _

from convomono.lib.csvio import FileUnreadable
from leads.imports.foreign import foreign_parts

MEGABYTE = 1024 * 1024
MAX_UNPACKED_BYTES = 2048 * MEGABYTE  # as many rows as a sheet can have, forty columns wide
MAX_RATIO = 200
MAX_ENTRIES = 2000
MAX_DIRECTORY_BYTES = 2 * 1024 * 1024  # what lists so many entries is far below
_ZIP = b"PK\x03\x04"
_TABLES = (".csv", ".tsv", ".txt", ".xlsx")
_WORKBOOK = "xl/workbook.xml"
_OTHER_TABLES = (".xls", ".xlsb", ".ods", ".numbers")
_LOCKED = 0x1  # the flag of an entry with a password
_KIND_BYTES = 200
_IN_MEMORY = 8 * 1024 * 1024
# What reading a part raises: broken, with a password, packed in another way.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError)


class FileRefused(Exception):
    """The file can't be imported; the message tells a person what to do."""


def refuse_bombs(stream: IO[bytes], *, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
    """
    Look at the sizes that a ZIP or workbook declares before anything of it is unpacked.

    :raises FileRefused: if they are out of all proportion, or more than `max_bytes` in all
    """
    entries = _entries(stream)
    unpacked = sum(entry.file_size for entry in entries)
    packed = sum(entry.compress_size for entry in entries)
    if len(entries) > MAX_ENTRIES or unpacked > max(packed, 4096) * MAX_RATIO:
        raise _refused()
    if unpacked > max_bytes:
        raise FileRefused(
            _("Unpacked this file is larger than %d MB. Split it, or save it as CSV.")
            % (max_bytes // MEGABYTE or 1)
        )


class _ShortReads:
    """A stream of which nothing longer than a list of contents should be is read at once."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(
            min(size, MAX_DIRECTORY_BYTES) if size >= 0 else MAX_DIRECTORY_BYTES
        )
        if len(found) == MAX_DIRECTORY_BYTES:
            raise _refused()
        return found


def _entries(stream: IO[bytes]) -> list[zipfile.ZipInfo]:
    """Return what a ZIP says it holds; a list of millions of entries is refused before it is read."""
    try:
        return zipfile.ZipFile(cast("IO[bytes]", _ShortReads(stream))).infolist()
    except zipfile.BadZipFile:
        raise FileUnreadable("binary") from None
    finally:
        stream.seek(0)


def _refused() -> FileRefused:
    return FileRefused(
        _("This file unpacks to far more than it should. Save it as CSV and upload that.")
    )


def table_in_zip(stream: IO[bytes], *, max_bytes: int) -> IO[bytes] | None:
    """
    Return the one spreadsheet in a ZIP file, unpacked to at most `max_bytes`; None if the file is no such ZIP.

    :raises FileRefused: if it holds none or several, or unpacks to too much
    :raises FileUnreadable: if it is broken
    """
    stream.seek(0)
    if stream.read(4) != _ZIP:
        return None
    entries = _entries(stream)
    if any(entry.filename == _WORKBOOK for entry in entries):
        return None
    if told := foreign_parts([entry.filename for entry in entries], _kind(stream, entries)):
        raise FileRefused(told)
    refuse_bombs(stream, max_bytes=max_bytes)
    entry = _one_table(entries)
    if entry.flag_bits & _LOCKED:
        raise FileRefused(_("This ZIP file has a password. Pack it without one, or unpack it."))
    return _unpacked(stream, entry)


def _kind(stream: IO[bytes], entries: list[zipfile.ZipInfo]) -> str:
    """Return what the file says that it is: those of OpenDocument have a part for it."""
    entry = next((entry for entry in entries if entry.filename == "mimetype"), None)
    if entry is None:
        return ""
    try:
        with zipfile.ZipFile(stream).open(entry) as part:
            return part.read(_KIND_BYTES).decode("ascii", "replace")
    except _BROKEN:
        return ""
    finally:
        stream.seek(0)


def _one_table(entries: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    tables = [entry for entry in entries if _is_table(entry.filename)]
    # A text beside a table is what is to be read first.
    sure = [entry for entry in tables if not entry.filename.lower().endswith(".txt")]
    if len(sure) == 1:
        return sure[0]
    if not tables:
        raise FileRefused(_no_table([entry.filename for entry in entries]))
    if len(tables) > 1:
        names = ", ".join(entry.filename for entry in tables[:5])
        raise FileRefused(
            _("This ZIP file holds several spreadsheets (%s). Upload them one by one.") % names
        )
    return tables[0]


def _no_table(names: list[str]) -> str:
    if found := next((name for name in names if name.lower().endswith(_OTHER_TABLES)), ""):
        told = _("The spreadsheet in this ZIP file is %s. Save it as .xlsx or CSV and upload that.")
        return told % found
    if any(name.lower().endswith(".zip") for name in names):
        return _("There is another ZIP file in this ZIP file. Unpack both, upload the spreadsheet.")
    return _("There is no spreadsheet in this ZIP file. Unpack it and look for one.")


def _is_table(name: str) -> bool:
    last = name.rpartition("/")[2]
    return name.lower().endswith(_TABLES) and not last.startswith(".") and "__MACOSX" not in name


def _unpacked(stream: IO[bytes], entry: zipfile.ZipInfo) -> IO[bytes]:
    out = cast("IO[bytes]", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  # the caller's
    try:
        with zipfile.ZipFile(stream).open(entry) as packed:
            # zipfile reads no more than the entry declares, which is within the limits.
            shutil.copyfileobj(packed, out)
    except _BROKEN:
        raise FileUnreadable("binary") from None
    out.seek(0)
    return out
