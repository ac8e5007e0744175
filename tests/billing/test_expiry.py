"""Minutes that expire: the soonest first, never a launch's, told before, and each a line of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Notification
from audit.models import AuditLog
from billing import notices, services
from billing.invariants import audit_ledger
from billing.jobs import expire_minutes
from billing.models import BalanceNotice, CreditLot, Transaction, Wallet
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet, sell

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LATER = NOW + 2 * DAY


def expiring(client):
    return Wallet.objects.get(client=client).expiring_seconds


def lot(reference):
    row = CreditLot.objects.get(payment__reference=reference)
    return row.available_seconds, row.spent_seconds, row.expired_seconds


@pytest.fixture
def wallet(acme):
    """A hundred seconds for ever, a hundred for ten days, fifty for one day."""
    open_wallet(acme, seconds=100)
    sell(acme, seconds=100, reference="TEN", valid_days=10)
    return sell(acme, seconds=50, reference="ONE", valid_days=1)


def test_lets_what_nobody_used_expire_once_as_a_line(wallet, acme):
    assert services.expire_lots(now=NOW + DAY - timedelta(milliseconds=1)) == 0
    assert services.expire_lots(now=NOW + DAY) == 50
    assert services.expire_lots(now=LATER) == 0

    assert balances(acme) == (200, 0, 0, 0)
    line = Transaction.objects.get(type="expire")
    assert (line.seconds, line.available_delta, line.expired_delta) == (50, -50, 50)
    assert (line.reason, line.reference_id) == ("Valid for 1 days: ONE", "ONE")
    assert line.payment_id == wallet.payment_id
    assert AuditLog.objects.get(action="wallet.minutes_expired").details["seconds"] == 50
    assert (lot("ONE"), lot("TEN"), expiring(acme)) == ((0, 0, 50), (100, 0, 0), 100)
    assert audit_ledger(now=LATER) == []


def test_uses_the_soonest_to_expire_first(wallet, acme):
    launch = Launch(acme, 120)
    assert (lot("ONE"), lot("TEN")) == ((0, 0, 0), (30, 0, 0))

    launch.dial(60).end(60)
    assert (lot("ONE"), lot("TEN")) == ((0, 50, 0), (30, 10, 0))
    launch.close()

    assert (lot("ONE"), lot("TEN")) == ((0, 50, 0), (90, 10, 0))
    assert (balances(acme), expiring(acme)) == ((190, 0, 60, 0), 90)
    assert audit_ledger() == []


def test_gives_back_what_never_expires_before_what_does(wallet, acme):
    launch = Launch(acme, 200)
    dial = launch.dial(60)

    launch.close()  # of 140 seconds fifty are for ever; the call keeps the soonest to expire

    assert (lot("ONE"), lot("TEN")) == ((0, 0, 0), (90, 0, 0))
    dial.end(60)
    assert (lot("ONE"), lot("TEN")) == ((0, 50, 0), (90, 10, 0))
    assert (balances(acme), expiring(acme)) == ((190, 0, 60, 0), 90)
    assert audit_ledger() == []


def test_takes_nothing_that_a_launch_has_reserved_or_a_dial_holds(wallet, acme):
    launch = Launch(acme, 150)
    dial = launch.dial(60)

    assert services.expire_lots(now=NOW + 20 * DAY) == 0
    assert balances(acme) == (100, 150, 0, 0)
    dial.end(60, now=LATER)

    assert lot("ONE") == (0, 50, 0)
    assert audit_ledger(now=LATER) == []


def test_lets_seconds_that_come_back_into_an_expired_lot_expire_at_once(wallet, acme):
    launch = Launch(acme, 150)
    dial = launch.dial(60)
    services.close_reservation(batch_call_id=launch.batch_call_id, now=LATER)
    assert (balances(acme), lot("TEN")) == ((190, 60, 0, 0), (90, 0, 0))

    dial.end(20, now=LATER)  # thirty of the fifty come back a day too late

    assert lot("ONE") == (0, 20, 30)
    assert lot("TEN") == (100, 0, 0)
    assert (balances(acme), expiring(acme)) == ((200, 0, 20, 0), 100)
    assert audit_ledger(now=LATER) == []


def test_expires_what_comes_back_in_parts_each_as_a_line(wallet, acme):
    launches = [Launch(acme, 20), Launch(acme, 20)]
    services.expire_lots(now=LATER)
    for launch in launches:
        services.close_reservation(batch_call_id=launch.batch_call_id, now=LATER)

    seconds = Transaction.objects.filter(type="expire").order_by("seq").values_list("seconds")
    assert [row[0] for row in seconds] == [10, 20, 20]
    assert audit_ledger(now=LATER) == []


def test_reserves_nothing_that_has_expired_before_the_job_came_round(wallet, acme):
    with pytest.raises(services.InsufficientCredits) as refused:
        Launch(acme, 201, now=LATER)
    assert refused.value.available_seconds == 200

    Launch(acme, 200, now=LATER)

    assert (balances(acme), lot("ONE")) == ((0, 200, 0, 0), (0, 0, 50))
    assert audit_ledger(now=LATER) == []


def test_extends_no_launch_by_what_has_expired(acme):
    open_wallet(acme, seconds=60)
    sell(acme, seconds=90, valid_days=1)
    launch = Launch(acme, 90)
    launch.dial(90)

    def extend(now):
        return services.extend_reservation(
            batch_call_id=launch.batch_call_id, seconds=90, actor=TESTS, now=now
        )

    sell(acme, seconds=30, valid_days=1)
    assert extend(LATER) == 60
    assert balances(acme) == (0, 150, 0, 0)


def test_pays_debt_first_also_from_minutes_that_expire(acme):
    open_wallet(acme, seconds=60)
    Launch(acme, 60).dial().end(100)
    sell(acme, seconds=90, reference="ONE", valid_days=1)

    assert (balances(acme), lot("ONE")) == ((50, 0, 100, 0), (50, 40, 0))
    assert audit_ledger() == []


def test_spends_them_by_a_correction_and_by_an_over_run(wallet, acme):
    services.adjust(client=acme, seconds=-20, reason="Typo", key="1", actor=TESTS, now=NOW)
    assert lot("ONE") == (30, 20, 0)

    Launch(acme, 60).dial().end(75)  # 60 from the launch, 15 from the wallet

    assert (lot("ONE"), lot("TEN")) == ((0, 50, 0), (55, 45, 0))
    assert audit_ledger() == []


def test_gives_refunded_minutes_back_for_ever(wallet, acme):
    dial = Launch(acme, 60).dial()
    dial.end(50)
    services.refund_call(
        client_id=acme.pk, call_id=dial.call_id, seconds=50, reason="Bad line", actor=TESTS, now=NOW
    )
    services.expire_lots(now=LATER)

    assert not Transaction.objects.filter(type="expire").exists()
    assert audit_ledger(now=LATER) == []


def test_takes_a_payments_own_minutes_back_first(wallet, acme):
    payment = CreditLot.objects.get(payment__reference="TEN").payment
    services.refund_payment(payment=payment, reason="Typo", actor=TESTS, now=NOW)

    assert (lot("TEN"), lot("ONE"), expiring(acme)) == ((0, 100, 0), (50, 0, 0), 50)
    assert audit_ledger() == []


@pytest.mark.parametrize("is_swept", [True, False])
def test_pays_nothing_back_whose_minutes_have_expired(wallet, acme, is_swept):
    payment = CreditLot.objects.get(payment__reference="ONE").payment
    if is_swept:
        services.expire_lots(now=LATER)
    lines = Transaction.objects.count()

    with pytest.raises(services.PaymentExpired):
        services.refund_payment(payment=payment, reason="Typo", actor=TESTS, now=LATER)
    assert Transaction.objects.count() == lines


def test_begins_the_term_when_the_payment_comes(acme):
    open_wallet(acme)
    awaited = services.await_payment(
        client=acme,
        seconds=60,
        amount_micros=0,
        method="bank",
        reference="LATE",
        valid_days=3,
        actor=TESTS,
        now=NOW,
    )
    assert not CreditLot.objects.exists()

    services.settle_payment(payment=awaited, actor=TESTS, now=LATER)

    assert CreditLot.objects.get().expires_at == LATER + 3 * DAY


def test_grants_minutes_with_a_term(acme):
    open_wallet(acme)
    for _ in range(2):
        services.grant(
            clients=[acme],
            seconds=60,
            reason="Trial",
            key=acme.pk,
            valid_days=14,
            actor=TESTS,
            now=NOW,
        )

    assert CreditLot.objects.get().expires_at == NOW + 14 * DAY


def test_takes_another_term_for_another_sale(wallet, acme):
    with pytest.raises(services.KeyReused):
        sell(acme, seconds=50, reference="ONE", valid_days=2)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_refuses_a_term_that_makes_no_sense(acme, days):
    open_wallet(acme)
    with pytest.raises(ValueError, match="valid"):
        sell(acme, seconds=50, valid_days=days)


def test_asks_a_wallet_without_terms_for_nothing_more(acme):
    open_wallet(acme, seconds=100)
    with CaptureQueriesContext(connection) as asked:
        launch = Launch(acme, 60)
        launch.dial().end(20)
        launch.close()

    assert asked.captured_queries
    assert not [query for query in asked.captured_queries if "lot" in query["sql"]]


def test_tells_a_client_a_week_and_a_day_before(wallet, acme):
    ten = CreditLot.objects.get(payment__reference="TEN")
    CreditLot.objects.filter(pk=ten.pk).update(expires_at=NOW + 8 * DAY)
    told = []
    for days in (0, 0, 1, 2, 7, 7.5):
        notices.watch_expiries(now=NOW + days * DAY)
        told.append(Notification.objects.filter(title__contains="expire").count())

    assert told == [1, 1, 2, 2, 3, 3]
    first = Notification.objects.order_by("created_at", "pk").first()
    assert first
    assert first.title == "0.83 minutes expire on 24 November, 10:00"  # New York's
    assert BalanceNotice.objects.filter(mailed_at=None).count() == 3


def test_tells_nothing_of_minutes_that_are_used_or_gone(wallet, acme):
    Launch(acme, 150)

    assert notices.watch_expiries(now=NOW) == 0


def test_expires_by_the_job(wallet, acme, monkeypatch):
    monkeypatch.setattr("convomono.lib.clock.now", lambda: LATER)

    assert expire_minutes(anything=1) == 50
    assert expire_minutes() == 0


def test_touches_nobody_else(wallet, acme, rival):
    open_wallet(rival, seconds=10)
    sell(rival, seconds=70, valid_days=90)
    services.expire_lots(now=LATER)

    assert balances(rival) == (80, 0, 0, 0)
    assert audit_ledger(now=LATER) == []


def test_keeps_a_purchase_in_one_piece_when_its_key_comes_again(wallet, acme):
    key = uuid7()
    for _ in range(2):
        services.purchase(
            client=acme,
            seconds=30,
            amount_micros=0,
            method="card",
            reference="AGAIN",
            valid_days=5,
            key=key,
            actor=TESTS,
            now=NOW,
        )

    assert CreditLot.objects.filter(payment_id=key).count() == 1
