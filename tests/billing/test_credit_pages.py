"""The agency's pages for payments, refunds, grants, approvals and the price book."""

from __future__ import annotations

import re

import pytest

from accounts.models import Notification
from billing import jobs, services
from billing.models import CreditRequest, GrantRun, Payment, Rate, Transaction
from convomono.lib import clock
from convomono.lib.ids import uuid7
from tests.factories.accounts import UserFactory
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet

MONEY = "/agency/money/"


@pytest.fixture
def wallet(acme):
    return open_wallet(acme, seconds=600)


@pytest.fixture
def browser(browse, root):
    return browse(root)


def of(client, page):
    return f"/agency/clients/{client.pk}/{page}"


def text(response):
    return response.content.decode()


def sale(**other):
    return {
        "key": str(uuid7()),
        "minutes": "100",
        "amount_usd": "20",
        "method": "bank",
        "reference": "INV-7",
        **other,
    }


def back(**other):
    return {"key": str(uuid7()), "reason": "x", **other}


def test_notes_a_payment_then_marks_it_paid_then_pays_it_back(browser, wallet, acme):
    browser.post(of(acme, "sell/"), sale(is_pending="on"))
    payment = Payment.objects.get(reference="INV-7")
    page = text(browser.get(of(acme, "payments/")))
    assert "Pending" in page and "Mark as paid" in page
    assert balances(acme)[0] == 600

    browser.post(of(acme, f"payments/{payment.pk}/settle/"))
    assert balances(acme)[0] == 6600
    browser.post(of(acme, f"payments/{payment.pk}/fail/"))
    assert Payment.objects.get(pk=payment.pk).status == "paid"

    refused = browser.post(of(acme, f"payments/{payment.pk}/refund/"), back(reason=""))
    assert refused.status_code == 422
    browser.post(of(acme, f"payments/{payment.pk}/refund/"), back(reason="Cancelled"))
    assert balances(acme)[0] == 600
    assert "Refunded" in text(browser.get(of(acme, "payments/")))


def test_says_why_a_payment_can_not_be_paid_back(browser, wallet, acme):
    Launch(acme, 300)
    payment = Payment.objects.get()

    answer = browser.post(of(acme, f"payments/{payment.pk}/refund/"), back())

    assert answer.status_code == 422
    assert "Only 5.00 minutes of it are unused" in text(answer)


def test_finds_no_payment_or_price_of_another_client(browser, wallet, acme, rival):
    open_wallet(rival)
    payment, rate = Payment.objects.get(client=acme), Rate.objects.get(client=acme)

    for page in (f"payments/{payment.pk}/settle/", f"rate/{rate.pk}/withdraw/"):
        assert browser.post(of(rival, page)).status_code == 404


@pytest.fixture
def call(wallet, acme):
    dial = Launch(acme, 300).dial(120)
    dial.end(90)
    return dial


def test_refunds_a_call_from_the_ledger(browser, call, acme):
    address = of(acme, f"charges/{call.call_id}/refund/")
    assert address in text(browser.get(of(acme, "wallet/")))
    assert "1.50 minutes, $0.45" in text(browser.get(address))
    form = {"key": str(uuid7()), "minutes": "0.50", "reason": "Bad line"}

    browser.post(address, form)
    again = browser.post(address, {**form, "minutes": "0.25"})
    too_much = browser.post(address, {**form, "minutes": "9", "reason": "Other"})

    assert Transaction.objects.get(type="refund").seconds == 30
    assert "This reason has refunded this call before" in text(again)
    assert "Only 1.00 minutes are left" in text(too_much)
    assert "0.50 min, $0.15: Bad line" in text(browser.get(address))


@pytest.mark.parametrize("minutes", ["-1", "0", "0.001", "1e400", "nan", "abc", "99999999999"])
def test_refuses_amounts_that_are_none(browser, call, acme, minutes):
    form = {"key": str(uuid7()), "minutes": minutes, "reason": "x", "method": "bank"}

    for page in (f"charges/{call.call_id}/refund/", "sell/", "adjust/"):
        if minutes == "-1" and page == "adjust/":
            continue  # an adjustment may take a minute
        answer = browser.post(of(acme, page), {**form, "reference": "R"})
        assert answer.status_code == 422, page
    assert Transaction.objects.filter(type__in=("refund", "adjust")).count() == 0


def test_sends_a_stranger_to_the_call_back_to_the_wallet(browser, call, rival):
    open_wallet(rival)
    answer = browser.get(of(rival, f"charges/{call.call_id}/refund/"), follow=True)

    assert "was not billed for that call" in text(answer)


def test_grants_several_clients_at_once(browser, wallet, acme, rival):
    open_wallet(rival)
    form = {
        "key": str(uuid7()),
        "clients": [str(acme.pk), str(rival.pk)],
        "minutes": "2",
        "reason": "Outage",
    }
    for _ in range(2):
        browser.post(MONEY + "grant/", form)

    assert (balances(acme)[0], balances(rival)[0]) == (720, 120)
    assert browser.post(MONEY + "grant/", {**form, "minutes": "3"}).status_code == 422
    assert browser.post(MONEY + "grant/", {**form, "clients": []}).status_code == 422


@pytest.fixture
def small_limit(settings):
    settings.CREDIT_APPROVAL_MINUTES = 10


def test_asks_a_second_person_for_what_is_large(browser, browse, small_limit, call, acme, rival):
    open_wallet(rival)
    key = str(uuid7())
    browser.post(of(acme, "sell/"), sale())
    browser.post(of(acme, "adjust/"), {"key": key, "minutes": "-11", "reason": "Typo"})
    browser.post(
        MONEY + "grant/",
        {"key": key, "clients": [acme.pk, rival.pk], "minutes": "6", "reason": "Outage"},
    )
    assert CreditRequest.objects.count() == 2
    run = GrantRun.objects.get()
    assert balances(acme)[0] == 300
    page = text(browser.get(MONEY + "requests/"))
    assert "/approve/" not in page and "/refuse/" in page

    sue = browse(UserFactory.create(email="sue@convomono.test", role="super_admin"))
    for row in CreditRequest.objects.order_by("asked_at", "pk"):
        own = browser.post(f"{MONEY}requests/{row.pk}/approve/", follow=True)
        assert "Somebody else has to approve" in text(own)
        sue.post(f"{MONEY}requests/{row.pk}/approve/")

    sue.post(f"{MONEY}grant/{run.pk}/approve/")
    jobs.grant_minutes(run_id=str(run.pk))

    assert balances(acme)[0] == 300 + 6000 - 660 + 360
    assert "Approved" in text(sue.get(MONEY + "requests/"))


def test_asks_a_second_person_for_much_money_and_tells_of_asking_and_deciding(
    browser, browse, wallet, acme, settings
):
    """A minute for a hundred million dollars passed, and nobody heard of what waited."""
    settings.CREDIT_APPROVAL_DOLLARS = 100
    browser.post(of(acme, "sell/"), {**sale(), "minutes": "1", "amount_usd": "101"})
    (row,) = CreditRequest.objects.all()
    assert balances(acme)[0] == 600
    assert "asks for a second person" in Notification.objects.get(client=None).title

    sue = browse(UserFactory.create(email="sue@convomono.test", role="super_admin"))
    for _twice in range(2):
        sue.post(f"{MONEY}requests/{row.pk}/approve/")

    told = Notification.objects.filter(client=None).order_by("pk").values_list("title", flat=True)
    assert len(told) == 2
    assert "sue@convomono.test approved" in told[1]
    browser.post(of(acme, "sell/"), {**sale(), "reference": "S", "amount_usd": "100"})
    assert CreditRequest.objects.count() == 1


def test_refuses_a_request_and_says_so_when_it_is_too_late(browser, wallet, acme, root):
    row = services.ask_credit(
        client=acme,
        kind="adjust",
        seconds=60,
        details={"reason": "x"},
        key=uuid7(),
        actor=root,
        now=NOW,
    )
    browser.post(f"{MONEY}requests/{row.pk}/refuse/")
    late = browser.post(f"{MONEY}requests/{row.pk}/approve/", follow=True)

    assert balances(acme)[0] == 600
    assert "Somebody else" in text(late)


def test_shows_the_price_book_and_takes_a_later_price_back(browser, wallet, acme):
    address = of(acme, "rate/")
    form = {"price_per_minute": "0.5", "increment_seconds": "30", "minimum_seconds": "6"}
    browser.post(address, {**form, "bills_voicemail": "False", "starts_on": "2099-01-01"})
    later = Rate.objects.latest("effective_from")
    assert (later.increment_seconds, later.bills_voicemail) == (30, False)

    page = text(browser.get(address))
    assert re.search(r"\$0.50.*30 s.*6 s.*Free", page, re.DOTALL)
    assert "In force" in page and "Take back" in page

    past = browser.post(address, {**form, "starts_on": "2020-01-01"})
    assert past.status_code == 422
    taken = browser.post(address, {**form, "minimum_seconds": "0", "starts_on": "2099-01-01"})
    assert "Another price begins then" in text(taken)
    browser.post(of(acme, f"rate/{later.pk}/withdraw/"))
    assert Rate.objects.count() == 1
    kept = browser.post(of(acme, f"rate/{Rate.objects.get().pk}/withdraw/"), follow=True)
    assert "so it stays in the book" in text(kept)


@pytest.mark.parametrize("rows", [1, 20])
def test_lists_payments_and_requests_in_as_many_queries(
    browser, wallet, acme, root, django_assert_num_queries, rows
):
    for number in range(rows):
        services.await_payment(
            client=acme,
            seconds=60,
            amount_micros=1,
            method="bank",
            reference=str(number),
            actor=TESTS,
            now=clock.now(),
        )
        services.ask_credit(
            client=acme, kind="adjust", seconds=60, key=uuid7(), actor=root, now=clock.now()
        )
    browser.get(MONEY + "requests/")

    with django_assert_num_queries(4):
        browser.get(of(acme, "payments/"))
    with django_assert_num_queries(4):
        browser.get(MONEY + "requests/")


def test_keeps_back_the_minutes_of_a_large_sale_until_it_was_paid(
    browser, browse, small_limit, wallet, acme
):
    before = balances(acme)[0]
    browser.post(of(acme, "sell/"), sale(is_pending="on"))
    row = CreditRequest.objects.get()
    page = MONEY + "requests/"
    assert "still to come" in text(browser.get(page))

    sue = browse(UserFactory.create(email="sue@convomono.test", role="super_admin"))
    sue.post(f"{page}{row.pk}/approve/")

    assert balances(acme)[0] == before
    assert Payment.objects.get(reference="INV-7").status == Payment.Status.PENDING


def test_names_the_line_that_a_correction_corrects(
    browser, browse, alice, small_limit, wallet, acme
):
    sue = browse(UserFactory.create(email="sue@convomono.test", role="super_admin"))
    page = text(browser.get(of(acme, "wallet/")))
    assert f"{of(acme, 'adjust/')}?line=1" in page
    assert "Corrected by" not in page
    assert 'value="1"' in text(browser.get(of(acme, "adjust/?line=1")))
    assert browser.get(of(acme, "adjust/?line=x")).status_code == 200

    for minutes in ("-1", "11"):  # the second is large: somebody else makes it
        key = str(uuid7())
        form = {"key": key, "minutes": minutes, "reason": "Typo", "corrects": "1"}
        for _ in range(2):
            browser.post(of(acme, "adjust/"), form)
        other = browser.post(of(acme, "adjust/"), {**form, "corrects": ""})
        assert other.status_code == 422
    row = CreditRequest.objects.get()
    assert "Corrects no. 1" in text(sue.get(MONEY + "requests/"))
    sue.post(f"{MONEY}requests/{row.pk}/approve/")

    first = Transaction.objects.of(acme).get(seq=1)
    assert list(
        Transaction.objects.filter(type="adjust").order_by("seq").values_list("corrects_id")
    ) == [(first.pk,), (first.pk,)]
    assert services.audit_ledger(client_id=acme.pk) == []
    for page in (text(browser.get(of(acme, "wallet/"))), text(browse(alice).get("/app/billing/"))):
        assert page.count("Corrects no. 1 (Purchase)") == 2
        assert "Corrected by no. 2" in page and "Corrected by no. 3" in page


@pytest.mark.parametrize("number", ["2", "0", "-1", "x", "9" * 30])
def test_corrects_no_line_that_is_not_there(browser, wallet, acme, rival, number):
    open_wallet(rival, seconds=60)
    services.adjust(client=rival, seconds=1, reason="x", key="k", actor=TESTS, now=NOW)
    form = {"key": str(uuid7()), "minutes": "1", "reason": "Typo", "corrects": number}

    assert browser.post(of(acme, "adjust/"), form).status_code == 422
    with pytest.raises(services.ForeignLine):
        services.adjust(
            client=acme,
            seconds=1,
            reason="x",
            key="k",
            corrects=Transaction.objects.get(client=rival, seq=2),
            actor=TESTS,
            now=NOW,
        )
    assert not Transaction.objects.filter(client=acme, type="adjust").exists()
