"""Numbers bought at Twilio: once, whatever answer is lost; none is paid that nobody sees; released ones go back."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from accounts.models import Notification
from audit.models import AuditLog
from convomono.lib import clock
from convomono.lib.ids import uuid7
from telephony import jobs
from telephony.models import NumberOrder, PhoneNumber
from telephony.provider import (
    CarrierNumber,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from telephony.services import add_number, assign_number, buy_number, release_number
from telephony.services.ordering import ANSWERED_WITHIN, LISTED_WITHIN, settle_orders
from telephony.services.returns import PAUSE, give_numbers_back
from telephony.services.twilio_orders import (
    Choice,
    OrderNotPaid,
    buy_twilio_number,
    give_up_order,
    settle_twilio_orders,
)
from tests.factories.telephony import CallFactory, PhoneNumberFactory
from tests.fakes import FakeRetell
from tests.telephony.fake_twilio import FakeTwilio

if TYPE_CHECKING:
    from uuid import UUID

    from accounts.models import Client, User

NUMBER = "+14155550100"
SOON, LATER = ANSWERED_WITHIN, LISTED_WITHIN


class Killed(BaseException):
    """The process ends here."""


class Both:
    """Twilio and Retell, and what may go wrong between them."""

    def __init__(self, person: User, now: datetime) -> None:
        self.twilio, self.retell = FakeTwilio(), FakeRetell()
        self.person, self.now = person, now

    def buy(self, *, key: UUID | None = None, **choice: Any) -> NumberOrder:
        wanted: dict[str, Any] = {
            "phone_number": NUMBER,
            "type": "local",
            "rent_micros": 1_150_000,
        } | choice
        return buy_twilio_number(
            carrier=self.twilio,
            gateway=self.retell,
            key=key or uuid7(),
            choice=Choice(**wanted),
            actor=self.person,
            now=self.now,
        )

    def settle(self, after: timedelta = SOON) -> int:
        return settle_twilio_orders(carrier=self.twilio, gateway=self.retell, now=self.now + after)

    def give_back(self, after: timedelta = timedelta()) -> int:
        return give_numbers_back(carrier=self.twilio, gateway=self.retell, now=self.now + after)

    def release(self) -> PhoneNumber:
        number = PhoneNumber.objects.get()
        release_number(number=number, actor=self.person, now=self.now)
        number.refresh_from_db()
        return number

    def is_whole(self) -> bool:
        """Tell whether one number is paid, known to Retell and in stock, and its order closed."""
        order, number = NumberOrder.objects.get(), PhoneNumber.objects.get()
        assert len(self.twilio.owned) == 1
        assert order.status == "bought"
        assert number.provider_number_id in self.twilio.owned
        assert set(self.retell.numbers) == {number.phone_number}
        assert AuditLog.objects.filter(action="number.added").count() == 1
        return number.is_active


@pytest.fixture
def both(root: User, now: datetime) -> Both:
    return Both(root, now)


def actions() -> list[str]:
    return list(AuditLog.objects.order_by("created_at", "pk").values_list("action", flat=True))


class TestBuying:
    def test_pays_connects_and_stocks(self, both: Both):
        order = both.buy(nickname="Front desk", type="toll_free")
        assert (order.status, order.phone_number, order.error) == ("bought", NUMBER, "")
        number = PhoneNumber.objects.get()
        assert (number.provider, number.type, number.imported) == ("twilio", "toll_free", True)
        assert (number.nickname, number.rent_micros) == ("Front desk", 1_150_000)
        assert number.warming_from is not None
        (owned,) = both.twilio.owned.values()
        assert owned.name.startswith("Front desk ")
        assert (
            "import_phone_number",
            {"phone_number": NUMBER, "termination_uri": "acme.pstn.twilio.com"},
        ) in both.retell.asked
        assert both.is_whole()

    def test_keeps_the_usual_rent_where_twilio_names_none(self, both: Both):
        both.buy(rent_micros=None)
        assert PhoneNumber.objects.get().rent_micros == 2_000_000

    def test_names_what_it_buys_as_twilio_takes_it(self, both: Both):
        both.buy(nickname="é" * 80)
        assert len(next(iter(both.twilio.owned.values())).name) <= 64

    def test_buys_once_with_one_key(self, both: Both):
        key = uuid7()
        assert both.buy(key=key) == both.buy(key=key)
        assert both.twilio.asked == ["buy_number"]

    @pytest.mark.django_db(transaction=True)
    def test_buys_once_from_eight_threads(self, both: Both):
        key, gate = uuid7(), threading.Barrier(8)

        def buy() -> None:
            gate.wait()
            both.buy(key=key)
            connections.close_all()

        threads = [threading.Thread(target=buy) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert both.twilio.asked == ["buy_number"]
        assert both.is_whole()

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (Rejected(f"{NUMBER} is not available.", 400), f"{NUMBER} is not available."),
            (RateLimited("x", 7), "Twilio is busy. Try again in 7 s."),
            (Unavailable("x"), "Twilio can't be reached just now. Try again in a minute."),
            (Unauthorised("x", 401), "Twilio refuses our key. Check the variables it is set by."),
        ],
    )
    def test_says_why_nothing_was_sold(self, both: Both, error: Exception, said: str):
        both.twilio.fail("buy_number", error)
        order = both.buy()
        assert (order.status, order.error) == ("refused", said)
        assert not PhoneNumber.objects.exists()
        assert both.settle(LATER) == 0

    def test_points_a_number_to_the_trunk_if_it_is_not(self, both: Both, monkeypatch):
        real = both.twilio._buy

        def astray(phone_number: str, name: str) -> CarrierNumber:
            bought = real(phone_number, name)
            lost = CarrierNumber(
                number_id=bought.number_id, phone_number=phone_number, name=name, trunk_id=""
            )
            both.twilio.owned[bought.number_id] = lost
            return lost

        monkeypatch.setattr(both.twilio, "_buy", astray)
        both.buy()
        assert [it.trunk_id for it in both.twilio.owned.values()] == ["TK1"]
        assert both.is_whole()


# Where the process ends or the answer is lost, and whether that step has taken effect.
def _lose_purchase(both: Both) -> None:
    both.twilio.lose("buy_number", UnknownOutcome("Timed out."))


def _die_after_purchase(both: Both) -> None:
    both.twilio.lose("buy_number", Killed())


def _lose_import(both: Both) -> None:
    _after_import(both, UnknownOutcome("Timed out."))


def _die_after_import(both: Both) -> None:
    _after_import(both, Killed())


def _die_before_import(both: Both) -> None:
    both.retell.fail("import_phone_number", Killed())  # type: ignore[arg-type]  # raised all the same


def _no_retell(both: Both) -> None:
    both.retell.fail("import_phone_number", Unavailable("Connection refused."))


def _after_import(both: Both, error: BaseException) -> None:
    real = both.retell.import_phone_number

    def once(**wanted: Any) -> None:
        both.retell.import_phone_number = real  # type: ignore[method-assign]
        real(**wanted)
        raise error

    both.retell.import_phone_number = once  # type: ignore[method-assign,assignment]


class TestRecovery:
    @pytest.mark.parametrize(
        "break_off",
        [
            _lose_purchase,
            _die_after_purchase,
            _die_before_import,
            _no_retell,
            _lose_import,
            _die_after_import,
        ],
    )
    def test_goes_on_wherever_it_was_broken_off(self, both: Both, break_off: Any):
        break_off(both)
        try:
            order = both.buy()
        except Killed:
            order = NumberOrder.objects.get()
        assert order.status in {"asked", "unknown", "paid"}
        assert not PhoneNumber.objects.exists()
        assert both.settle(SOON - timedelta(seconds=1)) == 0  # its answer may still come
        assert both.settle() == 1
        assert both.settle(LATER) == 0
        assert both.is_whole()
        assert both.twilio.asked.count("buy_number") == 1
        assert NUMBER in Notification.objects.get().body

    @pytest.mark.parametrize("step", ["stock_number", "close_order"])
    def test_goes_on_from_a_crash_of_our_own(self, both: Both, monkeypatch, step: str):
        """Right before the number is stocked, and between that and the order's end."""
        from telephony.services import twilio_orders

        real = getattr(twilio_orders, step)

        def dying(*given: Any, **named: Any) -> Any:
            if step == "stock_number" or NumberOrder.Status.BOUGHT in given:
                raise Killed
            return real(*given, **named)

        monkeypatch.setattr(twilio_orders, step, dying)
        with pytest.raises(Killed):
            both.buy()
        monkeypatch.setattr(twilio_orders, step, real)
        assert NumberOrder.objects.get().status == "paid"
        assert both.settle() == 1
        assert both.is_whole()

    def test_closes_an_order_that_bought_nothing_when_it_is_certain(self, both: Both):
        both.twilio.fail("buy_number", UnknownOutcome("Timed out."))
        assert both.buy().status == "unknown"
        assert both.settle(LATER - timedelta(seconds=1)) == 0
        assert both.settle(LATER) == 1
        order = NumberOrder.objects.get()
        assert (order.status, order.error) == ("refused", "Twilio has no number of this order.")
        assert not PhoneNumber.objects.exists()

    def test_takes_nobody_elses_number_for_its_own(self, both: Both):
        both.twilio._buy(NUMBER, "Bought in the console")
        both.twilio.fail("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.settle(LATER)
        assert NumberOrder.objects.get().status == "refused"
        assert not PhoneNumber.objects.exists()

    def test_leaves_retells_orders_to_retell(self, both: Both):
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        assert settle_orders(gateway=both.retell, now=both.now + LATER) == 0
        assert NumberOrder.objects.get().status == "unknown"

    def test_waits_while_twilio_is_away(self, both: Both):
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.twilio.fail("find_number", Unavailable("x"))
        assert both.settle() == 0
        assert both.settle() == 1
        assert both.is_whole()

    @pytest.mark.parametrize(
        ("error", "said", "settled"),
        [
            (Rejected("No such name.", 400), "No such name.", [1, 1]),
            (
                Unauthorised("x", 401),
                "Twilio refuses our key. Check the variables it is set by.",
                [0, 2],
            ),
        ],
    )
    def test_keeps_no_other_waiting_for_a_look_up_that_was_refused(
        self, both: Both, error: Exception, said: str, settled: list[int]
    ):
        for number in (NUMBER, "+14155550102"):
            both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
            both.buy(phone_number=number)
        both.twilio.fail("find_number", error)
        assert both.settle() == settled[0]
        assert NumberOrder.objects.get(phone_number=NUMBER).error == said
        assert both.settle() == settled[1]
        assert not NumberOrder.objects.exclude(status="bought", error="").exists()

    def test_says_no_more_what_was_refused_once_it_is_looked_up(self, both: Both):
        both.twilio.fail("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.twilio.fail("find_number", Unauthorised("x", 401))
        for said in ("Twilio refuses our key. Check the variables it is set by.", ""):
            both.settle()
            assert NumberOrder.objects.get().error == said

    def test_shows_and_tells_once_what_retell_does_not_take(self, both: Both):
        both.retell.fail("import_phone_number", Rejected("The trunk isn't there.", 400))
        order = both.buy()
        assert (order.status, order.error) == ("paid", "The trunk isn't there.")
        both.retell.fail("import_phone_number", Rejected("The trunk isn't there.", 400))
        assert both.settle() == 0
        told = Notification.objects.get()
        assert NUMBER in told.body and "The trunk isn't there." in told.body
        assert both.settle() == 1  # the trunk was put right
        assert both.is_whole()

    def test_knows_a_paid_number_that_somebody_renamed(self, both: Both):
        both.retell.fail("import_phone_number", Unavailable("x"))
        both.buy()
        ((number_id, bought),) = both.twilio.owned.items()
        both.twilio.owned[number_id] = CarrierNumber(
            number_id=number_id, phone_number=NUMBER, name="Renamed", trunk_id=bought.trunk_id
        )
        assert both.settle(LATER) == 1
        assert both.is_whole()

    def test_takes_the_id_of_a_number_that_somebody_listed_by_hand(self, both: Both):
        both.twilio.lose("buy_number", Killed())
        with pytest.raises(Killed):
            both.buy()
        add_number(phone_number=NUMBER, actor=both.person, now=both.now)
        assert both.settle() == 1
        number = PhoneNumber.objects.get()
        assert (number.provider, number.provider_number_id in both.twilio.owned) == ("twilio", True)

    def lose_and_buy_again(self, both: Both) -> str:
        """Twilio took the number away, and we buy it once more; its new id."""
        both.buy()
        both.twilio.owned.clear()
        both.now += timedelta(days=1)
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        return next(iter(both.twilio.owned))

    def test_takes_the_new_id_of_a_number_that_was_bought_again(self, both: Both):
        new = self.lose_and_buy_again(both)
        assert both.settle() == 1
        number = PhoneNumber.objects.get()
        assert (number.provider_number_id, number.is_active) == (new, True)

    def test_gives_back_one_that_was_bought_again_and_released(self, both: Both):
        self.lose_and_buy_again(both)
        both.now += timedelta(minutes=1)
        both.release()
        assert both.give_back() == 1  # by its old id, which Twilio doesn't know
        both.settle()
        assert both.give_back(SOON) == 1
        assert not both.twilio.owned

    def test_gives_back_one_that_was_listed_and_released_by_hand(self, both: Both):
        both.twilio.lose("buy_number", Killed())
        with pytest.raises(Killed):
            both.buy()
        later = both.now + timedelta(minutes=1)
        number = add_number(phone_number=NUMBER, actor=both.person, now=later)
        release_number(number=number, actor=both.person, now=later)
        assert both.settle() == 1
        assert both.give_back(SOON) == 1
        assert not both.twilio.owned and not both.retell.numbers


class TestGivingUp:
    def hang(self, both: Both) -> NumberOrder:
        both.retell.fail("import_phone_number", Rejected("No.", 400))
        return both.buy()

    def test_gives_back_what_cannot_be_connected(self, both: Both):
        order = self.hang(both)
        for _ in range(2):
            after = both.now + SOON
            try:
                give_up_order(order=order, actor=both.person, now=after)
            except OrderNotPaid:
                pass
        assert actions() == ["number.added", "number.released"]
        assert NumberOrder.objects.get().status == "bought"
        assert not PhoneNumber.objects.in_use().exists()
        assert both.give_back(SOON) == 1
        assert not both.twilio.owned
        assert both.settle(LATER) == 0

    def test_waits_for_whoever_may_be_connecting_it(self, both: Both):
        order = self.hang(both)
        with pytest.raises(OrderNotPaid):
            give_up_order(order=order, actor=both.person, now=both.now)
        assert not PhoneNumber.objects.exists()

    def test_refuses_orders_without_a_number(self, both: Both):
        both.twilio.fail("buy_number", Rejected("No.", 400))
        with pytest.raises(OrderNotPaid):
            give_up_order(order=both.buy(), actor=both.person, now=both.now + SOON)


class TestReturns:
    def test_takes_it_out_of_retell_and_gives_it_back_once(self, both: Both):
        both.buy()
        both.release()
        assert both.give_back() == 1
        assert both.give_back(PAUSE) == 0
        number = PhoneNumber.objects.get()
        assert (number.given_back_at, number.give_back_at) == (both.now, None)
        assert not both.twilio.owned and not both.retell.numbers
        assert both.twilio.asked.count("release_number") == 1
        assert actions() == ["number.added", "number.released", "number.given_back"]

    @pytest.mark.parametrize(
        ("direction", "from_number", "to_number"),
        [("outbound", NUMBER, "+14155550199"), ("inbound", "+14155550199", NUMBER)],
    )
    def test_waits_until_nobody_talks_on_it(
        self, both: Both, acme: Client, direction: str, from_number: str, to_number: str
    ):
        both.buy()
        call = CallFactory.create(
            client=acme,
            direction=direction,
            from_number=from_number,
            to_number=to_number,
            status="ongoing",
        )
        both.release()
        assert both.give_back() == 0
        assert both.retell.numbers
        call.status = "ended"
        call.save()
        assert both.give_back(PAUSE) == 1

    @pytest.mark.parametrize(
        ("who", "method"), [("retell", "delete_phone_number"), ("twilio", "release_number")]
    )
    @pytest.mark.parametrize(
        "error", [Unavailable("x"), RateLimited("x", 1), Rejected("Not before Monday.", 400)]
    )
    def test_tries_again_what_did_not_work(self, both: Both, who: str, method: str, error: Any):
        both.buy()
        both.release()
        getattr(both, who).fail(method, error)
        assert both.give_back() == 0
        number = PhoneNumber.objects.get()
        assert number.give_back_error == str(error)
        assert Notification.objects.count() == isinstance(error, Rejected)
        assert both.give_back() == 0  # not at once
        assert both.give_back(PAUSE) == 1
        assert not both.twilio.owned and not both.retell.numbers
        number.refresh_from_db()
        assert number.give_back_error == ""

    def test_goes_on_after_a_lost_answer(self, both: Both):
        both.buy()
        both.release()
        both.twilio.lose("release_number", Unavailable("Timed out."))
        assert both.give_back() == 0
        assert both.give_back(PAUSE) == 1  # it is gone there already
        assert PhoneNumber.objects.get().given_back_at is not None

    @pytest.mark.django_db(transaction=True)
    def test_lets_two_jobs_at_once_ask_once(self, both: Both):
        both.buy()
        both.release()
        gate, given = threading.Barrier(4), []

        def work() -> None:
            gate.wait()
            given.append(both.give_back())
            connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(given) == [0, 0, 0, 1]
        assert both.twilio.asked.count("release_number") == 1

    def test_leaves_numbers_of_other_carriers_alone(self, both: Both):
        PhoneNumberFactory.create()
        both.release()
        assert both.give_back(PAUSE) == 0
        assert both.retell.asked == [] and both.twilio.asked == []

    def test_takes_a_number_back_that_is_bought_a_second_time(self, both: Both, acme: Client):
        both.buy()
        assign_number(
            number=PhoneNumber.objects.get(), client=acme, actor=both.person, now=both.now
        )
        both.release()
        both.give_back()
        both.now += timedelta(days=30)
        assert both.buy(nickname="Again", rent_micros=1).status == "bought"
        number = PhoneNumber.objects.get()
        assert (number.is_active, number.client_id, number.given_back_at) == (True, None, None)
        assert (number.nickname, number.rent_micros) == ("Again", 1)
        assert number.provider_number_id in both.twilio.owned
        assert actions()[-1] == "number.added"
        both.release()
        assert both.give_back() == 1
        assert not both.twilio.owned

    def test_takes_no_number_back_that_was_released_since(self, both: Both):
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.settle()
        NumberOrder.objects.update(status="paid")  # as a crash before the order's end leaves it
        release_number(
            number=PhoneNumber.objects.get(), actor=both.person, now=both.now + timedelta(hours=1)
        )
        both.settle(timedelta(hours=2))
        assert not PhoneNumber.objects.get().is_active
        assert both.give_back(timedelta(hours=2)) == 1
        assert not both.twilio.owned and not both.retell.numbers


def test_takes_a_number_of_retells_back_too(root: User, now: datetime):
    retell = FakeRetell()
    buy_number(gateway=retell, key=uuid7(), area_code=415, actor=root, now=now)
    number = PhoneNumber.objects.get()
    release_number(number=number, actor=root, now=now)
    retell.numbers.clear()
    order = buy_number(
        gateway=retell, key=uuid7(), area_code=415, actor=root, now=now + timedelta(days=1)
    )
    number.refresh_from_db()
    assert (order.status, order.phone_number, number.is_active) == (
        "bought",
        number.phone_number,
        True,
    )


class TestJob:
    def test_settles_and_gives_back(self, both: Both, monkeypatch):
        both.now = clock.now() - timedelta(hours=1)
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.buy(phone_number="+14155550102")
        number = PhoneNumber.objects.get()
        release_number(number=number, actor=both.person, now=both.now)
        monkeypatch.setattr(jobs, "find_twilio_gateway", lambda: both.twilio)
        monkeypatch.setattr(jobs, "retell_gateway", lambda: both.retell)
        assert jobs.tend_twilio_numbers(some_later_argument=1) == 2
        assert jobs.tend_twilio_numbers() == 0
        assert [it.phone_number for it in both.twilio.owned.values()] == [NUMBER]

    def test_gives_back_although_twilio_looks_nothing_up(self, both: Both, monkeypatch):
        both.now = clock.now() - timedelta(hours=1)
        both.twilio.lose("buy_number", UnknownOutcome("Timed out."))
        both.buy()
        both.buy(phone_number="+14155550102")
        release_number(number=PhoneNumber.objects.get(), actor=both.person, now=both.now)
        both.twilio.fail("find_number", Unauthorised("x", 401))
        monkeypatch.setattr(jobs, "find_twilio_gateway", lambda: both.twilio)
        monkeypatch.setattr(jobs, "retell_gateway", lambda: both.retell)
        assert jobs.tend_twilio_numbers() == 1
        assert PhoneNumber.objects.get().given_back_at

    def test_loads_no_sdk_where_nothing_is_due(self, both: Both, monkeypatch):
        both.buy()
        monkeypatch.setattr(jobs, "find_twilio_gateway", lambda: pytest.fail("asked for"))
        assert jobs.tend_twilio_numbers() == 0

    def test_asks_nobody_unless_twilio_is_set_up(self, both: Both, monkeypatch):
        both.buy()
        both.release()
        monkeypatch.setattr(jobs, "retell_gateway", lambda: both.retell)
        assert jobs.tend_twilio_numbers() == 0
        assert both.twilio.owned
