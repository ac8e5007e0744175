"""
Compares our calls with Retell's, hour by hour and page by page, so that memory stays bounded.

Retell lists calls by their start: one that never connected has none, costs nothing, and is in
nobody's books.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from billing.models import Difference
from billing.our_books import billed_for, erased_among, holds_of
from billing.rules import billable_seconds
from telephony.models import Call
from telephony.provider_costs import cost_micros, product_micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from billing.models import CallHold
    from billing.our_books import Billed
    from telephony.provider import CallPage, ProviderCall

Kind = Difference.Kind
CHUNK = 200
LARGEST = 10**14  # milliseconds: what is more is no time
SLICE = timedelta(hours=1)
_EDGE = timedelta(milliseconds=1)  # Retell's windows include their end
# Our row of a call is written before it starts, and never this long before.
_PLACED_BEFORE = timedelta(hours=1)


class Gateway(Protocol):
    """What comparing asks of Retell's gateway."""

    def list_calls(
        self,
        *,
        started_from: datetime | None = None,
        started_until: datetime | None = None,
        call_ids: Sequence[str] = (),
        pagination_key: str | None = None,
    ) -> CallPage: ...


@dataclass(frozen=True)
class Theirs:
    """A call that is over, as Retell has it."""

    provider_call_id: str
    started_at: datetime | None
    duration_ms: int
    micros: int
    products: dict[str, int]
    attempt_id: UUID | None
    is_incoming: bool


@dataclass
class Sums:
    """What one slice of the window came to."""

    compared: int = 0
    their_ms: int = 0
    our_ms: int = 0
    their_micros: int = 0
    our_micros: int = 0
    products: Counter[str] = field(default_factory=Counter)


@dataclass
class Comparison:
    """One slice of the window: what its calls come to, and where they differ."""

    gateway: Gateway
    since: datetime
    until: datetime
    sums: Sums = field(default_factory=Sums)
    _seen: set[str] = field(default_factory=set)
    _named: set[tuple[str, str]] = field(default_factory=set)

    def differences(self) -> Iterator[Difference]:
        """Yield what differs, unsaved: first Retell's calls, then ours that it doesn't list."""
        yield from self._noted(self._differences())

    def again(self, provider_call_ids: Sequence[str]) -> Iterator[Difference]:
        """Yield what differs of these calls by now, unsaved; 200 at most, asked for by their ids."""
        ours = Call.objects.filter(provider_call_id__in=provider_call_ids, duration_ms__gt=0)
        over = list(ours.filter(status__in=sorted(Call.OVER)))
        yield from self._noted(self._by_id(provider_call_ids, over))
        self._seen.update(provider_call_ids)  # nobody has what neither side lists

    def agrees_on(self, difference: Difference) -> bool:
        """Tell whether a difference of an earlier look is none any more, after this look."""
        named = (difference.kind, difference.provider_call_id)
        return difference.provider_call_id in self._seen and named not in self._named

    def _noted(self, differences: Iterator[Difference]) -> Iterator[Difference]:
        for difference in differences:
            self._named.add((difference.kind, difference.provider_call_id))
            yield difference

    def _differences(self) -> Iterator[Difference]:
        for page in self._pages():
            yield from self._compare(page)
        for some in batched(self._unseen(), CHUNK):
            yield from self._by_id([row.provider_call_id for row in some], some)

    def _by_id(
        self, provider_call_ids: Sequence[str], ours: Sequence[Call]
    ) -> Iterator[Difference]:
        found = self.gateway.list_calls(call_ids=provider_call_ids)
        listed = {one.call_id for one in found.calls}
        # What started a moment outside the window by Retell's clock is compared all the same,
        # and counted where Retell lists it.
        late = [_theirs(one) for one in found.calls if _is_over(one)]
        yield from self._compare(late, counts=False)
        gone = [row for row in ours if row.provider_call_id not in listed]
        billed, erased = billed_for([row.pk for row in gone]), erased_among(gone)
        for row in gone:
            if row.provider_call_id not in erased:
                yield _missing_there(row, billed[row.pk])

    def _pages(self) -> Iterator[list[Theirs]]:
        key: str | None = None
        while True:
            page = self.gateway.list_calls(
                started_from=self.since, started_until=self.until - _EDGE, pagination_key=key
            )
            for some in batched(filter(_is_over, page.calls), CHUNK):
                yield [_theirs(one) for one in some]
            key = page.pagination_key
            if key is None:
                return

    def _unseen(self) -> Iterator[Call]:
        rows = Call.objects.filter(
            status__in=sorted(Call.OVER),
            created_at__gte=self.since - _PLACED_BEFORE,
            created_at__lt=self.until,
            started_at__gte=self.since,
            started_at__lt=self.until,
            duration_ms__gt=0,
        )
        for row in rows.iterator(chunk_size=CHUNK):
            if row.provider_call_id not in self._seen:
                yield row

    def _compare(self, page: Iterable[Theirs], *, counts: bool = True) -> Iterator[Difference]:
        calls = list(page)
        known = {
            row.provider_call_id: row
            for row in Call.objects.filter(
                provider_call_id__in=[one.provider_call_id for one in calls]
            )
        }
        by_attempt = {
            row.attempt_id: row
            for row in Call.objects.filter(
                attempt_id__in=[one.attempt_id for one in calls if one.attempt_id]
            )
        }
        billed = billed_for([row.pk for row in known.values()])
        attempts = {row.attempt_id for row in known.values()} | {one.attempt_id for one in calls}
        holds = holds_of([attempt_id for attempt_id in attempts if attempt_id])
        for theirs in calls:
            ours = known.get(theirs.provider_call_id)
            twin = by_attempt.get(theirs.attempt_id) if theirs.attempt_id else None
            if theirs.provider_call_id in self._seen:
                yield _twice(theirs, ours, "Retell lists this call twice.")
                continue
            self._seen.add(theirs.provider_call_id)
            if counts:
                self.sums.products.update(theirs.products)
            if ours is None and twin is not None:
                yield _twice(theirs, twin, f"Its attempt was call {twin.provider_call_id} already.")
            elif ours is None:
                yield _unknown_here(theirs, is_dial=theirs.attempt_id in holds)
            else:
                if counts:
                    self._add(theirs, ours)
                yield from _judge(theirs, ours, billed[ours.pk], holds.get(ours.attempt_id))

    def _add(self, theirs: Theirs, ours: Call) -> None:
        self.sums.compared += 1
        self.sums.their_ms += theirs.duration_ms
        self.sums.our_ms += ours.duration_ms or 0
        self.sums.their_micros += theirs.micros
        self.sums.our_micros += ours.retell_cost_micros


def _judge(
    theirs: Theirs, ours: Call, billed: Billed, hold: CallHold | None
) -> Iterator[Difference]:
    if not ours.is_over or ours.duration_ms is None:
        yield _missing_here(theirs, ours, "Its end never arrived here.")
        return
    due = _due(theirs, ours, hold)
    if billed.charges > 1:
        row = _difference(Kind.BILLED_TWICE, theirs, ours, "The ledger has two charges for it.")
        yield _with_bill(row, billed, due)
    if ours.duration_ms != theirs.duration_ms:
        row = _difference(Kind.SECONDS_DIFFER, theirs, ours, "The durations differ.")
        yield _with_bill(row, billed, due)
    elif due not in {billed.seconds, billed.net}:
        sentence = f"{due} s are due, {billed.net} s were billed."
        row = _difference(Kind.SECONDS_DIFFER, theirs, ours, sentence)
        yield _with_bill(row, billed, due)
    if ours.retell_cost_micros != theirs.micros:
        yield _difference(Kind.COST_DIFFERS, theirs, ours, "Retell charges another amount.")


def _with_bill(row: Difference, billed: Billed, due: int) -> Difference:
    row.charged_seconds, row.billed_seconds, row.due_seconds = billed.seconds, billed.net, due
    return row


def _due(theirs: Theirs, ours: Call, hold: CallHold | None) -> int:
    """Return what the client should be billed; nothing for what was no dial of ours."""
    if hold is None or ours.outcome_class == Call.OutcomeClass.NOT_PLACED:
        return 0
    return billable_seconds(
        duration_ms=theirs.duration_ms,
        terms=hold.reservation.terms,
        is_machine=ours.outcome_class == Call.OutcomeClass.MACHINE,
    )


def _difference(kind: Kind, theirs: Theirs, ours: Call | None, sentence: str) -> Difference:
    return Difference(
        kind=kind,
        client_id=ours.client_id if ours else None,
        provider_call_id=theirs.provider_call_id,
        call_id=ours.pk if ours else None,
        started_at=theirs.started_at,
        their_ms=theirs.duration_ms,
        our_ms=ours.duration_ms if ours else None,
        their_micros=theirs.micros,
        our_micros=ours.retell_cost_micros if ours else None,
        sentence=sentence,
    )


def _twice(theirs: Theirs, ours: Call | None, sentence: str) -> Difference:
    return _difference(Kind.BILLED_TWICE, theirs, ours, sentence)


def _missing_here(theirs: Theirs, ours: Call | None, sentence: str) -> Difference:
    return _difference(Kind.MISSING_HERE, theirs, ours, sentence)


def _unknown_here(theirs: Theirs, *, is_dial: bool) -> Difference:
    """Nobody could bill or record what is no dial of ours and no call to us, whatever Retell tells of it."""
    if is_dial or theirs.is_incoming:
        return _missing_here(theirs, None, "Retell has this call, and we don't.")
    row = _missing_here(theirs, None, "Retell has this call, and it names no dial of ours.")
    row.is_foreign = True
    return row


def _missing_there(ours: Call, billed: Billed) -> Difference:
    row = Difference(
        kind=Kind.MISSING_THERE,
        client_id=ours.client_id,
        provider_call_id=ours.provider_call_id,
        call_id=ours.pk,
        started_at=ours.started_at,
        our_ms=ours.duration_ms,
        our_micros=ours.retell_cost_micros,
        sentence="We have this call, and Retell doesn't list it.",
    )
    return _with_bill(row, billed, 0)


def _is_over(call: ProviderCall) -> bool:
    return call.call_status in Call.OVER


def _theirs(call: ProviderCall) -> Theirs:
    started_ms = _number(call.payload.get("start_timestamp"))
    cost = call.payload.get("call_cost")
    return Theirs(
        provider_call_id=call.call_id,
        started_at=datetime.fromtimestamp(started_ms / 1000, UTC) if started_ms else None,
        duration_ms=int(_number(call.payload.get("duration_ms"))),
        micros=cost_micros(cost),
        products=product_micros(cost) if isinstance(cost, dict) else {},
        attempt_id=_uuid(call.metadata.get("attempt_id")),
        is_incoming=call.payload.get("call_type") == "web_call"
        or call.payload.get("direction") == Call.Direction.INBOUND,
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return value if 0 <= value < LARGEST else 0


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None
