"""What workers do for leads in line: have them decided on anew when calling hours change."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

from campaigns.services import waking
from convomono.lib import clock
from convomono.lib.jobs import enqueue

if TYPE_CHECKING:
    from datetime import datetime

# The dispatcher puts leads off within a step: who was decided on by the old hours is put off by then.
SETTLES_SECONDS = 0.5
# Between two slices of leads the webhook path gets the database.
PAUSE_SECONDS = 0.005


def ask_to_decide_again(*, client_id: UUID, campaign_id: UUID | None = None, now: datetime) -> None:
    """
    Have leads decided on anew after hours changed, a campaign's or a client's, inside the caller's transaction.

    A row keeps that it was asked for, so that neither a killed worker nor an absent Redis loses it.
    """
    waking.note_change(client_id=client_id, campaign_id=campaign_id, now=now)
    where = str(campaign_id or "")
    enqueue(decide_again, queue="calls", client_id=str(client_id), campaign_id=where)


def decide_again(*, client_id: str, campaign_id: str = "", **_later: object) -> int:
    """
    Make leads due that wait for hours in a campaign, or in all the client's; returns how many.

    Safe to run twice: the dispatcher decides on them, and puts off again whose hours are closed still.
    """
    owner, key = UUID(client_id), UUID(campaign_id) if campaign_id else None
    asked = waking.asked_at(client_id=owner, campaign_id=key)
    if asked is None:
        return 0
    time.sleep(SETTLES_SECONDS)
    woken = 0
    for keys in waking.slices_waiting(client_id=owner, campaign_id=key, now=clock.now()):
        woken += waking.wake(keys=keys, now=clock.now())
        time.sleep(PAUSE_SECONDS)
    if woken:
        waking.tell_dispatcher(campaign_id=key)
    waking.note_done(client_id=owner, campaign_id=key, asked=asked)
    return woken
