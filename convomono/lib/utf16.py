"""Text of two bytes a letter that no mark tells of: UTF-16 as some programs write it."""

from __future__ import annotations

import codecs
from unicodedata import category

_ENCODINGS = ("utf-16-le", "utf-16-be")
_NO_LETTERS = frozenset({"Cc", "Cn", "Co", "Cs"})  # controls, and what is no character
_CONTROLS_IN_TEXT = frozenset("\t\n\v\f\r\x1a")
_FEWEST_PLAIN = 0.05  # of the characters of a table: line ends, separators, digits


def unmarked_utf_16(head: bytes) -> str:
    """
    Return "utf-16-le" or "utf-16-be" if a file that begins so is text in it; else nothing.

    In any script the ends of lines, the separators and the digits are ASCII and have a zero beside them.
    Other bytes, or the wrong end first, soon give a character that there isn't.
    """
    shares = {encoding: _plain_share(head, encoding) for encoding in _ENCODINGS}
    best = max(shares, key=lambda encoding: shares[encoding])
    return best if shares[best] >= _FEWEST_PLAIN else ""


def _plain_share(head: bytes, encoding: str) -> float:
    """Return which share of the characters is ASCII; none if that is no text."""
    # Half a character at the end of the head waits for its other half.
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    strange = sum(map(_is_strange, text))
    plain = sum(map(str.isascii, text))
    if plain * 2 > len(text):
        return plain / len(text) if strange * 20 <= len(text) else 0.0
    has_lines = "\n" in text or "\r" in text
    return plain / len(text) if has_lines and strange * 100 <= len(text) else 0.0


def _is_strange(letter: str) -> bool:
    if letter in _CONTROLS_IN_TEXT:
        return False
    return letter == "\ufffd" or category(letter) in _NO_LETTERS
