"""The right to dial: a lease in the database that one dispatcher holds and the others wait for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.models import DispatcherLease
from convomono.lib.db import insert_once
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

NAME = "dispatcher"
# Real time. A dead holder's lease runs out, and a waiting dispatcher looks twice a second: it takes
# over within ten seconds.
LASTS = timedelta(seconds=8)
# So long another one has to take over before pages say that nobody dials.
TAKEOVER = timedelta(seconds=10)
RENEW_BELOW = timedelta(seconds=6)
# Nothing is sent in the lease's last moments: somebody else may be about to take it.
SAFETY = timedelta(seconds=1)


class Lease:
    """One dispatcher's claim to the lease; all instants are real time."""

    def __init__(self, *, holder: UUID | None = None) -> None:
        self.holder = holder or uuid7()
        self._expires_at: datetime | None = None

    def acquire(self, *, real_now: datetime) -> bool:
        """Hold the lease, renewing or taking it over where that is due; False: another holds it."""
        if self._expires_at is not None and self._expires_at - real_now > RENEW_BELOW:
            return True
        until = real_now + LASTS
        won = self._renew_or_take(real_now=real_now, until=until)
        self._expires_at = until if won else None
        return won

    def is_safe(self, *, real_now: datetime) -> bool:
        """Tell whether the lease is ours for at least a moment more."""
        return self._expires_at is not None and self._expires_at - real_now > SAFETY

    def release(self, *, real_now: datetime) -> None:
        """Let another dispatcher take over at once."""
        self._expires_at = None
        DispatcherLease.objects.filter(name=NAME, holder=self.holder).update(
            holder=None, expires_at=real_now
        )

    def _renew_or_take(self, *, real_now: datetime, until: datetime) -> bool:
        free = Q(holder=self.holder) | Q(holder=None) | Q(expires_at__lte=real_now)
        taken = DispatcherLease.objects.filter(free, name=NAME).update(
            holder=self.holder, expires_at=until, renewed_at=real_now
        )
        if taken:
            return True
        row = DispatcherLease(name=NAME, holder=self.holder, expires_at=until, renewed_at=real_now)
        return insert_once(row, "name")


def is_dispatching(*, real_now: datetime) -> bool:
    """Tell whether a dispatcher holds the lease: without one nothing dials."""
    return DispatcherLease.objects.filter(name=NAME, expires_at__gt=real_now).exists()


def nobody_dials(*, real_now: datetime) -> bool:
    """Tell whether no dispatcher holds the lease, and none has taken it over where one was lost."""
    return not is_dispatching(real_now=real_now - TAKEOVER)


class LeaseLook:
    """
    What a process that shows pages knows of the lease: until when it can't be said that nobody dials.

    A lease that was read lasts as long as it says, so five hundred open pages ask for it once in ten
    seconds. One that is given back early is missed so much later, never the other way round.
    """

    def __init__(self) -> None:
        self._sure_until: datetime | None = None

    def nobody_dials(self, *, real_now: datetime) -> bool:
        """Return `nobody_dials`; one query, or none while a lease that was read still lasts."""
        if self._sure_until is None or self._sure_until <= real_now:
            lease = DispatcherLease.objects.filter(name=NAME).only("expires_at").first()
            self._sure_until = lease.expires_at + TAKEOVER if lease else None
        return self._sure_until is None or self._sure_until <= real_now


lease_look = LeaseLook()
