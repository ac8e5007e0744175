"""Parts of a payment paid back: what nobody used, for its share, never more than was paid, never twice."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from audit.models import AuditLog
from billing import services
from billing.invariants import audit_ledger
from billing.ledger import Overtaken
from billing.models import CreditLot, Invoice, Payment, Repayment, Transaction, Wallet
from billing.rules import share_micros
from billing.services import repayments
from convomono.lib.ids import uuid7
from tests.billing.test_once import in_threads, kinds
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet, sell

LATER = NOW + timedelta(days=40)


@pytest.fixture
def wallet(acme):
    return open_wallet(acme)


def bought(client, seconds=600, micros=1_000_000, **term) -> Payment:
    line = services.purchase(
        client=client,
        seconds=seconds,
        amount_micros=micros,
        method="bank",
        reference=uuid7().hex,
        actor=TESTS,
        now=NOW,
        **term,
    )
    assert line.payment_id is not None
    return Payment.objects.get(pk=line.payment_id)


def repay(payment, seconds, **other):
    asked = {"reason": "Unused", "key": uuid7(), "actor": TESTS, "now": NOW, **other}
    return services.repay(payment=payment, seconds=seconds, **asked)


def again(payment) -> Payment:
    return Payment.objects.get(pk=payment.pk)


# -- How much --------------------------------------------------------------------------------------


@given(amount=st.integers(0, 10**13), whole=st.integers(1, 10**9), share=st.fractions(0, 1))
def test_rounds_a_share_half_to_even(amount, whole, share):
    part = int(whole * share)

    got = share_micros(amount_micros=amount, part_seconds=part, whole_seconds=whole)

    assert got == round(Fraction(amount * part, whole))


@pytest.mark.parametrize(("part", "micros"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3)])
def test_rounds_halves_to_the_even_micro(part, micros):
    assert share_micros(amount_micros=3, part_seconds=part, whole_seconds=6) == micros


# -- One part --------------------------------------------------------------------------------------


def test_pays_back_what_nobody_used_once(wallet, acme):
    payment = bought(acme)
    launch = Launch(acme, 200)
    launch.dial(200).end(200)
    key = uuid7()

    line = repay(payment, 300, key=key)

    assert repay(payment, 300, key=key) == line
    assert balances(acme) == (100, 0, 200, 0)
    assert (line.type, line.seconds, line.amount_micros) == ("reverse", 300, 500_000)
    assert line.corrects_id == Transaction.objects.get(type="purchase").pk
    assert (again(payment).status, again(payment).repaid_seconds) == ("paid", 300)
    assert AuditLog.objects.filter(action="payment.partly_refunded").count() == 1
    assert audit_ledger(now=NOW) == []


def test_refuses_more_than_is_unused_and_writes_nothing(wallet, acme):
    payment = bought(acme)
    Launch(acme, 250)
    before = balances(acme), Transaction.objects.count()

    with pytest.raises(services.RepaymentTooLarge) as refused:
        repay(payment, 351)

    assert refused.value.unused_seconds == 350
    assert (balances(acme), Transaction.objects.count()) == before
    assert not Repayment.objects.exists()
    assert not Invoice.objects.filter(kind="credit_note").exists()


@pytest.mark.parametrize("other", [{"seconds": 61}, {"reason": "Other"}])
def test_refuses_another_repayment_of_the_same_form(wallet, acme, other):
    payment, key = bought(acme), uuid7()
    repay(payment, 60, key=key)

    with pytest.raises(services.KeyReused):
        repay(payment, **{"seconds": 60, "key": key, **other})
    with pytest.raises(services.KeyReused):
        repay(bought(acme), 60, key=key)
    assert again(payment).repaid_seconds == 60


def test_pays_back_nothing_without_a_reason_or_for_no_second(wallet, acme):
    payment = bought(acme)
    with pytest.raises(services.ReasonMissing):
        repay(payment, 60, reason="  ")
    for seconds in (0, -1):
        with pytest.raises(ValueError, match="some seconds"):
            repay(payment, seconds)


def test_pays_back_nothing_of_what_was_never_paid(wallet, acme):
    awaited = services.await_payment(
        client=acme, seconds=60, amount_micros=5, method="bank", reference="R", actor=TESTS, now=NOW
    )
    sell(acme, seconds=600)

    with pytest.raises(services.PaymentNotPaid):
        repay(awaited, 10)
    assert services.repayable(payment_id=awaited.pk, now=NOW).unused_seconds == 0


# -- Several ---------------------------------------------------------------------------------------


def test_comes_in_sum_to_what_was_paid_and_no_micro_more(wallet, acme):
    payment = bought(acme, seconds=7, micros=1_000_003)
    sell(acme, seconds=1000)  # others' minutes are there, and stay

    lines = [repay(payment, 1) for _ in range(7)]

    assert sum(line.amount_micros for line in lines) == 1_000_003
    assert {line.amount_micros for line in lines} <= {142_857, 142_858}
    assert (again(payment).status, again(payment).repaid_micros) == ("refunded", 1_000_003)
    with pytest.raises(services.PaymentNotPaid):
        repay(payment, 1)
    assert balances(acme) == (1000, 0, 0, 0)
    assert audit_ledger(now=NOW) == []


def test_pays_no_whole_payment_back_after_a_part_of_it(wallet, acme):
    payment = bought(acme)
    sell(acme, seconds=1000)
    repay(payment, 100)

    with pytest.raises(services.PaymentPartlyRepaid):
        services.refund_payment(payment=payment, reason="x", actor=TESTS, now=NOW)
    with pytest.raises(services.RepaymentTooLarge):
        repay(payment, 501)
    repay(payment, 500)

    assert again(payment).status == "refunded"
    assert balances(acme) == (1000, 0, 0, 0)
    assert audit_ledger(now=NOW) == []


def test_pays_no_part_back_after_the_whole(wallet, acme):
    payment = bought(acme)
    sell(acme, seconds=1000)
    services.refund_payment(payment=payment, reason="x", actor=TESTS, now=NOW)

    with pytest.raises(services.PaymentNotPaid):
        repay(payment, 10)
    assert again(payment).repaid_seconds == 600


# -- Minutes that expire ---------------------------------------------------------------------------


def test_takes_the_minutes_of_its_own_lot(wallet, acme):
    short = bought(acme, seconds=100, valid_days=5)
    long = bought(acme, seconds=100, valid_days=30)
    lasting = bought(acme, seconds=100)
    launch = Launch(acme, 60)  # of the soonest to expire
    launch.dial(60).end(60)

    unused = {
        payment.pk: services.repayable(payment_id=payment.pk, now=NOW).unused_seconds
        for payment in (short, long, lasting)
    }

    assert list(unused.values()) == [40, 100, 100]
    repay(lasting, 100)
    repay(long, 30)
    assert [lot.available_seconds for lot in CreditLot.objects.order_by("expires_at")] == [40, 70]
    with pytest.raises(services.RepaymentTooLarge):
        repay(short, 41)
    repay(short, 40)
    assert Wallet.objects.get(client=acme).expiring_seconds == 70
    assert audit_ledger(now=NOW) == []


def test_takes_no_minutes_of_a_lot_for_a_payment_without_a_term(wallet, acme):
    lasting = bought(acme, seconds=100)
    Launch(acme, 60).dial(60).end(60)
    bought(acme, seconds=100, valid_days=30)

    with pytest.raises(services.RepaymentTooLarge) as refused:
        repay(lasting, 41)

    assert refused.value.unused_seconds == 40
    repay(lasting, 40)
    assert CreditLot.objects.get().available_seconds == 100
    assert audit_ledger(now=NOW) == []


def test_pays_back_nothing_that_has_expired(wallet, acme):
    payment = bought(acme, valid_days=30)
    sell(acme, seconds=1000)

    with pytest.raises(services.RepaymentTooLarge):
        repay(payment, 1, now=LATER)  # the sweep has not come yet
    services.expire_lots(now=LATER)
    with pytest.raises(services.RepaymentTooLarge):
        repay(payment, 1, now=LATER)
    assert audit_ledger(now=LATER) == []


def test_pays_back_what_is_left_of_a_lot_of_which_some_expired(wallet, acme):
    payment = bought(acme, valid_days=30)
    launch = Launch(acme, 200)
    services.expire_lots(now=LATER)
    launch.close(now=LATER)

    assert services.repayable(payment_id=payment.pk, now=LATER).unused_seconds == 0


def whole(payment):
    return services.refund_payment(payment=payment, reason="x", actor=TESTS, now=NOW)


def test_pays_no_used_payment_back_out_of_another_payments_minutes(wallet, acme):
    """With the minutes left blank a payment that was used up came back out of a later one's."""
    used = bought(acme, seconds=100, valid_days=5)
    Launch(acme, 60).dial(60).end(60)
    bought(acme, seconds=500, valid_days=30)
    bought(acme, seconds=500)

    with pytest.raises(services.RepaymentTooLarge) as refused:
        whole(used)

    assert refused.value.unused_seconds == 40
    assert (again(used).status, balances(acme)[0]) == ("paid", 1040)


def test_takes_no_minutes_of_a_lot_for_a_whole_payment_without_a_term(wallet, acme):
    lasting = bought(acme, seconds=100)
    lot = bought(acme, seconds=100, valid_days=30)

    whole(lasting)

    assert CreditLot.objects.get(payment=lot).available_seconds == 100
    assert audit_ledger(now=NOW) == []


# -- In writing ------------------------------------------------------------------------------------


def test_writes_a_credit_note_for_each_part(wallet, acme):
    said = {"name": "Bright LLC", "address": "", "tax_number": "", "tax_name": "VAT"}
    services.set_seller(**said, tax_basis_points=1900, actor=TESTS, now=NOW)
    payment = bought(acme, seconds=3, micros=1_000_000)

    for _ in range(3):
        repay(payment, 1)

    invoice = Invoice.objects.get(kind="invoice")
    notes = list(Invoice.objects.filter(kind="credit_note").order_by("part"))
    assert [note.number for note in notes] == [f"CN-2026-0000{n}" for n in (1, 2, 3)]
    assert {note.corrects_number for note in notes} == {invoice.number}
    assert [note.seconds for note in notes] == [1, 1, 1]
    assert sum(note.amount_micros for note in notes) == invoice.amount_micros
    assert sum(note.tax_micros for note in notes) == invoice.tax_micros


def test_writes_no_credit_note_of_what_was_free(wallet, acme):
    services.grant(clients=[acme], seconds=60, reason="x", key=uuid7(), actor=TESTS, now=NOW)

    line = repay(Payment.objects.get(), 30)

    assert line.amount_micros == 0
    assert not Invoice.objects.exists()
    assert audit_ledger(now=NOW) == []


# -- At once ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_never_pays_back_more_than_was_paid_in_a_race():
    client = ClientFactory.create()
    open_wallet(client, seconds=100_000)
    payment = bought(client, seconds=100, micros=999_999)

    results = in_threads(lambda _number: repay(payment, 30), range(16))

    assert kinds(results) == {"Transaction", "RepaymentTooLarge"}
    assert sum(isinstance(one, Transaction) for one in results) == 3
    assert (again(payment).repaid_seconds, again(payment).status) == (90, "paid")
    assert Repayment.objects.count() == Invoice.objects.filter(kind="credit_note").count() == 3
    assert balances(client)[0] == 100_010
    assert audit_ledger(now=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_pays_one_form_back_once_in_a_race():
    client = ClientFactory.create()
    open_wallet(client)
    payment, key = bought(client), uuid7()

    results = in_threads(lambda _number: repay(payment, 30, key=key), range(16))

    assert len({one.pk for one in results}) == 1
    assert again(payment).repaid_seconds == 30
    assert audit_ledger(now=NOW) == []


@pytest.mark.django_db(transaction=True)
def test_never_falls_below_zero_beside_launches():
    client = ClientFactory.create()
    open_wallet(client)
    payment = bought(client, seconds=600)

    def work(number):
        return Launch(client, 60) if number % 2 else repay(payment, 60)

    results = in_threads(work, range(24))

    assert kinds(results) <= {"Launch", "Transaction", "RepaymentTooLarge", "InsufficientCredits"}
    assert balances(client)[0] == 0
    done = [one for one in results if isinstance(one, Transaction | Launch)]
    assert len(done) == 10
    assert audit_ledger(now=NOW) == []


def test_is_undone_when_another_part_was_paid_back_since_it_was_judged(wallet, acme, monkeypatch):
    """What the compare-and-set is for: without it the second part would count for the first."""
    payment = bought(acme)
    stale = services.repayable(payment_id=payment.pk, now=NOW)
    repay(payment, 500)
    looks = iter([stale])
    fresh = services.repayable
    monkeypatch.setattr(
        repayments, "repayable", lambda **about: next(looks, None) or fresh(**about)
    )

    with pytest.raises((services.RepaymentTooLarge, Overtaken)):
        repay(payment, 500)

    assert again(payment).repaid_seconds == 500
    assert balances(acme)[0] == 100


# -- The audit -------------------------------------------------------------------------------------


def test_names_a_payment_that_says_otherwise_than_its_parts(wallet, acme):
    payment = bought(acme)
    repay(payment, 60)
    Payment.objects.filter(pk=payment.pk).update(repaid_seconds=61)

    (found,) = audit_ledger()

    assert str(found).startswith("L1 Acme Dental: payment")


def test_names_a_part_without_its_line_and_a_line_without_its_part(wallet, acme):
    payment = bought(acme)
    repay(payment, 60)
    Repayment.objects.all().delete()

    found = [str(one) for one in audit_ledger()]

    assert any("lines pay back" in one for one in found)
    assert any("is not what the ledger says" in one for one in found)
