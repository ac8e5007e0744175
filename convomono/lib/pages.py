"""Pages of long lists: one query for the rows, and a count that stops at 1,000."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Field, Model, QuerySet

PAGE_ROWS = 50
COUNT_LIMIT = 1000
MOST_PAGES = 1_000_000
MOST_DIGITS = 18
MOST_INTEGER = 2**63 - 1  # what a column holds


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


def number_or(otherwise: int, typed: str | None) -> int:
    """
    Return the whole number that a query string names, or `otherwise` if that is none.

    One of more than 18 digits is as large as one of 18: Python refuses to read thousands of them.
    """
    if not typed or not typed.isdecimal():
        return otherwise
    return int(typed) if len(typed) <= MOST_DIGITS else 10**MOST_DIGITS


def page_number(typed: str | None) -> int:
    """Return the page that a query string names, from 1 to a million; what is no number is page 1."""
    return min(max(number_or(1, typed), 1), MOST_PAGES)


def list_page[Row: Model](
    rows: QuerySet[Row], number: str | None, *, size: int = PAGE_ROWS
) -> ListPage[Row]:
    """Return the page that the query string names; two queries. What is no number is page 1."""
    page = page_number(number)
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
    return written_count(len(rows.order_by().values_list("pk", flat=True)[: COUNT_LIMIT + 1]))


def written_count(found: int) -> str:
    """Write out how many were found by whoever stopped behind the limit; above it "1,000+"."""
    return f"{COUNT_LIMIT:,}+" if found > COUNT_LIMIT else f"{found:,}"


type Order = tuple[str, ...]


@dataclass(frozen=True)
class KeysetPage[Row]:
    """
    A page that begins behind a row instead of at a number: the thousandth is as quick as the first.

    The addresses of its neighbours are opaque words in the same `page` parameter; otherwise it is what
    `components/pager.html` takes.
    """

    rows: list[Row]
    start: int
    total: str
    before: str
    after: str

    @property
    def has_previous(self) -> bool:
        return bool(self.before)

    @property
    def has_next(self) -> bool:
        return bool(self.after)

    def previous_page_number(self) -> str:
        return self.before

    def next_page_number(self) -> str:
        return self.after

    def start_index(self) -> int:
        return self.start + 1 if self.rows else 0

    def end_index(self) -> int:
        return self.start + len(self.rows)


def keyset_page[Row: Model](
    rows: QuerySet[Row],
    *,
    order: Order,
    token: str | None,
    size: int = PAGE_ROWS,
    read_from: QuerySet[Row] | None = None,
    total: str | None = None,
    key: str = "pk",
) -> KeysetPage[Row]:
    """
    Return the page that the query string names, in the order of these columns; the last is unique.

    Three queries at most: keys (an index that has the filtered columns is read alone), rows, and on
    the first page a count that stops at 1,000, unless `total` says it. What is no token of ours is the
    first page. The rows come from `read_from`, with what it loads along; else they come bare. `key` is
    an alias of `rows` that equals `pk`, where an index has that one's order.
    """
    place = _place(rows.model, token, order)
    names = [name.lstrip("-") for name in order]
    order = tuple(name.replace("pk", key) if name.lstrip("-") == "pk" else name for name in order)
    steps = _reversed(order) if place and place.is_back else order
    found = rows.order_by(*steps)
    if place:
        found = found.filter(_beyond(rows.model, steps, place.values))
    keys = list(found.values_list(*names)[: size + 1])
    more, keys = len(keys) > size, keys[:size]
    if place and place.is_back:
        keys.reverse()
    if place:
        total = place.total
    elif total is None:
        total = capped_count(rows) if more else f"{len(keys):,}"
    start = _start(place, len(keys), size)
    has_before = more if place and place.is_back else bool(place)
    has_after = True if place and place.is_back else more
    bare = rows.model._base_manager.all()  # noqa: SLF001  # public name
    by_key = (bare if read_from is None else read_from).in_bulk([key[-1] for key in keys])
    return KeysetPage(
        # One that was deleted between the two reads is left out.
        rows=[by_key[key[-1]] for key in keys if key[-1] in by_key],
        start=start,
        total=total,
        before=_token("b", keys[0], start, total) if keys and has_before else "",
        after=_token("a", keys[-1], start + len(keys), total) if keys and has_after else "",
    )


def whole_rows[Row: Model](rows: QuerySet[Row]) -> QuerySet[Row]:
    """Return all rows, with what these load along: to read a page by its keys, which were chosen before."""
    found = rows.order_by()
    found.query.clear_where()
    return found


def is_token(rows: QuerySet[Any], *, order: Order, token: str) -> bool:
    """Tell whether `keyset_page` knows where this word points to."""
    return _place(rows.model, token, order) is not None


@dataclass(frozen=True)
class _Place:
    is_back: bool
    values: list[Any]
    start: int
    total: str


def _start(place: _Place | None, found: int, size: int) -> int:
    if place is None:
        return 0
    return max(0, place.start - found) if place.is_back else place.start


def _token(way: str, key: Sequence[Any], start: int, total: str) -> str:
    values = [one.isoformat() if isinstance(one, datetime) else one for one in key[:-1]]
    text = json.dumps([way, *values, str(key[-1]), start, total], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(model: type[Model], token: str | None, order: Order) -> _Place | None:
    if not token or len(token) > 2000:  # noqa: PLR2004  # longer than any of ours
        return None
    try:
        way, *values, start, total = json.loads(
            base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        )
        if len(values) != len(order) or way not in ("a", "b"):
            return None
        values = [_value(model, name, one) for name, one in zip(order, values, strict=True)]
        return _Place(way == "b", values, min(max(int(start), 0), 10**9), str(total)[:12])
    except (ValueError, TypeError, AttributeError, OverflowError, ValidationError):
        return None


def _value(model: type[Model], name: str, one: Any) -> Any:
    """Read a value as its column would: tokens come back from strangers."""
    if isinstance(one, str) and name.endswith("_at"):
        found = datetime.fromisoformat(one)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    if name.lstrip("-") == "pk":
        return UUID(one)
    if one is None:
        return None
    if isinstance(one, int) and abs(one) > MOST_INTEGER:
        raise ValueError
    column: Field[Any, Any] = model._meta.get_field(name.lstrip("-"))  # type: ignore[assignment]  # orders name columns
    return column.to_python(one)


def _reversed(order: Order) -> Order:
    return tuple(name[1:] if name.startswith("-") else f"-{name}" for name in order)


def _beyond(model: type[Model], order: Order, values: Sequence[Any]) -> Q:
    """Return the condition for what comes after these values; an empty value stands lowest."""
    found, same = Q(), Q()
    for name, value in zip(order, values, strict=True):
        column, down = name.lstrip("-"), name.startswith("-")
        found |= same & _past(model, column, value, down=down)
        same &= Q(**{column: value}) if value is not None else Q(**{f"{column}__isnull": True})
    first = order[0].lstrip("-")
    if values[0] is not None and first != "pk" and not _is_nullable(model, first):
        # Says what the first column's range is, so that the index is entered there.
        found &= Q(**{f"{first}__{'lte' if order[0].startswith('-') else 'gte'}": values[0]})
    return found


def _past(model: type[Model], column: str, value: Any, *, down: bool) -> Q:
    if value is None:
        return Q(pk__in=[]) if down else Q(**{f"{column}__isnull": False})
    if not down:
        return Q(**{f"{column}__gt": value})
    below = Q(**{f"{column}__lt": value})
    return below | Q(**{f"{column}__isnull": True}) if _is_nullable(model, column) else below


def _is_nullable(model: type[Model], column: str) -> bool:
    return any(field.name == column and field.null for field in model._meta.fields)
