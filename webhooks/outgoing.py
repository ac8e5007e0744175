"""
Delivers the outbox to clients' own systems: signed, eight tries within a day, one client never in another's way.

All instants here are of the real world: signatures and the receivers live in it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from accounts.models import ClientEvent, Notification
from accounts.notifications import notify
from convomono.lib import outbound
from convomono.lib.db import insert_once
from convomono.lib.keys import beside
from webhooks.models import Endpoint, EndpointDelivery
from webhooks.signing import signed_headers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime
    from uuid import UUID

log = structlog.get_logger()

# After each failed try; together a little less than a day.
BACKOFF: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 6 * 3600, 15 * 3600)
)
TRIES: Final = len(BACKOFF) + 1
LIMITS: Final = outbound.Limits(seconds=10, bytes=2048, may_cut=True)
# Longer than one try lasts: then its sender was killed.
LEASE: Final = timedelta(seconds=60)
# Longer than one run at an address lasts, with its wait for a worker.
RUN_LEASE: Final = timedelta(seconds=120)
OFF_AFTER: Final = timedelta(days=5)
# Longer than the longest pause between two tries.
QUIET_FOR: Final = timedelta(days=1)
LONGEST_RETRY_AFTER: Final = 3600
BATCH: Final = 200
_ANSWER_SHOWN: Final = 200
_MOST_TRIES_KEPT: Final = 24
_MOST_SLICES: Final = 5
SWITCHED_OFF: Final = "The address is switched off."
_GONE: Final = 410
_Status = EndpointDelivery.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """What sending needs besides the rows: our own hosts, and a network that tests replace."""

    trusted: Collection[str] = ()
    network: outbound.Network | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How one try went: the answer's status (0 without one), how long it took, what was wrong."""

    status: int
    ms: int
    error: str
    retry_after_seconds: int = 0

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's classes


def route_events(*, now: datetime) -> int:
    """
    Put new events in line at the addresses that asked for them; return how many events.

    At one that is off they count as failed at once, to be sent together once it is on again. Twice is
    once: each line has its key, and an event is marked after its lines are written.
    """
    events = list(
        ClientEvent.objects.filter(routed_at=None).order_by("routed_at", "created_at", "pk")[:BATCH]
    )
    if not events:
        return 0
    endpoints: dict[UUID, list[Endpoint]] = {}
    clients = {event.client_id for event in events}
    for endpoint in Endpoint.objects.listening(now=now).filter(client__in=clients):
        endpoints.setdefault(endpoint.client_id, []).append(endpoint)
    for event in events:
        for endpoint in endpoints.get(event.client_id, []):
            if event.kind in endpoint.kinds:
                put_in_line(endpoint=endpoint, event=event, now=now)
    ClientEvent.objects.filter(pk__in=[event.pk for event in events]).update(routed_at=now)
    return len(events)


def put_in_line(*, endpoint: Endpoint, event: ClientEvent, now: datetime) -> bool:
    """Put one event in line at one address; False if it stands there already."""
    row = EndpointDelivery(
        client_id=endpoint.client_id,
        endpoint=endpoint,
        event=event,
        key=f"{endpoint.pk.hex}:{event.pk.hex}",
        kind=event.kind,
        status=_Status.PENDING if endpoint.is_active else _Status.FAILED,
        last_error="" if endpoint.is_active else SWITCHED_OFF,
        next_try_at=now,
        created_at=now,
    )
    return insert_once(row, "key")


def resend_failed(*, now: datetime) -> int:
    """
    Put in line again what failed where somebody asked for that, a thousand at each address; return how many.

    What fails after it was asked for stays failed, so it comes to an end.
    """
    sent = 0
    asked = Endpoint.objects.kept().exclude(resend_asked_at=None)
    for endpoint in asked.filter(status=Endpoint.Status.ACTIVE).order_by("resend_asked_at")[:BATCH]:
        failed = EndpointDelivery.objects.filter(
            endpoint=endpoint, status=_Status.FAILED, next_try_at__lte=endpoint.resend_asked_at
        )
        for _slice in range(_MOST_SLICES):
            pks = list(failed.order_by("next_try_at").values_list("pk", flat=True)[:BATCH])
            again = EndpointDelivery.objects.filter(beside(status=_Status.FAILED), pk__in=pks)
            sent += again.update(status=_Status.PENDING, attempts=0, next_try_at=now, last_error="")
            if len(pks) < BATCH:
                Endpoint.objects.filter(
                    pk=endpoint.pk, resend_asked_at=endpoint.resend_asked_at
                ).update(resend_asked_at=None)
                break
    return sent


def claim_endpoints(*, now: datetime) -> list[UUID]:
    """
    Claim the addresses at which something is due and nobody sends; those served longest ago first.

    However much waits at one of them, each of the others is found. A claim that nobody releases
    ends by itself (RUN_LEASE).
    """
    due = EndpointDelivery.objects.filter(
        endpoint=OuterRef("pk"), status=_Status.PENDING, next_try_at__lte=now
    )
    free = Q(sending_until=None) | Q(sending_until__lte=now)
    rows = Endpoint.objects.kept().filter(free, Exists(due)).order_by("sending_until", "pk")
    found = list(rows.values_list("pk", flat=True)[:BATCH])
    # Compare-and-set: two runs of the job order one sender.
    return [pk for pk in found if claim_endpoint(endpoint_id=pk, now=now)]


def claim_endpoint(*, endpoint_id: UUID, now: datetime) -> bool:
    """Claim one address; False if somebody sends there, or is about to."""
    free = Q(sending_until=None) | Q(sending_until__lte=now)
    return bool(
        Endpoint.objects.kept().filter(free, pk=endpoint_id).update(sending_until=now + RUN_LEASE)
    )


def release_endpoint(*, endpoint_id: UUID, now: datetime) -> None:
    """Let the next run claim the address: its sender is done."""
    Endpoint.objects.filter(pk=endpoint_id, sending_until__gt=now).update(sending_until=now)


def send_due(*, endpoint_id: UUID, now: datetime, sender: Sender, seconds: float = 30) -> int:
    """
    Send what is due at one address, oldest first, for at most so many real seconds; return how many.

    Each is claimed before it is sent, so that two senders never send one at the same time. A sender
    that dies in between has it sent again: receivers know repeats by the `webhook-id`. An address
    that doesn't answer at all is left after the first try: it would cost others their time.
    """
    began = time.monotonic()
    sent = 0
    for delivery in _claimed(endpoint_id, now):
        endpoint = Endpoint.objects.kept().filter(pk=endpoint_id).first()
        if endpoint is None:
            break  # removed meanwhile: it hears nothing more
        attempt = _try(endpoint, delivery, sender, now) if endpoint.is_active else None
        _note(endpoint, delivery, attempt, now)
        sent += 1
        is_silent = attempt is not None and not attempt.status
        if is_silent or time.monotonic() - began > seconds:
            break  # the next job goes on
    return sent


def event_body(event: ClientEvent) -> bytes:
    """Return the bytes that are sent for an event, the same for each try."""
    return orjson.dumps(
        {"type": event.kind, "timestamp": event.created_at.isoformat(), "data": event.data}
    )


def _claimed(endpoint_id: UUID, now: datetime) -> Iterator[EndpointDelivery]:
    due = EndpointDelivery.objects.filter(
        endpoint=endpoint_id, status=_Status.PENDING, next_try_at__lte=now
    )
    for delivery in due.select_related("event").order_by("next_try_at", "created_at")[:BATCH]:
        # Compare-and-set: of two senders one moves it on.
        mine = EndpointDelivery.objects.filter(
            pk=delivery.pk, status=_Status.PENDING, next_try_at=delivery.next_try_at
        ).update(next_try_at=now + LEASE)
        if mine:
            yield delivery


def _try(endpoint: Endpoint, delivery: EndpointDelivery, sender: Sender, now: datetime) -> Try:
    body = event_body(delivery.event)
    secrets = [endpoint.secret]
    if endpoint.previous_secret and _is_before(now, endpoint.previous_secret_until):
        secrets.append(endpoint.previous_secret)
    headers = {
        "Content-Type": "application/json",
        **signed_headers(
            message_id=str(delivery.event_id),
            timestamp=int(now.timestamp()),
            body=body,
            secrets_=secrets,
        ),
    }
    began = time.monotonic()
    status, error, wait = 0, "", 0
    try:
        answer = outbound.post(
            endpoint.url,
            body=body,
            headers=headers,
            limits=LIMITS,
            trusted=sender.trusted,
            network=sender.network,
        )
        status, wait = answer.status, _retry_after(answer.headers)
        error = answer.body.decode(errors="replace").replace("\0", "")[:_ANSWER_SHOWN]
    except (outbound.AddressRefused, outbound.Unreachable, outbound.AnswerRefused) as problem:
        error = str(problem)[:_ANSWER_SHOWN]
    took = round((time.monotonic() - began) * 1000)
    return Try(status=status, ms=took, error=error, retry_after_seconds=wait)


def _is_before(now: datetime, until: datetime | None) -> bool:
    return until is not None and now < until


def _retry_after(headers: Mapping[str, str]) -> int:
    asked = headers.get("retry-after", "")
    return min(int(asked), LONGEST_RETRY_AFTER) if asked.isdecimal() and len(asked) < 6 else 0  # noqa: PLR2004


def _note(
    endpoint: Endpoint, delivery: EndpointDelivery, attempt: Try | None, now: datetime
) -> None:
    """Write down how a try went, and what follows for the event and for the address."""
    if attempt is None:
        _write(delivery, status=_Status.FAILED, last_error=SWITCHED_OFF, next_try_at=now)
        return
    attempts = delivery.attempts + 1
    entry: dict[str, Any] = {
        "at": now.isoformat(),
        "status": attempt.status,
        "ms": attempt.ms,
        "error": "" if attempt.is_ok else attempt.error,
    }
    columns: dict[str, Any] = {
        "attempts": attempts,
        "tries": [*delivery.tries, entry][-_MOST_TRIES_KEPT:],
    }
    if attempt.is_ok:
        _write(
            delivery, status=_Status.DELIVERED, delivered_at=now, last_error="", next_try_at=now,
            **columns,
        )  # fmt: skip
        Endpoint.objects.filter(pk=endpoint.pk).exclude(failing_since=None).update(
            failing_since=None
        )
        endpoint.failing_since = None  # what fails next in this run is the first
        return
    columns["last_error"] = f"{attempt.status} {attempt.error}".strip()[:_ANSWER_SHOWN]
    is_last = attempts >= TRIES or attempt.status == _GONE
    if is_last:
        _write(delivery, status=_Status.FAILED, next_try_at=now, **columns)
    else:
        pause = max(BACKOFF[attempts - 1], timedelta(seconds=attempt.retry_after_seconds))
        _write(delivery, next_try_at=now + pause, **columns)
    log.info("client_event.failed", delivery_id=str(delivery.pk), status=attempt.status)
    _note_trouble(endpoint, is_last=is_last, is_gone=attempt.status == _GONE, now=now)


def _write(delivery: EndpointDelivery, **columns: Any) -> None:
    EndpointDelivery.objects.filter(
        pk=delivery.pk, status=_Status.PENDING, attempts=delivery.attempts
    ).update(**columns)


def _note_trouble(endpoint: Endpoint, *, is_last: bool, is_gone: bool, now: datetime) -> None:
    """Tell the client that an event was given up, and switch off what hasn't answered for days."""
    since = endpoint.failing_since
    if since is None or (endpoint.failed_at and now - endpoint.failed_at > QUIET_FOR):
        since = now  # days without an event are no trouble
    Endpoint.objects.filter(pk=endpoint.pk).update(failing_since=since, failed_at=now)
    endpoint.failing_since, endpoint.failed_at = since, now
    is_off = is_gone or now - since >= OFF_AFTER
    if is_off:
        Endpoint.objects.filter(pk=endpoint.pk, status=Endpoint.Status.ACTIVE).update(
            status=Endpoint.Status.INACTIVE, off_since=now
        )
        endpoint.status = Endpoint.Status.INACTIVE
        title = _("A webhook address was switched off")
        body = _(
            "It said it is gone, or hasn't answered for five days. Mend it, switch it on, and send what failed again."
        )
    elif is_last:
        title = _("A webhook address doesn't answer")
        body = _("An event was given up after eight tries. Look at the answers, mend it, replay.")
    else:
        return
    notify(
        client=endpoint.client,
        level=Notification.Level.WARN,
        title=title,
        body=body,
        url=f"/app/webhooks/{endpoint.pk}/",
        key=f"endpoint:{endpoint.pk}:{'off' if is_off else 'failed'}:{now:%Y-%m-%d}",
        now=now,
    )
