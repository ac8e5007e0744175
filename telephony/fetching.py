"""What is fetched from Retell's storage once a call is over: who fetches it, and when it is tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from convomono.lib.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.models import Call, CallLookup, Recording

# After each failed try: Retell's storage may be away for an hour, its links hold for a day.
BACKOFF: Final = (
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
TRIES: Final = len(BACKOFF) + 1
# Longer than a job waits in line and works: then its worker was killed.
LEASE: Final = timedelta(minutes=20)
# So many jobs wait in line at most, so that a worker that falls behind gets none of them twice.
MOST_IN_LINE: Final = 500


def insert_missing(
    model: type[Recording | CallLookup],
    calls: Sequence[Call],
    *,
    columns: Sequence[str] = ("client_id",),
    now: datetime,
) -> None:
    """
    Write the row that waits to be fetched for each call that has none, inside the caller's transaction.

    `columns` are those that it takes from its call.
    """
    ids = [call.pk for call in calls]
    known = set(model.objects.filter(call_id__in=ids).values_list("call_id", flat=True))
    insert_rows(
        [
            model(call=call, created_at=now, **{name: getattr(call, name) for name in columns})
            for call in calls
            if call.pk not in known
        ]
    )


def claim_due(model: type[Recording | CallLookup], *, now: datetime, most: int) -> list[UUID]:
    """
    Claim what waits and is due, the oldest first; return its calls.

    A claim that comes to nothing ends by itself (LEASE); a failed try sets when the next one is due.
    """
    due = Q(next_try_at=None) | Q(next_try_at__lte=now)
    waiting = model.objects.filter(due, status=model.Status.PENDING)
    rows = list(waiting.order_by("created_at", "pk").values_list("pk", "call_id")[: max(0, most)])
    # Compare-and-set: of two runs one orders it.
    return [
        call_id
        for pk, call_id in rows
        if model.objects.filter(due, pk=pk, status=model.Status.PENDING).update(
            next_try_at=now + LEASE
        )
    ]


def note_failure(row: Recording | CallLookup, *, problem: str, now: datetime) -> int:
    """Write down a failed try, when the next is due or that there is none; return how many failed."""
    attempts = row.attempts + 1
    is_last = attempts >= TRIES
    type(row).objects.filter(pk=row.pk, status=row.Status.PENDING).update(
        attempts=attempts,
        error=problem[:200],
        status=row.Status.FAILED if is_last else row.Status.PENDING,
        next_try_at=None if is_last else now + BACKOFF[attempts - 1],
    )
    return attempts
