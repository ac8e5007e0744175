"""Purchases whose answer was lost: found out from Retell's list of numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from audit.models import AuditLog
from convomono.lib.ids import uuid7
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import UnknownOutcome
from telephony.services import buy_number
from telephony.services.ordering import ANSWERED_WITHIN, LISTED_WITHIN, settle_orders
from tests.fakes import FakeRetell

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User


class LosingRetell(FakeRetell):
    """Sells a number, or doesn't, and loses its answer."""

    def __init__(self, *, sells: bool) -> None:
        super().__init__()
        self.sells = sells

    def create_phone_number(self, **wanted):
        if self.sells:
            super().create_phone_number(**wanted)
        raise UnknownOutcome("Timed out.")


@pytest.mark.parametrize("status", ["unknown", "asked"])
def test_takes_the_number_that_was_bought_into_stock_once(root: User, now: datetime, status: str):
    """As `asked` stays what a process left that was killed in between."""
    retell = LosingRetell(sells=True)
    other = FakeRetell.create_phone_number(retell, nickname="Front desk")
    buy(retell, root, now)
    NumberOrder.objects.update(status=status)
    assert settle_orders(gateway=retell, now=now) == 0  # its answer may still come
    assert settle_orders(gateway=retell, now=now + ANSWERED_WITHIN) == 1
    assert settle_orders(gateway=retell, now=now + LISTED_WITHIN) == 0
    number, order = PhoneNumber.objects.get(), NumberOrder.objects.get()
    assert (order.status, order.phone_number) == ("bought", number.phone_number)
    assert number.phone_number != other.phone_number
    assert (number.nickname, number.client_id) == ("Front desk", None)
    assert number.warming_from is not None
    assert AuditLog.objects.get(action="number.added").user_type == "system"
    assert number.phone_number in Notification.objects.get().body


def test_closes_an_order_that_bought_nothing_when_it_is_certain(root: User, now: datetime):
    retell = LosingRetell(sells=False)
    buy(retell, root, now)
    assert settle_orders(gateway=retell, now=now + LISTED_WITHIN - timedelta(seconds=1)) == 0
    assert settle_orders(gateway=retell, now=now + LISTED_WITHIN) == 1
    assert NumberOrder.objects.get().status == "refused"
    assert not PhoneNumber.objects.exists()


def test_leaves_an_order_without_a_name_of_its_own_to_people(root: User, now: datetime):
    retell = LosingRetell(sells=False)
    buy(retell, root, now)
    NumberOrder.objects.update(sent_nickname="")
    assert settle_orders(gateway=retell, now=now + LISTED_WITHIN) == 0
    assert [method for method, _ in retell.asked] == []


def buy(retell: LosingRetell, root: User, now: datetime) -> None:
    order = buy_number(
        gateway=retell, key=uuid7(), area_code=415, nickname="Front desk", actor=root, now=now
    )
    assert order.status == "unknown"
