"""Many ended calls billed at once: what is plain, what it comes to, and what undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing import services
from billing.invariants import audit_ledger
from billing.ledger import Overtaken
from billing.models import CreditLot, Transaction
from billing.rules import Terms
from billing.services.charges import Charge
from billing.services.settling import Ended, HoldBook
from convomono.lib.db import run_atomic
from convomono.lib.ids import uuid7
from tests.factories.billing import (
    NOW,
    PRICE_MICROS,
    Dial,
    Launch,
    balances,
    know_call,
    open_wallet,
    sell,
)

if TYPE_CHECKING:
    from accounts.models import Client


@pytest.fixture
def launch(acme: Client) -> Launch:
    open_wallet(acme, seconds=10_000)
    return Launch(acme, 600)


def ended(dial: Dial, seconds: int, *, is_machine: bool = False, was_placed: bool = True) -> Ended:
    if was_placed:
        know_call(dial, seconds, is_machine=is_machine)
    return Ended(
        attempt_id=dial.attempt_id,
        call_id=dial.call_id,
        duration_ms=seconds * 1000,
        is_machine=is_machine,
        was_placed=was_placed,
    )


def noted(*calls: Ended) -> HoldBook:
    """Read the holds of calls that are plain, and note what they come to."""
    book = HoldBook([one.attempt_id for one in calls])
    for one in calls:
        charge = book.charge(one)
        assert charge
        book.settle(one, charge)
    return book


def write(book: HoldBook) -> None:
    run_atomic(lambda: book.write(now=NOW))


def test_comes_to_what_each_call_does_alone(acme: Client, launch: Launch):
    dials = [launch.dial() for _number in range(5)]
    talked, longer, silent, unplaced, rings = dials

    write(
        noted(
            ended(talked, 30),
            ended(longer, 41),
            ended(silent, 0),
            ended(unplaced, 20, was_placed=False),
        )
    )

    holds = [dial.hold for dial in dials]
    assert [(row.status, row.posted_seconds) for row in holds] == [
        ("posted", 30),
        ("posted", 41),
        ("posted", 0),
        ("voided", 0),
        ("held", 0),
    ]
    assert [row.call_id for row in holds[:3]] == [dial.call_id for dial in dials[:3]]
    assert [row.call_id for row in holds[3:]] == [None, None]
    row = launch.reservation
    assert (row.free_seconds, row.held_seconds, row.posted_seconds) == (469, 60, 71)
    assert (row.charged_seconds, row.charged_micros) == (71, 355_000)
    lines = Transaction.objects.filter(type="consume").order_by("seq")
    assert [(line.seconds, line.amount_micros) for line in lines] == [(30, 150_000), (41, 205_000)]
    assert balances(acme) == (9_400, 529, 71, 0)
    assert audit_ledger() == []
    assert rings.end(10).billed_seconds == 10  # the wallet's numbers go on


def test_leaves_alone_what_is_not_plain(launch: Launch):
    over, voided, billed, fine = (launch.dial() for _number in range(4))
    voided.void()
    billed.end(5)
    calls = [ended(over, 61), ended(voided, 5), ended(billed, 5), ended(Dial(), 5), ended(fine, 5)]

    book = HoldBook([one.attempt_id for one in calls])

    assert [book.charge(one) for one in calls] == [None] * 4 + [Charge(5, 25_000)]
    book.settle(calls[-1], Charge(5, 25_000))
    assert book.charge(calls[-1]) is None  # its end is told twice
    write(book)
    book.written()
    assert book.charge(calls[-1]) is None
    launch.close()
    assert HoldBook([over.attempt_id]).charge(ended(over, 5)) is None


def test_bills_nothing_for_a_machine_where_the_terms_say_so(acme: Client):
    open_wallet(acme, seconds=1_000)
    launch = Launch(acme, 600, terms=Terms(PRICE_MICROS, 1, 0, bills_voicemail=False))
    dial = launch.dial()

    write(noted(ended(dial, 30, is_machine=True)))

    assert balances(acme) == (400, 600, 0, 0)
    assert dial.hold.status == "posted"


def test_gives_way_to_whoever_was_quicker_with_a_hold(acme: Client, launch: Launch):
    first, second, _rings = (launch.dial() for _number in range(3))
    book = noted(ended(first, 30), ended(second, 30))
    first.void()
    before = balances(acme)

    with pytest.raises(Overtaken):
        write(book)

    assert (balances(acme), second.hold.status) == (before, "held")


def test_gives_way_to_a_launch_that_ends(launch: Launch):
    dial = launch.dial()
    book = noted(ended(dial, 30))
    launch.close()

    with pytest.raises(Overtaken):
        write(book)

    assert dial.hold.status == "held"


def test_lets_debt_be_paid_from_what_comes_free(acme: Client):
    """Even by a call that nobody is billed for: its hold comes free."""
    open_wallet(acme, seconds=120)
    launch = Launch(acme, 120)
    indebted, silent = launch.dial(), launch.dial()
    indebted.end(70)

    with pytest.raises(Overtaken):
        write(noted(ended(silent, 0)))

    assert services.consume(
        attempt_id=silent.attempt_id, call_id=silent.call_id, duration_ms=0, now=NOW
    ) == Charge(0, 0)
    assert balances(acme) == (0, 50, 70, 0)


def test_leaves_what_makes_a_balance_low_to_who_tells_of_it(acme: Client):
    open_wallet(acme, seconds=100)
    launch = Launch(acme, 100)

    with pytest.raises(Overtaken):
        write(noted(ended(launch.dial(60), 55)))


def test_spends_the_minutes_that_expire_first(acme: Client, launch: Launch):
    sell(acme, seconds=70, valid_days=30)
    later = Launch(acme, 300, batch_call_id=uuid7())

    write(noted(ended(later.dial(), 40), ended(later.dial(), 50)))

    assert CreditLot.objects.get().spent_seconds == 70
    assert audit_ledger() == []
