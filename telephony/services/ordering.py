"""Purchases of numbers whose answer was lost: found out from Retell's list of numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit.services import System
from telephony.models import NumberOrder
from telephony.services.numbers import stock_number

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from telephony.models import PhoneNumber
    from telephony.provider import Number

BUYER: Final = System("orders of numbers")
# A request to Retell lasts less: then the process that sent it was killed.
ANSWERED_WITHIN: Final = timedelta(minutes=5)
# A number that was bought stands in Retell's list by then.
LISTED_WITHIN: Final = timedelta(minutes=30)


class Gateway(Protocol):
    """What settling asks of Retell's gateway."""

    def list_phone_numbers(self) -> tuple[Number, ...]: ...


def settle_orders(*, gateway: Gateway, now: datetime) -> int:
    """
    Adopt the numbers of orders whose answer was lost, and close orders that bought none.

    The number is known by the name it was bought under, which is the order's own. Returns how many
    orders are settled; twice is once. Asks Retell only if there are any, so never in a transaction.
    """
    orders = list(
        open_orders(NumberOrder.Carrier.RETELL, now=now)
        .exclude(sent_nickname="")
        .order_by("created_at")[:100]
    )
    if not orders:
        return 0
    bought = {number.nickname: number for number in gateway.list_phone_numbers()}
    return sum(_settle(order, bought.get(order.sent_nickname), now) for order in orders)


def open_orders(carrier: str, *, now: datetime) -> QuerySet[NumberOrder]:
    """Return a carrier's orders that nobody is waiting for any more, though their end isn't known."""
    return NumberOrder.objects.filter(
        carrier=carrier, status__in=NumberOrder.OPEN, created_at__lte=now - ANSWERED_WITHIN
    )


def close_order(order: NumberOrder, status: NumberOrder.Status, **columns: str) -> bool:
    """Note what became of an open order, unless somebody else did; tell whether this call noted it."""
    changed = NumberOrder.objects.filter(pk=order.pk, status__in=NumberOrder.OPEN).update(
        **{"error": ""} | columns, status=status
    )
    return bool(changed)


def _settle(order: NumberOrder, number: Number | None, now: datetime) -> bool:
    if number is not None:
        _adopt(order, number, now)
        return close_order(order, NumberOrder.Status.BOUGHT, phone_number=number.phone_number)
    if order.created_at > now - LISTED_WITHIN:
        return False
    return close_order(
        order, NumberOrder.Status.REFUSED, error=_("Retell has no number of this order.")
    )


def _adopt(order: NumberOrder, number: Number, now: datetime) -> None:
    adopted = stock_number(
        order=order,
        provider=number.kind,
        phone_number=number.phone_number,
        actor=BUYER,
        now=now,
    )
    if adopted:
        tell_of_late(order, adopted, who="Retell", now=now)


def tell_of_late(order: NumberOrder, number: PhoneNumber, *, who: str, now: datetime) -> None:
    """Tell the agency that an order whose answer was lost bought a number after all, once."""
    notify(
        client=None,
        level=Notification.Level.INFO,
        title=_("A number was bought after all"),
        body=_("%(who)s's answer was lost; %(number)s is ours and in stock now.")
        % {"who": who, "number": number.phone_number},
        url=f"/agency/numbers/{number.pk}/",
        key=f"number.adopted:{order.pk}",
        now=now,
    )
