"""What of a do-not-call list was no number: a file of those lines as they were, to be mended and read again."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib import files
from convomono.lib.csvio import csv_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from leads.operations.list_file import ListReader

_IN_MEMORY = 1024 * 1024
_OURS = ("_line", "_no_number")


def store_left(*, reader: ListReader, stored_name: str, client_id: UUID | None) -> str:
    """
    Keep the lines that gave no number, or not all they should, and return the file's name in the storage.

    :raises FileNotFoundError: if the list is gone
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
        for line in csv_lines(_rows(reader, stored_name)):
            out.write(line.encode())
        out.seek(0)
        return files.store(room="lists", client_id=client_id, suffix=".csv", content=out)


def _rows(reader: ListReader, stored_name: str) -> Iterator[list[object]]:
    header = reader.header(stored_name)
    places = [place for place, name in enumerate(header) if name.strip() not in _OURS]
    names = [header[place] for place in places] or [_("Column %d") % 1]
    yield [*_OURS, *names]
    for line in reader.lines(stored_name):
        if not line.numbers or line.unread:
            cells = line.cells
            if header:
                width = len(header)
                cells = [cells[place] if place < len(cells) else "" for place in places]
                cells += line.cells[width:]
            yield [line.number, "; ".join(line.left), *cells]
