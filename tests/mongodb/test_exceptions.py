"""The list of what can't run on one of the two engines: short, and each with its reason."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
MARK = re.compile(r"""mark\.(sqlite_only|mongodb_only)(?:\(\s*"([^"]*)"\s*\))?""")
MOST = 10
FEWEST_WORDS = 3


def exceptions() -> set[tuple[str, str]]:
    """Return each mark with its reason, once."""
    return {
        (kind, reason)
        for path in TESTS.rglob("*.py")
        for kind, reason in MARK.findall(path.read_text())
    }


def test_has_at_most_ten_lines() -> None:
    found = exceptions()

    assert 0 < len(found) <= MOST, "\n".join(f"{kind}: {reason}" for kind, reason in sorted(found))


def test_gives_a_reason_each_time() -> None:
    for kind, reason in exceptions():
        assert len(reason.split()) >= FEWEST_WORDS, f"{kind}: {reason!r}"
