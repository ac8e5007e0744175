"""The agency's pages about money: who may, what they show, and that each form takes effect once."""

from __future__ import annotations

import csv
import re
from datetime import timedelta

import pytest

from audit.models import AuditLog
from billing import services
from billing.models import Invoice, Payment, Rate, Transaction, Wallet
from convomono.lib import clock
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
from tests.factories.billing import TESTS, Launch, balances, open_wallet

LIST = "/agency/money/"
PAGES = ("wallet/", "wallet/ledger.csv", "sell/", "adjust/", "rate/")
FORMS = ("sell/", "adjust/")


def of(client, page):
    return f"/agency/clients/{client.pk}/{page}"


def text(response):
    return response.content.decode()


def words(response):
    return " ".join(text(response).split())


def key_in(response):
    (key,) = re.findall(r'name="key" value="([0-9a-f-]{36})"', text(response))
    return key


@pytest.fixture
def wallet(acme):
    return open_wallet(acme, seconds=600)


@pytest.fixture
def sale():
    return {"minutes": "100", "amount_usd": "", "method": "bank", "reference": "INV-7"}


def test_lists_wallets_the_lowest_first(browse, root, wallet, rival):
    open_wallet(rival, seconds=60)

    page = text(browse(root).get(LIST))

    assert page.index("Rival Roofing") < page.index("Acme Dental")
    assert "10.00" in page
    by_name = text(browse(root).get(LIST, {"sort": "name"}))
    assert by_name.index("Acme Dental") < by_name.index("Rival Roofing")
    assert "Rival" not in text(browse(root).get(LIST, {"q": "acme"}))
    assert "No client matches" in text(browse(root).get(LIST, {"q": "nobody"}))


def test_shows_what_a_wallet_used_and_how_long_it_lasts(browse, root, wallet, acme):
    now = clock.now()
    launch = Launch(acme, 300)
    launch.dial(now=now).end(60, now=now)

    page = text(browse(root).get(LIST))

    assert "1.00" in page
    assert "9.0 h" in page  # 540 s left, 60 s used in the only hour with calls


def test_says_on_all_pages_the_same_of_how_long_it_lasts(browse, root, alice, wallet, acme):
    """The list looked at 24 hours of the clock, the wallet at 24 with calls; home cut 0.8 h to 0 h."""
    launch = Launch(acme, 300)
    for days, seconds in ((3, 240), (0, 60)):
        at = clock.now() - timedelta(days=days)
        launch.dial(now=at).end(seconds, now=at)

    # 300 s are left, and 150 s an hour were used on average.
    assert "2.0 h" in text(browse(root).get(LIST))
    for browser, page in ((browse(root), of(acme, "wallet/")), (browse(alice), "/app/billing/")):
        assert '2.0 <span class="stat__unit">h</span>' in words(browser.get(page)), page
    assert "2.0 h" in text(browse(alice).get("/app/"))
    Launch(acme, 180, now=clock.now()).dial(180, now=clock.now()).end(180, now=clock.now())
    assert "0.5 h" in text(browse(alice).get("/app/"))


def test_begins_with_whose_balance_runs_out_next_or_who_uses_most(
    browse, root, wallet, acme, rival, django_assert_num_queries
):
    open_wallet(rival, seconds=6000)
    open_wallet(ClientFactory.create(name="Idle Inn"), seconds=60)
    now = clock.now()
    for client, seconds in ((acme, 100), (rival, 200)):  # 5 hours, and 29
        launch = Launch(client, 300, now=now)
        launch.dial(300, now=now).end(seconds, now=now)
    browser = browse(root)

    for sort, names in (("runway", ("Acme", "Rival", "Idle")), ("burn", ("Rival", "Acme", "Idle"))):
        page = text(browser.get(LIST, {"sort": sort}))
        places = [page.index(f">{name}") for name in names]
        assert places == sorted(places), sort
        with django_assert_num_queries(3):
            browser.get(LIST, {"sort": sort})


@pytest.mark.parametrize(("typed", "code"), [("", 302), ("0", 302), ("36", 422)])
def test_sells_what_is_free_of_charge_for_nothing(browse, root, wallet, acme, sale, typed, code):
    """With the amount left blank it was invoiced at the full price."""
    page = of(acme, "sell/")
    free = sale | {"method": "grant", "amount_usd": typed, "key": str(uuid7())}

    answer = browse(root).post(page, free | {"in_force": str(Rate.objects.get(client=acme).pk)})

    assert answer.status_code == code
    free_of_charge = Payment.objects.filter(method="grant")
    assert list(free_of_charge.values_list("amount_micros", flat=True)) == [0] * (code == 302)
    assert not Invoice.objects.filter(payment__method="grant").exists()


def test_asks_the_same_number_of_queries_for_20_wallets(
    browse, root, wallet, django_assert_num_queries
):
    browser = browse(root)
    browser.get(LIST)
    with django_assert_num_queries(4):
        browser.get(LIST)
    for _ in range(19):
        open_wallet(ClientFactory.create())
    with django_assert_num_queries(4):
        browser.get(LIST)


@pytest.mark.parametrize("page", PAGES)
def test_needs_sign_in_of_the_agency(browse, alice, wallet, acme, page):
    for url in (LIST, of(acme, page)):
        assert browse().get(url).status_code == 302
        assert browse(alice).get(url).status_code == 403


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("right", ["", "view_finance", "manage_billing", "manage_clients"])
def test_lets_finance_look_and_billing_change(browse, bob, wallet, acme, page, right):
    if right:
        setattr(bob, right, True)
        bob.save()
    looks = right in {"view_finance", "manage_billing"} and page not in FORMS

    code = browse(bob).get(of(acme, page)).status_code

    assert code == (200 if looks or right == "manage_billing" else 403)
    assert browse(bob).get(LIST).status_code == (
        200 if right in {"view_finance", "manage_billing"} else 403
    )


@pytest.mark.parametrize("page", PAGES)
def test_answers_404_for_a_client_that_is_not_there(browse, root, db, page):
    assert browse(root).get(f"/agency/clients/{uuid7()}/{page}").status_code == 404


def test_refuses_wrong_verbs(browse, root, wallet, acme):
    browser = browse(root)

    assert browser.post(LIST).status_code == 405
    assert browser.post(of(acme, "wallet/")).status_code == 405
    assert browser.delete(of(acme, "sell/")).status_code == 405


def test_answers_htmx_with_the_tables_alone(browse, root, wallet, acme):
    fragment = {"hx-request": "true"}

    assert 'id="wallet-table"' in text(browse(root).get(LIST, headers=fragment))[:120]
    assert (
        'id="ledger-table"' in text(browse(root).get(of(acme, "wallet/"), headers=fragment))[:120]
    )


def test_sells_minutes_at_the_price_in_force(browse, root, wallet, acme, sale):
    browser = browse(root)
    page = browser.get(of(acme, "sell/"))
    assert "$0.30 a minute" in text(page)

    response = browser.post(of(acme, "sell/"), {**sale, "key": key_in(page)}, follow=True)

    assert "Sold 100.00 minutes for $30.00." in text(response)
    assert balances(acme) == (6600, 0, 0, 0)
    payment = Payment.objects.get(reference="INV-7")
    assert (payment.amount_micros, payment.created_by_email) == (30_000_000, root.email)
    assert AuditLog.objects.get(action="wallet.credited", resource_id=payment.pk).user_id == root.pk


def test_sells_minutes_for_the_typed_amount(browse, root, wallet, acme, sale):
    data = {**sale, "amount_usd": "12.5", "key": str(uuid7())}
    browse(root).post(of(acme, "sell/"), data)

    assert Payment.objects.get(reference="INV-7").amount_micros == 12_500_000


def test_sells_once_when_the_form_is_sent_twice(browse, root, wallet, acme, sale):
    data = {**sale, "key": str(uuid7())}
    codes = [browse(root).post(of(acme, "sell/"), data).status_code for _ in range(2)]

    assert codes == [302, 302]
    assert balances(acme) == (6600, 0, 0, 0)


@pytest.mark.parametrize("change", [{"minutes": "50"}, {"key": "new"}, {"method": "cash"}])
def test_refuses_another_sale_under_the_same_reference(browse, root, wallet, acme, sale, change):
    data = {**sale, "key": str(uuid7())}
    browse(root).post(of(acme, "sell/"), data)
    if "key" in change:
        change = {"key": str(uuid7())}

    response = browse(root).post(of(acme, "sell/"), {**data, **change})

    assert response.status_code == 422
    assert "Another payment of this client has this reference." in text(response)
    assert 'value="INV-7"' in text(response)
    assert balances(acme) == (6600, 0, 0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": "0"},
        {"minutes": "-5"},
        {"minutes": "1.005"},
        {"minutes": "NaN"},
        {"minutes": "1e99"},
        {"amount_usd": "-1"},
        {"amount_usd": "lots"},
        {"method": "barter"},
        {"reference": ""},
        {"reference": "x" * 121},
        {"key": "none"},
    ],
)
def test_refuses_a_sale_that_makes_no_sense(browse, root, wallet, acme, sale, wrong):
    data = {**sale, "key": str(uuid7()), **wrong}

    assert browse(root).post(of(acme, "sell/"), data).status_code == 422
    assert balances(acme) == (600, 0, 0, 0)


@pytest.mark.parametrize(
    ("minutes", "left", "said"), [("5", 900, "Added 5.00"), ("-10", 0, "Took 10.00")]
)
def test_adjusts_with_a_reason_once(browse, root, wallet, acme, minutes, left, said):
    browser = browse(root)
    data = {
        "minutes": minutes,
        "reason": "Goodwill",
        "key": key_in(browser.get(of(acme, "adjust/"))),
    }

    response = browser.post(of(acme, "adjust/"), data, follow=True)
    browser.post(of(acme, "adjust/"), data)

    assert said in text(response)
    assert "Goodwill" in text(response)
    assert balances(acme) == (left, 0, 0, 0)
    assert AuditLog.objects.filter(action="wallet.adjusted").count() == 1


def test_takes_no_more_than_is_available(browse, root, wallet, acme):
    data = {"minutes": "-10.02", "reason": "Typo", "key": str(uuid7())}

    response = browse(root).post(of(acme, "adjust/"), data)

    assert response.status_code == 422
    assert "Only 10.00 minutes are available." in text(response)


@pytest.mark.parametrize("wrong", [{"reason": ""}, {"minutes": "0"}, {"reason": "  "}])
def test_refuses_a_correction_without_reason_or_size(browse, root, wallet, acme, wrong):
    data = {"minutes": "5", "reason": "Goodwill", "key": str(uuid7()), **wrong}

    assert browse(root).post(of(acme, "adjust/"), data).status_code == 422


def test_refuses_another_correction_under_the_same_key(browse, root, wallet, acme):
    data = {"minutes": "5", "reason": "Goodwill", "key": str(uuid7())}
    browse(root).post(of(acme, "adjust/"), data)

    assert browse(root).post(of(acme, "adjust/"), {**data, "minutes": "6"}).status_code == 422


def test_changes_the_price_for_new_launches(browse, root, wallet, acme):
    launch = Launch(acme, 300)
    data = {"price_per_minute": "0.45", "increment_seconds": "6", "minimum_seconds": "30"}

    response = browse(root).post(of(acme, "rate/"), data, follow=True)

    assert "New launches cost $0.45 a minute." in text(response)
    acme.wallet.refresh_from_db()
    assert str(acme.billing_rate) == "0.45"
    assert launch.dial().end(10) == services.Charge(10, 50_000)


def test_writes_no_second_price_when_nothing_changed(browse, root, wallet, acme):
    data = {"price_per_minute": "0.3", "increment_seconds": "1", "minimum_seconds": "0"}
    browse(root).post(of(acme, "rate/"), data)

    assert AuditLog.objects.filter(action="rate.changed").count() == 0


@pytest.mark.parametrize(
    "wrong", [{"price_per_minute": "-1"}, {"increment_seconds": "7"}, {"minimum_seconds": "-1"}]
)
def test_refuses_a_price_that_makes_no_sense(browse, root, wallet, acme, wrong):
    data = {"price_per_minute": "1", "increment_seconds": "1", "minimum_seconds": "0", **wrong}

    assert browse(root).post(of(acme, "rate/"), data).status_code == 422


def test_exports_the_ledger_of_one_client(browse, root, wallet, acme, rival):
    open_wallet(rival, seconds=60)

    file = b"".join(browse(root).get(of(acme, "wallet/ledger.csv")).streaming_content).decode()

    assert len(file.splitlines()) == 1 + Transaction.objects.filter(client=acme).count()


def test_exports_the_wallets_that_are_listed_under_the_names_of_the_specification(
    browse, root, bob, wallet, acme, rival
):
    """No file had a client's credits or its price."""
    open_wallet(rival, seconds=60)
    services.reserve(
        client_id=acme.pk,
        batch_call_id=uuid7(),
        campaign_id=uuid7(),
        seconds=90,
        actor=TESTS,
        now=clock.now(),
    )
    browser, address = browse(root), f"{LIST}wallets.csv"
    assert f'href="{address}?q=Acme"' in text(browser.get(LIST, {"q": "Acme"}))

    def rows(**asked):
        content = b"".join(browser.get(address, asked).streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(content.splitlines()))

    mine = Wallet.objects.get(client=acme)
    (row,) = rows(q="Acme")
    assert row == {
        "client_id": str(acme.pk),
        "client": "Acme Dental",
        "credits_total_minutes": str(mine.total_minutes),
        "credits_available_minutes": str(mine.available_minutes),
        "credits_reserved_minutes": "1.50",
        "credits_consumed_minutes": "0.00",
        "owed_minutes": "0.00",
        "billing_rate": "0.30",
    }
    assert [row["client"] for row in rows(sort="name")] == ["Acme Dental", rival.name]
    assert browse(bob).get(address).status_code == 403
