"""Pages of long lists: one query for the rows, and a count that stops at 1,000."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet

PAGE_ROWS = 50
COUNT_LIMIT = 1000


@dataclass(frozen=True)
class ListPage[Row]:
    """
    What `components/pager.html` takes: a page of rows, and how many there are.

    `total` is written out, "1,000+" above the limit, so that no page waits for a count of a million.
    """

    rows: list[Row]
    number: int
    has_next: bool
    total: str
    size: int = PAGE_ROWS

    @property
    def has_previous(self) -> bool:
        return self.number > 1

    def previous_page_number(self) -> int:
        return self.number - 1

    def next_page_number(self) -> int:
        return self.number + 1

    def start_index(self) -> int:
        return (self.number - 1) * self.size + 1 if self.rows else 0

    def end_index(self) -> int:
        return (self.number - 1) * self.size + len(self.rows)


def list_page[Row: Model](
    rows: QuerySet[Row], number: str | None, *, size: int = PAGE_ROWS
) -> ListPage[Row]:
    """Return the page that the query string names; two queries. What is no number is page 1."""
    page = int(number) if number and number.isdecimal() else 1
    page = min(max(page, 1), 1_000_000)
    start = (page - 1) * size
    found = list(rows[start : start + size + 1])
    return ListPage(
        rows=found[:size],
        number=page,
        has_next=len(found) > size,
        total=capped_count(rows),
        size=size,
    )


def capped_count[Row: Model](rows: QuerySet[Row]) -> str:
    """Count the rows up to the limit; above it return "1,000+"."""
    count = len(rows.order_by().values_list("pk", flat=True)[: COUNT_LIMIT + 1])
    return f"{COUNT_LIMIT:,}+" if count > COUNT_LIMIT else f"{count:,}"
