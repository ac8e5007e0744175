"""Which version of a knowledge base campaigns look things up in: they move to it some at a time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.launch_requests import outdate_requests
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services.knowledge import KnowledgeNotReady
from convomono.lib.db import run_atomic
from convomono.lib.lane import run_bulk

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from audit.services import Actor

# So many campaigns move in one block, and so many blocks a page waits for; a job moves the others.
SLICE = 20
SLICES_AT_ONCE = 5
_PUBLISHED = (Campaign.Status.READY, Campaign.Status.PREPARING)


@dataclass(frozen=True)
class Moved:
    """The campaigns that have to be prepared again, and whether no other one is left to be moved."""

    campaigns: list[Campaign]
    is_all: bool


def use_version(*, base: KnowledgeBase, actor: Actor, now: datetime) -> Moved:
    """
    Let the client's campaigns look things up in this version, be it newer or older.

    Campaigns that use another version of it move to this one, the first hundred of them at once; those
    that are ready are prepared again, which makes their next version. Twice is once, and whoever was killed
    in between leaves the rest to the next press.

    :raises KnowledgeNotReady: if Retell hasn't indexed it
    """
    run_atomic(lambda: _offer(base, actor, now))
    base.refresh_from_db()
    moved = move_campaigns(
        base=base, actor_email=actor.actor_email, now=now, most_slices=SLICES_AT_ONCE
    )
    base.refresh_from_db()
    return moved


def _offer(base: KnowledgeBase, actor: Actor, now: datetime) -> None:
    """Make it the version that campaigns get."""
    fresh = KnowledgeBase.objects.get(pk=base.pk)
    ready = KnowledgeBase.objects.filter(
        pk=base.pk, status=KnowledgeBase.Status.COMPLETE, archived_at=None
    )
    if not ready.update(is_current=True):
        raise KnowledgeNotReady
    _sisters(base).filter(is_current=True).update(is_current=False)
    others = _elsewhere(base).count()
    if others or not fresh.is_current:
        record(
            actions.KNOWLEDGE_USED,
            resource=fresh,
            actor=actor,
            now=now,
            details={"version": fresh.number, "campaigns": others},
        )


def move_campaigns(
    *, base: KnowledgeBase, actor_email: str, now: datetime, most_slices: int
) -> Moved:
    """Move campaigns to the version that they get, in blocks of their own; none once it is another one."""
    found: list[Campaign] = []
    for _slice in range(most_slices):
        moved = run_bulk(partial(_move_slice, base, actor_email, now))
        found += moved.campaigns
        if moved.is_all:
            return Moved(found, is_all=True)
    return Moved(found, is_all=False)


def _move_slice(base: KnowledgeBase, actor_email: str, now: datetime) -> Moved:
    # Written, so that whoever lets campaigns use another version at this moment collides in the database.
    current = KnowledgeBase.objects.filter(pk=base.pk, is_current=True, archived_at=None)
    if not current.update(is_current=True):
        return Moved([], is_all=True)
    moving = list(_elsewhere(base).order_by("pk")[:SLICE])
    published = [one for one in moving if one.status in _PUBLISHED]
    again = [one.pk for one in published]
    Campaign.objects.filter(pk__in=[one.pk for one in moving]).update(
        shared_base=base, updated_at=now
    )
    Campaign.objects.filter(pk__in=again).update(
        status=Campaign.Status.PREPARING, prepared_by_email=actor_email, prepare_error=""
    )
    outdate_requests(campaign_ids=[one.pk for one in moving], now=now)
    return Moved(published, is_all=len(moving) < SLICE)


def _sisters(base: KnowledgeBase) -> QuerySet[KnowledgeBase]:
    family = KnowledgeBase.objects.filter(client_id=base.client_id, family_id=base.family_id)
    return family.exclude(pk=base.pk)


def _elsewhere(base: KnowledgeBase) -> QuerySet[Campaign]:
    """Return the campaigns that look things up in another version of it."""
    others = list(_sisters(base).values_list("pk", flat=True))
    users = Campaign.objects.filter(client_id=base.client_id, shared_base_id__in=others)
    return users.exclude(status=Campaign.Status.ARCHIVED)
