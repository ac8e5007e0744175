"""The guards beneath the services: what they judge before may have changed when they write."""

from __future__ import annotations

import pytest

from billing.ledger import Overtaken, move_reservation, pay_debt, post
from billing.models import Transaction, Wallet
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet

pytestmark = pytest.mark.django_db


def line(wallet, **deltas):
    return Transaction(
        client_id=wallet.client_id,
        wallet=wallet,
        key=f"adjust:{uuid7()}",
        type="adjust",
        seconds=1,
        actor_email=TESTS.actor_email,
        created_at=NOW,
        **{f"{account}_delta": delta for account, delta in deltas.items()},
    )


@pytest.mark.parametrize(
    "deltas",
    [
        {"available": -101, "funding": 101},
        {"reserved": -51, "available": 51},
        {"consumed": -1, "available": 1},
        {"debt": -1, "available": -1},
    ],
)
def test_lets_no_account_fall_below_zero(acme, deltas):
    wallet = open_wallet(acme, seconds=150)
    Launch(acme, 50)

    with pytest.raises(Overtaken), atomic():
        post(line(wallet, **deltas))

    assert balances(acme) == (100, 50, 0, 0)
    assert wallet.transactions.count() == 2


@pytest.fixture
def owing(acme):
    """Acme owes 40 seconds."""
    open_wallet(acme, seconds=60)
    Launch(acme, 60).dial().end(100)
    return Wallet.objects.get(client=acme)


def test_posts_nothing_that_must_wait_for_debt(owing):
    with pytest.raises(Overtaken), atomic():
        post(line(owing, funding=-1, available=1), only_without_debt=True)


def test_pays_no_more_debt_than_there_is_by_now(owing, acme):
    freed = post(line(owing, funding=-100, available=100))
    pay_debt(wallet=owing, freed=freed, seconds=100, now=NOW)
    freed = post(line(owing, funding=-100, available=100))

    with pytest.raises(Overtaken), atomic():
        pay_debt(wallet=owing, freed=freed, seconds=100, now=NOW)  # `owing` was read before

    assert balances(acme) == (160, 0, 100, 0)


def test_moves_no_column_of_a_reservation_below_zero(acme):
    open_wallet(acme, seconds=100)
    launch = Launch(acme, 100)

    with pytest.raises(Overtaken), atomic():
        move_reservation(launch.reservation.pk, free=-101, held=101)
    with pytest.raises(Overtaken), atomic():
        move_reservation(launch.reservation.pk, free=1, held=-1)


def test_moves_only_what_is_open_where_it_must_be(acme):
    open_wallet(acme, seconds=100)
    launch = Launch(acme, 100)
    launch.dial()
    launch.close()

    with pytest.raises(Overtaken), atomic():
        move_reservation(launch.reservation.pk, only_open=True, granted=5, free=5)


def test_moves_nothing_in_the_wallet_of_another_client(acme, rival):
    open_wallet(acme, seconds=100)
    wrong = line(open_wallet(rival, seconds=100), funding=-5, available=5)
    wrong.client = acme

    with pytest.raises(Overtaken), atomic():
        post(wrong)


def test_writes_a_key_once(acme):
    wallet = open_wallet(acme, seconds=100)
    first, second = (line(wallet, funding=-5, available=5) for _ in range(2))
    second.key = post(first).key

    with pytest.raises(IntegrityError), atomic():
        post(second)
    assert balances(acme) == (105, 0, 0, 0)
