"""Words that people type in one box."""

from __future__ import annotations


def words_between_commas(typed: str) -> list[str]:
    """Return the words between commas and line breaks, each once, in their order."""
    words = (word.strip() for line in typed.splitlines() for word in line.split(","))
    return list(dict.fromkeys(word for word in words if word))
