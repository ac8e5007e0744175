"""The Django admin's own sign-in and password page: they lead to ours, which have limits and a second factor."""

from __future__ import annotations

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

PASSWORD = "a-password-for-tests-1"
DOOR = "/admin/login/"


@pytest.fixture
def guarded(root):
    """The super admin with a password, and a phone that gives codes."""
    root.set_password(PASSWORD)
    root.save()
    TOTP.activate(root, generate_totp_secret())
    return root


def typed(person):
    return {"username": person.email, "password": PASSWORD}


def test_gives_no_session_for_a_password_alone(browse, guarded):
    browser = browse()
    browser.post(DOOR, typed(guarded))
    assert "_auth_user_id" not in browser.session

    answer = browser.post("/account/login/", {"login": guarded.email, "password": PASSWORD})
    assert answer["Location"].startswith("/account/2fa/authenticate/")
    assert "_auth_user_id" not in browser.session


def test_changes_nobody_into_somebody_else(browse, guarded, bob):
    """Whoever is of the agency could take the owner's session with their password alone."""
    browser = browse(bob)
    browser.post(DOOR, typed(guarded))
    assert browser.session["_auth_user_id"] == str(bob.pk)


def test_offers_no_form_where_wrong_passwords_would_not_be_counted(browse, guarded):
    browser = browse()
    for _ in range(12):
        assert browser.post(DOOR, typed(guarded) | {"password": "guess"}).status_code == 405


@pytest.mark.parametrize(
    ("asked", "back"),
    [
        ({"next": "/admin/accounts/user/"}, "/admin/accounts/user/"),
        ({"next": "https://elsewhere.test/"}, "/admin/"),
        ({}, "/admin/"),
    ],
)
def test_sends_strangers_to_our_own_page_and_back(browse, db, bob, asked, back):
    assert browse().get(DOOR, asked)["Location"] == f"/account/login/?next={back}"
    assert browse(bob).get(DOOR, asked)["Location"] == back


def test_leads_strangers_from_the_back_office_to_our_own_page(browse, db):
    answer = browse().get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0] == "/account/login/?next=/admin/"


def test_keeps_a_clients_people_out(browse, alice):
    assert browse(alice).get(DOOR).status_code == 403
    assert browse(alice).get("/admin/", follow=True).status_code == 403


def test_changes_passwords_on_our_own_page(browse, bob):
    answer = browse(bob).get("/admin/password_change/")
    assert answer["Location"] == "/account/password/change/"


@pytest.mark.parametrize("page", ["import/", "export/"])
def test_keeps_imports_and_exports_from_whoever_may_not_see_the_rows(browse, bob, root, page):
    address = f"/admin/leads/lead/{page}"
    assert browse(bob).get(address).status_code == 403
    assert browse(root).get(address).status_code == 200
    bob.manage_campaigns = True
    bob.save()
    assert browse(bob).get(address).status_code == 200
