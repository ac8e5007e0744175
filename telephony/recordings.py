"""Copies of recordings in our own storage: taken while Retell's link holds, lent by links that expire."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from convomono.lib import files, outbound
from convomono.lib.db import insert_once
from telephony.models import Call, CallDetail, Recording

if TYPE_CHECKING:
    from collections.abc import Collection
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
TRIES: Final = 5
# Retell's links hold for a day, unless the agent says otherwise.
FETCHED_WITHIN: Final = timedelta(days=1)
BATCH: Final = 200
_MOST_PAGES: Final = 50


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
        return _fail(row, str(problem))
    if answer.status != 200:  # noqa: PLR2004
        return _fail(row, f"Retell answered {answer.status}.")
    return _keep(row, answer, now)


def calls_without_copy(*, now: datetime) -> list[UUID]:
    """
    Return calls of the last day whose recording isn't copied yet, the newest first.

    It looks back until it finds a stretch of calls that are all done; three queries for each 200.
    """
    recent = Call.objects.filter(
        status=Call.Status.ENDED, created_at__gt=now - FETCHED_WITHIN, duration_ms__gt=0
    ).order_by("-created_at")
    found: list[UUID] = []
    for page in range(_MOST_PAGES):
        start = page * BATCH
        call_ids = list(recent.values_list("pk", flat=True)[start : start + BATCH])
        done = Recording.objects.filter(call__in=call_ids).exclude(status=Recording.Status.PENDING)
        known = set(done.values_list("call_id", flat=True))
        missing = [call_id for call_id in call_ids if call_id not in known]
        having = CallDetail.objects.filter(call__in=missing).exclude(recording_url="")
        wanted = list(having.values_list("call_id", flat=True))
        if not wanted:
            break
        found += wanted
    return found


def purge_recordings(*, before: datetime) -> int:
    """Delete copies that were taken before then, file first; return how many."""
    old = Recording.objects.filter(created_at__lt=before, status=Recording.Status.STORED)
    rows = list(old.order_by("created_at")[:BATCH])
    for row in rows:
        files.delete_stored(row.stored_name)
        row.delete()
    return len(rows)


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


def _fail(row: Recording, problem: str) -> bool:
    attempts = row.attempts + 1
    is_last = attempts >= TRIES
    Recording.objects.filter(pk=row.pk, status=Recording.Status.PENDING).update(
        attempts=attempts,
        error=problem[:200],
        status=Recording.Status.FAILED if is_last else Recording.Status.PENDING,
    )
    log.warning("recording.not_copied", call_id=str(row.call_id), attempts=attempts)
    return False
