"""Changes to clients and people, each in the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator

from accounts.models import CALLS_AT_ONCE, Client, User
from audit import actions
from audit.services import record
from convomono.lib import live
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime


class NameTaken(Exception):
    """Another client has this name."""


class EmailTaken(Exception):
    """Somebody signs in with this address already."""


@dataclass(frozen=True)
class Rights:
    """What a client's person may do there."""

    client_role: str
    can_launch: bool


def is_name_taken(name: str, *, besides: Client | None = None) -> bool:
    """Tell whether another client has this name in any case."""
    others = Client.objects.exclude(pk=besides.pk) if besides else Client.objects.all()
    return others.filter(name__iexact=name).exists()


@atomic
def create_client(
    *,
    name: str,
    time_zone: str,
    contact_email: str,
    concurrency_limit: int = CALLS_AT_ONCE,
    actor: User,
    now: datetime,
) -> Client:
    """
    Add a tenant, without a wallet yet (`billing.clients.services.open_account` makes both).

    :raises NameTaken: if a client of this name exists
    """
    if is_name_taken(name):
        raise NameTaken
    client = Client.objects.create(
        name=name,
        time_zone=time_zone,
        contact_email=contact_email,
        concurrency_limit=concurrency_limit,
        created_at=now,
    )
    record(actions.CLIENT_CREATED, resource=client, actor=actor, now=now)
    return client


@atomic
def change_client(
    *,
    client: Client,
    name: str,
    time_zone: str,
    contact_email: str,
    concurrency_limit: int,
    actor: User,
    now: datetime,
) -> None:
    """
    Change a tenant's particulars; `concurrency_limit` is how many calls it may have at once.

    :raises NameTaken: if another client has this name
    """
    if is_name_taken(name, besides=client):
        raise NameTaken
    after = {
        "name": name,
        "time_zone": time_zone,
        "contact_email": contact_email,
        "concurrency_limit": concurrency_limit,
    }
    changed = {
        column: {"before": getattr(client, column), "after": value}
        for column, value in after.items()
        if getattr(client, column) != value
    }
    if not changed:
        return
    Client.objects.filter(pk=client.pk).update(**after)
    record(actions.CLIENT_CHANGED, resource=client, actor=actor, now=now, details=changed)


def activate_client(*, client: Client, actor: User, now: datetime) -> bool:
    """Let its people sign in and its campaigns dial again; return False if they could already."""
    return _set_status(client, Client.Status.ACTIVE, actions.CLIENT_ACTIVATED, actor, now)


def deactivate_client(*, client: Client, actor: User, now: datetime) -> bool:
    """Keep its people out and stop new calls; return False if it was inactive already."""
    return _set_status(client, Client.Status.INACTIVE, actions.CLIENT_DEACTIVATED, actor, now)


@atomic
def _set_status(client: Client, status: str, action: str, actor: User, now: datetime) -> bool:
    changed = Client.objects.filter(pk=client.pk).exclude(status=status).update(status=status)
    if changed:
        client.status = status
        live.access_changed()
        record(action, resource=client, actor=actor, now=now)
    return bool(changed)


@atomic
def add_client_user(
    *,
    client: Client,
    email: str,
    name: str,
    rights: Rights,
    password: str | None = None,
    actor: User,
    now: datetime,
) -> User:
    """
    Add a person to a client; without a password they set one through "Forgot password".

    :raises EmailTaken: if somebody signs in with this address already
    """
    if User.objects.filter(email=email.lower()).exists():
        raise EmailTaken
    user = User.objects.create_user(
        email=email,
        password=password,
        name=name,
        role=User.Role.CLIENT,
        client=client,
        client_role=rights.client_role,
        can_launch=rights.can_launch,
    )
    record(
        actions.USER_ADDED,
        resource=user,
        actor=actor,
        now=now,
        details={"role": rights.client_role, "can_launch": rights.can_launch},
    )
    return user


@atomic
def change_client_user(
    *, user: User, rights: Rights, is_active: bool, actor: User, now: datetime
) -> None:
    """Change what a client's person may do, or whether they may sign in at all."""
    before = {"role": user.client_role, "can_launch": user.can_launch, "active": user.is_active}
    after = {"role": rights.client_role, "can_launch": rights.can_launch, "active": is_active}
    if before == after:
        return
    User.objects.filter(pk=user.pk).update(
        client_role=rights.client_role, can_launch=rights.can_launch, is_active=is_active
    )
    live.access_changed()
    record(
        actions.USER_CHANGED,
        resource=user,
        actor=actor,
        now=now,
        details={"before": before, "after": after},
    )


def forget_other_addresses(user: User) -> None:
    """
    Leave a person the one address that stands in `User.email`, after it was changed; twice does nothing.

    allauth keeps a row for each address it has seen, lets people sign in with any of them, and mails
    them new passwords. Links for a new password that are under way end with it.
    """
    EmailAddress.objects.filter(user_id=user.pk).exclude(email=user.email).delete()


@atomic
def remove_second_factor(*, user: User, actor: User, now: datetime) -> bool:
    """Let somebody who lost phone and recovery codes in by password alone; False if they had none."""
    removed, _by_model = Authenticator.objects.filter(user_id=user.pk).delete()
    if removed:
        record(actions.SECOND_FACTOR_REMOVED, resource=user, actor=actor, now=now)
    return bool(removed)
