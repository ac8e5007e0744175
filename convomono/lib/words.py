"""Words and texts as people type them, or programs send them."""

from __future__ import annotations

import re

# What XML, and so a workbook, can't hold: controls but tab and line breaks, halves of letters, no letters.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def without_controls(text: str) -> str:
    """Return the text without control characters; tabs and line breaks stay."""
    return text if text.isprintable() else _CONTROLS.sub("", text)


def words_between_commas(typed: str) -> list[str]:
    """Return the words between commas and line breaks, each once, in their order."""
    lines = without_controls(typed).splitlines()
    words = (word.strip() for line in lines for word in line.split(","))
    return list(dict.fromkeys(word for word in words if word))
