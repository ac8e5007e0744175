"""The ledger and the wallet for programs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, Launch, open_wallet, sell

MINE, ALL, WALLET = (
    "/api/v1/client/transactions/",
    "/api/v1/admin/transactions/",
    "/api/v1/client/wallet/",
)


@pytest.fixture
def launch(acme, rival):
    """Acme bought 1,000 seconds and talked 90 of 300 it reserved; rival bought 60."""
    open_wallet(acme, seconds=1000)
    open_wallet(rival, seconds=60)
    launch = Launch(acme, 300)
    launch.dial(120).end(90)
    return launch


def results(response):
    assert response.status_code == 200, response.content
    return response.json()["results"]


def test_lists_lines_in_the_public_words(browse, alice, acme, launch):
    rows = results(browse(alice).get(MINE, {"type": "consume"}))

    assert len(rows) == 1
    row = rows[0]
    assert row["client_id"] == str(acme.pk)
    assert row["campaign_id"] == str(launch.campaign_id)
    assert (row["type"], row["minutes"], row["amount_usd"]) == ("consume", "1.50", "0.4500")
    assert set(row) >= {"tx_id", "call_id", "reference_id", "status", "created_at"}


def test_shows_a_client_its_own_lines_alone(browse, alice, charlie, acme, rival, launch):
    assert {row["client_id"] for row in results(browse(alice).get(MINE))} == {str(acme.pk)}
    assert {row["client_id"] for row in results(browse(charlie).get(MINE))} == {str(rival.pk)}
    assert results(browse(charlie).get(MINE, {"client_id": str(acme.pk)})) == []
    assert results(browse(charlie).get(MINE, {"campaign_id": str(launch.campaign_id)})) == []


def test_narrows_by_client_campaign_call_and_time(browse, root, acme, rival, launch):
    browser = browse(root)

    def count(**query):
        return len(results(browser.get(ALL, query)))

    assert count() == 4
    assert count(client_id=str(rival.pk)) == 1
    assert count(campaign_id=str(launch.campaign_id)) == 2
    assert count(call_id=str(uuid7())) == 0
    assert count(created_before=NOW.isoformat()) == 0
    assert count(created_from=NOW.isoformat()) == 4


@pytest.mark.parametrize(
    "query", [{"type": "gift"}, {"campaign_id": "x"}, {"created_from": "soon"}]
)
def test_refuses_a_question_that_makes_no_sense(browse, alice, launch, query):
    response = browse(alice).get(MINE, query)

    assert response.status_code == 400
    assert response.json()["fields"].keys() == query.keys()


@pytest.mark.parametrize(
    ("right", "code"), [("view_finance", 200), ("manage_billing", 200), ("manage_clients", 403)]
)
def test_shows_all_ledgers_to_those_who_may_see_money(browse, bob, right, code):
    setattr(bob, right, True)
    bob.save()

    assert browse(bob).get(ALL).status_code == code


@pytest.mark.parametrize("url", [MINE, ALL, WALLET])
def test_needs_sign_in_to_the_right_face(browse, alice, root, url, launch):
    assert browse().get(url).status_code in {401, 403}
    stranger = alice if url == ALL else root
    assert browse(stranger).get(url).status_code == 403


@pytest.mark.parametrize("url", [MINE, WALLET])
def test_changes_nothing(browse, alice, url, launch):
    for verb in ("post", "put", "delete"):
        assert getattr(browse(alice), verb)(url).status_code == 405


def test_pages_with_a_cursor(browse, alice, acme):
    open_wallet(acme)
    for number in range(5):
        sell(acme, seconds=60, reference=f"INV-{number}")
    browser = browse(alice)

    first = browser.get(MINE, {"page_size": "3"}).json()
    rest = browser.get(first["next"]).json()

    seen = [row["reference_id"] for row in first["results"] + rest["results"]]
    assert sorted(seen) == [f"INV-{number}" for number in range(5)]
    assert rest["next"] is None


def test_shows_the_wallet(browse, alice, launch):
    assert browse(alice).get(WALLET).json() == {
        "client_id": str(alice.client_id),
        "credits_total_minutes": "16.67",
        "credits_available_minutes": "11.67",
        "credits_reserved_minutes": "3.50",
        "credits_consumed_minutes": "1.50",
        "credits_expiring": [],
        "billing_rate": "0.3000",
    }


def test_shows_what_expires(browse, alice, launch, acme):
    bought = sell(acme, seconds=90, reference="TRIAL", valid_days=7)

    (lot,) = browse(alice).get(WALLET).json()["credits_expiring"]

    assert (lot["minutes"], lot["reference_id"]) == ("1.50", "TRIAL")
    assert datetime.fromisoformat(lot["expires_at"]) == bought.created_at + timedelta(days=7)


def test_answers_404_without_a_wallet(browse, alice):
    assert browse(alice).get(WALLET).status_code == 404


@pytest.mark.parametrize("lines", [1, 20])
def test_asks_the_same_number_of_queries_however_many_lines(
    browse, alice, acme, django_assert_num_queries, lines
):
    open_wallet(acme)
    for _ in range(lines):
        sell(acme, seconds=60)
    browser = browse(alice)
    browser.get(MINE)

    with django_assert_num_queries(4):
        browser.get(MINE)
