"""Takes what was said out of calls for good: here so that no late news brings it back, then at Retell."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from django.db.models import F
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from telephony.merging import closed_stamps
from telephony.models import Call, CallDetail, CallLookup
from telephony.models.erasures import CallErasure
from telephony.provider import NotFound, ProviderError, RateLimited, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

log = structlog.get_logger()

# The books of a day are compared with Retell's list of calls until then.
COMPARED_AFTER: Final = timedelta(days=3)
CLAIM: Final = timedelta(minutes=10)
PAUSE: Final = timedelta(hours=6)
TRIES: Final = 12
BATCH: Final = 50
_TOLD: Final = (
    *("transcript", "transcript_object", "happenings", "call_summary", "call_analysis", "latency"),
    *("dynamic_variables", "recording_url", "knowledge_url"),
)
_Status = CallErasure.Status


class Gateway(Protocol):
    """What deleting asks of Retell's gateway."""

    def delete_call(self, *, call_id: str) -> None: ...


def forget_details(*, call_ids: Iterable[UUID], now: datetime) -> None:
    """
    Blank the large parts of calls, close them to every later event, and have Retell's copy deleted.

    What the call cost stays. Inside the caller's transaction; twice is once.
    """
    call_ids = list(call_ids)
    # Whoever has read a call's news ahead must not write what was said behind our back.
    Call.objects.filter(pk__in=call_ids).update(revision=F("revision") + 1)
    blank = {name: CallDetail._meta.get_field(name).get_default() for name in _TOLD}  # type: ignore[union-attr]  # columns, no relations
    for call in Call.objects.filter(pk__in=call_ids).only("provider_call_id", "created_at"):
        detail = CallDetail.objects.filter(call=call).only("stamps").first()
        closed = {**(detail.stamps if detail else {}), **closed_stamps()}
        if detail is None:
            CallDetail.objects.create(call=call, stamps=closed)
        else:
            CallDetail.objects.filter(pk=detail.pk).update(stamps=closed, **blank)
        CallLookup.objects.filter(call=call).delete()
        if not CallErasure.objects.filter(provider_call_id=call.provider_call_id).exists():
            CallErasure.objects.create(
                provider_call_id=call.provider_call_id,
                next_try_at=max(now, call.created_at + COMPARED_AFTER),
                created_at=now,
            )


def delete_erased_calls(*, gateway: Gateway, now: datetime) -> int:
    """
    Have Retell delete its copies of erased calls that are due, at most 50; return how many are gone.

    A call that Retell doesn't know is gone. Asks Retell, so it must not run inside a transaction.
    """
    due = CallErasure.objects.filter(status=_Status.PENDING, next_try_at__lte=now)
    gone = 0
    for row in list(due.order_by("next_try_at", "pk")[:BATCH]):
        mine = CallErasure.objects.filter(
            pk=row.pk, status=_Status.PENDING, next_try_at=row.next_try_at
        ).update(next_try_at=now + CLAIM)
        if not mine:
            continue
        try:
            gateway.delete_call(call_id=row.provider_call_id)
        except NotFound:
            pass
        except (RateLimited, Unavailable):
            break  # it is busy or away: the claim ends by itself
        except ProviderError as problem:
            _fail(row, str(problem), now)
            continue
        CallErasure.objects.filter(pk=row.pk).update(status=_Status.DONE, done_at=now, error="")
        gone += 1
    return gone


def _fail(row: CallErasure, problem: str, now: datetime) -> None:
    attempts = row.attempts + 1
    is_last = attempts >= TRIES
    CallErasure.objects.filter(pk=row.pk, status=_Status.PENDING).update(
        attempts=attempts,
        error=problem[:200],
        status=_Status.FAILED if is_last else _Status.PENDING,
        next_try_at=now + PAUSE,
    )
    log.warning("call.not_deleted", call_id=row.provider_call_id, attempts=attempts)
    if is_last:
        notify(
            client=None,
            level=Notification.Level.BAD,
            title=_("Retell keeps a call of somebody who was erased"),
            body=_("It refuses to delete %(call)s: delete it in its dashboard.")
            % {"call": row.provider_call_id},
            url="/agency/health/",
            key=f"call.not_deleted:{row.provider_call_id}",
            now=now,
        )
