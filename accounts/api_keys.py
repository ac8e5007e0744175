"""Keys of clients' programs: made, replaced, revoked, found again. Instants are real."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from accounts.models import ApiKey
from audit import actions
from audit.services import record
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client, ClientOwnedQuerySet, User

MARK: Final = "cmk_"  # what every secret begins with: a scanner for leaked ones knows it by that
MOST_KEYS: Final = 20
OVERLAP: Final = timedelta(hours=24)
_SHOWN: Final = 12
_USE_IS_NEWS: Final = timedelta(minutes=1)


class TooManyKeys(Exception):
    """The client has as many keys as one may have."""


class MayNotLaunch(Exception):
    """Somebody who may not launch asked for a key that does."""


class MadeByAgency(Exception):
    """Somebody at work as the client asked for a key, which would outlive that time."""


class KeyOver(Exception):
    """Somebody asked for another key in place of one that was replaced, revoked or has expired."""


def open_keys(*, client: Client, now: datetime) -> ClientOwnedQuerySet[ApiKey]:
    """Return the client's keys that still open the API, in no order."""
    mine = ApiKey.objects.filter(client=client, revoked_at=None)
    return mine.filter(Q(expires_at=None) | Q(expires_at__gt=now))


@atomic
def create_api_key(
    *,
    client: Client,
    name: str,
    scope: str,
    expires_at: datetime | None,
    actor: User,
    now: datetime,
) -> tuple[ApiKey, str]:
    """
    Make a key and return it with its secret, which nobody can read again.

    :raises MadeByAgency: if it isn't one of the client's own people who makes it
    :raises MayNotLaunch: if it is to launch and whoever makes it may not
    :raises TooManyKeys: if twenty of the client's work
    """
    if open_keys(client=client, now=now).count() >= MOST_KEYS:
        raise TooManyKeys
    key, secret = _made(client.pk, name, scope, expires_at, actor, now)
    record(actions.API_KEY_CREATED, resource=key, actor=actor, now=now, details=_details(key))
    return key, secret


@atomic
def rotate_api_key(*, key: ApiKey, actor: User, now: datetime) -> tuple[ApiKey, str]:
    """
    Make a key in place of another, which works for 24 hours more, and return it with its secret.

    :raises MadeByAgency: if it isn't one of the client's own people who asks
    :raises MayNotLaunch: if it launches and whoever asks may not
    :raises KeyOver: if it was replaced or revoked, or its time is over
    """
    until = now + OVERLAP
    if key.expires_at is not None:
        until = min(until, key.expires_at)
    # Compare-and-set: two presses at once make one key.
    changed = (
        open_keys(client=key.client, now=now)
        .filter(pk=key.pk, replaced_at=None)
        .update(replaced_at=now, expires_at=until)
    )
    if not changed:
        raise KeyOver
    fresh, secret = _made(key.client_id, key.name, key.scope, key.expires_at, actor, now)
    details = _details(fresh) | {"in_place_of": key.prefix}
    record(actions.API_KEY_ROTATED, resource=fresh, actor=actor, now=now, details=details)
    return fresh, secret


@atomic
def revoke_api_key(*, key: ApiKey, actor: User, now: datetime) -> bool:
    """Let a key open nothing any more, at once; False if it was revoked already."""
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    if changed:
        record(actions.API_KEY_REVOKED, resource=key, actor=actor, now=now, details=_details(key))
    return bool(changed)


def find_api_key(secret: str) -> ApiKey | None:
    """Return the key of a secret, which may be over, with its client; None if there is none."""
    # Found by the hash of what was sent: how long that takes tells nothing of the secrets there are.
    rows = ApiKey.objects.select_related("client")
    return rows.filter(secret_hash=_hash(secret)).first()


def note_use(*, key: ApiKey, now: datetime) -> None:
    """Keep when a key was used; once a minute, so that reading doesn't write each time."""
    if key.last_used_at is None or now - key.last_used_at >= _USE_IS_NEWS:
        same = ApiKey.objects.filter(pk=key.pk, last_used_at=key.last_used_at)
        same.update(last_used_at=now)


def _made(  # what a key is
    client_id: UUID,
    name: str,
    scope: str,
    expires_at: datetime | None,
    actor: User,
    now: datetime,
) -> tuple[ApiKey, str]:
    if getattr(actor, "acted_for", None) is not None:
        raise MadeByAgency
    if scope == ApiKey.Scope.LAUNCH and not actor.can_launch:
        raise MayNotLaunch
    secret = MARK + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        client_id=client_id,
        name=name,
        scope=scope,
        prefix=secret[:_SHOWN],
        secret_hash=_hash(secret),
        created_by_email=actor.actor_email,
        created_at=now,
        expires_at=expires_at,
    )
    return key, secret


def _hash(secret: str) -> str:
    # Plain: there is nothing to guess in 256 random bits, and each request looks for it.
    return hashlib.sha256(secret.encode()).hexdigest()


def _details(key: ApiKey) -> dict[str, str]:
    return {"prefix": key.prefix, "scope": key.scope}
