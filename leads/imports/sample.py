"""Spreadsheets that are handed out: the columns that help, and made-up people to try an upload with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COLUMNS = ("First name", "Last name", "Phone", "E-mail", "State", "ZIP")
# Numbers kept for fiction (555-01xx): nobody's phone rings.
_PEOPLE = (
    ("Ada", "Byron", "(212) 555-0101", "ada@example.com", "NY", "10001"),
    ("Grace", "Hopper", "(703) 555-0102", "grace@example.com", "VA", "22201"),
    ("Annie", "Easley", "(216) 555-0103", "annie@example.com", "OH", "44101"),
    ("Katherine", "Johnson", "(757) 555-0104", "katherine@example.com", "VA", "23661"),
    ("Dorothy", "Vaughan", "(816) 555-0105", "dorothy@example.com", "MO", "64101"),
    ("Mary", "Jackson", "(312) 555-0106", "mary@example.com", "IL", "60601"),
    ("Radia", "Perlman", "(206) 555-0107", "radia@example.com", "WA", "98101"),
    ("Barbara", "Liskov", "(415) 555-0108", "barbara@example.com", "CA", "94102"),
    ("Frances", "Allen", "(303) 555-0109", "frances@example.com", "CO", "80202"),
    ("Hedy", "Lamarr", "(602) 555-0110", "hedy@example.com", "AZ", "85004"),
)
_THERE = {"first_name", "last_name", "full_name", "phone_number", "email"}  # variables it fills


def sample_table(variables: Sequence[str], *, people: int) -> list[list[str]]:
    """Return a header with the script's variables among the columns, and so many people (10 at most) below it."""
    columns, cells = list(_COLUMNS), []
    for name in variables:
        if name == "company":
            columns.append("Company")
            cells.append("Analytical Engines")
        elif name not in _THERE:
            columns.append(name)
            cells.append(f"({name})")
    return [columns, *([*person, *cells] for person in _PEOPLE[:people])]
