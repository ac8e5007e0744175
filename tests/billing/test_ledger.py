"""The directed cases of the ledger: each amount stands in each column where it belongs."""

from __future__ import annotations

import pytest

from billing import services
from billing.ledger import Overtaken, once, post_consumed
from billing.models import CallHold, Transaction, Wallet
from billing.rules import Terms
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Dial, Launch, balances, open_wallet, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def launch(acme):
    """Acme bought 1,000 seconds and reserved 300 of them."""
    open_wallet(acme, seconds=1000)
    return Launch(acme, 300)


def columns(launch):
    row = launch.reservation
    return row.free_seconds, row.held_seconds, row.posted_seconds, row.released_seconds


def keys(client):
    lines = Transaction.objects.filter(client=client).order_by("seq")
    return [line.key.split(":")[0] for line in lines]


def test_sells_minutes(acme, alice):
    open_wallet(acme)

    line = sell(acme, seconds=600)

    assert balances(acme) == (600, 0, 0, 0)
    assert (line.seq, line.balance_after_seconds, line.funding_delta) == (1, 600, -600)


def test_reserves_for_a_launch_at_the_price_in_force(launch, acme):
    assert balances(acme) == (700, 300, 0, 0)
    assert columns(launch) == (300, 0, 0, 0)
    assert launch.reservation.price_per_minute_micros == 300_000


def test_adds_a_further_part_to_a_reservation(launch, acme):
    services.reserve(
        client_id=acme.pk,
        batch_call_id=launch.batch_call_id,
        campaign_id=launch.campaign_id,
        seconds=200,
        part=2,
        actor=TESTS,
        now=NOW,
    )

    assert balances(acme) == (500, 500, 0, 0)
    assert columns(launch) == (500, 0, 0, 0)
    assert launch.reservation.granted_seconds == 500


def test_reserves_nothing_above_what_is_available(launch, acme):
    with pytest.raises(services.InsufficientCredits) as refused:
        Launch(acme, 701)

    assert (refused.value.available_seconds, refused.value.needed_seconds) == (700, 701)
    assert balances(acme) == (700, 300, 0, 0)


def test_consumes_what_was_talked_and_gives_the_rest_of_the_hold_back(launch, acme):
    dial = launch.dial(120)
    assert columns(launch) == (180, 120, 0, 0)

    charge = dial.end(44.2)

    assert charge == services.Charge(billed_seconds=45, client_cost_micros=225_000)
    assert columns(launch) == (255, 0, 45, 0)
    assert balances(acme) == (700, 255, 45, 0)
    assert dial.hold.status == CallHold.Status.POSTED


def test_bills_a_call_that_never_connected_nothing_and_writes_no_line(launch, acme):
    dial = launch.dial()

    assert dial.end(0) == services.Charge(0, 0)
    assert dial.end(0) == services.Charge(0, 0)
    assert columns(launch) == (300, 0, 0, 0)
    assert keys(acme) == ["purchase", "reserve"]


def test_lets_an_over_run_take_what_the_launch_has_free(launch, acme):
    dial = launch.dial(60)

    dial.end(100)

    assert columns(launch) == (200, 0, 100, 0)
    assert balances(acme) == (700, 200, 100, 0)


def test_lets_an_over_run_then_take_what_is_available(launch, acme):
    dial = launch.dial(60)

    dial.end(400)

    assert columns(launch) == (0, 0, 300, 0)
    assert balances(acme) == (600, 0, 400, 0)


def test_turns_the_rest_of_an_over_run_into_debt_that_stops_reserving_and_dialling(launch, acme):
    other = Launch(acme, 600)
    dial = launch.dial(60)

    charge = dial.end(500)

    assert charge.billed_seconds == 500
    assert balances(acme) == (0, 600, 500, 100)
    assert not services.can_hold(batch_call_id=other.batch_call_id)
    with pytest.raises(services.ReservationEmpty):
        other.dial()
    with pytest.raises(services.InsufficientCredits):
        Launch(acme, 1)


@pytest.fixture
def debt(launch, acme):
    """Acme owes 100 seconds, and another launch has 540 free and one dial of 60."""
    other = Launch(acme, 600)
    over_run, live = launch.dial(60), other.dial(60)
    over_run.end(500)
    assert balances(acme) == (0, 600, 500, 100)
    return other, live


def test_pays_debt_from_a_purchase(debt, acme):
    sell(acme, seconds=130)

    assert balances(acme) == (30, 600, 500, 0)
    assert keys(acme)[-2:] == ["purchase", "repay"]


def test_pays_debt_from_a_correction(debt, acme):
    services.adjust(client=acme, seconds=70, reason="Goodwill", key="1", actor=TESTS, now=NOW)

    assert balances(acme) == (0, 600, 500, 30)


def test_pays_debt_from_a_voided_hold(debt, acme):
    other, live = debt

    live.void()

    assert balances(acme) == (0, 540, 500, 40)
    assert columns(other) == (540, 0, 0, 60)


def test_pays_debt_from_the_rest_of_a_hold(debt, acme):
    other, live = debt

    live.end(10)

    assert balances(acme) == (0, 540, 510, 50)
    assert columns(other) == (540, 0, 10, 50)


def test_pays_debt_from_a_release_and_keeps_the_rest_available(debt, acme):
    other, _live = debt

    other.close()

    assert balances(acme) == (440, 60, 500, 0)
    assert columns(other) == (0, 60, 0, 540)


def test_bills_a_call_once_whatever_a_repeat_says(launch, acme):
    dial = launch.dial(120)
    first = dial.end(45)

    assert dial.end(45) == first
    assert dial.end(90) == services.Charge(45, 225_000)
    assert dial.end(0).billed_seconds == 45
    assert balances(acme) == (700, 255, 45, 0)


def test_bills_an_attempt_for_one_call_only(launch):
    dial = launch.dial()
    dial.end(10)

    with pytest.raises(services.KeyReused):
        Dial(attempt_id=dial.attempt_id).end(10)
    other = launch.dial()
    with pytest.raises(services.KeyReused):
        Dial(other.attempt_id, dial.call_id).end(10)


def test_bills_nothing_for_an_attempt_that_never_held(launch):
    with pytest.raises(services.HoldMissing):
        Dial().end(10)


def test_releases_what_is_free_when_the_launch_ends_and_closes_when_nothing_is_held(launch, acme):
    ends, is_voided, expires = launch.dial(), launch.dial(), launch.dial()
    launch.close()

    assert balances(acme) == (820, 180, 0, 0)
    assert launch.reservation.status == "closing"
    ends.end(20)
    assert balances(acme) == (860, 120, 20, 0)
    is_voided.void()
    assert balances(acme) == (920, 60, 20, 0)
    assert launch.reservation.status == "closing"
    assert services.expire_holds(now=expires.hold.expires_at) == 1
    assert balances(acme) == (980, 0, 20, 0)
    assert launch.reservation.status == "closed"
    assert columns(launch) == (0, 0, 20, 280)


def test_closes_once(launch, acme):
    launch.close()
    launch.close()

    assert balances(acme) == (1000, 0, 0, 0)
    assert keys(acme) == ["purchase", "reserve", "release"]
    services.close_reservation(batch_call_id=uuid7(), now=NOW)


def test_holds_and_reserves_nothing_once_the_launch_is_over(launch, acme):
    launch.dial()
    launch.close()

    assert not services.can_hold(batch_call_id=launch.batch_call_id)
    with pytest.raises(services.ReservationEmpty):
        launch.dial()
    with pytest.raises(services.ReservationEnded):
        services.reserve(
            client_id=acme.pk,
            batch_call_id=launch.batch_call_id,
            campaign_id=launch.campaign_id,
            seconds=10,
            part=2,
            actor=TESTS,
            now=NOW,
        )


def test_changes_nothing_by_a_void_after_the_post(launch, acme):
    dial = launch.dial()
    dial.end(30)

    assert dial.void() is False
    assert balances(acme) == (700, 270, 30, 0)


@pytest.mark.parametrize("is_over", [False, True])
def test_bills_a_call_that_turns_up_after_its_hold_was_let_go(launch, acme, is_over):
    dial = launch.dial()
    dial.void()
    if is_over:
        launch.close()

    assert dial.end(30).billed_seconds == 30
    assert dial.end(30).billed_seconds == 30

    assert balances(acme) == ((970, 0, 30, 0) if is_over else (700, 270, 30, 0))
    assert dial.hold.status == CallHold.Status.VOIDED
    with pytest.raises(services.KeyReused):
        Dial(dial.attempt_id).end(30)


def test_keeps_the_first_word_on_a_call_that_turns_up_late_and_unconnected(launch, acme):
    dial = launch.dial()
    dial.void()

    assert dial.end(0) == services.Charge(0, 0)
    assert dial.end(30) == services.Charge(0, 0)
    assert balances(acme) == (700, 300, 0, 0)


def test_voids_once_and_only_what_was_held(launch, acme):
    dial = launch.dial()

    assert dial.void() is True
    assert dial.void() is False
    assert Dial().void() is False
    assert columns(launch) == (300, 0, 0, 0)


def test_expires_only_holds_that_are_overdue(launch):
    dial = launch.dial(60)

    assert services.expire_holds(now=NOW) == 0
    assert services.expire_holds(now=dial.hold.expires_at) == 1
    assert services.expire_holds(now=dial.hold.expires_at) == 0
    assert dial.hold.status == CallHold.Status.EXPIRED


def test_gives_an_attempt_the_same_hold_again_and_keeps_it_alive(launch):
    dial = launch.dial(60)
    again = NOW.replace(hour=18)

    row = services.hold(
        attempt_id=dial.attempt_id,
        batch_call_id=launch.batch_call_id,
        max_call_seconds=60,
        now=again,
    )

    assert row.pk == dial.hold.pk
    assert dial.hold.expires_at > again
    assert columns(launch) == (240, 60, 0, 0)


def test_never_gives_a_resolved_hold_again(launch):
    dial = launch.dial()
    dial.void()

    with pytest.raises(services.HoldResolved):
        services.hold(
            attempt_id=dial.attempt_id,
            batch_call_id=launch.batch_call_id,
            max_call_seconds=60,
            now=NOW,
        )


def test_holds_what_is_left_but_never_less_than_a_minute(launch):
    launch.dial(210)

    assert launch.dial(300).hold.seconds == 90
    with pytest.raises(services.ReservationEmpty):
        launch.dial()
    with pytest.raises(services.ReservationEmpty):
        Launch(launch.client, 59).dial()


def test_keeps_the_price_of_the_launch_when_the_rate_changes_before_the_end(launch, acme):
    dial = launch.dial()
    later = NOW.replace(minute=30)
    services.change_rate(client=acme, terms=Terms(900_000, 60, 60), actor=TESTS, now=later)

    assert dial.end(10) == services.Charge(10, 50_000)


def test_bills_by_the_increment_and_minimum_of_the_launch(acme):
    open_wallet(acme, seconds=1000)
    dial = Launch(acme, 300, Terms(600_000, 6, 30)).dial()

    assert dial.end(31) == services.Charge(36, 360_000)


def test_numbers_the_lines_of_a_wallet_without_a_gap(launch, acme):
    launch.dial().end(10)
    launch.close()

    lines = Transaction.objects.filter(client=acme).order_by("seq")
    assert [(line.seq, line.balance_after_seconds) for line in lines] == [
        (1, 1000),
        (2, 700),
        (3, 700),
        (4, 990),
    ]
    assert Wallet.objects.get(client=acme).seq == 4


def test_leaves_a_collision_inside_a_block_to_whoever_opened_it(launch):
    """A caught error would have ended a MongoDB transaction already."""

    def lose() -> object:
        raise IntegrityError

    with pytest.raises(IntegrityError), atomic():
        once(find=lambda: None, block=lose)


@pytest.mark.parametrize("change", [{"debt_seconds": 1}, {"reserved_seconds": 0}])
def test_posts_calls_one_by_one_where_a_wallet_has_more_to_say(launch, acme, change):
    wallet = Wallet.of(acme)
    for name, value in change.items():
        setattr(wallet, name, value)
    line = Transaction(client=acme, type=Transaction.Type.CONSUME, seconds=10, consumed_delta=10)
    with pytest.raises(Overtaken):
        post_consumed(wallet, [line])
    assert keys(acme) == ["purchase", "reserve"]


@pytest.mark.parametrize("change", [{"seq": 9}, {"reserved_seconds": 9}])
def test_posts_nothing_together_over_a_wallet_that_somebody_changed_since(launch, acme, change):
    wallet, call = Wallet.objects.get(client=acme), uuid7()
    Wallet.objects.filter(client=acme).update(**change)
    now_there = balances(acme)
    line = Transaction(
        client=acme,
        wallet=wallet,
        key=f"consume:{call}",
        type=Transaction.Type.CONSUME,
        seconds=10,
        reserved_delta=-10,
        consumed_delta=10,
        reservation_id=launch.reservation.pk,
        call_id=call,
        actor_email=TESTS.actor_email,
        created_at=NOW,
    )

    with pytest.raises(Overtaken), atomic():
        post_consumed(wallet, [line])

    assert keys(acme) == ["purchase", "reserve"]
    assert balances(acme) == now_there
