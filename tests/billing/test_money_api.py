"""The ledger and the wallet for programs."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Statement
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
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

    with django_assert_num_queries(3):
        browser.get(MINE)


PAPERS = ("payments", "invoices", "statements")


@pytest.fixture
def papers(acme, rival):
    for client in (acme, rival):
        open_wallet(client)
        sell(client, seconds=3600, reference="ONE")
        Statement.objects.create(
            client=client, month="2026-10-01", time_zone="UTC", asked_at=NOW, status="done"
        )


@pytest.mark.parametrize("kind", PAPERS)
def test_lists_papers_of_the_caller_alone(browse, alice, vera, root, bob, acme, papers, kind):
    mine = browse(alice).get(f"/api/v1/client/{kind}/").json()["results"]
    every = browse(root).get(f"/api/v1/admin/{kind}/").json()["results"]
    one = browse(root).get(f"/api/v1/admin/{kind}/", {"client_id": str(acme.pk)}).json()["results"]

    assert [row["client_id"] for row in mine] == [str(acme.pk)]
    assert len(every) == 2
    assert [row["client_id"] for row in one] == [str(acme.pk)]
    assert browse(vera).get(f"/api/v1/client/{kind}/").status_code == 403
    assert browse(bob).get(f"/api/v1/admin/{kind}/").status_code == 403
    assert browse(root).get(f"/api/v1/admin/{kind}/", {"client_id": "x"}).status_code == 400
    assert browse(alice).post(f"/api/v1/client/{kind}/").status_code == 405


def test_tells_papers_in_the_public_names(browse, alice, papers):
    def first(kind):
        return browse(alice).get(f"/api/v1/client/{kind}/").json()["results"][0]

    payment, invoice, statement = (first(kind) for kind in PAPERS)
    assert (payment["reference_id"], payment["minutes"], payment["amount_usd"]) == (
        "ONE",
        "60.00",
        "36.0000",
    )
    assert (invoice["number"], invoice["payment_id"]) == ("INV-2026-00001", payment["payment_id"])
    assert (statement["month"], statement["status"]) == ("2026-10", "done")


def test_lists_all_wallets_to_the_agency_in_as_many_queries(
    browse, root, alice, papers, django_assert_num_queries, rival
):
    browser = browse(root)
    rows = browser.get("/api/v1/admin/wallets/").json()["results"]
    assert {row["credits_available_minutes"] for row in rows} == {"60.00"}
    assert "credits_expiring" not in rows[0]
    assert browse(alice).get("/api/v1/admin/wallets/").status_code == 403
    sell(rival, seconds=60, valid_days=3)
    with CaptureQueriesContext(connection) as asked:
        browser.get("/api/v1/admin/wallets/")
    for number in range(5):
        other = ClientFactory.create(name=f"Other {number}")
        open_wallet(other)
        sell(other, seconds=60, valid_days=3)
    with django_assert_num_queries(len(asked)):
        assert len(browser.get("/api/v1/admin/wallets/").json()["results"]) == 7


def test_tells_seconds_micros_price_and_rounding_of_a_line(browse, alice, launch):
    launch.dial(60).end(37)

    row = browse(alice).get(MINE, {"type": "consume"}).json()["results"][0]

    assert (row["seconds"], row["amount_micros"]) == (37, 185_000)
    assert (row["price_per_minute_usd"], row["increment_seconds"]) == ("0.3000", 1)
    assert (row["minimum_seconds"], row["corrects_tx_id"]) == (0, None)


def test_tells_the_price_of_each_client(browse, root, papers):
    rows = browse(root).get("/api/v1/admin/clients/").json()["results"]

    assert {row["billing_rate"] for row in rows} == {"0.3000"}
