"""Payments with their states, refunds of calls, grants, and movements that need a second person."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from audit.models import AuditLog
from billing import services
from billing.invariants import audit_ledger
from billing.models import CreditRequest, Payment, Transaction
from billing.rules import Terms, needs_second_person, refund_micros
from convomono.lib.ids import uuid7
from tests.factories.accounts import UserFactory
from tests.factories.billing import (
    NOW,
    TESTS,
    Launch,
    balances,
    know_call,
    open_wallet,
    sell,
)

BY: dict[str, Any] = {"actor": TESTS, "now": NOW}


@pytest.fixture
def wallet(acme):
    return open_wallet(acme, seconds=1000)


@pytest.fixture
def awaited(wallet, acme):
    return services.await_payment(
        client=acme, seconds=600, amount_micros=3_000_000, method="bank", reference="INV-9", **BY
    )


# -- Payments --------------------------------------------------------------------------------------


def test_brings_no_minutes_before_it_is_paid_and_then_once(awaited, acme):
    assert balances(acme) == (1000, 0, 0, 0)
    assert audit_ledger() == []

    assert services.settle_payment(payment=awaited, **BY) == services.settle_payment(
        payment=awaited, **BY
    )

    assert balances(acme) == (1600, 0, 0, 0)
    awaited.refresh_from_db()
    assert (awaited.status, awaited.paid_at) == ("paid", NOW)
    with pytest.raises(services.PaymentNotPending):
        services.fail_payment(payment=awaited, **BY)
    assert audit_ledger() == []


def test_never_brings_the_minutes_of_a_payment_that_failed(awaited, acme):
    for _ in range(2):
        assert services.fail_payment(payment=awaited, **BY).status == "failed"

    with pytest.raises(services.PaymentNotPending):
        services.settle_payment(payment=awaited, **BY)
    with pytest.raises(services.PaymentNotPaid):
        services.refund_payment(payment=awaited, reason="x", **BY)
    assert balances(acme) == (1000, 0, 0, 0)
    assert audit_ledger() == []


def test_notes_an_awaited_payment_once_and_sells_nothing_else_under_its_reference(awaited, acme):
    def again(**other):
        asked = {"seconds": 600, "amount_micros": 3_000_000, "method": "bank", **other}
        return services.await_payment(client=acme, reference="INV-9", **asked, **BY)

    assert again() == awaited
    for other in ({"seconds": 1}, {"amount_micros": 1}, {"method": "card"}, {"key": uuid7()}):
        with pytest.raises(services.KeyReused):
            again(**other)


def test_takes_the_minutes_of_a_payment_back_once(wallet, acme):
    paid = Payment.objects.get()
    line = services.refund_payment(payment=paid, reason="Cancelled", **BY)

    assert services.refund_payment(payment=paid, reason="Cancelled", **BY) == line
    assert balances(acme) == (0, 0, 0, 0)
    assert (line.type, line.seconds, line.amount_micros) == ("reverse", 1000, 10_000_000)
    assert line.corrects_id == Transaction.objects.get(type="purchase").pk
    assert audit_ledger() == []


def test_pays_nothing_back_that_was_used_or_is_reserved(wallet, acme):
    launch = Launch(acme, 300)
    with pytest.raises(services.RepaymentTooLarge) as refused:
        services.refund_payment(payment=Payment.objects.get(), reason="x", **BY)
    assert refused.value.unused_seconds == 700
    assert Payment.objects.get().status == "paid"
    launch.close()

    services.refund_payment(payment=Payment.objects.get(), reason="x", **BY)

    assert balances(acme) == (0, 0, 0, 0)


def test_grants_each_client_once(wallet, acme, rival):
    open_wallet(rival)
    key = uuid7()
    give = partial(services.grant, seconds=300, reason="Outage", key=key, **BY)

    first = give(clients=[acme])
    both = give(clients=[acme, rival])  # after a crash between the two

    assert both[0] == first[0]
    assert (balances(acme)[0], balances(rival)[0]) == (1300, 300)
    assert {row.amount_micros for row in both} == {0}
    assert audit_ledger() == []


# -- Refunds of calls ------------------------------------------------------------------------------


@pytest.fixture
def call(wallet, acme):
    dial = Launch(acme, 300).dial(120)
    dial.end(90)
    return dial


def refund(client, call, **asked):
    return services.refund_call(client_id=client.pk, call_id=call.call_id, **asked, **BY)


def test_gives_back_a_part_and_then_the_rest_of_a_charge(call, acme):
    part = refund(acme, call, seconds=30, reason="Bad line")
    rest = refund(acme, call, seconds=None, reason="All of it")

    assert (part.seconds, part.amount_micros) == (30, 150_000)
    assert (rest.seconds, rest.amount_micros) == (60, 300_000)
    assert balances(acme) == (790, 210, 0, 0)
    assert part.corrects_id == Transaction.objects.get(type="consume").pk
    assert audit_ledger() == []
    with pytest.raises(services.RefundTooLarge):
        refund(acme, call, seconds=None, reason="More")


def test_refunds_once_per_reason_however_it_is_written(call, acme):
    first = refund(acme, call, seconds=30, reason="Bad line")

    assert refund(acme, call, seconds=30, reason="  bad   LINE ") == first
    for other in (31, None):  # "all that is left" is another amount, and gave nothing back
        with pytest.raises(services.KeyReused):
            refund(acme, call, seconds=other, reason="Bad line")
    whole = refund(acme, call, seconds=None, reason="The rest")
    assert refund(acme, call, seconds=None, reason="The rest") == whole
    assert balances(acme)[2] == 0
    assert AuditLog.objects.filter(action="call.refunded").count() == 2


@pytest.mark.parametrize("seconds", [91, 10**12])
def test_never_gives_back_more_than_the_call_cost(call, acme, seconds):
    with pytest.raises(services.RefundTooLarge) as refused:
        refund(acme, call, seconds=seconds, reason="Bad line")

    assert refused.value.left_seconds == 90
    assert not Transaction.objects.filter(type="refund").exists()


@pytest.mark.parametrize("seconds", [0, -1])
def test_refunds_no_nothing(call, acme, seconds):
    with pytest.raises(ValueError, match="refund"):
        refund(acme, call, seconds=seconds, reason="Bad line")


def test_refunds_no_call_of_another_client_and_none_without_a_reason(call, acme, rival):
    open_wallet(rival, seconds=500)

    with pytest.raises(services.NotCharged):
        refund(rival, call, seconds=1, reason="Mine?")
    with pytest.raises(services.ReasonMissing):
        refund(acme, call, seconds=1, reason="  ")
    assert balances(rival) == (500, 0, 0, 0)


def test_pays_debt_with_what_it_gives_back(acme):
    open_wallet(acme, seconds=60)
    dial = Launch(acme, 60).dial()
    dial.end(100)
    assert balances(acme) == (0, 0, 100, 40)

    refund(acme, dial, seconds=None, reason="Cut too late")

    assert balances(acme) == (60, 0, 0, 0)
    assert audit_ledger() == []


def test_leaves_no_micro_behind_when_the_last_second_goes_back():
    money = {"left_micros": 333_334, "price_per_minute_micros": 200_000}

    assert refund_micros(seconds=100, left_seconds=100, **money) == 333_334
    assert refund_micros(seconds=1, left_seconds=100, **money) == 3_333
    assert refund_micros(seconds=99, left_seconds=100, **money) == 330_000
    capped = {**money, "left_micros": 5}
    assert refund_micros(seconds=99, left_seconds=100, **capped) == 5


# -- Voicemail -------------------------------------------------------------------------------------


def consume(dial, *, is_machine):
    know_call(dial, 20, is_machine=is_machine)
    return services.consume(
        attempt_id=dial.attempt_id,
        call_id=dial.call_id,
        duration_ms=20_000,
        is_machine=is_machine,
        now=NOW,
    )


FREE = Terms(300_000, bills_voicemail=False)


@pytest.mark.parametrize("knows_at_once", [True, False])
def test_bills_no_voicemail_where_the_price_says_so_whenever_it_is_known(
    wallet, acme, knows_at_once
):
    launch = Launch(acme, 300, terms=FREE)
    dial = launch.dial()

    charge = consume(dial, is_machine=knows_at_once)
    if not knows_at_once:
        assert charge.billed_seconds == 20
        for _ in range(2):
            charge = services.forgive_machine(
                attempt_id=dial.attempt_id, call_id=dial.call_id, now=NOW
            )
    launch.close()

    assert (charge.billed_seconds, charge.client_cost_micros) == (0, 0)
    assert balances(acme) == (1000, 0, 0, 0)
    assert audit_ledger() == []


def test_bills_voicemail_where_the_price_says_so(wallet, acme):
    dial = Launch(acme, 300).dial()

    assert consume(dial, is_machine=True).billed_seconds == 20
    assert (
        services.forgive_machine(attempt_id=dial.attempt_id, call_id=dial.call_id, now=NOW) is None
    )


def test_keeps_the_terms_of_a_running_launch_when_the_price_changes(wallet, acme):
    launch = Launch(acme, 300)
    services.change_rate(client=acme, terms=FREE, actor=TESTS, now=NOW + timedelta(hours=1))

    assert consume(launch.dial(), is_machine=True).billed_seconds == 20


# -- The price book --------------------------------------------------------------------------------


def test_holds_a_later_price_back_until_it_begins(wallet, acme):
    later = NOW + timedelta(days=1)
    rate = services.change_rate(client=acme, terms=Terms(1), starts_at=later, **BY)

    assert services.change_rate(client=acme, terms=Terms(1), starts_at=later, **BY) == rate
    assert services.current_rate(client=acme, now=NOW).price_per_minute_micros == 300_000
    wallet.refresh_from_db()
    assert wallet.price_per_minute_micros == 300_000
    assert audit_ledger(now=NOW) == []

    assert services.show_due_rates(now=later) == 1
    assert services.show_due_rates(now=later) == 0
    wallet.refresh_from_db()
    assert wallet.price_per_minute_micros == 1
    assert audit_ledger(now=later + timedelta(hours=1)) == []


def test_takes_back_a_price_that_has_not_begun_and_no_other(wallet, acme):
    later = NOW + timedelta(days=1)
    rate = services.change_rate(client=acme, terms=Terms(1), starts_at=later, **BY)

    with pytest.raises(services.RateInForce):
        services.withdraw_rate(rate=rate, actor=TESTS, now=later)
    for _ in range(2):
        services.withdraw_rate(rate=rate, **BY)

    assert [row.price_per_minute_micros for row in services.price_book(client=acme)] == [300_000]
    with pytest.raises(services.RateInPast):
        services.change_rate(
            client=acme, terms=Terms(1), starts_at=NOW - timedelta(seconds=1), **BY
        )


# -- Two people ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "limit", "needs"),
    [(61, 60, True), (60, 60, False), (-61, 60, True), (99, 0, False)],
)
def test_knows_what_needs_a_second_person(seconds, limit, needs):
    assert needs_second_person(amount=seconds, limit=limit) is needs


def ask(client, person, kind="adjust", seconds=500, **details):
    return services.ask_credit(
        client=client,
        kind=kind,
        seconds=seconds,
        details={"reason": "Big", **details},
        key=uuid7(),
        actor=person,
        now=NOW,
    )


@pytest.fixture
def other(db):
    return UserFactory.create(email="sue@convomono.test", role="super_admin")


def test_moves_nothing_before_another_person_approves_and_then_once(wallet, acme, root, other):
    row = ask(acme, root)

    with pytest.raises(services.OwnRequest):
        services.approve_credit(request_id=row.pk, actor=root, now=NOW)
    assert balances(acme)[0] == 1000
    for _ in range(2):
        services.approve_credit(request_id=row.pk, actor=other, now=NOW)

    assert balances(acme)[0] == 1500
    row.refresh_from_db()
    assert (row.status, row.decided_by_email) == ("approved", other.email)
    with pytest.raises(services.RequestDecided):
        services.refuse_credit(request_id=row.pk, actor=other, now=NOW)


def test_moves_nothing_after_a_refusal(wallet, acme, root, other):
    row = ask(acme, root)
    for _ in range(2):
        services.refuse_credit(request_id=row.pk, actor=root, now=NOW)

    with pytest.raises(services.RequestDecided):
        services.approve_credit(request_id=row.pk, actor=other, now=NOW)
    assert balances(acme)[0] == 1000


def test_keeps_waiting_when_the_movement_itself_is_refused(wallet, acme, root, other):
    row = ask(acme, root, seconds=-5000)

    with pytest.raises(services.InsufficientCredits):
        services.approve_credit(request_id=row.pk, actor=other, now=NOW)
    row.refresh_from_db()
    assert row.status == "waiting"
    assert not AuditLog.objects.filter(action="credit.approved").exists()


def test_makes_each_kind_of_movement(call, acme, root, other):
    sell(acme, seconds=200, reference="BACK")
    back = str(Payment.objects.get(reference="BACK").pk)
    kinds = {
        "sell": ask(acme, root, "sell", 100, method="bank", reference="BIG-1"),
        "grant": ask(acme, root, "grant", 10, grant_key=str(uuid7())),
        "refund": ask(acme, root, "refund", 40, call_id=str(call.call_id)),
        "reverse": ask(acme, root, "reverse", -200, payment_id=back),
    }
    for row in kinds.values():
        services.approve_credit(request_id=row.pk, actor=other, now=NOW)

    assert balances(acme) == (700 + 200 + 100 + 10 + 40 - 200, 210, 50, 0)
    assert not CreditRequest.objects.filter(status="waiting").exists()
    assert audit_ledger() == []


def test_asks_once_per_form(wallet, acme, rival, root):
    row = ask(acme, root)
    same = {"client": acme, "kind": "adjust", "key": row.pk, "actor": root, "now": NOW}

    assert services.ask_credit(seconds=500, details=row.details, **same) == row
    for other in ({"seconds": 501}, {"details": {"reason": "Another"}}, {"client": rival}):
        with pytest.raises(services.KeyReused):
            services.ask_credit(**{"seconds": 500, "details": row.details, **same, **other})
