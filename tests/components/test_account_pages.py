"""Every page of one's account stands in our layout, works as a plain form and refuses politely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client as Browser

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User

PASSWORD = "correct-horse-battery"
PUBLIC = [
    "/account/login/",
    "/account/signup/",
    "/account/inactive/",
    "/account/password/reset/",
    "/account/password/reset/done/",
    "/account/password/reset/key/done/",
    "/account/password/reset/key/x-y/",
]
OWN = [
    "/account/logout/",
    "/account/password/change/",
    "/account/reauthenticate/",
    "/account/2fa/",
    "/account/2fa/totp/activate/",
]


@pytest.fixture
def signed_in(alice: User) -> Browser:
    """Alice, who gave her password twice: to sign in, and to confirm that it is her."""
    alice.set_password(PASSWORD)
    alice.save()
    browser = Browser()
    browser.post("/account/login/", {"login": alice.email, "password": PASSWORD})
    browser.post("/account/reauthenticate/", {"password": PASSWORD})
    return browser


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_stand_in_our_layout(path: str) -> None:
    html = Browser().get(path, follow=True).content.decode()

    assert html.count("<h1") == 1
    assert 'class="plain"' in html
    assert " – ConvoMono</title>" in html


@pytest.mark.parametrize("path", OWN)
def test_pages_of_ones_account_stand_in_our_layout(signed_in: Browser, path: str) -> None:
    answer = signed_in.get(path)
    html = answer.content.decode()

    assert answer.status_code == 200
    assert html.count("<h1") == 1
    assert 'class="plain"' in html or 'class="shell"' in html


def test_offers_no_demo_people_outside_a_trial(db: None) -> None:
    assert "Try it as" not in Browser().get("/account/login/").content.decode()


def test_signs_a_demo_person_in_with_one_plain_form(settings: Any, alice: User) -> None:
    settings.SHOW_DEMO_SIGN_INS = True
    alice.set_password("demo-password")
    alice.save()
    browser = Browser(enforce_csrf_checks=True)

    html = browser.get("/account/login/").content.decode()
    assert '<input type="hidden" name="login" value="alice@acme.test">' in html
    answer = browser.post(
        "/account/login/",
        {
            "login": "alice@acme.test",
            "password": "demo-password",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"].value,
        },
    )

    assert answer.status_code == 302
    assert answer["Location"] == "/"


def test_begins_a_refused_sign_in_with_what_was_wrong(alice: User) -> None:
    html = (
        Browser()
        .post("/account/login/", {"login": alice.email, "password": "wrong"})
        .content.decode()
    )

    assert 'class="error-summary"' in html
    assert f'value="{alice.email}"' in html
    assert "wrong" not in html


def test_shows_recovery_codes_once_an_app_is_connected(signed_in: Browser, alice: User) -> None:
    TOTP.activate(alice, generate_totp_secret())
    RecoveryCodes.activate(alice)

    assert "Connected" in signed_in.get("/account/2fa/").content.decode()
    assert 'class="codes"' in signed_in.get("/account/2fa/recovery-codes/").content.decode()
    for path in ("recovery-codes/generate/", "totp/deactivate/"):
        html = signed_in.get(f"/account/2fa/{path}").content.decode()
        assert 'class="shell"' in html
        assert "button--danger" in html


def test_asks_for_the_second_factor_in_our_layout(alice: User) -> None:
    alice.set_password(PASSWORD)
    alice.save()
    TOTP.activate(alice, generate_totp_secret())

    html = (
        Browser()
        .post("/account/login/", {"login": alice.email, "password": PASSWORD}, follow=True)
        .content.decode()
    )

    assert "Enter your code" in html
    assert 'class="plain"' in html


@pytest.mark.parametrize(("person", "layout"), [("alice", "/app/"), ("root", "/agency/")])
def test_keeps_people_in_their_own_face(
    request: pytest.FixtureRequest, browse: Callable[..., Browser], person: str, layout: str
) -> None:
    html = browse(request.getfixturevalue(person)).get("/account/2fa/").content.decode()

    assert f'class="brand" href="{layout}"' in html


def test_a_missing_page_and_a_forbidden_one_are_pages(
    browse: Callable[..., Browser], alice: User
) -> None:
    missing = browse(alice).get("/nothing-here/")

    assert missing.status_code == 404
    assert "This page is not here" in missing.content.decode()


def test_a_form_without_its_token_is_told_to_reload(db: None) -> None:
    answer = Browser(enforce_csrf_checks=True).post("/account/login/", {})

    assert answer.status_code == 403
    assert "This form has expired" in answer.content.decode()
