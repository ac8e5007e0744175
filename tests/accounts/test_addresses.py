"""E-mail addresses: the agency's business, one for each person."""

from __future__ import annotations

import pytest
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from django.core import mail

PASSWORD = "a-password-for-tests-1"


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "page",
    ["/account/email/", "/account/confirm-email/", "/_allauth/app/v1/account/email"],
)
def test_offers_nobody_a_page_to_add_one(browse, alice, page, verb):
    for browser in (browse(alice), browse()):
        assert getattr(browser, verb)(page).status_code == 404


def test_offers_the_agency_one_place_for_it(browse, root):
    assert browse(root).get("/admin/account/emailaddress/").status_code == 404


def test_keeps_the_pages_that_people_need(browse, alice):
    assert browse(alice).get("/account/password/change/", follow=True).status_code == 200
    assert browse(alice).get("/account/2fa/", follow=True).status_code == 200
    assert browse().get("/account/password/reset/").status_code == 200
    assert browse().get("/account/").status_code == 404


def test_forgets_the_old_address_and_whatever_was_added(browse, root, alice):
    alice.set_password(PASSWORD)
    alice.save()
    token = default_token_generator.make_token(alice)  # which notes the address as a row
    EmailAddress.objects.create(user=alice, email="hers@elsewhere.test")
    form = {"name": "Alice", "role": "client", "client": alice.client_id, "client_role": "owner"}

    answer = browse(root).post(
        f"/admin/accounts/user/{alice.pk}/change/",
        form | {"email": "New@acme.test", "is_active": "on"},
    )

    assert answer.status_code == 302
    alice.refresh_from_db()
    assert alice.email == "new@acme.test"
    assert not default_token_generator.check_token(alice, token)
    for old in ("alice@acme.test", "hers@elsewhere.test"):
        browser = browse()
        browser.post("/account/login/", {"login": old, "password": PASSWORD})
        assert "_auth_user_id" not in browser.session
        browser.post("/account/password/reset/", {"email": old})
    assert "/account/password/reset/key/" not in "".join(str(one.body) for one in mail.outbox)

    browser = browse()
    browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    assert browser.session["_auth_user_id"] == str(alice.pk)
