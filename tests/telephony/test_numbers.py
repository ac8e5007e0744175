"""Numbers: bought once, lent to one client, rested, counted, released."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from audit.models import AuditLog
from convomono.lib.ids import uuid7
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import Rejected, UnknownOutcome
from telephony.services import (
    NumberExists,
    NumberIsReleased,
    add_number,
    assign_number,
    buy_number,
    release_number,
    rest_number,
    touch_number,
)
from tests.factories.telephony import PhoneNumberFactory
from tests.fakes import FakeRetell

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User

NUMBER = "+14155550142"


def actions() -> list[str]:
    return list(AuditLog.objects.order_by("created_at", "pk").values_list("action", flat=True))


class TestAdding:
    def test_puts_a_number_into_stock(self, root: User, now: datetime):
        number = add_number(phone_number=NUMBER, actor=root, now=now)
        assert (number.client_id, number.is_active) == (None, True)
        assert actions() == ["number.added"]

    @pytest.mark.django_db(transaction=True)
    def test_refuses_one_that_is_there(self, root: User, now: datetime):
        add_number(phone_number=NUMBER, actor=root, now=now)
        with pytest.raises(NumberExists):
            add_number(phone_number=NUMBER, actor=root, now=now)
        assert PhoneNumber.objects.count() == 1
        assert actions() == ["number.added"]


class TestLending:
    def test_gives_the_number_to_a_client(self, root: User, acme: Client, now: datetime):
        number = PhoneNumberFactory.create()
        assign_number(number=number, client=acme, actor=root, now=now)
        number.refresh_from_db()
        assert number.assigned_client_id == acme.pk
        assert actions() == ["number.assigned"]

    def test_twice_is_once(self, root: User, acme: Client, now: datetime):
        number = PhoneNumberFactory.create()
        assign_number(number=number, client=acme, actor=root, now=now)
        assign_number(number=number, client=acme, actor=root, now=now)
        assert actions() == ["number.assigned"]

    def test_takes_it_back(self, root: User, acme: Client, now: datetime):
        number = PhoneNumberFactory.create(client=acme)
        assign_number(number=number, client=None, actor=root, now=now)
        assert PhoneNumber.objects.get().client_id is None

    def test_overwrites_nobody_unseen(self, root: User, acme: Client, rival: Client, now: datetime):
        number = PhoneNumberFactory.create()
        seen_before = PhoneNumber.objects.get()
        assign_number(number=number, client=acme, actor=root, now=now)
        with pytest.raises(NumberIsReleased):
            assign_number(number=seen_before, client=rival, actor=root, now=now)
        assert PhoneNumber.objects.get().client_id == acme.pk

    def test_refuses_a_released_number(self, root: User, acme: Client, now: datetime):
        number = PhoneNumberFactory.create(released_at=now)
        with pytest.raises(NumberIsReleased):
            assign_number(number=number, client=acme, actor=root, now=now)


def test_releasing_ends_the_loan_once(root: User, acme: Client, now: datetime):
    number = PhoneNumberFactory.create(client=acme)
    release_number(number=number, actor=root, now=now)
    release_number(number=number, actor=root, now=now + timedelta(hours=1))
    number.refresh_from_db()
    assert (number.client_id, number.released_at) == (None, now)
    assert actions() == ["number.released"]


@pytest.mark.django_db(transaction=True)
class TestBuying:
    def test_puts_what_was_bought_into_stock(self, root: User, now: datetime):
        retell = FakeRetell()
        order = buy_number(gateway=retell, key=uuid7(), area_code=415, actor=root, now=now)
        number = PhoneNumber.objects.get()
        assert order.status == NumberOrder.Status.BOUGHT
        assert number.phone_number == order.phone_number
        assert number.phone_number in retell.numbers

    def test_buys_one_number_with_one_key(self, root: User, now: datetime):
        retell, key = FakeRetell(), uuid7()
        for _ in range(2):
            order = buy_number(gateway=retell, key=key, area_code=415, actor=root, now=now)
        assert order.status == NumberOrder.Status.BOUGHT
        assert len(retell.numbers) == 1

    def test_buys_one_number_from_eight_threads(self, root: User, now: datetime):
        retell, key, gate = FakeRetell(), uuid7(), threading.Barrier(8)

        def buy() -> None:
            gate.wait()
            buy_number(gateway=retell, key=key, area_code=415, actor=root, now=now)
            connections.close_all()

        threads = [threading.Thread(target=buy) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(retell.numbers) == 1
        assert PhoneNumber.objects.count() == 1

    def test_says_why_nothing_was_sold(self, root: User, now: datetime):
        retell = FakeRetell()
        retell.fail("create_phone_number", Rejected("No numbers in 415.", 400))
        order = buy_number(gateway=retell, key=uuid7(), area_code=415, actor=root, now=now)
        assert (order.status, order.error) == ("refused", "No numbers in 415.")
        assert not PhoneNumber.objects.exists()

    def test_tries_no_second_time_when_the_answer_was_lost(self, root: User, now: datetime):
        retell, key = FakeRetell(), uuid7()
        retell.fail("create_phone_number", UnknownOutcome("Timed out."))
        for _ in range(2):
            order = buy_number(gateway=retell, key=key, area_code=415, actor=root, now=now)
        assert order.status == NumberOrder.Status.UNKNOWN
        assert [name for name, _asked in retell.asked] == ["create_phone_number"]


class TestUse:
    def test_counts_the_dials_of_a_day(self, db: None, now: datetime):
        PhoneNumberFactory.create(phone_number=NUMBER)
        for moment in (now, now + timedelta(hours=1)):
            touch_number(phone_number=NUMBER, now=moment)
        number = PhoneNumber.objects.get()
        assert (number.used_count, number.used_on) == (2, now.date())
        assert number.last_used_at == now + timedelta(hours=1)

    def test_begins_each_day_at_one(self, db: None, now: datetime):
        PhoneNumberFactory.create(phone_number=NUMBER)
        touch_number(phone_number=NUMBER, now=now)
        touch_number(phone_number=NUMBER, now=now + timedelta(days=1))
        assert PhoneNumber.objects.get().used_count == 1

    def test_rests_and_rests_no_shorter(self, db: None, now: datetime):
        PhoneNumberFactory.create(phone_number=NUMBER)
        day, hour = now + timedelta(days=1), now + timedelta(hours=1)
        assert rest_number(phone_number=NUMBER, until=day, reason="spam", now=now)
        assert not rest_number(phone_number=NUMBER, until=hour, reason="blocked", now=now)
        number = PhoneNumber.objects.get()
        assert (number.resting_until, number.resting_reason) == (day, "spam")

    def test_does_not_rest_in_the_past(self, db: None, now: datetime):
        PhoneNumberFactory.create(phone_number=NUMBER)
        assert not rest_number(phone_number=NUMBER, until=now, reason="spam", now=now)
