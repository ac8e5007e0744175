"""The agency's people at work as a client: with a reason, for a while, under both names."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from accounts.models import ActingSession, User
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

    :raises ActingRefused: if the client or that person is not active
    """
    if not (client.is_active and acted_for.is_active and acted_for.client_id == client.pk):
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
    return session


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
    """Return this person's time as a client if it goes on; None if it is over or another's."""
    session = (
        ActingSession.objects.select_related("client", "acted_for")
        .filter(pk=session_id, user=user, ended_at=None, ends_at__gt=real_now)
        .first()
    )
    if session is None or not (session.client.is_active and session.acted_for.is_active):
        return None
    return session


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
