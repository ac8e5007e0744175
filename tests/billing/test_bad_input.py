"""What makes no sense is refused with a sentence, and nothing is written, on every form that moves minutes."""

from __future__ import annotations

import re
from itertools import product

import pytest

from audit.models import AuditLog
from billing import services
from billing.models import CreditRequest, Invoice, Payment, Rate, Statement, Transaction
from billing.rules import Terms
from convomono.lib import clock
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet

AMOUNTS = {
    "negative": "-1",
    "zero": "0",
    "less than a second": "0.001",
    "a fraction of a hundredth": "1.005",
    "huge": "99999999999",
    "beyond every number": "1e400",
    "no number": "nan",
    "infinite": "Infinity",
    "in seconds": "90 s",
    "in hours": "1:30",
    "in another notation": "1.000,50",
    "words": "ten",
    "nothing": " ",
}
COUNTED = (Transaction, Payment, Invoice, CreditRequest, Rate, Statement, AuditLog)


@pytest.fixture
def call(acme):
    open_wallet(acme, seconds=600)
    dial = Launch(acme, 300).dial(120)
    dial.end(90)
    return dial


@pytest.fixture
def browser(browse, root):
    return browse(root)


def of(client, page):
    return f"/agency/clients/{client.pk}/{page}"


def written():
    return [model.objects.count() for model in COUNTED]


def form(client, **other):
    return {
        "key": str(uuid7()),
        "minutes": "1",
        "method": "bank",
        "reference": "R",
        "reason": "x",
        "clients": [str(client.pk)],
        **other,
    }


# A correction may take a minute away, and a refund of nothing typed gives all of the call back.
ALLOWED = {("adjust", "negative"), ("refund", "nothing")}
REFUSED = sorted(set(product(("sell", "adjust", "refund", "grant"), AMOUNTS)) - ALLOWED)


@pytest.mark.parametrize(("page", "name"), REFUSED)
def test_refuses_every_amount_that_is_none(browser, call, acme, page, name):
    address = {
        "refund": of(acme, f"charges/{call.call_id}/refund/"),
        "grant": "/agency/money/grant/",
    }.get(page, of(acme, f"{page}/"))
    before, had = written(), balances(acme)

    answer = browser.post(address, form(acme, minutes=AMOUNTS[name]))

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert (written(), balances(acme)) == (before, had)


@pytest.mark.parametrize("days", ["0", "-3", "1.5", "99999", "a week"])
@pytest.mark.parametrize("page", ["sell", "grant"])
def test_refuses_every_term_that_is_none(browser, call, acme, page, days):
    address = "/agency/money/grant/" if page == "grant" else of(acme, "sell/")
    before = written()

    assert browser.post(address, form(acme, valid_days=days)).status_code == 422
    assert written() == before


def test_refuses_a_second_refund_from_a_page_that_has_grown_stale(browser, call, acme):
    address = of(acme, f"charges/{call.call_id}/refund/")
    mine, theirs = form(acme, reason="Mine"), form(acme, reason="Theirs")

    assert browser.post(address, mine).status_code == 302
    before = written()
    answer = browser.post(address, theirs)  # thirty seconds are left

    assert "Only 0.50 minutes are left of it." in answer.content.decode()
    assert (answer.status_code, written()) == (422, before)
    assert browser.post(address, mine).status_code == 302  # the same again: the same answer
    assert written() == before


def test_refuses_a_decision_from_a_page_that_has_grown_stale(browser, call, acme):
    awaited = services.await_payment(
        client=acme,
        seconds=60,
        amount_micros=1,
        method="bank",
        reference="LATE",
        actor=TESTS,
        now=NOW,
    )
    address = of(acme, f"payments/{awaited.pk}/")
    browser.post(f"{address}fail/")
    before = written()

    answer = browser.post(f"{address}settle/", follow=True)

    assert "This payment has ended already." in answer.content.decode()
    assert written() == before


def test_asks_a_second_person_once_to_pay_back_when_the_form_is_sent_twice(
    browser, call, acme, settings
):
    settings.CREDIT_APPROVAL_MINUTES = 1
    payment = Payment.objects.get()
    twice = {"key": str(uuid7()), "reason": "Cancelled"}
    for _ in range(2):
        assert browser.post(of(acme, f"payments/{payment.pk}/refund/"), twice).status_code == 302

    assert CreditRequest.objects.count() == 1
    other = browser.post(of(acme, f"payments/{payment.pk}/refund/"), {**twice, "reason": "Another"})
    assert "This form was sent before." in other.content.decode()


def test_writes_nothing_into_a_period_that_is_over(browser, call, acme):
    before = written()
    price = {"price_per_minute": "1", "increment_seconds": "1", "minimum_seconds": "0"}

    past = browser.post(of(acme, "rate/"), {**price, "starts_on": "2020-01-01"})
    running = browser.post(of(acme, "statements/ask/"), {"month": "2099-01"}, follow=True)

    assert "That day has begun." in past.content.decode()
    assert past.status_code == 422
    assert "its statement comes when it is" in running.content.decode()
    assert written() == before


def hidden(page):
    return re.findall(r'name="in_force" value="([^"]+)"', page.content.decode())[0]


def test_refuses_a_price_typed_on_a_page_that_grew_old(browser, call, acme):
    """Who saved another minimum undid the price that somebody had set meanwhile."""
    old = {"in_force": hidden(browser.get(of(acme, "rate/")))}
    services.change_rate(client=acme, terms=Terms(300_000, 60), actor=TESTS, now=clock.now())
    before = written()
    typed = {"price_per_minute": "0.25", "increment_seconds": "1", "minimum_seconds": "30"}

    answer = browser.post(of(acme, "rate/"), typed | old)

    assert answer.status_code == 422
    assert "The price was changed meanwhile: it is $0.30 a minute" in answer.content.decode()
    assert written() == before
    assert browser.post(of(acme, "rate/"), typed | {"in_force": hidden(answer)}).status_code == 302


def test_sells_at_no_other_price_than_the_page_showed(browser, call, acme):
    sale = form(acme, in_force=hidden(browser.get(of(acme, "sell/"))), amount_usd="")
    services.change_rate(client=acme, terms=Terms(9_000_000), actor=TESTS, now=clock.now())
    before = written()

    answer = browser.post(of(acme, "sell/"), sale)

    assert answer.status_code == 422
    assert "The price was changed meanwhile" in answer.content.decode()
    assert written() == before
    # An amount that was typed is the amount.
    assert browser.post(of(acme, "sell/"), sale | {"amount_usd": "5"}).status_code == 302


def test_takes_no_reservation_of_another_client(call, acme, rival):
    open_wallet(rival, seconds=600)
    launch = Launch(acme, 60)
    before = written()

    with pytest.raises(services.KeyReused):
        services.reserve(
            client_id=rival.pk,
            batch_call_id=launch.batch_call_id,
            campaign_id=launch.campaign_id,
            seconds=60,
            part=2,
            actor=TESTS,
            now=NOW,
        )
    with pytest.raises(services.NotCharged):
        services.refund_call(
            client_id=rival.pk,
            call_id=call.call_id,
            seconds=1,
            reason="x",
            actor=TESTS,
            now=NOW,
        )
    assert (written(), balances(rival)) == (before, (600, 0, 0, 0))
