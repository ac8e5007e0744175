"""Files people upload and we make, over Django's storage: names of ours, never theirs."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage

from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID


def new_name(*, room: str, client_id: UUID | None, suffix: str) -> str:
    """
    Return a name in the storage that nothing has yet, `room/client/<new id><suffix>`.

    The suffix is ours (".csv"); a name that somebody typed never becomes a path.
    """
    return f"{room}/{client_id or 'agency'}/{uuid7()}{suffix}"


def store(*, room: str, client_id: UUID | None, suffix: str, content: bytes | IO[bytes]) -> str:
    """Keep the content and return its name in the storage."""
    body: File[bytes] = ContentFile(content) if isinstance(content, bytes) else File(content)
    return default_storage.save(new_name(room=room, client_id=client_id, suffix=suffix), body)


def open_stored(name: str) -> IO[bytes]:
    """
    Open a stored file for reading.

    :raises FileNotFoundError: if it is gone
    """
    return default_storage.open(name, "rb")


def append_stored(name: str, chunk: bytes, *, at: int) -> int:
    """
    Put a chunk at this offset of a growing file, cutting off what stood behind; return its size.

    For uploads in parts. It needs a storage in a folder of this machine, or one mounted on it.

    :raises ValueError: if the file is shorter than `at`
    """
    path = _path(name)
    if path is None:
        raise NotImplementedError("Uploads in parts need a storage with paths.")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "w+b") as file:
        if file.seek(0, 2) < at:
            raise ValueError(f"{name} has less than {at} bytes")
        file.seek(at)
        file.truncate()
        file.write(chunk)
        return file.tell()


def stored_size(name: str) -> int:
    """Return how many bytes a stored file has; 0 if there is none."""
    return default_storage.size(name) if default_storage.exists(name) else 0


def folder_bytes(folder: str) -> tuple[int, int]:
    """Return how many files stand in a folder, and their bytes together."""
    if not default_storage.exists(folder):
        return 0, 0
    names = default_storage.listdir(folder)[1]
    return len(names), sum(stored_size(f"{folder}/{name}") for name in names)


def older(folder: str, *, before: datetime) -> Iterator[str]:
    """Yield the names of files one level below this folder that nobody wrote to since."""
    if not default_storage.exists(folder):
        return
    for inner in default_storage.listdir(folder)[0]:
        for name in default_storage.listdir(f"{folder}/{inner}")[1]:
            path = f"{folder}/{inner}/{name}"
            if default_storage.get_modified_time(path) < before:
                yield path


def delete_older(folder: str, *, before: datetime) -> int:
    """Delete the files one level below this folder that nobody wrote to since; return how many."""
    deleted = 0
    for path in older(folder, before=before) if can_append() else ():
        default_storage.delete(path)
        deleted += 1
    return deleted


def can_append() -> bool:
    """Tell whether the storage takes uploads in parts."""
    return _path("probe") is not None


@contextmanager
def local_file(name: str, *, is_written: bool = False) -> Iterator[Path]:
    """
    Yield the path on this machine of a stored file, which need not exist yet if it `is_written`.

    A storage elsewhere hands out a copy, and takes it back at the end.

    :raises FileNotFoundError: if it is to be read and is gone
    """
    path = _path(name)
    if path is not None:
        if is_written:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.exists():
            raise FileNotFoundError(name)
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        if not is_written or default_storage.exists(name):
            with default_storage.open(name, "rb") as there, copy.open("wb") as here:
                shutil.copyfileobj(there, here)
        yield copy
        if is_written and copy.exists():
            default_storage.delete(name)
            with copy.open("rb") as content:
                default_storage.save(name, File(content))


def _path(name: str) -> Path | None:
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None


def delete_stored(name: str) -> None:
    """Delete a stored file; one that is gone already is no error."""
    default_storage.delete(name)
