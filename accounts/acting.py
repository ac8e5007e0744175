"""The agency's people at work as a client: with a reason, for a while, under both names."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from accounts.models import ActingSession, Notification, User
from accounts.notifications import notify
from audit import actions
from audit.services import record
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import Client

SESSION_KEY = "acting"


class ActingRefused(Exception):
    """The client's account is closed, or the person isn't one of its active people."""


@dataclass(frozen=True)
class Acting:
    """What a page shows of it: who really acts, as which client, until when."""

    session: ActingSession
    actor: User

    @property
    def client(self) -> Client:
        return self.session.client


@atomic
def start_acting(  # who as whom, why, how long: each is kept
    *,
    client: Client,
    acted_for: User,
    reason: str,
    minutes: int,
    actor: User,
    now: datetime,
    real_now: datetime,
) -> ActingSession:
    """
    Let one of the agency's people work with the rights of one of the client's for so many minutes.

    The client is told in its notifications: who, as whom, why and until when.

    :raises ActingRefused: if the client or that person is not active
    """
    if not _may_be_acted_for(client, acted_for):
        raise ActingRefused
    session = ActingSession.objects.create(
        user=actor,
        client=client,
        acted_for=acted_for,
        reason=reason,
        started_at=real_now,
        ends_at=real_now + timedelta(minutes=minutes),
    )
    record(
        actions.ACTING_STARTED,
        resource=client,
        actor=acting_user(actor, session),
        now=now,
        details={"reason": reason, "minutes": minutes},
    )
    _tell_client(session, actor=actor, now=now)
    return session


def _tell_client(session: ActingSession, *, actor: User, now: datetime) -> None:
    until = session.ends_at.astimezone(ZoneInfo(session.client.time_zone))
    said = {
        "person": session.acted_for,
        "until": date_format(until, "j F, H:i"),
        "reason": session.reason,
    }
    notify(
        client=session.client,
        level=Notification.Level.INFO,
        title=(_("%s of your agency works in your account") % actor)[:200],
        body=_("Until %(until)s at most, with the rights of %(person)s: %(reason)s") % said,
        url="",
        key=f"acting:{session.pk}",
        now=now,
    )


@atomic
def stop_acting(*, session: ActingSession, actor: User, now: datetime, real_now: datetime) -> bool:
    """End it before its time; False if it is over already."""
    ended = ActingSession.objects.filter(
        pk=session.pk, user=actor, ended_at=None, ends_at__gt=real_now
    ).update(ended_at=real_now)
    if ended:
        record(
            actions.ACTING_ENDED,
            resource=session.client,
            actor=acting_user(actor, session),
            now=now,
        )
    return bool(ended)


def find_acting(*, session_id: UUID, user: User, real_now: datetime) -> ActingSession | None:
    """
    Return this person's time as a client if it goes on; None if it is over or another's.

    It is over too once they may no longer work for clients, or the other has left the client.
    """
    if not user.has_agency_permission("manage_campaigns"):
        return None
    session = (
        ActingSession.objects.select_related("client", "acted_for")
        .filter(pk=session_id, user=user, ended_at=None, ends_at__gt=real_now)
        .first()
    )
    if session is None or not _may_be_acted_for(session.client, session.acted_for):
        return None
    return session


def _may_be_acted_for(client: Client, person: User) -> bool:
    return client.is_active and person.is_active and person.client_id == client.pk


def acting_user(user: User, session: ActingSession) -> User:
    """
    Return the person as the client's pages see them: inside that client, with the other's rights.

    The audit log names both. It is a copy that can't be saved.
    """
    acting = copy(user)
    acting.role = User.Role.CLIENT
    acting.client = session.client
    acting.client_role = session.acted_for.client_role
    acting.can_launch = session.acted_for.can_launch
    acting.acted_for = session.acted_for  # type: ignore[attr-defined]  # what `record` looks for
    acting.save = _refuse  # type: ignore[method-assign]  # see above
    return acting


def _refuse(*_args: object, **_kwargs: object) -> NoReturn:
    raise RuntimeError("Somebody at work as a client is a copy and can't be saved.")
