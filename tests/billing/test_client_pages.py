"""The agency's client pages."""

from __future__ import annotations

import pytest
from django.urls import reverse

from accounts.models import Client, User
from audit.models import AuditLog
from billing.models import Rate, Wallet
from billing.services import open_wallet
from tests.factories.accounts import ClientFactory

LIST = "/agency/clients/"
VALID = {
    "name": "Baker Street Books",
    "contact_email": "owner@books.test",
    "time_zone": "Europe/London",
    "price_per_minute": "0.30",
}


@pytest.fixture
def wallets(acme, rival, root, now):
    for client in (acme, rival):
        open_wallet(client=client, price_per_minute_micros=250_000, actor=root, now=now)


@pytest.fixture
def keeper(bob):
    bob.manage_clients = True
    bob.save()
    return bob


def test_lists_clients_with_their_minutes(browse, keeper, wallets):
    page = browse(keeper).get(LIST).content.decode()

    assert "Acme Dental" in page
    assert "Rival Roofing" in page


def test_narrows_the_list(browse, keeper, wallets):
    page = browse(keeper).get(LIST, {"q": "acme"}).content.decode()

    assert "Acme Dental" in page
    assert "Rival Roofing" not in page


def test_answers_htmx_with_the_table_alone(browse, keeper, wallets):
    page = browse(keeper).get(LIST, headers={"HX-Request": "true"}).content.decode()

    assert page.strip().startswith("<section")
    assert "<html" not in page


def test_asks_the_same_number_of_queries_however_many_clients(
    browse, keeper, wallets, root, now, django_assert_num_queries
):
    browser = browse(keeper)
    with django_assert_num_queries(3):
        browser.get(LIST)
    for _ in range(20):
        open_wallet(client=ClientFactory.create(), price_per_minute_micros=1, actor=root, now=now)
    with django_assert_num_queries(3):
        browser.get(LIST)


def test_needs_a_sign_in(browse, db):
    assert browse().get(LIST)["Location"].startswith("/account/login/")


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_refuses_who_may_not_manage_clients(browse, who, request):
    assert browse(request.getfixturevalue(who)).get(LIST).status_code == 403


def test_opens_an_account_with_wallet_and_price(browse, keeper):
    response = browse(keeper).post(f"{LIST}new/", VALID)

    client = Client.objects.get(name="Baker Street Books")
    assert response["Location"] == reverse("agency-clients:client-detail", args=[client.pk])
    assert Wallet.objects.get(client=client).available_seconds == 0
    assert Rate.objects.get(client=client).price_per_minute_micros == 300_000
    assert AuditLog.objects.filter(action="client.created", client_id=client.pk).count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "acme dental"),
        ("contact_email", "nobody"),
        ("time_zone", "Mars/Olympus"),
        ("price_per_minute", "-1"),
        ("price_per_minute", "0.123456"),
    ],
)
def test_names_the_field_that_is_wrong(browse, keeper, acme, field, value):
    response = browse(keeper).post(f"{LIST}new/", VALID | {field: value})

    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert Client.objects.count() == 1


def test_shows_a_client_and_its_people(browse, keeper, wallets, acme, vera):
    page = browse(keeper).get(f"{LIST}{acme.pk}/").content.decode()

    assert "vera@acme.test" in page


def test_answers_404_for_a_client_that_does_not_exist(browse, keeper, vera):
    assert browse(keeper).get(f"{LIST}{vera.pk}/").status_code == 404


def test_adds_a_person_who_may_launch(browse, keeper, acme):
    person = {"email": "New@Acme.test", "name": "N", "client_role": "manager", "can_launch": "on"}
    browse(keeper).post(f"{LIST}{acme.pk}/people/new/", person)

    user = User.objects.get(email="new@acme.test")
    assert (user.client, user.client_role, user.can_launch) == (acme, "manager", True)
    assert not user.has_usable_password()


def test_never_lets_a_viewer_launch(browse, keeper, acme):
    person = {"email": "v2@acme.test", "client_role": "viewer", "can_launch": "on"}
    browse(keeper).post(f"{LIST}{acme.pk}/people/new/", person)

    assert User.objects.get(email="v2@acme.test").can_launch is False


def test_refuses_an_address_that_is_taken(browse, keeper, acme, charlie):
    person = {"email": "CHARLIE@rival.test", "client_role": "viewer"}
    response = browse(keeper).post(f"{LIST}{acme.pk}/people/new/", person)

    assert response.status_code == 422
    assert User.objects.get(email="charlie@rival.test").client == charlie.client


def test_keeps_a_person_out_and_lets_them_in_again(browse, keeper, acme, vera):
    address = f"{LIST}{acme.pk}/people/{vera.pk}/"
    browse(keeper).post(address, {"is_active": "no"})
    vera.refresh_from_db()
    assert vera.is_active is False

    browse(keeper).post(address, {"is_active": "yes"})
    vera.refresh_from_db()
    assert (vera.is_active, vera.client_role) == (True, "viewer")


def test_changes_nobody_of_another_client(browse, keeper, acme, charlie):
    response = browse(keeper).post(f"{LIST}{acme.pk}/people/{charlie.pk}/", {"is_active": "no"})

    assert response.status_code == 404
    charlie.refresh_from_db()
    assert charlie.is_active


def test_deactivates_once_and_says_so(browse, keeper, wallets, acme):
    browser = browse(keeper)
    browser.post(f"{LIST}{acme.pk}/deactivate/")
    browser.post(f"{LIST}{acme.pk}/deactivate/")

    acme.refresh_from_db()
    assert acme.status == "inactive"
    assert AuditLog.objects.filter(action="client.deactivated").count() == 1

    browser.post(f"{LIST}{acme.pk}/activate/")
    acme.refresh_from_db()
    assert acme.is_active


def test_changes_particulars_and_keeps_before_and_after(browse, keeper, acme):
    changed = {
        "name": "Acme Dental",
        "contact_email": "desk@acme.test",
        "time_zone": acme.time_zone,
        "concurrency_limit": "5",
    }
    browse(keeper).post(f"{LIST}{acme.pk}/change/", changed)

    acme.refresh_from_db()
    assert acme.concurrency_limit == 5
    row = AuditLog.objects.get(action="client.changed")
    assert row.details["concurrency_limit"] == {"before": 20, "after": 5}


@pytest.mark.parametrize("action", ["activate", "deactivate"])
def test_changes_by_post_alone(browse, keeper, acme, action):
    assert browse(keeper).get(f"{LIST}{acme.pk}/{action}/").status_code == 405
