"""Addresses of clients' own systems: added, changed, tried, their secrets rotated. Instants are real."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from accounts.models import ClientEvent
from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from convomono.lib.ids import uuid7
from webhooks.models import Endpoint, EndpointDelivery
from webhooks.signing import new_secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor

MOST_ENDPOINTS: Final = 10
ROTATION: Final = timedelta(days=1)
_Delivery = EndpointDelivery.Status


class TooManyEndpoints(Exception):
    """The client has as many addresses as one may have."""


class SecretIsFresh(Exception):
    """Somebody asked for a new secret while the one before the last still signs."""


class EndpointOff(Exception):
    """Somebody asked to send to an address that is switched off."""


class DeliveryNotOver(Exception):
    """Somebody asked to send again what is still being tried."""


@atomic
def add_endpoint(
    *,
    client: Client,
    url: str,
    description: str,
    kinds: Sequence[str],
    actor: Actor,
    now: datetime,
) -> Endpoint:
    """
    Add an address, which the form has judged, with a secret of its own.

    :raises TooManyEndpoints: if the client has ten
    """
    if Endpoint.objects.kept().filter(client=client).count() >= MOST_ENDPOINTS:
        raise TooManyEndpoints
    endpoint = Endpoint.objects.create(
        client=client,
        url=url,
        description=description,
        kinds=list(kinds),
        secret=new_secret(),
        created_at=now,
    )
    record(
        actions.ENDPOINT_ADDED, resource=endpoint, actor=actor, now=now, details=_named(endpoint)
    )
    return endpoint


@atomic
def change_endpoint(
    *,
    endpoint: Endpoint,
    url: str,
    description: str,
    kinds: Sequence[str],
    is_active: bool,
    actor: Actor,
    now: datetime,
) -> None:
    """
    Change where events go, which, and whether at all; switching on forgets earlier trouble.

    What comes while it is off is kept for a month. One that was removed meanwhile stays so.
    """
    status = Endpoint.Status.ACTIVE if is_active else Endpoint.Status.INACTIVE
    Endpoint.objects.kept().filter(pk=endpoint.pk).update(
        url=url,
        description=description,
        kinds=list(kinds),
        status=status,
        failing_since=endpoint.failing_since if endpoint.is_active and is_active else None,
        off_since=None if is_active else endpoint.off_since or now,
    )
    endpoint.url = url
    record(
        actions.ENDPOINT_CHANGED,
        resource=endpoint,
        actor=actor,
        now=now,
        details={**_named(endpoint), "status": str(status), "kinds": list(kinds)},
    )


@atomic
def remove_endpoint(*, endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    """
    Take an address away at once, with its secrets; what waits for it is never sent.

    Its log, which may hold a month of calls, is deleted by a job (`retention.delete_removed`).
    """
    removed = (
        Endpoint.objects.kept()
        .filter(pk=endpoint.pk)
        .update(removed_at=now, status=Endpoint.Status.INACTIVE, secret="", previous_secret="")
    )
    if removed:
        details = _named(endpoint)
        record(actions.ENDPOINT_REMOVED, resource=endpoint, actor=actor, now=now, details=details)


@atomic
def rotate_secret(*, endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    """
    Make a new secret; for a day what is sent carries the signatures of both.

    :raises SecretIsFresh: within that day: the receiver may know only the secret of before
    """
    until = endpoint.previous_secret_until
    if until is not None and now < until:
        raise SecretIsFresh
    # Compare-and-set: two presses at once must not throw away the secret that the receiver knows.
    same = Endpoint.objects.kept().filter(
        pk=endpoint.pk, previous_secret_until=endpoint.previous_secret_until
    )
    changed = same.update(
        secret=new_secret(),
        previous_secret=endpoint.secret,
        previous_secret_until=now + ROTATION,
    )
    if changed:
        record(actions.ENDPOINT_ROTATED, resource=endpoint, actor=actor, now=now)


@atomic
def send_test(*, endpoint: Endpoint, actor: Actor, now: datetime) -> EndpointDelivery:
    """Put an event that means nothing in line at this address alone."""
    event = ClientEvent.objects.create(
        client_id=endpoint.client_id,
        kind=ClientEvent.Kind.TEST,
        key=f"test:{uuid7()}",
        data={"endpoint_id": str(endpoint.pk), "sent_by": actor.actor_email},
        created_at=now,
        routed_at=now,
    )
    delivery = EndpointDelivery.objects.create(
        client_id=endpoint.client_id,
        endpoint=endpoint,
        event=event,
        key=f"{endpoint.pk.hex}:{event.pk.hex}",
        kind=event.kind,
        next_try_at=now,
        created_at=now,
    )
    record(actions.ENDPOINT_TESTED, resource=endpoint, actor=actor, now=now)
    return delivery


@atomic
def replay_delivery(*, delivery: EndpointDelivery, actor: Actor, now: datetime) -> None:
    """
    Send an event once more, with eight tries; its id stays, so a receiver may know it already.

    :raises DeliveryNotOver: if it is still being tried
    """
    over = EndpointDelivery.objects.filter(pk=delivery.pk).exclude(status=_Delivery.PENDING)
    if not over.update(
        status=_Delivery.PENDING, attempts=0, next_try_at=now, last_error="", delivered_at=None
    ):
        raise DeliveryNotOver
    record(
        actions.DELIVERY_REPLAYED,
        resource=delivery,
        actor=actor,
        now=now,
        details={"kind": delivery.kind},
    )


@atomic
def resend_failed(*, endpoint: Endpoint, actor: Actor, now: datetime) -> None:
    """
    Have all that failed at an address sent again, with eight tries each; a job puts it in line.

    :raises EndpointOff: if the address is off, or was removed
    """
    asked = Endpoint.objects.kept().filter(pk=endpoint.pk, status=Endpoint.Status.ACTIVE)
    if not asked.update(resend_asked_at=now):
        raise EndpointOff
    details = _named(endpoint)
    record(actions.DELIVERIES_RESENT, resource=endpoint, actor=actor, now=now, details=details)


def _named(endpoint: Endpoint) -> dict[str, str]:
    """Name the host alone: the rest of an address may hold a token."""
    return {"host": urlsplit(endpoint.url).netloc}
