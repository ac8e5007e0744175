"""What workers do for leads in line: have them decided on anew when calling hours change."""

from __future__ import annotations

import time
from uuid import UUID

from campaigns.services import waking
from convomono.lib import clock

# The dispatcher puts leads off within a step: who was decided on by the old hours is put off by then.
SETTLES_SECONDS = 0.5
# Between two slices of leads the webhook path gets the database.
PAUSE_SECONDS = 0.005


def decide_again(*, client_id: str, campaign_id: str = "", **_later: object) -> int:
    """
    Make leads due that wait for hours in a campaign, or in all the client's; returns how many.

    Safe to run twice: the dispatcher decides on them, and puts off again whose hours are closed still.
    """
    time.sleep(SETTLES_SECONDS)
    key = UUID(campaign_id) if campaign_id else None
    woken = 0
    for keys in waking.slices_waiting(client_id=UUID(client_id), campaign_id=key, now=clock.now()):
        woken += waking.wake(keys=keys, now=clock.now())
        time.sleep(PAUSE_SECONDS)
    if woken:
        waking.tell_dispatcher(campaign_id=key)
    return woken
