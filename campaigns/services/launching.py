"""Launching: the batch call and its minutes in one block, then its leads in short slices."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import F

from audit import actions
from audit.services import record
from billing.services import reserve
from campaigns.enrolments import finish_if_complete
from campaigns.models import BatchCall, Campaign, CampaignVersion, Enrolment, Experiment
from convomono.lib import live
from convomono.lib.db import IntegrityError, on_commit, run_atomic
from convomono.lib.keys import beside
from convomono.lib.redis import ring

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor
    from campaigns.preflight import Finding

SLICE = 200  # rows of one transaction: it stays below 10 ms on SQLite
LIVE = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)


class LaunchRefused(Exception):
    """The pre-flight check found something that must be put right first."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__([finding.code for finding in findings])
        self.findings = findings


class CampaignNotReady(Exception):
    """The campaign has no published version (any more)."""


class LaunchInProgress(Exception):
    """Another launch of this campaign is still putting its leads in line."""


class LaunchKeyUsed(Exception):
    """The key has launched another campaign."""


class LeadsChanged(Exception):
    """More leads wait than the person was shown who pressed."""


class NobodyWaits(Exception):
    """No lead waits for a launch (any more): another launch took them."""


class LaunchOver(Exception):
    """A launch was stopped while its leads were being put in line."""


def waiting_leads(campaign: Campaign) -> QuerySet[Enrolment]:
    """Return the leads of a campaign that belong to no launch yet."""
    return Enrolment.objects.filter(
        client_id=campaign.client_id,
        campaign_id=campaign.pk,
        status=Enrolment.Status.QUEUED,
        batch_call=None,
    )


def find_launch(*, campaign: Campaign, launch_key: UUID) -> BatchCall | None:
    """Return what a launch with this key has made of this campaign before."""
    return BatchCall.objects.filter(
        client_id=campaign.client_id, campaign=campaign, launch_key=launch_key
    ).first()


def open_batch_call(
    *,
    campaign: Campaign,
    launch_key: UUID,
    seconds: int,
    actor: Actor,
    now: datetime,
    scheduled_at: datetime | None = None,
    mode: str = BatchCall.Mode.DISPATCHER,
    within: Callable[[BatchCall], object] | None = None,
) -> BatchCall:
    """
    Write the batch call and reserve its minutes, in one block; the second time return the first.

    `within` is done in the same block, so that what it refuses undoes the launch.

    :raises CampaignNotReady: if it was edited or archived since
    :raises LaunchInProgress: if another launch of it is under way
    :raises NobodyWaits: if another launch has taken the leads meanwhile
    :raises LaunchKeyUsed: if the key has launched another campaign
    :raises InsufficientCredits: if the wallet has less
    """

    def block() -> BatchCall:
        trial = running_trial(campaign)
        version = CampaignVersion.objects.filter(
            campaign=campaign, number=campaign.published_version or 0
        ).first()
        if version is None:  # it was never published
            raise CampaignNotReady
        batch_call = BatchCall.objects.create(
            client_id=campaign.client_id,
            campaign=campaign,
            version=version,
            variant=trial.variant if trial else None,
            experiment_id=trial.pk if trial else None,
            status=BatchCall.Status.SCHEDULED,
            mode=mode,
            launch_key=launch_key,
            scheduled_at=scheduled_at or now,
            launched_by_email=actor.actor_email,
            created_at=now,
        )
        _take_campaign(campaign=campaign, batch_call=batch_call)
        reserve(
            client_id=campaign.client_id,
            batch_call_id=batch_call.pk,
            campaign_id=campaign.pk,
            seconds=seconds,
            label=campaign.name,
            actor=actor,
            now=now,
        )
        record(
            actions.CAMPAIGN_LAUNCHED,
            resource=campaign,
            actor=actor,
            now=now,
            details={"batch_id": str(batch_call.pk), "seconds": seconds, "mode": str(mode)},
        )
        if within is not None:
            within(batch_call)
        return batch_call

    try:
        return run_atomic(block)
    except IntegrityError:
        earlier = find_launch(campaign=campaign, launch_key=launch_key)
        if earlier is not None:
            return earlier
        if BatchCall.objects.filter(launch_key=launch_key).exists():
            raise LaunchKeyUsed from None
        raise


def running_trial(campaign: Campaign) -> Experiment | None:
    """Return the experiment whose control is the campaign's published version."""
    return (
        Experiment.objects.select_related("variant")
        .filter(
            live_key=str(campaign.pk),
            status=Experiment.Status.RUNNING,
            control__number=campaign.published_version or 0,
        )
        .first()
    )


def _take_campaign(*, campaign: Campaign, batch_call: BatchCall) -> None:
    taken = Campaign.objects.filter(
        pk=campaign.pk,
        status=Campaign.Status.READY,
        published_version=campaign.published_version,
        launching_id=None,
    ).update(launching_id=batch_call.pk)
    if taken:
        # Read after the campaign was taken: an earlier launch has let go of it, so its leads are gone.
        if not waiting_leads(campaign).exists():
            raise NobodyWaits
        return
    is_ready = Campaign.objects.filter(pk=campaign.pk, status=Campaign.Status.READY).exists()
    raise LaunchInProgress if is_ready else CampaignNotReady


def attach_slice(*, batch_call_id: UUID, now: datetime) -> bool:
    """
    Put up to 200 of the campaign's waiting leads in this launch's line; True when none is left.

    Killed anywhere, it goes on where it stopped: a lead is in line when its row says so.
    """
    batch_call = BatchCall.objects.select_related("campaign").get(pk=batch_call_id)
    if batch_call.attached_at is not None or batch_call.is_over:
        _let_go(batch_call=batch_call, now=now)
        return True
    # Whoever came later was neither counted nor agreed to: the next launch takes them.
    agreed = waiting_leads(batch_call.campaign).filter(created_at__lte=batch_call.created_at)
    waiting = agreed.order_by("created_at", "pk")
    keys = list(waiting.values_list("pk", flat=True)[:SLICE])
    if not keys:
        _let_go(batch_call=batch_call, now=now)
        return True
    try:
        run_atomic(lambda: _attach(batch_call=batch_call, keys=keys, now=now))
    except LaunchOver:
        _let_go(batch_call=batch_call, now=now)
        return True
    return False


def _attach(*, batch_call: BatchCall, keys: list[UUID], now: datetime) -> None:
    # One instant for all slices of a launch, so that the score alone says who goes first.
    due_at = max(batch_call.created_at, batch_call.scheduled_at)
    attached = 0
    for score, ids in _by_score(keys).items():
        attached += Enrolment.objects.filter(
            beside(status=Enrolment.Status.QUEUED, batch_call_id=None), pk__in=ids
        ).update(batch_call=batch_call, next_attempt_at=due_at, priority=score, waiting_reason="")
    open_launch = BatchCall.objects.filter(pk=batch_call.pk, status__in=LIVE, attached_at=None)
    if not open_launch.update(
        queued_count=F("queued_count") + attached, tasks_count=F("tasks_count") + attached
    ):
        raise LaunchOver  # undoes the slice
    live.changed(campaign_id=batch_call.campaign_id)


def _by_score(keys: list[UUID]) -> dict[int, list[UUID]]:
    found: dict[int, list[UUID]] = defaultdict(list)
    rows = Enrolment.objects.filter(pk__in=keys).values_list("pk", "lead__score")
    for key, score in rows:
        found[score].append(key)
    return found


def _let_go(*, batch_call: BatchCall, now: datetime) -> None:
    """End the time in which leads are put in line: the launch may start, another may begin."""

    def block() -> None:
        BatchCall.objects.filter(pk=batch_call.pk, attached_at=None).update(attached_at=now)
        Campaign.objects.filter(pk=batch_call.campaign_id, launching_id=batch_call.pk).update(
            launching_id=None
        )
        on_commit(lambda: ring("dispatcher"))
        live.changed(client_id=batch_call.client_id, campaign_id=batch_call.campaign_id)

    run_atomic(block)
    finish_if_complete(batch_call_id=batch_call.pk, now=now)


def left_behind(*, since: datetime) -> QuerySet[BatchCall, UUID]:
    """Return the ids of launches before `since` whose leads aren't all in line."""
    return BatchCall.objects.filter(attached_at=None, created_at__lte=since).values_list(
        "pk", flat=True
    )
