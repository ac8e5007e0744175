"""Launches that start when their time has come, and the sentence of those that aren't dialling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from billing.services import can_hold, owed_seconds
from campaigns.dialling import waiting
from campaigns.enrolments import awaits_results
from campaigns.models import BatchCall, ClientShare, Enrolment
from campaigns.models.dialling import LINE_ORDER
from convomono.lib import live

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from campaigns.dialling.gates import Closed
    from campaigns.dialling.numbers import NumberPool


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a launch isn't dialling: a code of `waiting`, until when if known, figures. Empty: it dials."""

    code: str = ""
    until: datetime | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a launch shares with others at this moment; `limit` is lines we may use altogether."""

    stopped: Reason
    used: int
    limit: int
    client_own: int
    campaign_own: int
    pool: NumberPool
    closed: Closed
    paced: int = 0  # the campaign's own new calls in a minute, while they hold it up


def start_due(*, now: datetime) -> int:
    """Start launches whose time has come and whose leads are all in line; return how many."""
    due = BatchCall.objects.filter(
        status=BatchCall.Status.SCHEDULED, scheduled_at__lte=now, attached_at__isnull=False
    )
    campaigns = list(due.values_list("client_id", "campaign_id"))
    if not campaigns:
        return 0  # the usual case takes no write lock
    started = due.update(status=BatchCall.Status.RUNNING, started_at=now, waiting_reason="")
    for client_id, campaign_id in campaigns:
        live.changed(client_id=client_id, campaign_id=campaign_id)
    return started


def running_launches() -> list[BatchCall]:
    """Return every launch that runs, in either mode, with what deciding needs; one query."""
    return list(
        BatchCall.objects.filter(status=BatchCall.Status.RUNNING).select_related(
            "client",
            "version",
            "variant",
            "campaign__retry_policy",
            "campaign__calling_window",
            "campaign__safety_policy",
        )
    )


def shares_of(launches: Iterable[BatchCall]) -> list[ClientShare]:
    """Return what the clients of these launches are granted; one query."""
    clients = {one.client_id for one in launches}
    return list(ClientShare.objects.filter(client_id__in=clients)) if clients else []


def explain(*, batch_call: BatchCall, around: Surroundings, now: datetime) -> Reason:
    """Say why a running launch isn't placing a call at this moment; empty if it is about to."""
    if code := _forbidden(batch_call, around):
        return Reason(code=code)
    if (waits := _for_a_lead(batch_call, now)) is not None:
        return waits
    if around.stopped.code:
        return around.stopped
    if not can_hold(batch_call_id=batch_call.pk):
        owes = owed_seconds(client_id=batch_call.client_id)
        return Reason(code=waiting.DEBT if owes else waiting.CREDIT)
    if around.pool.code:
        return Reason(code=around.pool.code, until=around.pool.until)
    # What is handed over waits for its lines at Retell.
    is_batch = batch_call.mode == BatchCall.Mode.RETELL_BATCH
    return Reason() if is_batch else _lines(batch_call, around)


def _forbidden(batch_call: BatchCall, around: Surroundings) -> str:
    """Return the code of what a person has forbidden; empty if nothing."""
    if not batch_call.client.is_active:
        return waiting.CLIENT_INACTIVE
    if around.closed.everything:
        return waiting.STOPPED_ALL
    return waiting.STOPPED_CLIENT if around.closed.stops(batch_call.client_id) else ""


def _for_a_lead(batch_call: BatchCall, now: datetime) -> Reason | None:
    """Say what the launch waits for while nobody in it is due."""
    queued = Enrolment.objects.filter(
        batch_call_id=batch_call.pk, status=Enrolment.Status.QUEUED
    ).order_by(*LINE_ORDER)
    first = queued.filter(held_at=None).values_list("next_attempt_at", "waiting_reason").first()
    if first is None:
        is_held = batch_call.queued_count and queued.exists()
        return Reason(code=waiting.HELD) if is_held else _nobody_queued(batch_call, now)
    due_at, reason = first
    if due_at > now:
        return Reason(code=reason or waiting.RETRY, until=due_at)
    return None


def write_reason(*, batch_call: BatchCall, reason: Reason) -> bool:
    """Keep the reason on the launch, if it is another than before."""
    before = (batch_call.waiting_reason, batch_call.waiting_until, batch_call.waiting_facts)
    if before == (reason.code, reason.until, reason.facts):
        return False
    written = BatchCall.objects.filter(pk=batch_call.pk, status=BatchCall.Status.RUNNING).update(
        waiting_reason=reason.code, waiting_until=reason.until, waiting_facts=reason.facts
    )
    if written:
        live.changed(campaign_id=batch_call.campaign_id)
    return bool(written)


def _nobody_queued(batch_call: BatchCall, now: datetime) -> Reason:
    if batch_call.mode == BatchCall.Mode.RETELL_BATCH and batch_call.dialling_count:
        return Reason(code=waiting.HANDED_OVER, facts={"own": batch_call.dialling_count})
    if batch_call.in_call_count:
        return Reason(code=waiting.IN_PROGRESS)
    if batch_call.dialling_count:
        return Reason(code=waiting.SETTLING)
    is_read = not awaits_results(batch_call_id=batch_call.pk, now=now)
    return Reason(code="" if is_read else waiting.RESULTS)


def _lines(batch_call: BatchCall, around: Surroundings) -> Reason:
    of_campaign = batch_call.campaign.concurrency_limit
    of_client = batch_call.client.concurrency_limit
    if around.campaign_own >= of_campaign:
        facts = {"own": around.campaign_own, "limit": of_campaign}
        return Reason(code=waiting.CAMPAIGN_LINES_FULL, facts=facts)
    if around.client_own >= of_client:
        facts = {"own": around.client_own, "limit": of_client}
        return Reason(code=waiting.CLIENT_LINES_FULL, facts=facts)
    if around.used >= around.limit:
        facts = {"used": around.used, "limit": around.limit, "own": around.client_own}
        return Reason(code=waiting.LINES_FULL, facts=facts)
    if around.paced:
        return Reason(code=waiting.CAMPAIGN_SPEED, facts={"limit": around.paced})
    return Reason()
