"""When a campaign's new leads are launched by themselves: set, held, let go on, ended."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from audit import actions
from audit.services import record
from campaigns.models import Campaign, TopUp
from campaigns.services.authoring import CampaignArchived
from convomono.lib import live
from convomono.lib.db import IntegrityError, atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor

# Not held: nobody holds what is switched off.
_FREE = {"paused_at": None, "paused_by_email": ""}


def set_top_up(
    *,
    campaign: Campaign,
    is_active: bool,
    every_minutes: int,
    next_at: datetime,
    most_seconds: int,
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Let new leads be launched at `next_at` and every so many minutes after it; tell if it changed.

    Each such launch reserves `most_seconds` at most. Switched off, its launches go on; held, it stays held.

    :raises CampaignArchived: if the campaign was archived (meanwhile)
    """
    wanted = {
        "is_active": is_active,
        "every_minutes": every_minutes,
        "next_at": next_at,
        "most_seconds": most_seconds,
    }
    if TopUp.objects.filter(campaign=campaign, **wanted).exists():
        return False
    by = {"set_by_email": actor.actor_email, "was_refused": False}
    if not is_active:
        by |= _FREE

    @atomic
    def block() -> None:
        if is_active and is_archived(campaign.pk):
            raise CampaignArchived
        if not TopUp.objects.filter(campaign=campaign).update(**wanted, **by):
            TopUp.objects.create(campaign=campaign, client_id=campaign.client_id, **wanted, **by)
        details = {**wanted, "next_at": next_at.isoformat()}
        record(actions.TOP_UP_SET, resource=campaign, actor=actor, now=now, details=details)

    try:
        block()
    except IntegrityError:  # somebody else has just set the first one
        block()
    return True


def is_archived(campaign_id: UUID) -> bool:
    """Tell whether the campaign is only kept, as its row says now; one query."""
    archived = Campaign.objects.filter(pk=campaign_id, status=Campaign.Status.ARCHIVED)
    return archived.exists()


def hold_top_up(*, campaign: Campaign, actor: Actor, now: datetime) -> bool:
    """Let new leads wait until somebody resumes the campaign; False if none launch by themselves, or it is held."""
    return _change(
        _mine(campaign).filter(is_active=True, paused_at=None),
        {"paused_at": now, "paused_by_email": actor.actor_email},
        campaign=campaign,
        details={"is_paused": True},
        actor=actor,
        now=now,
    )


def release_top_up(*, campaign: Campaign, actor: Actor, now: datetime) -> bool:
    """Let new leads be launched by themselves again, from the next of its times on; False if it wasn't held."""
    row = _mine(campaign).filter(is_active=True).exclude(paused_at=None).first()
    if row is None:
        return False
    next_at = row.next_at
    if next_at <= now:  # what was missed isn't made up for
        zone = campaign.client.time_zone
        next_at = following(next_at, every_minutes=row.every_minutes, zone=zone, now=now)
    # Whoever sets another time at this moment has it: then this one is looked at again.
    held = TopUp.objects.filter(pk=row.pk, is_active=True, next_at=row.next_at)
    return _change(
        held.exclude(paused_at=None),
        {**_FREE, "next_at": next_at},
        campaign=campaign,
        details={"is_paused": False},
        actor=actor,
        now=now,
    ) or release_top_up(campaign=campaign, actor=actor, now=now)


def end_top_up(*, campaign: Campaign, actor: Actor, now: datetime) -> bool:
    """Launch no new leads of the campaign by themselves any more; False if none were."""
    return _change(
        _mine(campaign).filter(is_active=True),
        {"is_active": False, "was_refused": False, **_FREE},
        campaign=campaign,
        details={"is_active": False},
        actor=actor,
        now=now,
    )


def _mine(campaign: Campaign) -> QuerySet[TopUp]:
    return TopUp.objects.filter(client_id=campaign.client_id, campaign=campaign)


@atomic
def _change(
    rows: QuerySet[TopUp],
    columns: dict[str, object],
    *,
    campaign: Campaign,
    details: dict[str, object],
    actor: Actor,
    now: datetime,
) -> bool:
    changed = rows.update(**columns)
    if changed:
        record(actions.TOP_UP_SET, resource=campaign, actor=actor, now=now, details=details)
        live.changed(client_id=campaign.client_id, campaign_id=campaign.pk)
    return bool(changed)


def following(at: datetime, *, every_minutes: int, zone: str, now: datetime) -> datetime:
    """
    Return the first time after `now` in steps from `at`: what was missed isn't made up for.

    Whole days are steps of the clock on the wall in `zone`, through its changes; others are of time.
    """
    every = timedelta(minutes=every_minutes)
    missed = max(0, (now - at) // every)
    if every % timedelta(days=1):
        return at + (missed + 1) * every
    local = at.astimezone(ZoneInfo(zone))
    # A day may be an hour longer or shorter: begin one step early.
    found = local + max(1, missed) * every
    while found <= now:
        found += every
    return found.astimezone(UTC)
