"""Sharing one call by a link that expires, and taking it back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core import signing
from django.db.models import F

from audit import actions
from audit.services import System, record
from campaigns.models import CallShare
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from audit.services import Actor
    from telephony.models import Call

DAYS: Final = (1, 7, 30)
MOST_OPEN: Final = 10
_SALT: Final = "call-share"
_VISITOR: Final = System("visitor")


class NothingShared(Exception):
    """A link was asked for that would show neither the transcript nor the recording."""


class TooManyShares(Exception):
    """The call has ten links already that lead somewhere."""


@atomic
def share_call(
    *, call: Call, shows: Collection[str], days: int, actor: Actor, now: datetime
) -> CallShare:
    """
    Make a link to a call for 1, 7 or 30 days; `shows` names "transcript", "recording" or both.

    `now` is real time.

    :raises NothingShared: if it names neither
    :raises TooManyShares: if ten lead somewhere already
    """
    if not {"transcript", "recording"} & set(shows):
        raise NothingShared
    mine = CallShare.objects.filter(client_id=call.client_id, call=call, revoked_at=None)
    if mine.filter(expires_at__gt=now).count() >= MOST_OPEN:
        raise TooManyShares
    share = CallShare.objects.create(
        client_id=call.client_id,
        call=call,
        shows_transcript="transcript" in shows,
        shows_recording="recording" in shows,
        expires_at=now + timedelta(days=days),
        created_by_email=actor.actor_email,
        created_at=now,
    )
    details = {"shows": sorted(shows), "days": days, "share": str(share.pk)}
    record(actions.CALL_SHARED, resource=call, actor=actor, now=now, details=details)
    return share


@atomic
def revoke_share(*, share: CallShare, actor: Actor, now: datetime) -> bool:
    """Let a link lead nowhere from now on; False if it did so already."""
    changed = CallShare.objects.filter(pk=share.pk, revoked_at=None).update(revoked_at=now)
    if changed:
        details = {"share": str(share.pk)}
        record(
            actions.CALL_SHARE_REVOKED, resource=share.call, actor=actor, now=now, details=details
        )
    return bool(changed)


def token_of(share: CallShare) -> str:
    """Return what the link to a shared call ends with."""
    return signing.Signer(salt=_SALT).sign(share.pk.hex)


def find_share(token: str, *, real_now: datetime) -> CallShare | None:
    """Return what a link leads to; None if it is wrong, expired or taken back: nobody learns which."""
    try:
        share_id = signing.Signer(salt=_SALT).unsign(token)
    except signing.BadSignature:
        return None
    share = CallShare.objects.select_related("call", "client").filter(pk=share_id).first()
    if share is None or not share.is_open(real_now) or not share.client.is_active:
        return None
    return share


@atomic
def note_opened(*, share: CallShare, actor: Actor = _VISITOR, now: datetime) -> None:
    """Count that somebody looked; the first time stands in the audit log."""
    rows = CallShare.objects.filter(pk=share.pk)
    is_first = rows.filter(opened_count=0).update(opened_count=1, last_opened_at=now)
    if is_first:
        details = {"share": str(share.pk)}
        record(
            actions.CALL_SHARE_OPENED, resource=share.call, actor=actor, now=now, details=details
        )
    else:
        rows.update(opened_count=F("opened_count") + 1, last_opened_at=now)
