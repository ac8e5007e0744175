"""Released numbers that were bought at Twilio: taken out of Retell, then given back, so that their rent ends."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import System, record
from convomono.lib.db import atomic
from telephony.models import Call, PhoneNumber
from telephony.provider import NotFound, ProviderError, RateLimited, Rejected, Unavailable

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

RETURNER: Final = System("returns of numbers")
# Until a number is tried again; also how long one job has it to itself.
PAUSE: Final = timedelta(minutes=5)
MOST_AT_ONCE: Final = 50


class Carrier(Protocol):
    """What returning asks of Twilio's gateway."""

    def release_number(self, *, number_id: str) -> None: ...


class Gateway(Protocol):
    """What returning asks of Retell's gateway."""

    def delete_phone_number(self, *, phone_number: str) -> None: ...


def due_returns(*, now: datetime) -> QuerySet[PhoneNumber]:
    """Return released numbers that Twilio still has, the longest due first."""
    return PhoneNumber.objects.filter(give_back_at__lte=now).order_by("give_back_at", "pk")


def give_numbers_back(*, carrier: Carrier, gateway: Gateway, now: datetime) -> int:
    """
    Give released numbers back at Twilio once nobody talks on them; return how many are.

    One that Retell or Twilio doesn't know is gone there. Asks both, so never in a transaction.
    """
    returned = 0
    for number in list(due_returns(now=now)[:MOST_AT_ONCE]):
        mine = PhoneNumber.objects.filter(
            pk=number.pk, released_at__isnull=False, give_back_at=number.give_back_at
        )
        if not mine.update(give_back_at=now + PAUSE) or _is_talking(number):
            continue
        try:
            _give_back(number, carrier, gateway)
        except ProviderError as error:
            _note(number, error, now)
            if isinstance(error, (RateLimited, Unavailable)):
                break
            continue
        returned += _done(number, now)
    return returned


def _is_talking(number: PhoneNumber) -> bool:
    # Of a call that came in, ours is the number that was called.
    ours = Q(from_number=number.phone_number) | Q(to_number=number.phone_number)
    return bool(Call.objects.filter(ours, status__in=Call.LIVE).exists())


def _give_back(number: PhoneNumber, carrier: Carrier, gateway: Gateway) -> None:
    with suppress(NotFound):
        gateway.delete_phone_number(phone_number=number.phone_number)
    with suppress(NotFound):
        carrier.release_number(number_id=number.provider_number_id)


@atomic
def _done(number: PhoneNumber, now: datetime) -> int:
    released = PhoneNumber.objects.filter(
        pk=number.pk,
        released_at__isnull=False,
        given_back_at=None,
        provider_number_id=number.provider_number_id,  # bought again meanwhile: that one goes next
    )
    changed = released.update(give_back_at=None, give_back_error="", given_back_at=now)
    if changed:
        record(actions.NUMBER_GIVEN_BACK, resource=number, actor=RETURNER, now=now)
    return changed


def _note(number: PhoneNumber, error: ProviderError, now: datetime) -> None:
    PhoneNumber.objects.filter(pk=number.pk).update(give_back_error=str(error)[:200])
    if not isinstance(error, Rejected):
        return
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=_("A released number still costs rent"),
        body=_("%(number)s can't be given back at Twilio: %(why)s")
        % {"number": number.phone_number, "why": error},
        url=f"/agency/numbers/{number.pk}/",
        key=f"number.kept:{number.pk}:{number.released_at}",
        now=now,
    )
