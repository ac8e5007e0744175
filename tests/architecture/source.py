"""Where the source stands, for the tests that read it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "audit",
    "accounts",
    "leads",
    "telephony",
    "billing",
    "campaigns",
    "reporting",
    "webhooks",
)
# The lower a room, the smaller its number; rooms on one line don't know each other.
LEVEL = {
    "audit": 0,
    "accounts": 1,
    "leads": 2,
    "telephony": 2,
    "billing": 3,
    "campaigns": 4,
    "reporting": 5,
    "webhooks": 6,
}


def python_files(*folders: str) -> list[Path]:
    """Return our Python files below the folders (all rooms and the root without any)."""
    chosen = folders or (*ROOMS, "convomono", "deploy", "bench")
    return sorted(
        path
        for folder in chosen
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts
    )


def templates() -> list[Path]:
    """Return our templates."""
    return sorted((ROOT / "templates").rglob("*.html"))


@cache
def parsed(path: Path) -> ast.Module:
    """Return a file's syntax tree."""
    return ast.parse(path.read_text())


def name(path: Path) -> str:
    """Return a file's name as messages show it."""
    return str(path.relative_to(ROOT))
