"""Money in the back office: read by those who may, changed by nobody."""

from __future__ import annotations

import pytest
from django.apps import apps

from tests.factories.billing import Launch, open_wallet

MODELS = ("wallet", "transaction", "payment", "rate", "reservation", "callhold")


@pytest.fixture
def books(acme):
    open_wallet(acme, seconds=1000)
    Launch(acme, 300).dial().end(30)


@pytest.mark.parametrize("model", MODELS)
def test_shows_each_table_searches_it_and_opens_a_row(browse, root, books, acme, model):
    browser, row = browse(root), apps.get_model("billing", model).objects.first()

    page = browser.get(f"/admin/billing/{model}/", {"q": "acme"})

    assert page.status_code == 200
    assert "Acme Dental" in page.content.decode()
    assert browser.get(f"/admin/billing/{model}/{row.pk}/change/").status_code == 200
    assert browser.get(f"/admin/billing/{model}/add/").status_code == 403
    assert (
        browser.post(f"/admin/billing/{model}/{row.pk}/change/", {"seconds": 1}).status_code == 403
    )
    assert (
        browser.post(f"/admin/billing/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("right", "code"), [("view_finance", 200), ("manage_billing", 200), ("", 403)]
)
def test_opens_to_those_who_may_see_money(browse, bob, model, right, code):
    if right:
        setattr(bob, right, True)
        bob.save()

    assert browse(bob).get(f"/admin/billing/{model}/").status_code == code


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (
            "wallet",
            "credits_total_minutes credits_reserved_minutes credits_consumed_minutes billing_rate",
        ),
        ("transaction", "tx_id minutes amount_usd reference_id status type"),
        ("payment", "minutes amount_usd status"),
    ],
)
def test_heads_columns_by_their_public_names(browse, root, books, model, names):
    page = browse(root).get(f"/admin/billing/{model}/").content.decode().lower()

    for name in names.split():
        assert name in page or name.replace("_", " ") in page, name
