"""
Numbers bought at Twilio: paid there, then connected to Retell, then in stock.

The order is a row that says how far it came. Whatever answer is lost or process killed in between, a
job finds the number again by the order's own name and goes on from there, and a page shows what hangs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from convomono.lib.db import insert_once
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import (
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from telephony.refusals import explained
from telephony.services.numbers import own_name, release_number, stock_number
from telephony.services.ordering import (
    ANSWERED_WITHIN,
    BUYER,
    LISTED_WITHIN,
    close_order,
    open_orders,
    tell_of_late,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from audit.services import Actor
    from telephony.provider import CarrierNumber, Number, Trunk

MOST_AT_ONCE: Final = 50


class Carrier(Protocol):
    """What buying asks of Twilio's gateway."""

    @property
    def trunk(self) -> Trunk: ...

    def buy_number(self, *, phone_number: str, name: str) -> CarrierNumber: ...

    def find_number(
        self, *, phone_number: str, name: str, number_id: str = ""
    ) -> CarrierNumber | None: ...

    def route_number(self, *, number_id: str) -> None: ...


class Gateway(Protocol):
    """What connecting asks of Retell's gateway."""

    def import_phone_number(
        self,
        *,
        phone_number: str,
        termination_uri: str,
        username: str = "",
        password: str = "",
        nickname: str = "",
    ) -> Number: ...

    def list_phone_numbers(self) -> tuple[Number, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A number to buy, E.164; type is a PhoneNumber.Type, rent_micros None if Twilio names no price."""

    phone_number: str
    type: str
    rent_micros: int | None
    nickname: str = ""


class OrderNotPaid(Exception):
    """The order has no number that could be given back, or is still being worked on."""


def buy_twilio_number(
    *,
    carrier: Carrier,
    gateway: Gateway,
    key: UUID,
    choice: Choice,
    actor: Actor,
    now: datetime,
) -> NumberOrder:
    """
    Buy this very number at Twilio, connect it to Retell, and put it into stock; one key buys once.

    Asks both, so it must not run inside a transaction. A repeat returns the first order as it stands.
    What isn't `bought` or `refused` afterwards a job brings to its end (`settle_twilio_orders`).
    """
    order = NumberOrder(
        key=key,
        carrier=NumberOrder.Carrier.TWILIO,
        phone_number=choice.phone_number,
        type=choice.type,
        rent_micros=choice.rent_micros,
        nickname=choice.nickname,
        sent_nickname=own_name(choice.nickname, key),
        ordered_by_email=actor.actor_email,
        created_at=now,
    )
    if not insert_once(order, "key"):
        return NumberOrder.objects.get(key=key)
    try:
        bought = carrier.buy_number(phone_number=order.phone_number, name=order.sent_nickname)
    except UnknownOutcome as error:
        close_order(order, NumberOrder.Status.UNKNOWN, error=explained(error, who="Twilio")[:400])
    except ProviderError as error:
        close_order(order, NumberOrder.Status.REFUSED, error=explained(error, who="Twilio")[:400])
    else:
        _connect(order, bought, carrier, gateway, actor=actor, now=now)
    order.refresh_from_db()
    return order


def due_orders(*, now: datetime) -> QuerySet[NumberOrder]:
    """Return orders at Twilio that nobody is waiting for any more, though their end isn't known."""
    return open_orders(NumberOrder.Carrier.TWILIO, now=now).order_by("created_at", "pk")


def settle_twilio_orders(*, carrier: Carrier, gateway: Gateway, now: datetime) -> int:
    """
    Bring orders whose answer was lost, or that hang between Twilio and Retell, to their end.

    Returns how many are bought now, or closed because Twilio has no such number; twice is once. One that
    Twilio won't look up says why and keeps no other waiting. Asks both, so never in a transaction.
    """
    settled = 0
    for order in list(due_orders(now=now)[:MOST_AT_ONCE]):
        try:
            settled += _settle(order, carrier, gateway, now)
        except ProviderError as error:
            _say(order, explained(error, who="Twilio"))
            if isinstance(error, (RateLimited, Unavailable, Unauthorised)):
                break  # it would refuse each of them: the next minute's job goes on
    return settled


def may_give_up(order: NumberOrder, *, now: datetime) -> bool:
    """Tell whether an order is paid but hangs, with nobody connecting its number this moment."""
    waited = order.created_at <= now - ANSWERED_WITHIN
    return order.status == NumberOrder.Status.PAID and waited


def give_up_order(*, order: NumberOrder, actor: Actor, now: datetime) -> None:
    """
    Give a paid number that can't be connected back: it goes through the inventory, released. Twice is once.

    :raises OrderNotPaid: if there is none, or somebody may be connecting it this moment
    """
    order.refresh_from_db()
    if not may_give_up(order, now=now):
        raise OrderNotPaid(order.pk)
    _stock(order, actor, now)
    number = PhoneNumber.objects.get(phone_number=order.phone_number)
    release_number(number=number, actor=actor, now=now)
    close_order(order, NumberOrder.Status.BOUGHT)


def _settle(order: NumberOrder, carrier: Carrier, gateway: Gateway, now: datetime) -> bool:
    number = carrier.find_number(
        phone_number=order.phone_number,
        name=order.sent_nickname,
        number_id=order.provider_number_id,
    )
    if number is not None:
        return _connect(order, number, carrier, gateway, actor=BUYER, now=now)
    if order.created_at > now - LISTED_WITHIN:
        _say(order, "")
        return False
    return close_order(
        order, NumberOrder.Status.REFUSED, error=_("Twilio has no number of this order.")
    )


def _connect(
    order: NumberOrder,
    number: CarrierNumber,
    carrier: Carrier,
    gateway: Gateway,
    *,
    actor: Actor,
    now: datetime,
) -> bool:
    """Bring a number that is paid into stock; each step may be done again. Tell whether it is there."""
    order.provider_number_id = number.number_id
    if not close_order(order, NumberOrder.Status.PAID, provider_number_id=number.number_id):
        return False  # somebody else brought it to its end
    asked = "Twilio"
    try:
        if number.trunk_id != carrier.trunk.trunk_id:
            carrier.route_number(number_id=number.number_id)
        asked = "Retell"
        _import(order, carrier.trunk, gateway)
    except ProviderError as error:
        why = explained(error, who=asked)
        _say(order, why)
        if isinstance(error, Rejected):
            _tell_of_stuck(order, why, now)
        return False
    stocked = _stock(order, actor, now)
    if stocked and actor is BUYER:
        tell_of_late(order, stocked, who="Twilio", now=now)
    return close_order(order, NumberOrder.Status.BOUGHT)


def _import(order: NumberOrder, trunk: Trunk, gateway: Gateway) -> None:
    try:
        gateway.import_phone_number(
            phone_number=order.phone_number,
            termination_uri=trunk.termination_uri,
            username=trunk.username,
            password=trunk.password,
            nickname=order.sent_nickname,
        )
    except Rejected:
        # An import whose answer was lost is there already.
        known = {number.phone_number for number in gateway.list_phone_numbers()}
        if order.phone_number not in known:
            raise


def _stock(order: NumberOrder, actor: Actor, now: datetime) -> PhoneNumber | None:
    return stock_number(
        order=order,
        provider=PhoneNumber.Provider.TWILIO,
        phone_number=order.phone_number,
        provider_number_id=order.provider_number_id,
        actor=actor,
        now=now,
    )


def _say(order: NumberOrder, why: str) -> None:
    """Write on an open order what keeps it from its end; empty: nothing does any more."""
    NumberOrder.objects.filter(pk=order.pk, status__in=NumberOrder.OPEN).update(error=why[:400])


def _tell_of_stuck(order: NumberOrder, why: str, now: datetime) -> None:
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=_("A number is paid but can't be used yet"),
        body=_("%(number)s is bought at Twilio, but not connected to Retell: %(why)s")
        % {"number": order.phone_number, "why": why},
        url="/agency/numbers/",
        key=f"number.stuck:{order.pk}",
        now=now,
    )
