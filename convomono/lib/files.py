"""Files people upload and we make, over Django's storage: names of ours, never theirs."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID


def store(*, room: str, client_id: UUID | None, suffix: str, content: bytes | IO[bytes]) -> str:
    """
    Keep the content and return its name in the storage, `room/client/<new id><suffix>`.

    The suffix is ours (".csv"); a name that somebody typed never becomes a path.
    """
    body: File[bytes] = ContentFile(content) if isinstance(content, bytes) else File(content)
    return default_storage.save(f"{room}/{client_id or 'agency'}/{uuid7()}{suffix}", body)


def open_stored(name: str) -> IO[bytes]:
    """
    Open a stored file for reading.

    :raises FileNotFoundError: if it is gone
    """
    return default_storage.open(name, "rb")


def delete_stored(name: str) -> None:
    """Delete a stored file; one that is gone already is no error."""
    default_storage.delete(name)
