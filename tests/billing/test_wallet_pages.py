"""A client's billing page and its export."""

from __future__ import annotations

import pytest

from billing import services
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Launch, open_wallet, sell

PAGE, EXPORT = "/app/billing/", "/app/billing/ledger.csv"


@pytest.fixture
def used(acme):
    """Acme bought 1,000 seconds, reserved 300 and talked 90 of them."""
    open_wallet(acme, seconds=1000)
    launch = Launch(acme, 300)
    launch.dial(120).end(90)
    return launch


def text(response):
    return response.content.decode()


def export(response):
    return b"".join(response.streaming_content).decode()


@pytest.fixture
def strangers(rival):
    open_wallet(rival, seconds=77_700)
    sell(rival, seconds=60, reference="RIVAL-1")


def test_shows_balance_price_payments_and_ledger(browse, alice, used, strangers):
    page = text(browse(alice).get(PAGE))

    for shown in ("11.67", "3.50", "1.50", "$0.30", "Purchase", "Consumed", "INV-", "$0.45"):
        assert shown in page, shown
    assert "RIVAL-1" not in page
    assert "1,295.00" not in page


@pytest.mark.parametrize("person", ["alice", "mia", "vera"])
def test_lets_everybody_of_the_client_look(request, browse, used, person):
    assert browse(request.getfixturevalue(person)).get(PAGE).status_code == 200


@pytest.mark.parametrize(("person", "code"), [("alice", 200), ("mia", 200), ("vera", 403)])
def test_lets_managers_and_owners_export(request, browse, used, person, code):
    browser = browse(request.getfixturevalue(person))

    assert browser.get(EXPORT).status_code == code
    assert ("ledger.csv" in text(browser.get(PAGE))) is (code == 200)


@pytest.mark.parametrize("url", [PAGE, EXPORT])
def test_needs_sign_in_of_a_client(browse, root, url, db):
    assert browse().get(url).status_code == 302
    assert browse(root).get(url).status_code == 403


@pytest.mark.parametrize("url", [PAGE, EXPORT])
def test_changes_nothing_by_post(browse, alice, used, url):
    assert browse(alice).post(url).status_code == 405


def test_answers_htmx_with_the_table_alone_and_boosted_links_with_the_page(browse, alice, used):
    browser = browse(alice)

    part = text(browser.get(PAGE, headers={"hx-request": "true"}))
    whole = text(browser.get(PAGE, headers={"hx-request": "true", "hx-boosted": "true"}))

    assert part.strip().startswith('<section class="card card--flush" id="ledger-table">')
    assert "<html" in whole


def test_filters_by_type_campaign_and_day(browse, alice, used, acme):
    browser = browse(alice)

    def lines(**query):
        return text(browser.get(PAGE, query, headers={"hx-request": "true"})).count("<tr>") - 1

    assert lines() == 3
    assert lines(type="consume") == 1
    assert lines(campaign=str(used.campaign_id)) == 2
    assert lines(first_on="2026-11-23", last_on="2026-11-23") == 3
    page = text(browser.get(PAGE, {"last_on": "2026-11-22"}))
    assert "No line matches" in page
    assert lines(campaign="nonsense", first_on="yesterday", type="?") == 3


def test_takes_days_in_the_zone_of_the_client(browse, alice, acme):
    open_wallet(acme)
    sell(acme, seconds=60, now=NOW.replace(hour=4))  # 23:00 the day before in New York
    browser = browse(alice)

    assert "No line matches" in text(browser.get(PAGE, {"first_on": "2026-11-23"}))
    assert "No line matches" not in text(browser.get(PAGE, {"last_on": "2026-11-22"}))


def test_pages_through_the_ledger(browse, alice, acme):
    open_wallet(acme)
    for _ in range(51):
        sell(acme, seconds=60)

    page = text(browse(alice).get(PAGE, {"page": "2"}))

    assert "51–51 of 51" in page


def test_says_what_will_stand_there_while_nothing_does(browse, alice, acme):
    open_wallet(acme)

    page = text(browse(alice).get(PAGE))

    for sentence in ("Nothing in the ledger yet", "No payments yet", "No calls in the last 7 days"):
        assert sentence in page


def test_says_what_is_owed(browse, alice, acme):
    open_wallet(acme, seconds=60)
    Launch(acme, 60).dial().end(90)

    assert "0.50 min owed" in text(browse(alice).get(PAGE))


def test_exports_exactly_the_lines_asked_for_and_safe_for_spreadsheets(browse, alice, used, acme):
    services.adjust(client=acme, seconds=60, reason="=HYPERLINK(1)", key="1", actor=TESTS, now=NOW)
    response = browse(alice).get(EXPORT)
    rows = export(response).splitlines()

    assert rows[0].startswith(
        "\ufefftx_id,client_id,created_at,type,minutes,seconds,amount_usd,amount_micros"
    )
    assert len(rows) == 5
    assert "'=HYPERLINK(1)" in rows[1]
    assert all(row.split(",")[1] == str(acme.pk) for row in rows[1:])
    assert ",consume,1.50,90,0.45,450000,0.30,1,0," in rows[2]
    assert response["Content-Disposition"].startswith('attachment; filename="ledger-acme-dental-')
    assert len(export(browse(alice).get(EXPORT, {"type": "purchase"})).splitlines()) == 2


def test_exports_nothing_of_another_client(browse, charlie, used, rival):
    open_wallet(rival)
    rows = export(browse(charlie).get(EXPORT, {"campaign": str(used.campaign_id)})).splitlines()

    assert len(rows) == 1


@pytest.mark.parametrize("lines", [1, 20])
def test_asks_the_same_number_of_queries_however_long_the_ledger(
    browse, alice, acme, django_assert_num_queries, lines
):
    open_wallet(acme)
    for _ in range(lines):
        sell(acme, seconds=60)
    browser = browse(alice)
    browser.get(PAGE)

    with django_assert_num_queries(7):
        browser.get(PAGE)


def test_never_shows_what_retell_charges(browse, alice, used):
    page = text(browse(alice).get(PAGE)) + export(browse(alice).get(EXPORT))

    assert "retell" not in page.lower().replace("answers like retell", "")
    assert str(uuid7()) not in page
