"""
Applies history again: to the rows there are, or from nothing, to compare what comes out.

Applying again changes nothing that was applied before; it mends what wasn't. A rebuild puts a call back
to where it was when it was placed and lets its events tell everything anew: only where it is undone,
or in a scratch copy of the database. The ledger is never rewritten.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Final

import structlog
from django.db import InterfaceError, OperationalError

from campaigns.models import Attempt
from convomono.lib.db import compare_and_set, run_atomic
from convomono.lib.keys import beside
from reporting.services import recount_days, uncount
from telephony.models import Call, CallDetail
from telephony.models.erasures import CallErasure
from webhooks.handlers.retell import conclude, handle, repeat
from webhooks.models import WebhookEvent
from webhooks.payloads import KINDS, call_event
from webhooks.pictures import (
    Difference,
    Digest,
    Picture,
    call_picture,
    day_pictures,
    differences,
)
from webhooks.retelling import RetoldCall

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.events import CallChange, CallEvent

log = structlog.get_logger()

CHUNK: Final = 200
SHOWN: Final = 200
FAILURES_SHOWN: Final = 20
_Status = WebhookEvent.Status
# What waits is the drain's; what is ignored was never meant to do anything.
_REPLAYED: Final = (_Status.APPLIED, _Status.DEAD, _Status.PARKED, _Status.ORPHAN)


@dataclass(slots=True)
class Comparison:
    """
    What a replay came to; at most 200 differences and 20 failures are kept, all are counted.

    `unknown_count` are events of calls that nobody knows still. Of a failure `event_id` and `error` are kept.
    """

    events_count: int = 0
    calls_count: int = 0
    left_out_count: int = 0
    unknown_count: int = 0
    failed_count: int = 0
    failures: list[dict[str, str]] = field(default_factory=list)
    differing_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    stored_hash: str = ""
    rebuilt_hash: str = ""

    def note(self, key: str, stored: Picture, rebuilt: Picture) -> None:
        """Count a call, or a day, that came out otherwise."""
        found = list(differences(key, stored, rebuilt))
        self.differing_count += bool(found)
        self.differences += found[: max(0, SHOWN - len(self.differences))]

    def note_failure(self, event: WebhookEvent, error: str) -> None:
        """Count an event that failed again."""
        self.failed_count += 1
        if len(self.failures) < FAILURES_SHOWN:
            self.failures.append({"event_id": str(event.pk), "error": error})


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which events: received from (included) until (not included), of one call; all optional."""

    received_from: datetime | None = None
    received_until: datetime | None = None
    provider_call_id: str = ""


def apply_again(
    *, chosen: Range, is_dry_run: bool, now: datetime, pause: Callable[[], None] = lambda: None
) -> Comparison:
    """
    Apply the range's events to the rows there are, call by call in the order they came.

    Twice is once. What had not been applied has all its consequences now, follow-ups too. A dry run tells
    what would change of calls: they are told again in memory.
    """
    result = Comparison()
    for call_id, events in _by_call(chosen):
        stored = call_picture(call_id)
        if is_dry_run:
            told = RetoldCall(call_id)
            _hear(told, events, result, now)
            rebuilt = told.picture()
        else:
            conclude(changes=_apply(events, result, now), now=now)
            rebuilt = call_picture(call_id)
        result.calls_count += 1
        result.note(call_id, stored, rebuilt)
        pause()
    return result


def rebuilt_call(*, provider_call_id: str) -> Comparison:
    """Tell what a call's events come to when they tell it from the beginning; nothing stays changed."""
    if _erased([provider_call_id]):
        return Comparison(left_out_count=1)
    result = Comparison(calls_count=1)
    events = _applied_events([provider_call_id])
    stored = call_picture(provider_call_id)
    told = RetoldCall(provider_call_id, put_back=_put_back)
    _hear(told, events, result, None)
    result.note(provider_call_id, stored, told.picture())
    return result


def rebuild_everything(
    *, kept_since: datetime | None = None, shuffle: int | None = None
) -> Comparison:
    """
    Rebuild every call from its events, in a scratch copy, and compare it with what the copy held.

    Calls from before `kept_since` are left out, some of their events may have been purged, and calls of
    people who were erased. With `shuffle` (a seed) each event comes twice and in a random order: the same must come out.
    """
    result = Comparison()
    stored_hash, rebuilt_hash = Digest(), Digest()
    days = dict(day_pictures())
    recount_days()
    for call_ids in _chunks(kept_since):
        erased = _erased(call_ids)
        events = _applied_events(call_ids)
        by_call = {
            call_id: list(group)
            for call_id, group in groupby(events, key=lambda event: event.provider_call_id)
        }
        for call_id in call_ids:
            if call_id not in by_call or call_id in erased:
                result.left_out_count += 1
                continue
            stored = call_picture(call_id)
            _rebuild(call_id, _ordered(by_call[call_id], shuffle), result)
            rebuilt = call_picture(call_id)
            result.calls_count += 1
            result.note(call_id, stored, rebuilt)
            stored_hash.add(call_id, stored)
            rebuilt_hash.add(call_id, rebuilt)
    rebuilt_days = dict(day_pictures())
    for key in sorted({*days, *rebuilt_days}):
        stored, rebuilt = days.get(key, {}), rebuilt_days.get(key, {})
        result.note(key, stored, rebuilt)
        stored_hash.add(key, stored)
        rebuilt_hash.add(key, rebuilt)
    result.stored_hash, result.rebuilt_hash = stored_hash.hex(), rebuilt_hash.hex()
    return result


def _by_call(chosen: Range) -> Iterator[tuple[str, list[WebhookEvent]]]:
    """Yield the range's events call by call, each call's in the order they came."""
    rows = WebhookEvent.objects.filter(status__in=_REPLAYED, event_type__in=KINDS)
    if chosen.received_from:
        rows = rows.filter(created_at__gte=chosen.received_from)
    if chosen.received_until:
        rows = rows.filter(created_at__lt=chosen.received_until)
    if chosen.provider_call_id:
        rows = rows.filter(provider_call_id=chosen.provider_call_id)
    last = ""
    while True:
        found = rows.filter(provider_call_id__gt=last).order_by("provider_call_id")
        call_ids = list(
            dict.fromkeys(found.values_list("provider_call_id", flat=True)[: 3 * CHUNK])
        )[:CHUNK]
        if not call_ids:
            return
        events = rows.filter(provider_call_id__in=call_ids)
        ordered = events.order_by("provider_call_id", "created_at", "pk")
        for call_id, group in groupby(ordered, key=lambda event: event.provider_call_id):
            yield call_id, list(group)
        last = call_ids[-1]


def _chunks(kept_since: datetime | None) -> Iterator[list[str]]:
    rows = Call.objects.order_by("provider_call_id").values_list("provider_call_id", flat=True)
    if kept_since is not None:
        rows = rows.filter(created_at__gte=kept_since)
    last = ""
    while call_ids := list(rows.filter(provider_call_id__gt=last)[:CHUNK]):
        yield call_ids
        last = call_ids[-1]


def _erased(call_ids: Sequence[str]) -> set[str]:
    """Return the calls whose events still tell what was taken out of them for good."""
    rows = CallErasure.objects.filter(provider_call_id__in=call_ids)
    return set(rows.values_list("provider_call_id", flat=True))


def _applied_events(call_ids: Sequence[str]) -> list[WebhookEvent]:
    events = WebhookEvent.objects.filter(
        beside(status=_Status.APPLIED), provider_call_id__in=call_ids, event_type__in=KINDS
    )
    return list(events.order_by("provider_call_id", "created_at", "pk"))


def _ordered(events: list[WebhookEvent], shuffle: int | None) -> list[WebhookEvent]:
    if shuffle is None:
        return events
    doubled = events * 2
    # Not for secrets: the same seed has to tell the same story.
    random.Random(f"{shuffle}:{events[0].provider_call_id}").shuffle(doubled)  # noqa: S311
    return doubled


def _apply(
    events: Sequence[WebhookEvent], result: Comparison, now: datetime | None
) -> list[CallChange]:
    """
    Apply events, each in a transaction of its own, at the instant they were applied first.

    Returns the changes of those that hadn't been applied.
    """
    changes: list[CallChange] = []

    def apply(event: WebhookEvent, told: CallEvent, at: datetime) -> bool:
        was_applied = event.status == _Status.APPLIED
        change = run_atomic(partial(_apply_one, event, told, at))
        if change is not None and not was_applied:
            changes.append(change)
        return change is not None

    for event, error in _each(events, result, now, apply):
        # Where people look for why it failed this time.
        WebhookEvent.objects.filter(pk=event.pk, status=_Status.DEAD).update(error=error)
    return changes


def _hear(
    told: RetoldCall, events: Sequence[WebhookEvent], result: Comparison, now: datetime | None
) -> None:
    """Let a call hear events in memory, at the same instants."""
    for _failed in _each(events, result, now, lambda _event, news, at: told.hear(news, at)):
        pass  # noted in the result, and nowhere else


def _each(
    events: Sequence[WebhookEvent],
    result: Comparison,
    now: datetime | None,
    apply: Callable[[WebhookEvent, CallEvent, datetime], bool],
) -> Iterator[tuple[WebhookEvent, str]]:
    """Apply events one by one, and count what becomes of them; yields those that failed and why."""
    for event in events:
        at = event.processed_at if event.status == _Status.APPLIED else now
        result.events_count += 1
        try:
            if not apply(event, call_event(event.body), at or event.created_at):
                result.unknown_count += 1
        except (OperationalError, InterfaceError):
            raise  # the database is away: that is no event's fault
        except Exception as problem:
            log.exception("replay.failed", event_id=str(event.pk))
            error = f"{type(problem).__name__}: {problem}"[:400]
            result.note_failure(event, error)
            yield event, error


def _apply_one(event: WebhookEvent, told: CallEvent, at: datetime) -> CallChange | None:
    if event.status == _Status.APPLIED:
        return repeat(event=told, now=at)
    change = handle(event=told, now=at)
    if change is not None:
        compare_and_set(event, "status", status=_Status.APPLIED, processed_at=at, error="")
    return change


def _rebuild(call_id: str, events: Sequence[WebhookEvent], result: Comparison) -> None:
    run_atomic(lambda: _put_back(call_id))
    _apply(events, result, None)


def _put_back(call_id: str) -> None:
    """Put a call back to where it was when it was placed, or came to us; whose it is stays."""
    call = Call.objects.filter(provider_call_id=call_id).first()
    if call is None:
        return
    # Calls of no campaign aren't among what `recount_days` counts.
    counted = {name: value for name, value in call.counted.items() if name == "day"}
    if call.campaign_id is not None:
        uncount(client_id=call.client_id, campaign_id=call.campaign_id, counted=call.counted)
    CallDetail.objects.filter(call=call).delete()
    Call.objects.filter(pk=call.pk).update(
        **{name: _blank(name) for name in _TOLD},
        **_put_attempt_back(call.attempt_id),
        status=Call.Status.REGISTERED,
        counted=counted,
    )


def _put_attempt_back(attempt_id: UUID | None) -> dict[str, object]:
    """Put a call's attempt back, and return what its dial wrote on the call; a test call keeps what it has."""
    if attempt_id is None:  # it came to us: nobody dialled it
        return {name: _blank(name) for name in _TOLD_OF_CALLERS}
    attempts = Attempt.objects.filter(pk=attempt_id)
    attempts.update(
        status=Attempt.Status.PLACED, outcome_class="", disconnection_reason="", ended_at=None
    )
    attempt = attempts.first()
    if attempt is None:
        return {}
    numbers = {"from_number": attempt.from_number, "to_number": attempt.phone_number}
    return {name: number for name, number in numbers.items() if number}


# What only events write on a call.
_TOLD: Final = (
    "disconnection_reason", "outcome_class", "outcome_rules_version", "started_at", "ended_at",
    "analyzed_at", "duration_ms", "user_spoke", "in_voicemail", "is_successful", "user_sentiment",
    "last_line", "agent_first_word_ms", "disclosure", "transfer_status", "transfer_destination",
    "retell_cost_micros", "billed_seconds", "client_cost_micros",
)  # fmt: skip
# And of a call that somebody made to us besides.
_TOLD_OF_CALLERS: Final = ("agent_id", "agent_version", "from_number", "to_number")


def _blank(name: str) -> object:
    column = Call._meta.get_field(name)
    return column.get_default()  # type: ignore[union-attr]
