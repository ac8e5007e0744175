"""A column that is unreadable in the database, with keys that can be rotated."""

from __future__ import annotations

import hmac
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField  # takes no types at run time

__all__ = [
    "EncryptedTextField",
    "InvalidToken",
    "decrypted",
    "encrypted",
    "is_encrypted",
    "keyed_hashes",
    "rotated",
]


@cache
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _keys() -> MultiFernet:
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS))


def encrypted(text: str) -> str:
    """Return the text as a token that only FIELD_ENCRYPTION_KEYS read; the first of them writes."""
    return _keys().encrypt(text.encode()).decode()


def decrypted(token: str) -> str:
    """
    Return the text again, with any of FIELD_ENCRYPTION_KEYS.

    :raises InvalidToken: if no key fits: one was removed before its rows were rotated
    """
    return _keys().decrypt(token.encode()).decode()


def is_encrypted(text: str) -> bool:
    """Tell a token of ours from plain text, as it was stored before its column was encrypted."""
    return text.startswith("gAAAA")  # the version and the first bytes of the time


def rotated(token: str) -> str:
    """
    Return the same text under the first key.

    :raises InvalidToken: as `decrypted`
    """
    return _keys().rotate(token.encode()).decode()


def keyed_hashes(text: str) -> list[str]:
    """
    Return the text's hash (32 hex digits) under each of FIELD_ENCRYPTION_KEYS, the first for writing.

    A number can't be guessed from it without a key; who removes a key loses what was hashed with it.
    """
    return [
        hmac.digest(key.encode(), text.encode(), "sha256").hex()[:32]
        for key in settings.FIELD_ENCRYPTION_KEYS
    ]


class EncryptedTextField(_TextField):
    """Text, encrypted with the first key of FIELD_ENCRYPTION_KEYS, read with any of them."""

    def get_prep_value(self, value: Any) -> Any:
        plain = super().get_prep_value(value)
        return encrypted(plain) if plain else plain

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        """
        Return the plain text.

        :raises InvalidToken: as `decrypted`
        """
        return decrypted(value) if value else value
