"""Numbers to call from: bought or added, lent to a client, rested, released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.db.models import Q

from audit import actions
from audit.services import record
from convomono.lib.bulk import update_row
from convomono.lib.db import IntegrityError, atomic, insert_once
from telephony.models import NumberLease, NumberOrder, PhoneNumber
from telephony.provider import ProviderError, UnknownOutcome

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from telephony.provider import Number


class Gateway(Protocol):
    """What buying asks of Retell's gateway."""

    def create_phone_number(
        self,
        *,
        area_code: int | None = None,
        country_code: str = "US",
        toll_free: bool = False,
        nickname: str = "",
    ) -> Number: ...


class NumberExists(Exception):
    """This number is in the inventory already."""


class NumberIsReleased(Exception):
    """Somebody released the number, so that it can't be lent or released any more."""


def add_number(
    *,
    phone_number: str,
    actor: Actor,
    now: datetime,
    provider: str = PhoneNumber.Provider.RETELL_TWILIO,
    type: str = PhoneNumber.Type.LOCAL,  # noqa: A002 - the seed's name
    nickname: str = "",
    imported: bool = False,
    warms_up: bool = False,
) -> PhoneNumber:
    """
    Put a number that exists at Retell into the inventory; phone_number is E.164.

    One that `warms_up` makes few calls on its first days (`number_health.WARM_UP_CAPS`).

    :raises NumberExists: if it is there already
    """
    number = PhoneNumber(
        phone_number=phone_number,
        provider=provider,
        type=type,
        nickname=nickname,
        imported=imported,
        warming_from=now.date() if warms_up else None,
        created_at=now,
    )
    _insert(number, actor, now)
    return number


def _insert(number: PhoneNumber, actor: Actor, now: datetime) -> None:
    @atomic
    def block() -> None:
        number.save(force_insert=True)
        record(actions.NUMBER_ADDED, resource=number, actor=actor, now=now)

    try:
        block()
    except IntegrityError:
        raise NumberExists(number.phone_number) from None


def stock_number(
    *,
    order: NumberOrder,
    provider: str,
    phone_number: str,
    actor: Actor,
    now: datetime,
    provider_number_id: str = "",
) -> PhoneNumber | None:
    """
    Put the number that an order bought into stock; one that was ours before comes back.

    Returns it, or None if it stands there already: what somebody did to it since the order stays, so that
    a number that was released after it is not taken back.
    """
    of_the_carrier: dict[str, object] = {
        "provider": provider,
        "provider_number_id": provider_number_id,
        "imported": provider == PhoneNumber.Provider.TWILIO,
    }
    of_the_order: dict[str, object] = {
        "type": order.number_type,
        "nickname": order.nickname,
        "warming_from": now.date(),
    }
    if order.rent_micros is not None:
        of_the_order["rent_micros"] = order.rent_micros
    new = {**of_the_carrier, **of_the_order}
    try:
        added = PhoneNumber(phone_number=phone_number, created_at=now, **new)
        _insert(added, actor, now)
    except NumberExists:
        number = PhoneNumber.objects.get(phone_number=phone_number)
    else:
        return added
    same = PhoneNumber.objects.filter(pk=number.pk)

    @atomic
    def block() -> int:
        back_again = {"released_at": None, "give_back_at": None, "given_back_at": None}
        returned = same.filter(released_at__lte=order.created_at).update(
            **back_again, give_back_error="", client=None, **new
        )
        if returned:
            record(actions.NUMBER_ADDED, resource=number, actor=actor, now=now)
        elif provider_number_id and provider_number_id != number.provider_number_id:
            # Somebody listed it by hand meanwhile, or the carrier had lost it; it may be released again.
            due = {"give_back_at": now if number.released_at else None, "given_back_at": None}
            same.update(**due, give_back_error="", **of_the_carrier)
        return returned

    return number if block() else None


@atomic
def assign_number(
    *, number: PhoneNumber, client: Client | None, actor: Actor, now: datetime
) -> PhoneNumber:
    """
    Lend the number to a client, or take it back into stock (None). Twice is once.

    :raises NumberIsReleased: if it was released
    """
    # Compare-and-set: of two people who assign it at once, the second overwrites nobody unseen.
    changed = PhoneNumber.objects.filter(
        pk=number.pk, released_at=None, client=number.client
    ).update(client=client)
    if not changed:
        raise NumberIsReleased(number.phone_number)
    if client is None or client.pk != number.client_id:
        move_lease(number, client, rent_micros=number.rent_micros, now=now)
        details = {"client": client.name if client else None}
        record(actions.NUMBER_ASSIGNED, resource=number, actor=actor, now=now, details=details)
    number.client = client
    return number


@atomic
def release_number(*, number: PhoneNumber, actor: Actor, now: datetime) -> None:
    """
    Stop using the number for good; its history stays. Twice is once.

    One that was bought at Twilio is given back by a job (`returns.py`). The rent at Retell ends when
    the number is cancelled there.
    """
    changed = PhoneNumber.objects.filter(pk=number.pk, released_at=None).update(
        released_at=now, client=None, give_back_at=now if number.provider_number_id else None
    )
    if changed:
        move_lease(number, None, rent_micros=number.rent_micros, now=now)
        record(actions.NUMBER_RELEASED, resource=number, actor=actor, now=now)


def move_lease(
    number: PhoneNumber, client: Client | None, *, rent_micros: int, now: datetime
) -> None:
    """
    End what `number`, as it was read, was lent for, and begin another lease at this rent.

    What has been keeps the rent that it had.
    """
    mine = NumberLease.objects.filter(number=number)
    mine.filter(rent_micros=None).update(rent_micros=number.rent_micros)
    if not mine.filter(until_at=None).update(until_at=now) and number.client_id:
        NumberLease.objects.create(
            number=number,
            client_id=number.client_id,
            from_at=number.created_at,
            until_at=now,
            rent_micros=number.rent_micros,
        )
    if client:
        NumberLease.objects.create(
            number=number, client=client, from_at=now, rent_micros=rent_micros
        )


def buy_number(
    *,
    gateway: Gateway,
    key: UUID,
    area_code: int | None,
    actor: Actor,
    now: datetime,
    toll_free: bool = False,
    nickname: str = "",
) -> NumberOrder:
    """
    Buy a number at Retell and put it into the inventory; one key buys one number.

    Asks Retell, so it must not run inside a transaction. A repeat returns the first order as it
    stands. The order says what became of it: an outcome that nobody knows is not tried again, but
    found out by a job (`ordering.py`).
    """
    order = NumberOrder(
        key=key,
        area_code=area_code,
        is_toll_free=toll_free,
        nickname=nickname,
        sent_nickname=own_name(nickname, key),
        ordered_by_email=actor.actor_email,
        created_at=now,
    )
    if not insert_once(order, "key"):
        return NumberOrder.objects.get(key=key)
    try:
        bought = gateway.create_phone_number(
            area_code=area_code, toll_free=toll_free, nickname=order.sent_nickname
        )
    except UnknownOutcome as error:
        return _finish(order, NumberOrder.Status.UNKNOWN, error=str(error))
    except ProviderError as error:
        return _finish(order, NumberOrder.Status.REFUSED, error=str(error))
    stock_number(
        order=order, provider=bought.kind, phone_number=bought.phone_number, actor=actor, now=now
    )
    return _finish(order, NumberOrder.Status.BOUGHT, phone_number=bought.phone_number)


def own_name(nickname: str, key: UUID) -> str:
    """
    Return the name to buy a number under, the order's own and at most 63 characters long.

    Should the answer be lost, the number is found by it (`ordering.py`, `twilio_orders.py`). The key's
    end is random, its beginning only the time.
    """
    return f"{nickname[:50].strip()} {key.hex[-12:]}".strip()


def _finish(
    order: NumberOrder, status: NumberOrder.Status, *, phone_number: str = "", error: str = ""
) -> NumberOrder:
    order.status = status
    order.phone_number = phone_number
    order.error = error[:400]
    order.save(update_fields=["status", "phone_number", "error"])
    return order


def touch_number(*, phone_number: str, now: datetime) -> None:
    """Count one dial from the number, against its cap of the UTC day."""
    today = {"phone_number": phone_number, "used_on": now.date()}
    if not update_row(PhoneNumber, today, {"last_used_at": now}, add={"used_count": 1}):
        PhoneNumber.objects.filter(phone_number=phone_number).update(
            used_count=1, used_on=now.date(), last_used_at=now
        )


def rest_number(*, phone_number: str, until: datetime, reason: str, now: datetime) -> bool:
    """
    Keep the number out of use until then; a longer rest stays. Tell whether it rests longer now.

    No person did it, so that it isn't audited: the reason stands on the number.
    """
    if until <= now:
        return False
    shorter = Q(resting_until=None) | Q(resting_until__lt=until)
    numbers = PhoneNumber.objects.filter(shorter, phone_number=phone_number, released_at=None)
    return bool(numbers.update(resting_until=until, resting_reason=reason[:200]))
