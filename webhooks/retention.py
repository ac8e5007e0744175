"""How long events are kept: those of nobody's calls aren't waited for, those that are done are purged."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from accounts.models import ClientEvent
from convomono.lib.db import run_atomic
from convomono.lib.keys import beside
from webhooks.models import (
    KEPT_WHILE_OFF,
    Endpoint,
    EndpointDelivery,
    ReplayRun,
    WebhookEvent,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

# Longer than Retell's repeats, our sweeps and a dial's unknown outcome together.
UNCLAIMED_FOR: Final = timedelta(days=3)
UNCLAIMED: Final = "No call of ours in three days, and Retell named none."
SENT_FOR: Final = KEPT_WHILE_OFF
SLICE: Final = 200
# A transaction beside the intake lasts ten milliseconds at most, whatever its rows weigh.
_TARGET_SECONDS: Final = 0.007
_FIRST_SLICE: Final = 20
_Status = WebhookEvent.Status
_DONE: Final = (_Status.APPLIED, _Status.IGNORED, _Status.ORPHAN, _Status.DEAD)


class Purge:
    """
    Deletes rows in slices until nothing is left or its time is up: at most 200, and about 7 ms each.

    A body may weigh a kilobyte or ten megabytes, so how many fit is learned from how long the last
    slice took. Between slices `pause` lets others write. Times are real.
    """

    def __init__(self, *, seconds: float, pause: Callable[[], None] = lambda: None) -> None:
        self._ends_at = time.monotonic() + seconds
        self._pause = pause
        self._fitting: float = min(_FIRST_SLICE, SLICE)

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self._ends_at

    def delete(self, rows: QuerySet[Any], *, again: QuerySet[Any] | None = None) -> int:
        """
        Delete rows, in their order; return how many.

        `again` are the same, found by their keys, where an index has many of them.
        """
        deleted = 0
        while not self.is_over:
            pks = list(rows.values_list("pk", flat=True)[: int(self._fitting)])
            if not pks:
                break
            began = time.perf_counter()
            # The rows' own conditions hold once more: one may have changed.
            deleted += run_atomic(partial(_delete, rows if again is None else again, pks))
            self._learn(time.perf_counter() - began)
            self._pause()
        return deleted

    def _learn(self, seconds: float) -> None:
        change = min(max(_TARGET_SECONDS / max(seconds, 1e-6), 0.5), 1.5)
        self._fitting = min(max(self._fitting * change, 1.0), SLICE)


def _delete(rows: QuerySet[Any], pks: list[UUID]) -> int:
    return rows.order_by().filter(pk__in=pks).delete()[0]


def give_up_parked(*, now: datetime) -> int:
    """
    Stop trying events that nobody has claimed for three days, and keep them for people to see.

    They are calls of somebody who shares our workspace at Retell. Returns how many.
    """
    given_up = 0
    while True:
        old = WebhookEvent.objects.filter(
            status=_Status.PARKED, created_at__lte=now - UNCLAIMED_FOR
        )
        pks = list(old.order_by("created_at").values_list("pk", flat=True)[:SLICE])
        if not pks:
            break
        # Compare-and-set: the drain may take one up at this moment.
        given_up += WebhookEvent.objects.filter(beside(status=_Status.PARKED), pk__in=pks).update(
            status=_Status.ORPHAN, error=UNCLAIMED, processed_at=now
        )
    return given_up


def purge_events(*, before: datetime, purge: Purge) -> int:
    """
    Delete events that are done with and were received before then; return how many.

    What still waits stays, however old.
    """
    # What replays found goes with the events that they read.
    purge.delete(ReplayRun.objects.filter(created_at__lt=before).order_by("created_at"))
    old = WebhookEvent.objects.filter(status__in=_DONE, created_at__lt=before)
    return purge.delete(old.order_by("created_at"))


def purge_sent(*, before: datetime, purge: Purge) -> int:
    """
    Delete client events older than that with the log of their deliveries; return how many.

    Nothing is tried for so long: eight tries take a day.
    """
    purged = 0
    old = ClientEvent.objects.filter(routed_at__lt=before).order_by("routed_at")
    while not purge.is_over:
        pks = list(old.values_list("pk", flat=True)[:SLICE])
        if not pks:
            break
        purge.delete(EndpointDelivery.objects.filter(event__in=pks))
        # One with a delivery left waits for the next run: its time was up.
        rest = set(
            EndpointDelivery.objects.filter(event__in=pks).values_list("event_id", flat=True)
        )
        done = [pk for pk in pks if pk not in rest]
        purged += purge.delete(ClientEvent.objects.filter(pk__in=done))
    return purged


def delete_removed(*, purge: Purge) -> int:
    """Delete the logs of addresses that people removed, then the addresses; return how many of these."""
    deleted = 0
    for endpoint in Endpoint.objects.exclude(removed_at=None).order_by("removed_at"):
        log = EndpointDelivery.objects.filter(endpoint=endpoint)
        mine = EndpointDelivery.objects.filter(beside(endpoint_id=endpoint.pk))
        purge.delete(log, again=mine)
        if not log.exists():
            deleted += Endpoint.objects.filter(pk=endpoint.pk).delete()[0]
    return deleted
