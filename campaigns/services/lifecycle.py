"""A campaign's life in verbs: what pages, the API and other rooms call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from campaigns import jobs
from campaigns.launch_requests import RequestOver, outdate_request
from campaigns.models import BatchCall, Campaign
from campaigns.preflight import preflight
from campaigns.services import (
    approving,
    funding,
    launching,
    preparing,
    recurring,
    steering,
    stopping,
)
from campaigns.services.approving import (
    ApprovalNeeded,
    OthersRequest,
    OwnRequest,
    RequestWaits,
    decline_launch,
    withdraw_launch,
)
from campaigns.services.archiving import archive_campaign
from campaigns.services.authoring import (
    CampaignArchived,
    CampaignContent,
    CampaignLive,
    create_campaign,
    started_content,
    update_campaign,
)
from campaigns.services.duplicating import duplicate_campaign
from campaigns.services.launching import (
    CampaignNotReady,
    LaunchInProgress,
    LaunchKeyUsed,
    LaunchRefused,
    LeadsChanged,
    NobodyWaits,
)
from campaigns.services.preparing import CampaignNotDraft, ScriptRefused, script_problems
from campaigns.services.steering import (
    BatchCallNotPaused,
    BatchCallNotRunning,
    BatchCallOver,
    pause_batch_call,
    pause_by_system,
    resume_batch_call,
)
from campaigns.services.versions import restore_version
from convomono.lib.db import run_atomic
from convomono.lib.jobs import enqueue

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from campaigns.models import LaunchRequest
    from campaigns.preflight import Preflight
    from telephony.models import Call

__all__ = [
    "ApprovalNeeded",
    "BatchCallNotPaused",
    "BatchCallNotRunning",
    "BatchCallOver",
    "CampaignArchived",
    "CampaignContent",
    "CampaignLive",
    "CampaignNotDraft",
    "CampaignNotReady",
    "LaunchInProgress",
    "LaunchKeyUsed",
    "LaunchRefused",
    "LeadsChanged",
    "NobodyWaits",
    "OthersRequest",
    "OwnRequest",
    "RequestOver",
    "RequestWaits",
    "ScriptRefused",
    "approve_launch",
    "archive_campaign",
    "ask_for_launch",
    "create_campaign",
    "decline_launch",
    "duplicate_campaign",
    "end_call",
    "end_calls",
    "launch_campaign",
    "pause_batch_call",
    "pause_by_system",
    "pause_campaign",
    "prepare_campaign",
    "restore_version",
    "resume_batch_call",
    "resume_campaign",
    "script_problems",
    "started_content",
    "stop_batch_call",
    "stop_campaign",
    "update_campaign",
    "withdraw_launch",
]

# So many slices are done at once: a list of 1,000 dials without waiting for a worker.
SLICES_AT_ONCE = 5


def prepare_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    """
    Ask for the campaign's agent at Retell; a worker gets it, and the campaign is ready then.

    Asking while it is being prepared only wakes the worker again.

    :raises ScriptRefused: if the script has a blocker, or no voice is chosen
    :raises CampaignNotDraft: if the campaign is ready or archived
    """
    preparing.request_agent(campaign=campaign, actor=actor, now=now)
    enqueue(jobs.prepare_agent, queue="calls", campaign_id=str(campaign.pk))


def launch_campaign(  # noqa: PLR0913 - what a person chooses for a launch, each by name
    *,
    campaign: Campaign,
    launch_key: UUID,
    actor: Actor,
    now: datetime,
    leads: int | None = None,
    seconds: int | None = None,
    most_seconds: int | None = None,
    scheduled_at: datetime | None = None,
    mode: str = BatchCall.Mode.DISPATCHER,
    is_sandbox: bool = False,
    within: Callable[[], object] | None = None,
) -> BatchCall:
    """
    Launch the campaign's waiting leads and reserve minutes; the same key again is the same launch.

    `leads` and `seconds` are what the person agreed to, so many to call and so much to reserve;
    without them it is what the pre-flight check advises, at most `most_seconds`. It starts at `scheduled_at`, else at once; the minutes are reserved now.
    The first 1,000 leads are put in line at once, the rest by a worker. With the mode `retell_batch`
    Retell dials the leads by itself, and a pause or stop can't recall what it has. `within` is done in the
    block that makes the launch: what it refuses undoes it.

    :raises ApprovalNeeded: if the client wants a second person for a launch of this size
    :raises LaunchRefused: if the pre-flight check has a blocker; its findings say which
    :raises LeadsChanged: if more leads wait than were agreed to
    :raises CampaignNotReady: if it was edited or archived since
    :raises LaunchInProgress: if another launch of it is still putting its leads in line
    :raises NobodyWaits: if another launch has taken the leads meanwhile
    :raises LaunchKeyUsed: if the key has launched another campaign
    :raises InsufficientCredits: if the wallet has less than that many seconds
    """
    earlier = launching.find_launch(campaign=campaign, launch_key=launch_key)
    if earlier is not None:
        return earlier
    check = _sound(campaign, now, is_sandbox=is_sandbox, mode=mode)
    if leads is not None and check.counts.callable > leads:
        raise LeadsChanged
    reserved = _reserved(check, seconds, most_seconds)
    # By what the list may take, not by what somebody chose to reserve for it.
    weight = max(check.needed_seconds, reserved)

    def also(_row: BatchCall) -> None:
        outdate_request(campaign_id=campaign.pk, now=now)
        if within is not None:
            within()

    if approving.needs_approval(client_id=campaign.client_id, seconds=weight):
        raise ApprovalNeeded
    batch_call = launching.open_batch_call(
        campaign=campaign,
        launch_key=launch_key,
        seconds=reserved,
        scheduled_at=max(now, scheduled_at or now),
        within=also,
        mode=mode,
        actor=actor,
        now=now,
    )
    return _put_in_line(batch_call, now)


def _outdate(campaign: Campaign, now: datetime) -> NoReturn:
    run_atomic(lambda: outdate_request(campaign_id=campaign.pk, now=now))
    raise RequestOver


def _sound(
    campaign: Campaign,
    now: datetime,
    *,
    is_sandbox: bool,
    mode: str = BatchCall.Mode.DISPATCHER,
) -> Preflight:
    check = preflight(campaign, now, is_sandbox=is_sandbox, mode=mode)
    if check.blockers:
        raise LaunchRefused(check.blockers)
    return check


def _put_in_line(batch_call: BatchCall, now: datetime) -> BatchCall:
    for _slice in range(SLICES_AT_ONCE):
        if launching.attach_slice(batch_call_id=batch_call.pk, now=now):
            break
    else:
        enqueue(jobs.attach_leads, queue="calls", batch_call_id=str(batch_call.pk))
    batch_call.refresh_from_db()
    return batch_call


def _reserved(check: Preflight, seconds: int | None, most_seconds: int | None) -> int:
    if seconds is not None:
        return seconds
    advised = check.reserve_seconds
    return advised if most_seconds is None else min(advised, most_seconds)


def ask_for_launch(  # noqa: PLR0913 - who, what, when, and whether it is the sandbox
    *,
    campaign: Campaign,
    request_id: UUID,
    starts_at: datetime | None,
    note: str,
    actor: Actor,
    now: datetime,
    is_sandbox: bool = False,
    asker_id: UUID | None = None,
    within: Callable[[], object] | None = None,
) -> LaunchRequest:
    """
    Ask somebody else to launch the campaign's waiting leads; the same id again is the same request.

    :raises LaunchRefused: if the pre-flight check has a blocker; its findings say which
    :raises RequestWaits: if another request for this campaign waits
    """
    return approving.ask_for_launch(
        campaign=campaign,
        check=_sound(campaign, now, is_sandbox=is_sandbox),
        request_id=request_id,
        starts_at=starts_at,
        note=note,
        actor=actor,
        now=now,
        asker_id=asker_id,
        within=within,
    )


def approve_launch(
    *, request: LaunchRequest, actor: Actor, now: datetime, is_sandbox: bool = False
) -> BatchCall:
    """
    Launch what somebody else asked for, just as they asked for it. Twice is once.

    :raises OwnRequest: if it is the asker who approves
    :raises RequestOver: if it doesn't wait (any more), or the campaign or its leads changed since
    :raises LaunchRefused: as `launch_campaign`, whose other refusals hold too; the request goes on waiting
    """
    if approving.is_asker(request, actor):
        raise OwnRequest
    campaign = Campaign.objects.select_related("client", "retry_policy", "calling_window").get(
        pk=request.campaign_id
    )
    launched = launching.find_launch(campaign=campaign, launch_key=request.pk)
    if launched is not None:
        return launched
    if approving.is_outdated(request, campaign):
        _outdate(campaign, now)
    check = _sound(campaign, now, is_sandbox=is_sandbox)
    # By number too: some may be called now who couldn't when it was asked for. Fewer is what was agreed to.
    if check.counts.callable > request.leads_count:
        _outdate(campaign, now)
    batch_call = launching.open_batch_call(
        campaign=campaign,
        launch_key=request.pk,
        seconds=request.seconds,
        scheduled_at=max(now, request.starts_at or now),
        within=lambda row: approving.mark_launched(
            request=request, batch_call=row, actor=actor, now=now
        ),
        actor=actor,
        now=now,
    )
    return _put_in_line(batch_call, now)


def stop_batch_call(*, batch_call: BatchCall, actor: Actor, now: datetime) -> None:
    """
    End a launch for good and take its waiting leads out of the line; calls in progress go on.

    :raises BatchCallOver: if it was finished or stopped already
    """
    steering.stop_batch_call(batch_call=batch_call, actor=actor, now=now)
    for _slice in range(SLICES_AT_ONCE):
        if steering.cancel_slice(batch_call_id=batch_call.pk, now=now):
            return
    enqueue(jobs.cancel_leads, queue="calls", batch_call_id=str(batch_call.pk))


def end_call(*, call: Call, actor: Actor, now: datetime) -> bool:
    """Hang up on a call in progress; False if it is over, or somebody asked before."""
    asked = stopping.request_end(call=call, actor=actor, now=now)
    if asked:
        enqueue(jobs.hang_up, queue="calls", call_id=str(call.pk))
    return asked


def end_calls(*, client: Client | None, actor: Actor, now: datetime) -> int:
    """Hang up on every call in progress, of a client or of all, by workers; return how many."""
    slices, marked = stopping.request_ends(client=client, actor=actor, now=now)
    for keys in slices:
        enqueue(jobs.hang_up_some, queue="calls", call_ids=[str(key) for key in keys])
    return marked


def pause_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> list[BatchCall]:
    """
    Pause every launch of the campaign that dials; return them. New leads launch no more by themselves until then.

    Those that ran out of minutes stay paused when minutes are bought, until somebody resumes them.

    :raises BatchCallNotRunning: if none does, and no new leads were to be launched
    """
    # First, so that a launch made by itself at this moment is either among those below or not made.
    held = recurring.hold_top_up(campaign=campaign, actor=actor, now=now)
    dry = steering.pause_dry(campaign=campaign, actor=actor, now=now)
    try:
        return dry + steering.each_live(
            campaign=campaign,
            change=lambda row: pause_batch_call(batch_call=row, actor=actor, now=now),
            skip=BatchCallNotRunning,
        )
    except BatchCallNotRunning:
        if not dry and not held:
            raise
        return dry


def resume_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> list[BatchCall]:
    """
    Resume every paused launch of the campaign; return them. New leads launch by themselves again where they did.

    :raises BatchCallNotPaused: if none is paused, and no new leads were held
    """
    released = recurring.release_top_up(campaign=campaign, actor=actor, now=now)
    try:
        return steering.each_live(
            campaign=campaign,
            change=lambda row: funding.resume(batch_call=row, actor=actor, now=now),
            skip=BatchCallNotPaused,
        )
    except BatchCallNotPaused:
        if not released:
            raise
        return []


def stop_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> list[BatchCall]:
    """
    Stop every launch of the campaign that isn't over; return them. New leads launch no more by themselves.

    :raises BatchCallOver: if all are, and no new leads were to be launched
    """
    ended = recurring.end_top_up(campaign=campaign, actor=actor, now=now)
    try:
        return steering.each_live(
            campaign=campaign,
            change=lambda row: stop_batch_call(batch_call=row, actor=actor, now=now),
            skip=BatchCallOver,
        )
    except BatchCallOver:
        if not ended:
            raise
        return []
