"""What Retell takes as knowledge: types, sizes and counts, said before they bite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Iterable

    from campaigns.models import KnowledgeSource

MEGABYTE = 1024 * 1024
FILE_BYTES = 50 * MEGABYTE
TEXT_CHARS = 50_000
# Of one knowledge base. Source: Retell's documentation.
MOST = {"file": 25, "url": 500, "text": 50}
SUFFIXES = frozenset(
    {".bmp", ".csv", ".doc", ".docx", ".eml", ".epub", ".heic", ".html", ".jpeg", ".jpg", ".md"}
    | {".msg", ".odt", ".org", ".p7s", ".pdf", ".png", ".ppt", ".pptx", ".rst", ".rtf", ".tiff"}
    | {".tsv", ".txt", ".xls", ".xlsx", ".xml"}
)
# How files of these kinds begin; the others have no sure sign.
_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    ".pdf": (b"%PDF",),
    ".png": (b"\x89PNG",),
    ".jpeg": (b"\xff\xd8\xff",),
    ".jpg": (b"\xff\xd8\xff",),
    ".bmp": (b"BM",),
    ".tiff": (b"II*\x00", b"MM\x00*"),
    ".rtf": (b"{\\rtf",),
    ".docx": (b"PK\x03\x04",),
    ".xlsx": (b"PK\x03\x04",),
    ".pptx": (b"PK\x03\x04",),
    ".odt": (b"PK\x03\x04",),
    ".epub": (b"PK\x03\x04",),
    ".doc": (b"\xd0\xcf\x11\xe0",),
    ".xls": (b"\xd0\xcf\x11\xe0",),
    ".ppt": (b"\xd0\xcf\x11\xe0",),
    ".msg": (b"\xd0\xcf\x11\xe0",),
}
_TEXTS = frozenset({".csv", ".html", ".md", ".org", ".rst", ".tsv", ".txt", ".xml"})


class SourceRefused(Exception):
    """A source that Retell would not take; the message says why and what to do."""


@dataclass(frozen=True)
class Room:
    """How many more of each kind fit."""

    files: int
    urls: int
    texts: int


def room_left(sources: Iterable[KnowledgeSource]) -> Room:
    """Return what still fits into a knowledge base."""
    kinds = [source.kind for source in sources]
    return Room(
        files=MOST["file"] - kinds.count("file"),
        urls=MOST["url"] - kinds.count("url"),
        texts=MOST["text"] - kinds.count("text"),
    )


def suffix_of(name: str) -> str:
    """Return what a file's name ends in, lower case with its dot; "" without one."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def check_file(*, name: str, size_bytes: int, head: bytes) -> None:
    """
    Judge a file by its name, its size and how it begins.

    :raises SourceRefused: naming what is wrong
    """
    suffix = suffix_of(name)
    if suffix not in SUFFIXES:
        kinds = ", ".join(sorted(one.lstrip(".") for one in SUFFIXES))
        raise SourceRefused(
            _("Retell can't read “%(suffix)s” files. Take one of: %(kinds)s.")
            % {"suffix": suffix or name[:40], "kinds": kinds}
        )
    if size_bytes > FILE_BYTES:
        raise SourceRefused(
            _("The file has %(size)d MB, and Retell takes %(most)d. Split it.")
            % {"size": -(-size_bytes // MEGABYTE), "most": FILE_BYTES // MEGABYTE}
        )
    if not size_bytes:
        raise SourceRefused(_("The file is empty. Save it again and upload that."))
    beginnings = _BEGINNINGS.get(suffix)
    wrong_start = beginnings is not None and not head.startswith(beginnings)
    if wrong_start or (suffix in _TEXTS and b"\x00" in head and not head.startswith(b"\xff\xfe")):
        raise SourceRefused(
            _("This is no %(suffix)s file inside, whatever its name says. Save it as one.")
            % {"suffix": suffix}
        )
