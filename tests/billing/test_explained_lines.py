"""Each minute tied to a call and each line to its price, on the agency's pages as on the client's."""

from __future__ import annotations

import re

import pytest

from billing import services
from billing.models import Reservation, Transaction
from billing.rules import Terms
from convomono.lib import clock
from telephony.models import Call
from tests.factories.billing import TESTS, Launch, open_wallet

pytestmark = pytest.mark.django_db

CLIENTS_PAGE = "/app/billing/"
SENTENCE = "42 s of talk are billed as 1 min 0 s (at least 30 s, in begun units of 1 min 0 s) at $0.30 a minute: $0.30."


def text(response):
    return re.sub(r"\s*([<>])\s*", r"\1", response.content.decode())


def of(client, page):
    return f"/agency/clients/{client.pk}/{page}"


@pytest.fixture
def finance(bob):
    bob.view_finance = True
    bob.save()
    return bob


@pytest.fixture
def dial(acme):
    """A call of 41.2 s under a price with steps of a minute and a least of half a minute."""
    now = clock.now()
    open_wallet(acme, seconds=6000, now=now)
    launch = Launch(acme, 600, now=now)
    Reservation.objects.update(
        label="Autumn recall", increment_seconds=60, minimum_seconds=30, charged_seconds=0
    )
    dial = launch.dial(120, now=now)
    dial.end(41.2, now=now)
    Call.objects.update(
        to_number="+12125550101",
        billed_seconds=60,
        client_cost_micros=300_000,
        created_at=now,
    )
    return dial


def test_says_of_each_charge_which_call_it_was_and_how_it_came_about(
    browse, finance, root, alice, acme, dial
):
    """The agency's line was the bare word "Call"."""
    for person in (finance, root):
        page = text(browse(person).get(of(acme, "wallet/")))
        for words in (SENTENCE, str(dial.call_id), "Autumn recall", ">by itself<"):
            assert words in page, words
    own = text(browse(alice).get(CLIENTS_PAGE))
    assert SENTENCE in own and "Autumn recall" in own and ">by itself<" not in own


def test_says_who_moved_minutes(browse, finance, root, acme, dial):
    services.adjust(client=acme, seconds=-5, reason="Typo", key="1", actor=root, now=clock.now())

    assert f"by {root.email}" in text(browse(finance).get(of(acme, "wallet/")))


def test_tells_the_rest_of_a_charge_and_a_refund_by_themselves(browse, finance, acme, dial):
    services.refund_call(
        client_id=acme.pk,
        call_id=dial.call_id,
        seconds=30,
        reason="Bad line",
        actor=TESTS,
        now=clock.now(),
    )

    page = text(browse(finance).get(of(acme, "wallet/"), {"type": "refund"}))

    assert "30 s at $0.30 a minute: $0.15." in page
    assert "Bad line" in page and str(dial.call_id) in page


def test_explains_a_charge_where_its_call_was_erased(browse, finance, acme, dial):
    Call.objects.all().delete()

    assert "1 min 0 s at $0.30 a minute: $0.30." in text(browse(finance).get(of(acme, "wallet/")))


def test_shows_what_is_refunded(browse, root, acme, dial):
    page = text(browse(root).get(of(acme, f"charges/{dial.call_id}/refund/")))

    for words in (SENTENCE, str(dial.call_id), "+1 212-555-0101", "Autumn recall"):
        assert words in page, words


def test_names_the_calls_that_margins_are_of(browse, finance, acme, dial):
    page = text(browse(finance).get(of(acme, "margins/")))

    assert str(dial.call_id) in page and "+1 212-555-0101" in page


def test_lets_finance_read_the_price_book_and_change_nothing(browse, finance, acme, dial):
    later = clock.now() + services.statements.LATE
    terms = Terms(990_000, 6, 12, bills_voicemail=False)
    services.change_rate(client=acme, terms=terms, actor=TESTS, now=clock.now(), starts_at=later)
    browser, page = browse(finance), of(acme, "rate/")
    assert f'href="{page}"' in text(browser.get(of(acme, "wallet/")))

    shown = text(browser.get(page))

    for words in ("$0.99", "6 s", "12 s", "Free", "In force", "Later"):
        assert words in shown, words
    assert "Change price" not in shown and "Take back" not in shown
    assert browser.post(page, {"price_per_minute_usd": "1"}).status_code == 403


def test_says_what_the_price_in_force_bills(browse, alice, finance, acme):
    open_wallet(acme, now=clock.now() - services.statements.LATE)
    pages = ((alice, CLIENTS_PAGE), (finance, of(acme, "wallet/")))
    for person, page in pages:
        assert "begun seconds count whole; voicemail billed" in text(browse(person).get(page))
    terms = Terms(250_000, 6, 30, bills_voicemail=False)
    services.change_rate(client=acme, terms=terms, actor=TESTS, now=clock.now())

    for person, page in pages:
        assert "at least 30 s, in begun units of 6 s; voicemail free" in text(
            browse(person).get(page)
        )


@pytest.mark.parametrize("calls", [1, 20])
def test_asks_the_same_number_of_queries_however_many_calls_there_are(
    browse, finance, acme, dial, django_assert_num_queries, calls
):
    launch = Launch(acme, 2400, now=clock.now())
    for _ in range(calls - 1):
        launch.dial(120, now=clock.now()).end(50, now=clock.now())
    assert Transaction.objects.filter(type="consume").count() == calls
    browser = browse(finance)
    browser.get(of(acme, "wallet/"))

    with django_assert_num_queries(10):
        browser.get(of(acme, "wallet/"))
