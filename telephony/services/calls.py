"""Calls as they are placed, and as Retell tells of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q

from convomono.lib import files
from convomono.lib.bulk import insert_row
from convomono.lib.db import IntegrityError, compare_and_set, in_transaction, on_commit, run_atomic
from telephony import merging
from telephony.fetching import insert_missing
from telephony.models import Call, CallDetail, CallLookup, PhoneNumber, Recording, VoiceAgent
from telephony.recordings import order_recordings
from telephony.services.erasing import forget_details

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from telephony.events import CallChange, CallEvent


# Retell analyses a call within a minute of its end; later news is a repetition.
ANALYSIS_WITHIN = timedelta(minutes=10)


class CallMovedOn(Exception):
    """Another process changed the call between our reading and writing; the block has to run again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedAttempt:
    """
    The attempt that a call belongs to: ids of the rooms above, as plain values.

    A test call has no launch, enrolment or lead, and nothing that it `must_say`.
    """

    client_id: UUID
    campaign_id: UUID
    batch_call_id: UUID | None
    enrolment_id: UUID | None
    attempt_id: UUID
    lead_id: UUID | None
    agent_id: str
    agent_version: int | None
    from_number: str
    to_number: str
    is_test: bool = False
    must_say: Mapping[str, Any] = field(default_factory=dict)


def record_placed_call(*, provider_call_id: str, attempt: PlacedAttempt, now: datetime) -> Call:
    """
    Record the call that Retell gave an attempt; the second time returns the first call.

    Its first event may overtake the answer to the dial and record it too: one of both inserts
    wins. Inside a caller's transaction the loser's IntegrityError leaves that transaction.

    :raises IntegrityError: if another call has this attempt already, or in a caller's transaction
    """

    def block() -> Call:
        mine = Call.objects.filter(provider_call_id=provider_call_id)
        if mine.exists():  # rarely: most calls are new, and a whole row is long
            return mine.get()
        return insert_row(
            Call(
                provider_call_id=provider_call_id,
                client_id=attempt.client_id,
                campaign_id=attempt.campaign_id,
                batch_call_id=attempt.batch_call_id,
                enrolment_id=attempt.enrolment_id,
                attempt_id=attempt.attempt_id,
                lead_id=attempt.lead_id,
                agent_id=attempt.agent_id,
                agent_version=attempt.agent_version,
                from_number=attempt.from_number,
                to_number=attempt.to_number,
                is_test=attempt.is_test,
                must_say=dict(attempt.must_say),
                created_at=now,
            )
        )

    if in_transaction():  # an error leaves the caller's block: a savepoint would serve nobody
        return block()
    try:
        return run_atomic(block)
    except IntegrityError:
        winner = Call.objects.filter(provider_call_id=provider_call_id).first()
        if winner is None:
            raise
        return winner


def apply_event(*, event: CallEvent, now: datetime) -> CallChange | None:
    """
    Merge an event into its call, inside the caller's transaction.

    Any order and any number of times gives the same rows. None: the call is not known, and nothing
    in the event says whose it is. A call that somebody made to us is recorded from its first event.

    :raises CallMovedOn: if another process changed the call meanwhile
    """
    call = Call.objects.filter(provider_call_id=event.provider_call_id).first()
    call = call or _incoming_call(event, now)
    if call is None:
        return None
    detail = None if event.kind == "started" else _known_detail(call)
    merged = merging.merge(call, detail, event, now=now)
    if merged.columns or merged.detail is not None:
        _save(call, merged.columns)
    if merged.detail is not None:
        _save_detail(call, detail, merged.detail)
        if merged.detail.get("knowledge_url"):
            order_lookups([call], now=now)
        if merged.detail.get("recording_url"):
            order_recordings([call], now=now)
    return merged.change


def record_settlement(
    *,
    call_id: UUID,
    billed_seconds: int,
    client_cost_micros: int,
    counted: Mapping[str, Any],
) -> None:
    """
    Write on a call what it came to in the rooms above.

    What the client pays comes from billing's ledger; `counted` is what the call has added to
    reporting's counters, and on which day.
    """
    Call.objects.filter(pk=call_id).update(
        billed_seconds=billed_seconds,
        client_cost_micros=client_cost_micros,
        counted=counted,
        revision=F("revision") + 1,
    )


def _incoming_call(event: CallEvent, now: datetime) -> Call | None:
    """Record a call to one of our numbers, or a web call to one of our agents; it has no campaign."""
    is_web = event.call_type == "web_call"
    if not is_web and event.direction != Call.Direction.INBOUND:
        return None
    owner = _owner_of(event)
    if owner is None:
        return None
    return Call.objects.create(
        provider_call_id=event.provider_call_id,
        client_id=owner,
        call_type=event.call_type,
        direction=Call.Direction.INBOUND,
        created_at=now,
    )


def _owner_of(event: CallEvent) -> UUID | None:
    """Find whose number was called, or whose agent answered."""
    numbers = PhoneNumber.objects.filter(phone_number=event.to_number, client__isnull=False)
    agents = VoiceAgent.objects.filter(provider_agent_id=event.agent_id)
    found = None
    if event.to_number:
        found = numbers.values_list("client_id", flat=True).first()
    if found is None and event.agent_id:
        found = agents.values_list("client_id", flat=True).first()
    return found


def order_lookups(calls: Sequence[Call], *, now: datetime) -> None:
    """Note that somebody has to fetch what was looked up in these calls; once for each."""
    insert_missing(CallLookup, calls, columns=("client_id", "campaign_id"), now=now)


def _save(call: Call, columns: dict[str, Any]) -> None:
    # Two drains may have read the same call.
    if not compare_and_set(call, "revision", **columns, revision=call.revision + 1):
        raise CallMovedOn(call.provider_call_id)
    call.revision += 1


def _known_detail(call: Call) -> CallDetail | None:
    return CallDetail.objects.filter(call_id=call.pk).only(*merging.KNOWN_DETAIL).first()


def _save_detail(call: Call, detail: CallDetail | None, columns: dict[str, Any]) -> None:
    if detail is None:
        CallDetail.objects.create(call_id=call.pk, **columns)
    else:
        CallDetail.objects.filter(pk=detail.pk).update(**columns)


def is_expecting_news(
    *, client_id: UUID, lead_id: UUID, numbers: Collection[str], now: datetime
) -> bool:
    """Tell whether a call with this lead goes on, or its analysis may still come; calls as in `forget_calls`."""
    fresh = Q(analyzed_at=None, ended_at__gte=now - ANALYSIS_WITHIN)
    waiting = ~Q(status__in=Call.OVER) | fresh
    return any(calls.filter(waiting).exists() for calls in _calls_with(client_id, lead_id, numbers))


def _calls_with(client_id: UUID, lead_id: UUID, numbers: Collection[str]) -> list[QuerySet[Call]]:
    """Return the client's calls with a lead, and those with its numbers that no lead is known of."""
    calls = Call.objects.filter(client_id=client_id)
    numbers = [number for number in numbers if number]
    nobodys = calls.filter(lead_id=None)
    return [
        calls.filter(lead_id=lead_id),
        nobodys.filter(direction=Call.Direction.INBOUND, from_number__in=numbers),
        nobodys.filter(direction=Call.Direction.OUTBOUND, to_number__in=numbers),
    ]


def forget_calls(
    *, client_id: UUID, lead_id: UUID, numbers: Collection[str], phone_number: str, now: datetime
) -> int:
    """
    Take a person out of the calls with them; what was said goes, what was billed stays.

    `numbers` are all of theirs: a call from one, or to one, that no lead is known of is this lead's from
    now on, so that what else is kept of it (events, say) is found and cleaned as well. `phone_number`
    stands where theirs stood. No late event or replay brings anything back, and Retell's copy is deleted
    (`services/erasing.py`). Inside the caller's transaction; returns how many calls.
    """
    found = _calls_with(client_id, lead_id, numbers)
    call_ids = {key for calls in found for key in calls.values_list("pk", flat=True)}
    forget_details(call_ids=call_ids, now=now)
    sounds = Recording.objects.filter(call_id__in=call_ids)
    for name in sounds.exclude(stored_name="").values_list("stored_name", flat=True):
        on_commit(partial(files.delete_stored, name))
    sounds.delete()
    calls = Call.objects.filter(pk__in=call_ids)
    outbound, inbound = (calls.filter(direction=one) for one in Call.Direction)
    nobody: dict[str, Any] = {"lead_id": lead_id, "last_line": ""}
    return outbound.update(to_number=phone_number, **nobody) + inbound.update(
        from_number=phone_number, **nobody
    )
