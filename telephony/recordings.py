"""Copies of recordings in our own storage: taken while Retell's link holds, lent by links that expire."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from django.conf import settings
from django.db.models import Q

from convomono.lib import files, outbound
from convomono.lib.db import insert_once
from telephony.fetching import insert_missing, note_failure
from telephony.models import Call, CallDetail, Recording

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

log = structlog.get_logger()

SUFFIXES: Final = {
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
    "audio/wave": ".wav",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
}
LIMITS: Final = outbound.Limits(
    seconds=120, bytes=64 * 1024 * 1024, redirects=2, types=tuple(SUFFIXES)
)
# Retell's links hold for a day, unless the agent says otherwise.
FETCHED_WITHIN: Final = timedelta(days=1)
BATCH: Final = 200
_MOST_PAGES: Final = 50

type Place = tuple[datetime, UUID]  # when a call was made, and its id


def copy_recording(
    *,
    call_id: UUID,
    now: datetime,
    trusted: Collection[str] = (),
    network: outbound.Network | None = None,
) -> bool:
    """
    Fetch a call's recording into our storage; return whether it is there now.

    Twice is once: of two copies one stays. A call without a recording has nothing to copy. No
    transaction is open meanwhile.
    """
    found = CallDetail.objects.select_related("call").filter(call=call_id)
    detail = found.only("recording_url", "call__client_id").first()
    if detail is None or not detail.recording_url:
        return False
    row = _row(detail.call, now)
    if row.status != Recording.Status.PENDING:
        return row.status == Recording.Status.STORED
    try:
        answer = outbound.fetch(
            detail.recording_url, limits=LIMITS, trusted=trusted, network=network
        )
    except (outbound.AddressRefused, outbound.AnswerRefused, outbound.Unreachable) as problem:
        return _fail(row, str(problem), now)
    if answer.status != 200:  # noqa: PLR2004
        return _fail(row, f"Retell answered {answer.status}.", now)
    return _keep(row, answer, now)


def order_recordings(calls: Sequence[Call], *, now: datetime) -> None:
    """
    Note that somebody has to copy the recordings of these calls, whose links are known now; once for each.

    Written with the news of the link: whatever stands still meanwhile, none is forgotten. Nothing is
    noted where recordings aren't copied (RECORDINGS_COPY).
    """
    if calls and settings.RECORDINGS_COPY:
        insert_missing(Recording, calls, now=now)


def note_recordings(*, now: datetime, after: Place | None = None) -> tuple[int, Place | None]:
    """
    Write a row to wait for each recording of the last day that has none, from a place in it onwards.

    For when copying is switched on: afterwards the news of a link writes the row. At most 10,000
    calls; returns how many rows are new, and from where to go on (None: it came to the end).
    """
    recent = Call.objects.filter(
        status=Call.Status.ENDED, created_at__gt=now - FETCHED_WITHIN, duration_ms__gt=0
    ).order_by("created_at", "pk")
    noted = 0
    for _page in range(_MOST_PAGES):
        rows = recent
        if after is not None:
            at, pk = after
            rows = recent.filter(Q(created_at__gt=at) | Q(created_at=at, pk__gt=pk))
        calls = list(rows.values_list("pk", "client_id", "created_at")[:BATCH])
        if not calls:
            return noted, None
        noted += _note({pk: client_id for pk, client_id, _at in calls}, now)
        after = (calls[-1][2], calls[-1][0])
    return noted, after


def _note(clients: dict[UUID, UUID], now: datetime) -> int:
    known = Recording.objects.filter(call__in=clients).values_list("call_id", flat=True)
    having = CallDetail.objects.filter(call__in=set(clients) - set(known))
    noted = 0
    for call_id in having.exclude(recording_url="").values_list("call_id", flat=True):
        row = Recording(call_id=call_id, client_id=clients[call_id], created_at=now)
        noted += insert_once(row, "call_id")
    return noted


def purge_recordings(*, before: datetime, seconds: float = 60) -> int:
    """
    Delete copies that were taken before then, file first, for at most so many real seconds.

    Returns how many. One row after the other: a file may be far away, and no transaction waits for it.
    """
    ends_at = time.monotonic() + seconds
    old = Recording.objects.filter(created_at__lt=before, status=Recording.Status.STORED)
    purged = 0
    while rows := list(old.order_by("created_at")[:BATCH]):
        for row in rows:
            if time.monotonic() >= ends_at:
                return purged
            files.delete_stored(row.stored_name)
            row.delete()
            purged += 1
    return purged


def _row(call: Call, now: datetime) -> Recording:
    row = Recording(call=call, client_id=call.client_id, created_at=now)
    return row if insert_once(row, "call_id") else Recording.objects.get(call=call)


def _keep(row: Recording, answer: outbound.Answer, now: datetime) -> bool:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    name = files.store(
        room="recordings", client_id=row.client_id, suffix=SUFFIXES[kind], content=answer.body
    )
    # Compare-and-set: of two workers that fetched it one keeps its file.
    kept = Recording.objects.filter(pk=row.pk, status=Recording.Status.PENDING).update(
        status=Recording.Status.STORED,
        stored_name=name,
        content_type=kind,
        size_bytes=len(answer.body),
        stored_at=now,
        error="",
    )
    if not kept:
        files.delete_stored(name)
    return True


def _fail(row: Recording, problem: str, now: datetime) -> bool:
    attempts = note_failure(row, problem=problem, now=now)
    log.warning("recording.not_copied", call_id=str(row.call_id), attempts=attempts)
    return False
