"""What the news of a call tells the client's own systems, in the field names of the API."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from accounts.models import ClientEvent
from accounts.outbox import publish_client_event
from billing.models import Transaction, Wallet
from campaigns.agent_settings import CONVERTED_FIELD
from convomono.lib.clock import real_now
from convomono.lib.money import dollars, minutes
from telephony.rules import OutcomeClass
from webhooks.models import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.events import CallChange
    from telephony.models import Call

# Whether anybody listens is looked up this often, not for each event of each call.
_FRESH_SECONDS: Final = 2.0
_ANALYSED: Final = frozenset({"analyzed", "swept"})
LOW_SECONDS: Final = 30 * 60
_AT_ONCE: Final = 200
_PURCHASE: Final = Transaction.Type.PURCHASE
_Kind = ClientEvent.Kind


class Listeners:
    """Which clients have an address for which kinds of events, as it was a moment ago."""

    def __init__(self) -> None:
        self._known: dict[UUID, frozenset[str]] = {}
        self._read_at: float | None = None

    def has(self, client_id: UUID) -> bool:
        """Tell whether any address of the client listens to anything."""
        self._look()
        return client_id in self._known

    def _look(self) -> None:
        now = time.monotonic()
        if self._read_at is None or now - self._read_at > _FRESH_SECONDS:
            self._known = _read()
            self._read_at = now

    def want(self, client_id: UUID, kind: str) -> bool:
        """Tell whether somebody listens to this kind."""
        return self.has(client_id) and kind in self._known[client_id]

    def wanting(self, kind: str) -> list[UUID]:
        """Return the clients of whom somebody listens to this kind."""
        self._look()
        return [client_id for client_id, kinds in self._known.items() if kind in kinds]

    def forget(self) -> None:
        """Look it up at the next question."""
        self._read_at = None


LISTENERS: Final = Listeners()


def tell_client(*, change: CallChange, now: datetime) -> None:
    """
    Write what this change means for the client's webhooks into the outbox, in the same transaction.

    Each end, each analysis and each conversion is told once, however often its event comes.
    """
    if not LISTENERS.has(change.client_id):
        return
    if change.is_settled and not change.before.outcome_class:
        _publish(change, _Kind.CALL_ENDED, f"call.ended:{change.call_id}", call_data(change), now)
    if change.kind in _ANALYSED and (analysis := _analysis(change)):
        digest = hashlib.sha256(orjson.dumps(analysis, option=orjson.OPT_SORT_KEYS)).hexdigest()
        key = f"call.analyzed:{change.call_id}:{digest[:16]}"
        data = {**call_data(change), "analysis": analysis}
        _publish(change, _Kind.CALL_ANALYZED, key, data, now)
    if change.lead_id is not None and _is_converted(change):
        key = f"lead.converted:{change.enrolment_id}"
        data = _conversion(change, change.call_id)
        _publish(change, _Kind.LEAD_CONVERTED, key, data, now)


def tell_conversion(*, call: Call, now: datetime) -> None:
    """Write into the outbox that a lead reached the goal by a person's word; once for each lead."""
    if LISTENERS.want(call.client_id, _Kind.LEAD_CONVERTED):
        publish_client_event(
            client_id=call.client_id,
            kind=_Kind.LEAD_CONVERTED,
            key=f"lead.converted:{call.enrolment_id}",
            data=_conversion(call, call.pk),
            now=now,
        )


def _conversion(told: Call | CallChange, call_id: UUID) -> dict[str, Any]:
    return {
        "lead_id": _text(told.lead_id),
        "campaign_id": _text(told.campaign_id),
        "call_id": str(call_id),
        "phone": told.to_number,
    }


def call_data(change: CallChange) -> dict[str, Any]:
    """Return a call as receivers read it; dollars with four decimals, as text."""
    after = change.after
    return {
        "call_id": str(change.call_id),
        "campaign_id": _text(change.campaign_id),
        "lead_id": _text(change.lead_id),
        "direction": change.direction,
        "from": change.from_number,
        "to": change.to_number,
        "status": after.status,
        "disconnection_reason": after.disconnection_reason,
        "outcome_class": after.outcome_class,
        "start_ts": _instant(change.started_at),
        "end_ts": _instant(change.ended_at),
        "duration_seconds": None if after.duration_ms is None else -(-after.duration_ms // 1000),
        "billed_seconds": after.billed_seconds,
        "client_cost": f"{dollars(after.client_cost_micros):.4f}",
    }


def _analysis(change: CallChange) -> dict[str, Any]:
    after = change.after
    found = {"in_voicemail": after.in_voicemail, "is_successful": after.is_successful}
    known = {name: value for name, value in found.items() if value is not None}
    return {**known, **({"data": dict(change.analysis_data)} if change.analysis_data else {})}


def _publish(
    change: CallChange, kind: str, key: str, data: Mapping[str, Any], now: datetime
) -> None:
    if LISTENERS.want(change.client_id, kind):
        publish_client_event(client_id=change.client_id, kind=kind, key=key, data=data, now=now)


def _is_converted(change: CallChange) -> bool:
    if change.after.corrected_outcome:
        return False  # told with the correction, if it was the goal
    is_human = change.outcome is not None and change.outcome.outcome_class is OutcomeClass.HUMAN
    return is_human and change.analysis_data.get(CONVERTED_FIELD) is True


def _read() -> dict[UUID, frozenset[str]]:
    known: dict[UUID, frozenset[str]] = {}
    # Of one that was switched off lately too: what it misses is kept for when it is on again.
    rows = Endpoint.objects.listening(now=real_now()).values_list("client_id", "kinds")
    for client_id, kinds in rows:
        known[client_id] = known.get(client_id, frozenset()) | set(kinds)
    return known


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _low_wallets(client_ids: Sequence[UUID]) -> Iterator[Wallet]:
    for start in range(0, len(client_ids), _AT_ONCE):
        low = Wallet.objects.filter(
            client__in=client_ids[start : start + _AT_ONCE], available_seconds__lt=LOW_SECONDS
        )
        yield from low.select_related("client").order_by("pk")


def tell_low_credits(*, now: datetime) -> int:
    """
    Tell clients who listen for it that their free minutes fell below half an hour; return how many.

    Once for what they have bought so far: the next purchase makes it news again.
    """
    told = 0
    for wallet in _low_wallets(LISTENERS.wanting(_Kind.CREDITS_LOW)):
        bought = Transaction.objects.filter(client=wallet.client_id, type=_PURCHASE)
        count = bought.count()
        if not count or not wallet.client.is_active:
            continue  # nothing was ever there to run low
        told += publish_client_event(
            client_id=wallet.client_id,
            kind=_Kind.CREDITS_LOW,
            key=f"credits.low:{wallet.client_id}:{count}",
            data={
                "available_minutes": f"{minutes(wallet.available_seconds):.2f}",
                "reserved_minutes": f"{minutes(wallet.reserved_seconds):.2f}",
            },
            now=now,
        )
    return told
