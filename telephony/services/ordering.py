"""Purchases of numbers whose answer was lost: found out from Retell's list of numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit.services import System
from telephony.models import NumberOrder, PhoneNumber
from telephony.services.numbers import NumberExists, add_number

if TYPE_CHECKING:
    from datetime import datetime

    from telephony.provider import Number

BUYER: Final = System("orders of numbers")
# A request to Retell lasts less: then the process that sent it was killed.
ANSWERED_WITHIN: Final = timedelta(minutes=5)
# A number that was bought stands in Retell's list by then.
LISTED_WITHIN: Final = timedelta(minutes=30)
_OPEN: Final = (NumberOrder.Status.ASKED, NumberOrder.Status.UNKNOWN)


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
        NumberOrder.objects.filter(status__in=_OPEN, created_at__lte=now - ANSWERED_WITHIN)
        .exclude(sent_nickname="")
        .order_by("created_at")[:100]
    )
    if not orders:
        return 0
    bought = {number.nickname: number for number in gateway.list_phone_numbers()}
    return sum(_settle(order, bought.get(order.sent_nickname), now) for order in orders)


def _settle(order: NumberOrder, number: Number | None, now: datetime) -> bool:
    if number is not None:
        _adopt(order, number, now)
        return _close(order, NumberOrder.Status.BOUGHT, phone_number=number.phone_number)
    if order.created_at > now - LISTED_WITHIN:
        return False
    return _close(order, NumberOrder.Status.REFUSED, error=_("Retell has no number of this order."))


def _adopt(order: NumberOrder, number: Number, now: datetime) -> None:
    try:
        adopted = add_number(
            phone_number=number.phone_number,
            provider=number.kind,
            type=PhoneNumber.Type.TOLL_FREE if order.is_toll_free else PhoneNumber.Type.LOCAL,
            nickname=order.nickname,
            warms_up=True,
            actor=BUYER,
            now=now,
        )
    except NumberExists:
        return  # somebody listed it meanwhile
    notify(
        client=None,
        level=Notification.Level.INFO,
        title=_("A number was bought after all"),
        body=_("Retell's answer was lost; %(number)s is ours and in stock now.")
        % {"number": number.phone_number},
        url=f"/agency/numbers/{adopted.pk}/",
        key=f"number.adopted:{order.pk}",
        now=now,
    )


def _close(order: NumberOrder, status: NumberOrder.Status, **columns: str) -> bool:
    changed = NumberOrder.objects.filter(pk=order.pk, status__in=_OPEN).update(
        **{"error": "", "phone_number": ""} | columns, status=status
    )
    return bool(changed)
