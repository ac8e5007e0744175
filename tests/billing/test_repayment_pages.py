"""The page that pays a client back: preview, a part, the rest, two people, who may, what is refused."""

from __future__ import annotations

import pytest

from billing import services
from billing.invariants import audit_ledger
from billing.models import CreditRequest, Invoice, Payment, Transaction
from convomono.lib.ids import uuid7
from tests.factories.accounts import UserFactory
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet, sell


@pytest.fixture
def payment(acme):
    """Ten minutes for six dollars, of which three are used."""
    open_wallet(acme)
    services.purchase(
        client=acme,
        seconds=600,
        amount_micros=6_000_000,
        method="bank",
        reference="INV-7",
        actor=TESTS,
        now=NOW,
    )
    launch = Launch(acme, 180)
    launch.dial(180).end(180)
    return Payment.objects.get()


@pytest.fixture
def page(acme, payment):
    return f"/agency/clients/{acme.pk}/payments/{payment.pk}/refund/"


@pytest.fixture
def browser(browse, root):
    return browse(root)


def typed(**other):
    return {"key": str(uuid7()), "minutes": "2.50", "reason": "Cancelled", **other}


def text(response):
    return " ".join(response.content.decode().split())


def test_shows_what_is_unused_and_what_a_part_comes_to_before_anything_is_paid(browser, page, acme):
    shown = text(browser.get(page))
    assert "10.00 minutes for $6.00" in shown
    assert "7.00 minutes, worth $4.20" in shown

    preview = browser.post(page, typed(reason="", preview="1"))

    assert preview.status_code == 200
    assert "2.50 minutes come to $1.50." in text(preview)
    assert 'value="2.50"' in text(preview)  # what was typed stays
    assert balances(acme)[0] == 420


def test_pays_a_part_back_once_and_then_the_rest(browser, page, acme, payment):
    form = typed()
    for _twice in range(2):
        assert browser.post(page, form).status_code == 302
    assert balances(acme)[0] == 270
    listed = text(browser.get(f"/agency/clients/{acme.pk}/payments/"))
    assert "2.50 back" in listed and "$1.50 back" in listed and "Paid" in listed
    assert "2.50 minutes back, $1.50: Cancelled" in text(browser.get(page))

    for minutes, said in (("4.51", "Only 4.50 minutes"), ("", "Only 4.50 minutes")):
        refused = browser.post(page, typed(minutes=minutes))
        assert refused.status_code == 422
        assert said in text(refused)
    browser.post(page, typed(minutes="4.5"))

    assert balances(acme)[0] == 0
    notes = Invoice.objects.filter(kind="credit_note").order_by("part")
    assert [note.amount_micros for note in notes] == [1_500_000, 2_700_000]
    assert audit_ledger(now=NOW) == []


def test_pays_all_of_it_back_when_no_minutes_are_typed(browser, acme, rival):
    open_wallet(rival, seconds=600)
    payment = Payment.objects.get()

    browser.post(f"/agency/clients/{rival.pk}/payments/{payment.pk}/refund/", typed(minutes=""))

    assert Payment.objects.get().status == "refunded"
    assert Transaction.objects.get(type="reverse").key == f"reverse:{payment.pk}"
    assert audit_ledger(now=NOW) == []


@pytest.mark.parametrize("minutes", ["-1", "0", "0.001", "lots", "1e9", "7.01"])
def test_refuses_what_makes_no_sense(browser, page, acme, minutes):
    assert browser.post(page, typed(minutes=minutes)).status_code == 422
    assert browser.post(page, typed(minutes=minutes, preview="1")).status_code == 422
    assert balances(acme)[0] == 420


def test_is_for_who_may_bill_and_for_this_clients_payments(
    browse, page, payment, rival, alice, bob
):
    open_wallet(rival)
    seer = UserFactory.create(role="admin", view_finance=True)
    for person in (alice, bob, seer):
        assert browse(person).post(page, typed()).status_code == 403
    other = page.replace(str(payment.client_id), str(rival.pk))
    root = UserFactory.create(role="super_admin")
    assert browse(root).get(other).status_code == 404
    assert not Transaction.objects.filter(type="reverse").exists()


def test_takes_two_people_above_the_limit(browse, root, page, acme, payment, settings):
    settings.CREDIT_APPROVAL_MINUTES = 2
    browser = browse(root)
    form = typed()
    browser.post(page, form)
    asked = CreditRequest.objects.get()
    assert (asked.seconds, asked.amount_micros, asked.status) == (-150, 1_500_000, "waiting")
    assert balances(acme)[0] == 420
    approve = f"/agency/money/requests/{asked.pk}/approve/"
    browser.post(approve)
    assert balances(acme)[0] == 420  # not by who asked

    second = browse(UserFactory.create(role="super_admin"))
    launch = Launch(acme, 300)
    assert "Only 2.00 minutes of the payment are unused" in text(second.post(approve, follow=True))
    launch.close()
    for _twice in range(2):
        second.post(approve)

    assert balances(acme)[0] == 270
    assert Payment.objects.get().repaid_seconds == 150
    assert audit_ledger(now=NOW) == []


def test_pays_nothing_back_of_a_payment_that_was_used_with_the_minutes_blank(
    browser, acme, payment
):
    """Its minutes came out of the ones that another payment had brought."""
    used = sell(acme, seconds=300, valid_days=3650).payment_id
    Launch(acme, 300).dial(300).end(300)
    page = f"/agency/clients/{acme.pk}/payments/{used}/refund/"
    assert "Unused now</dt> <dd> 0.00 minutes" in text(browser.get(page))

    for more in ({}, {"preview": "1"}):
        refused = browser.post(page, typed(minutes="", **more))
        assert refused.status_code == 422, more
        assert "minutes of it are unused" in text(refused)
    assert balances(acme)[0] == 420


def test_says_so_when_all_of_it_was_paid_back_already(browser, page, acme):
    form = typed(minutes="4.5")
    browser.post(page, form)
    rest = typed(minutes="2.5")
    browser.post(page, rest)
    again = typed(minutes="")

    refused = browser.post(page, again)

    assert refused.status_code == 422
    assert "nothing is left of it" in text(refused) or "are unused" in text(refused)


def test_pays_all_back_once_for_two_clicks(browse, root, rival):
    open_wallet(rival)
    services.purchase(
        client=rival, seconds=600, amount_micros=6_000_000, method="bank", reference="INV-8",
        actor=TESTS, now=NOW,
    )  # fmt: skip
    paid = Payment.objects.get(client=rival)
    page = f"/agency/clients/{rival.pk}/payments/{paid.pk}/refund/"
    form = typed(minutes="")

    answers = [browse(root).post(page, form) for _twice in range(2)]

    assert [one.status_code for one in answers] == [302, 422]
    assert "nothing is left of it" in text(answers[1])
    assert Transaction.objects.filter(client=rival, type="refund").count() <= 1
    assert balances(rival)[0] == 0


def test_asks_a_second_person_for_the_part_that_makes_many_a_large_one(browser, page, settings):
    settings.CREDIT_APPROVAL_MINUTES = 2

    browser.post(page, typed(minutes="1.5"))
    assert not CreditRequest.objects.exists()
    browser.post(page, typed(minutes="1.5"))

    assert CreditRequest.objects.count() == 1
