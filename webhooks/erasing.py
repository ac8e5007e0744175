"""Takes erased people out of stored events, and out of what stands in line for clients' own systems."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from accounts.models import ClientEvent
from campaigns.models import Enrolment
from convomono.lib.keys import beside
from leads.models import Erasure
from telephony.models import Call
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

# Calls are over and analysed before a person can be erased; this leaves time for late repeats.
LOOKED_AT_FOR: Final = timedelta(days=3)
_MARK: Final = "erased"
_SLICE: Final = 50
# What says nothing of the person: a replay of these events comes to the same call.
_KEPT: Final = frozenset(
    {
        *("call_id", "call_type", "agent_id", "agent_version", "agent_name", "direction"),
        *("call_status", "start_timestamp", "end_timestamp", "duration_ms", "disconnection_reason"),
        *("call_cost", "latency", "llm_token_usage", "metadata", "batch_call_id"),
    }
)


def erase_bodies(*, now: datetime) -> int:
    """Clean the events of everybody erased in the last days; again changes nothing. Returns how many."""
    cleaned = 0
    young = Erasure.objects.filter(created_at__gt=now - LOOKED_AT_FOR)
    for client_id, lead_id in young.values_list("client_id", "lead_id").iterator(chunk_size=200):
        calls = Call.objects.filter(client_id=client_id, lead_id=lead_id)
        by_id = dict(calls.values_list("pk", "provider_call_id"))
        cleaned += _clean_events(list(filter(None, by_id.values())))
        enrolments = Enrolment.objects.filter(client_id=client_id, lead_id=lead_id)
        cleaned += _clean_outbox(list(by_id), list(enrolments.values_list("pk", flat=True)))
    return cleaned


def _clean_events(call_ids: list[str]) -> int:
    cleaned = 0
    for event in WebhookEvent.objects.filter(
        beside(status__in=_done()), provider_call_id__in=call_ids
    ).iterator(chunk_size=_SLICE):
        body = without_person(event.body)
        if body != event.body:
            cleaned += WebhookEvent.objects.filter(pk=event.pk).update(body=body)
    return cleaned


def _done() -> tuple[str, ...]:
    status = WebhookEvent.Status
    return (status.APPLIED, status.IGNORED, status.ORPHAN, status.DEAD)


def without_person(body: str) -> str:
    """Return the event with what is known of the call but nothing of the person; "{}" if it can't be read."""
    try:
        event: dict[str, Any] = orjson.loads(body)
        call = event.get("call") or {}
    except (ValueError, AttributeError):
        return "{}"
    if call.get(_MARK):
        return body
    kept = {name: value for name, value in call.items() if name in _KEPT} | {_MARK: True}
    return orjson.dumps({"event": event.get("event"), "call": kept}).decode()


def _clean_outbox(call_ids: list[UUID], enrolment_ids: list[UUID]) -> int:
    """Leave the ids of events for the client's systems, and nothing that was said."""
    cleaned = 0
    keys = [f"call.ended:{one}" for one in call_ids]
    keys += [f"lead.converted:{one}" for one in enrolment_ids]
    groups = [ClientEvent.objects.filter(key__in=keys)]
    for one in call_ids:  # each analysis has a digest behind the call
        first = f"call.analyzed:{one}:"
        groups.append(ClientEvent.objects.filter(key__gte=first, key__lt=f"{first[:-1]};"))
    for event in (event for rows in groups for event in rows):
        data = {name: value for name, value in event.data.items() if name.endswith("_id")}
        if data != event.data:
            cleaned += ClientEvent.objects.filter(pk=event.pk).update(data=data)
    return cleaned
