"""Leads that wait for their calling hours, due at once when those change: the dispatcher decides anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.dialling import waiting
from campaigns.enrolments import LIVE
from campaigns.models import BatchCall, CallingWindow, ClientLimits, Enrolment
from convomono.lib import live
from convomono.lib.db import atomic
from convomono.lib.keys import beside
from convomono.lib.redis import ring

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    type Asked = QuerySet[CallingWindow] | QuerySet[ClientLimits]

# What an edit of hours, or of a lead's zone, may end.
FOR_HOURS = (waiting.WINDOW, waiting.CLOSED_DAY, waiting.NEVER_OPEN, waiting.HOURS_FORBIDDEN)
# What an edit of a client's limits may end: they hold gap and cap too.
FOR_LIMITS = (*FOR_HOURS, waiting.PERSON_GAP, waiting.PERSON_CAP)
SLICE = 200  # rows of one transaction: it stays below 10 ms on SQLite


def note_change(*, client_id: UUID, campaign_id: UUID | None, now: datetime) -> None:
    """Note, inside the caller's transaction, that hours changed: of a campaign, or a client's own limits."""
    _changed(client_id, campaign_id).update(wake_asked_at=now)


def asked_at(*, client_id: UUID, campaign_id: UUID | None) -> datetime | None:
    """Return since when leads are to be decided on anew; None if that was done."""
    return _changed(client_id, campaign_id).values_list("wake_asked_at", flat=True).first()


def note_done(*, client_id: UUID, campaign_id: UUID | None, asked: datetime) -> None:
    """Note that it was done, unless somebody has changed the hours again meanwhile."""
    _changed(client_id, campaign_id).filter(wake_asked_at=asked).update(wake_asked_at=None)


def left_behind(*, since: datetime, most: int) -> list[tuple[str, str]]:
    """
    Return what was asked for until then and not done, as keys of client and campaign; the oldest first.

    The campaign's is empty where a client's own limits changed.
    """
    windows = CallingWindow.objects.filter(wake_asked_at__lte=since).order_by("wake_asked_at")
    limits = ClientLimits.objects.filter(wake_asked_at__lte=since).order_by("wake_asked_at")
    return [
        *(
            (str(client_id), str(campaign_id))
            for client_id, campaign_id in windows.values_list("client_id", "campaign_id")[:most]
        ),
        *((str(one), "") for one in limits.values_list("client_id", flat=True)[:most]),
    ]


def _changed(client_id: UUID, campaign_id: UUID | None) -> Asked:
    if campaign_id is None:
        return ClientLimits.objects.filter(client_id=client_id)
    return CallingWindow.objects.filter(client_id=client_id, campaign_id=campaign_id)


def slices_waiting(
    *, client_id: UUID, campaign_id: UUID | None, now: datetime
) -> Iterator[list[UUID]]:
    """
    Yield who waits for hours in the campaign's launches that aren't over, 200 at a time.

    Without a campaign in all the client's, and for gap and cap too. Each is yielded once: who is put
    off again meanwhile, because it is still too early, isn't looked at for ever.
    """
    launches = BatchCall.objects.filter(client_id=client_id, status__in=LIVE)
    if campaign_id is not None:
        launches = launches.filter(campaign_id=campaign_id)
    for batch_call_id in list(launches.values_list("pk", flat=True)):
        waiting_rows = Enrolment.objects.filter(
            batch_call_id=batch_call_id,
            status=Enrolment.Status.QUEUED,
            next_attempt_at__gt=now,
            waiting_reason__in=FOR_LIMITS if campaign_id is None else FOR_HOURS,
        )
        keys = list(waiting_rows.values_list("pk", flat=True))
        for start in range(0, len(keys), SLICE):
            yield keys[start : start + SLICE]


@atomic
def wake(*, keys: Sequence[UUID], now: datetime) -> int:
    """Make leads due that still wait for hours, gap or cap; return how many were made."""
    rows = Enrolment.objects.filter(
        beside(status=Enrolment.Status.QUEUED),
        pk__in=list(keys),
        next_attempt_at__gt=now,
        waiting_reason__in=FOR_LIMITS,
    )
    return rows.update(next_attempt_at=now, waiting_reason="")


def wake_lead(*, lead_id: UUID, now: datetime) -> int:
    """Make a lead due wherever it waits for hours, inside the caller's transaction; return in how many lines."""
    rows = Enrolment.objects.filter(
        lead_id=lead_id,
        status=Enrolment.Status.QUEUED,
        next_attempt_at__gt=now,
        waiting_reason__in=FOR_HOURS,
    )
    return rows.update(next_attempt_at=now, waiting_reason="")


def tell_dispatcher(*, campaign_id: UUID | None) -> None:
    """Have the dispatcher look, and the campaign's open pages show what they wait for now."""
    ring("dispatcher")
    if campaign_id is not None:
        live.changed(campaign_id=campaign_id)
