"""Twice, from many threads, and in every order: each movement of money takes effect once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from accounts.models import Notification
from audit.models import AuditLog
from billing import services
from billing.invariants import audit_ledger
from billing.ledger import once
from billing.models import CallHold, Payment, Rate, Reservation, Transaction, Wallet
from billing.rules import Terms
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, Dial, Launch, balances, open_wallet, sell

THREADS = 8

if TYPE_CHECKING:
    from collections.abc import Callable


def in_threads(work, jobs):
    """Run work(job) for each job on eight threads; return results, errors as values."""

    def guarded(job):
        try:
            return work(job)
        except Exception as error:  # noqa: BLE001  # what a thread raised is what is asserted
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(guarded, jobs))


def kinds(results):
    return {type(result).__name__ for result in results}


# -- Twice, and with other arguments ---------------------------------------------------------------


@pytest.fixture
def wallet(acme):
    return open_wallet(acme, seconds=1000)


def purchase(client, **other):
    sale = {"seconds": 60, "amount_micros": 5, "method": "card", "reference": "INV-1", **other}
    return services.purchase(client=client, actor=TESTS, now=NOW, **sale)


def test_sells_one_payment_once(wallet, acme):
    first = purchase(acme)

    assert purchase(acme) == first
    assert balances(acme) == (1060, 0, 0, 0)
    assert AuditLog.objects.filter(action="wallet.credited", resource="INV-1").count() == 1


@pytest.mark.parametrize(
    "other", [{"seconds": 61}, {"amount_micros": 6}, {"method": "bank"}, {"key": uuid7()}]
)
def test_refuses_another_sale_of_the_same_payment(wallet, acme, other):
    purchase(acme)

    with pytest.raises(services.KeyReused):
        purchase(acme, **other)
    assert balances(acme) == (1060, 0, 0, 0)


def test_refuses_the_key_of_another_sale_even_of_another_client(wallet, acme, rival):
    open_wallet(rival)
    key = uuid7()
    purchase(acme, key=key)

    with pytest.raises(services.KeyReused):
        purchase(acme, key=key, reference="INV-2")
    with pytest.raises(services.KeyReused):
        purchase(rival, key=key)
    assert purchase(acme, key=key).payment_id == key
    assert purchase(rival).client == rival  # the same reference is another payment there


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"seconds": -1}, {"amount_micros": -1}])
def test_sells_nothing_for_nothing(wallet, acme, wrong):
    with pytest.raises(ValueError, match="sale"):
        purchase(acme, **wrong)


def test_adjusts_once_with_a_reason(wallet, acme):
    def adjust(seconds=-100, reason="Typo", key="1"):
        return services.adjust(
            client=acme, seconds=seconds, reason=reason, key=key, actor=TESTS, now=NOW
        )

    assert adjust() == adjust()
    assert balances(acme) == (900, 0, 0, 0)
    for other in ({"seconds": 5}, {"reason": "Other"}):
        with pytest.raises(services.KeyReused):
            adjust(**other)
    with pytest.raises(services.ReasonMissing):
        adjust(reason=" ", key="2")
    with pytest.raises(ValueError, match="correction"):
        adjust(seconds=0, key="2")
    with pytest.raises(services.InsufficientCredits):
        adjust(seconds=-901, key="2")
    assert balances(acme) == (900, 0, 0, 0)


def test_reserves_a_part_once_and_for_its_client_only(wallet, acme, rival):
    open_wallet(rival, seconds=500)
    launch = Launch(acme, 300)

    def reserve(**other):
        asked = {"client_id": acme.pk, "campaign_id": launch.campaign_id, "seconds": 300, **other}
        return services.reserve(batch_call_id=launch.batch_call_id, actor=TESTS, now=NOW, **asked)

    assert reserve() == launch.reservation
    for other in ({"seconds": 299}, {"campaign_id": uuid7()}, {"client_id": rival.pk}):
        with pytest.raises(services.KeyReused):
            reserve(**other)
    with pytest.raises(ValueError, match="reservation"):
        reserve(seconds=0, part=2)
    assert balances(acme) == (700, 300, 0, 0)
    assert balances(rival) == (500, 0, 0, 0)
    assert AuditLog.objects.filter(action="wallet.reserved").count() == 1


def test_gives_an_attempt_no_hold_of_another_launch(wallet, acme):
    dial, other = Launch(acme, 300).dial(), Launch(acme, 300)

    with pytest.raises(services.KeyReused):
        services.hold(
            attempt_id=dial.attempt_id,
            batch_call_id=other.batch_call_id,
            max_call_seconds=60,
            now=NOW,
        )
    with pytest.raises(services.ReservationEmpty):
        services.hold(attempt_id=uuid7(), batch_call_id=uuid7(), max_call_seconds=60, now=NOW)


def test_opens_a_wallet_once(wallet, acme):
    def again(price):
        return services.open_wallet(
            client=acme, price_per_minute_micros=price, actor=TESTS, now=NOW
        )

    assert again(300_000) == wallet
    with pytest.raises(services.KeyReused):
        again(1)
    assert Rate.objects.count() == 1


def test_changes_a_price_once(wallet, acme):
    later = NOW.replace(hour=16)

    def change(price):
        return services.change_rate(client=acme, terms=Terms(price), actor=TESTS, now=later)

    assert change(500_000) == change(500_000)
    assert services.current_rate(client=acme, now=NOW).price_per_minute_micros == 300_000
    assert services.current_rate(client=acme, now=later).price_per_minute_micros == 500_000
    with pytest.raises(services.RateTaken):
        change(600_000)  # two prices from the same instant on: neither wins by chance


def test_has_no_price_before_the_first(acme):
    with pytest.raises(services.RateMissing):
        services.current_rate(client=acme, now=NOW)


def test_undoes_everything_with_the_transaction_around_it(wallet, acme):
    def launch_and_fail():
        with atomic():
            Launch(acme, 300)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        launch_and_fail()

    assert balances(acme) == (1000, 0, 0, 0)
    assert not Reservation.objects.exists()


def test_lets_a_lost_race_leave_the_outermost_block(db):
    def lose():
        raise IntegrityError

    with pytest.raises(IntegrityError), atomic():
        once(find=lambda: None, block=lose)


@pytest.mark.django_db(transaction=True)
def test_raises_an_error_that_no_first_result_explains():
    def lose():
        raise IntegrityError

    with pytest.raises(IntegrityError):
        once(find=lambda: None, block=lose)


# -- Every order -----------------------------------------------------------------------------------

EVENTS = ("end", "void", "expire", "close", "end again")


@pytest.mark.slow
@pytest.mark.parametrize("order", list(permutations(EVENTS)), ids="-".join)
def test_ends_the_same_in_every_order_of_events(acme, order):
    open_wallet(acme, seconds=1000)
    launch = Launch(acme, 300)
    dial = launch.dial(120)
    do: dict[str, Callable[[], object]] = {
        "end": lambda: dial.end(45),
        "void": dial.void,
        "expire": lambda: services.expire_holds(now=NOW.replace(hour=20)),
        "close": launch.close,
        "end again": lambda: dial.end(45),
    }
    for event in order:
        do[event]()
        do[event]()

    assert balances(acme) == (955, 0, 45, 0)
    row = launch.reservation
    assert (row.status, row.granted_seconds) == ("closed", 300)
    assert row.posted_seconds + row.released_seconds == 300
    assert audit_ledger() == []


# -- Threads ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_lets_exactly_a_hundred_of_a_thousand_reserves_through():
    client = ClientFactory.create()
    open_wallet(client, seconds=100)

    results = in_threads(lambda _: Launch(client, 1), range(1000))

    assert sum(isinstance(result, Launch) for result in results) == 100
    assert kinds(results) == {"Launch", "InsufficientCredits"}
    assert balances(client) == (0, 100, 0, 0)
    assert audit_ledger() == []


@pytest.mark.django_db(transaction=True)
def test_never_holds_more_than_is_free_when_dials_race():
    client = ClientFactory.create()
    open_wallet(client, seconds=600)
    launch = Launch(client, 600)

    results = in_threads(lambda _: launch.dial(60), range(40))

    assert kinds(results) == {"Dial", "ReservationEmpty"}
    assert sum(isinstance(result, Dial) for result in results) == 10
    assert launch.reservation.held_seconds == 600
    assert audit_ledger() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seconds", [0, 45, 200])
def test_takes_effect_once_when_everything_is_done_by_eight_threads(seconds):
    client, now = ClientFactory.create(), NOW.replace(hour=16)
    in_threads(lambda _: open_wallet(client), range(THREADS))
    key = uuid7()
    in_threads(lambda _: purchase(client, seconds=150, key=key), range(THREADS))
    launch = Launch(client, 100)
    attempt, call = uuid7(), uuid7()
    holds = in_threads(
        lambda _: services.hold(
            attempt_id=attempt,
            batch_call_id=launch.batch_call_id,
            max_call_seconds=60,
            now=NOW,
        ),
        range(THREADS),
    )
    charges = in_threads(lambda _: Dial(attempt, call).end(seconds), range(THREADS))
    in_threads(lambda _: launch.close(), range(THREADS))
    in_threads(
        lambda _: services.adjust(
            client=client, seconds=60, reason="Gift", key="1", actor=TESTS, now=now
        ),
        range(THREADS),
    )

    assert len({row.pk for row in holds}) == 1
    assert set(charges) == {services.Charge(seconds, seconds * 5000)}
    left = 150 + 60 - seconds
    assert balances(client) == (left, 0, seconds, 0)
    assert (Wallet.objects.count(), Payment.objects.count(), CallHold.objects.count()) == (1, 1, 1)
    assert audit_ledger() == []


@pytest.mark.django_db(transaction=True)
def test_resolves_a_hold_once_when_the_end_the_void_and_the_close_race():
    client = ClientFactory.create()
    open_wallet(client, seconds=1200)
    launches = [Launch(client, 60) for _ in range(20)]
    dials = [launch.dial() for launch in launches]
    jobs = [
        job
        for launch, dial in zip(launches, dials, strict=True)
        for job in (lambda d=dial: d.end(20), dial.void, launch.close, lambda d=dial: d.end(20))
    ]

    results = in_threads(lambda job: job(), jobs)

    assert not [result for result in results if isinstance(result, Exception)]
    assert balances(client) == (800, 0, 400, 0)
    assert Transaction.objects.filter(type="consume").count() == 20
    assert set(Reservation.objects.values_list("status", flat=True)) == {"closed"}
    assert audit_ledger() == []


# -- Low balance -----------------------------------------------------------------------------------


def test_tells_a_client_once_of_each_low_balance(wallet, acme):
    launch = Launch(acme, 1000)
    told = []
    for seconds in (700, 99, 1, 50, 60, 90):
        launch.dial().end(seconds)
        told.append(Notification.objects.filter(client=acme).count())

    assert told == [1, 1, 2, 2, 3, 4]
    titles = Notification.objects.order_by("created_at", "pk").values_list("title", flat=True)
    assert set(titles) == {
        "50% of your minutes are left",
        "20% of your minutes are left",
        "10% of your minutes are left",
        "None of your minutes are left",
    }


def test_tells_again_after_the_next_purchase(wallet, acme):
    Launch(acme, 900).dial(900).end(900)
    sell(acme, seconds=900)
    Launch(acme, 1000).dial(1000).end(950)

    assert Notification.objects.filter(client=acme, title__startswith="10%").count() == 2


def test_tells_nobody_when_minutes_are_only_reserved_or_released(wallet, acme):
    Launch(acme, 1000).close()

    assert not Notification.objects.exists()


def test_tells_of_a_low_balance_that_a_correction_made(wallet, acme):
    services.adjust(client=acme, seconds=-850, reason="Typo", key="1", actor=TESTS, now=NOW)
    services.adjust(client=acme, seconds=40, reason="Typo", key="2", actor=TESTS, now=NOW)

    assert [row.title for row in Notification.objects.all()] == ["20% of your minutes are left"]
