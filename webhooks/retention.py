"""How long events are kept: those of nobody's calls aren't waited for, those that are done are purged."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from accounts.models import ClientEvent
from convomono.lib.db import run_atomic
from webhooks.models import EndpointDelivery, ReplayRun, WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

# Longer than Retell's repeats, our sweeps and a dial's unknown outcome together.
UNCLAIMED_FOR: Final = timedelta(days=3)
UNCLAIMED: Final = "No call of ours in three days, and Retell named none."
SENT_FOR: Final = timedelta(days=30)
SLICE: Final = 200
_MOST: Final = 20_000  # in one run: the next goes on
_Status = WebhookEvent.Status
_DONE: Final = (_Status.APPLIED, _Status.IGNORED, _Status.ORPHAN, _Status.DEAD)


def give_up_parked(*, now: datetime) -> int:
    """
    Stop trying events that nobody has claimed for three days, and keep them for people to see.

    They are calls of somebody who shares our workspace at Retell. Returns how many.
    """
    given_up = 0
    while given_up < _MOST:
        old = WebhookEvent.objects.filter(
            status=_Status.PARKED, created_at__lte=now - UNCLAIMED_FOR
        )
        pks = list(old.order_by("created_at").values_list("pk", flat=True)[:SLICE])
        if not pks:
            break
        # Compare-and-set: the drain may take one up at this moment.
        given_up += WebhookEvent.objects.filter(pk__in=pks, status=_Status.PARKED).update(
            status=_Status.ORPHAN, error=UNCLAIMED, processed_at=now
        )
    return given_up


def purge_events(*, before: datetime, pause: Callable[[], None] = lambda: None) -> int:
    """
    Delete events that are done with and were received before then, in slices; return how many.

    What still waits stays, however old. Between slices `pause` lets others write.
    """
    purged = 0
    # What replays found goes with the events that they read; a few rows.
    ReplayRun.objects.filter(created_at__lt=before).delete()
    while purged < _MOST:
        old = WebhookEvent.objects.filter(status__in=_DONE, created_at__lt=before)
        pks = list(old.order_by("created_at").values_list("pk", flat=True)[:SLICE])
        if not pks:
            break
        purged += run_atomic(partial(_delete, pks))
        pause()
    return purged


def purge_sent(*, before: datetime, pause: Callable[[], None] = lambda: None) -> int:
    """
    Delete client events older than that with the log of their deliveries; return how many.

    Nothing is tried for so long: eight tries take a day.
    """
    purged = 0
    while purged < _MOST:
        old = ClientEvent.objects.filter(routed_at__lt=before)
        pks = list(old.order_by("routed_at").values_list("pk", flat=True)[:SLICE])
        if not pks:
            break
        run_atomic(partial(_delete_sent, pks))
        purged += len(pks)
        pause()
    return purged


def _delete_sent(pks: list[UUID]) -> None:
    EndpointDelivery.objects.filter(event__in=pks).delete()
    ClientEvent.objects.filter(pk__in=pks).delete()


def _delete(pks: list[UUID]) -> int:
    return WebhookEvent.objects.filter(pk__in=pks, status__in=_DONE).delete()[0]
