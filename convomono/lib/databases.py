"""What an address like mongodb://host/name or sqlite:///path means for Django."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from convomono.lib.env import EnvironmentInvalid

SQLITE_OPTIONS = {
    "timeout": 20,
    # Take the write lock at the start: a block can't fail half-way by upgrading a read.
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;"
    # Whoever commits behind so many pages of the log copies it; bulk writers do before (`lane.py`).
    "PRAGMA wal_autocheckpoint=2000;"
    "PRAGMA mmap_size=134217728;PRAGMA journal_size_limit=27103364;"
    "PRAGMA cache_size=2000;",
}


def is_mongodb(url: str) -> bool:
    return url.startswith(("mongodb://", "mongodb+srv://"))


def database_settings(url: str) -> dict[str, Any]:
    """
    Return an entry for DATABASES.

    :raises EnvironmentInvalid: if the address is of no known kind or names no database
    """
    if is_mongodb(url):
        if name := urlsplit(url).path.lstrip("/"):
            return {"ENGINE": "convomono.lib.mongodb", "HOST": url, "NAME": name}
        raise EnvironmentInvalid(
            "DATABASE_URL names no database: write mongodb://host:27017/convomono."
        )
    if url.startswith("sqlite:///"):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": dict(SQLITE_OPTIONS),
        }
    raise EnvironmentInvalid("DATABASE_URL must begin with mongodb:// or sqlite:///.")
