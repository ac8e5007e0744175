"""Signing in for programs: access and refresh tokens, and what a spent one is worth."""

from __future__ import annotations

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)

from accounts.services import Rights, change_client_user, deactivate_client
from tests.conftest import NOW

LOGIN = "/_allauth/app/v1/auth/login"
CODE = "/_allauth/app/v1/auth/2fa/authenticate"
REFRESH = "/_allauth/app/v1/tokens/refresh"
CLIENTS = "/api/v1/admin/clients/"
CAMPAIGNS = "/api/v1/client/campaigns/"
PASSWORD = "a-password-for-tests-1"


@pytest.fixture
def tokens(browse, root):
    root.set_password(PASSWORD)
    root.save()
    answer = browse().post(
        LOGIN, {"email": root.email, "password": PASSWORD}, content_type="application/json"
    )
    assert answer.status_code == 200, answer.content
    return answer.json()["meta"]


def call(browse, token, path=CLIENTS):
    return browse().get(path, headers={"Authorization": f"Bearer {token}"})


def test_lets_a_program_in_with_an_access_token(browse, tokens):
    assert call(browse, tokens["access_token"]).status_code == 200


@pytest.mark.parametrize("column", ["is_active", "client"])
def test_keeps_out_at_once_whom_the_agency_keeps_out(browse, alice, root, column):
    alice.set_password(PASSWORD)
    alice.save()
    typed = {"email": alice.email, "password": PASSWORD}
    answer = browse().post(LOGIN, typed, content_type="application/json")
    token = answer.json()["meta"]["access_token"]
    assert call(browse, token, CAMPAIGNS).status_code == 200

    if column == "client":
        deactivate_client(client=alice.client, actor=root, now=NOW)
    else:
        rights = Rights(client_role="owner", can_launch=True)
        change_client_user(user=alice, rights=rights, is_active=False, actor=root, now=NOW)

    assert call(browse, token, CAMPAIGNS).status_code in {401, 403}
    again = browse().post(LOGIN, typed, content_type="application/json")
    assert "access_token" not in again.json().get("meta", {})
    asked = {"refresh_token": answer.json()["meta"]["refresh_token"]}
    fresh = browse().post(REFRESH, asked, content_type="application/json")
    renewed = fresh.json().get("data", {}).get("access_token", "")
    assert call(browse, renewed, CAMPAIGNS).status_code in {401, 403}


@pytest.mark.parametrize("token", ["", "nonsense", "eyJhbGciOiJub25lIn0.e30."])
def test_keeps_a_program_without_a_good_token_out(browse, tokens, token):
    answer = call(browse, token)

    assert answer.status_code in {401, 403}
    assert answer["Content-Type"] == "application/problem+json"


def test_never_takes_a_refresh_token_for_an_access_token(browse, tokens):
    assert call(browse, tokens["refresh_token"]).status_code in {401, 403}


def test_gives_a_new_access_token_for_a_refresh_token_once(browse, tokens):
    asked = {"refresh_token": tokens["refresh_token"]}
    first = browse().post(REFRESH, asked, content_type="application/json")
    second = browse().post(REFRESH, asked, content_type="application/json")

    assert first.status_code == 200
    assert call(browse, first.json()["data"]["access_token"]).status_code == 200
    assert second.status_code == 400


def test_refuses_a_wrong_password(browse, root):
    answer = browse().post(
        LOGIN, {"email": root.email, "password": "wrong"}, content_type="application/json"
    )

    assert answer.status_code == 400


def test_asks_a_program_for_the_code_of_whoever_has_a_second_factor(browse, root, settings):
    """The steps of docs/api.md: 401 with a session token, then the code with that token."""
    settings.MFA_TOTP_TOLERANCE = 1  # the next code is good too, should this half minute just end
    root.set_password(PASSWORD)
    root.save()
    secret = generate_totp_secret()
    TOTP.activate(root, secret)

    asked = browse().post(
        LOGIN, {"email": root.email, "password": PASSWORD}, content_type="application/json"
    )
    assert asked.status_code == 401
    assert {"id": "mfa_authenticate", "is_pending": True} in [
        {name: flow.get(name) for name in ("id", "is_pending")}
        for flow in asked.json()["data"]["flows"]
    ]
    assert "access_token" not in asked.json()["meta"]

    def give(code):
        return browse().post(
            CODE,
            {"code": code},
            content_type="application/json",
            headers={"X-Session-Token": asked.json()["meta"]["session_token"]},
        )

    assert give("000000").status_code == 400
    *_, counter = yield_hotp_counters_from_time()
    done = give(format_hotp_value(hotp_value(secret, counter)))
    assert done.status_code == 200, done.content
    assert call(browse, done.json()["meta"]["access_token"]).status_code == 200
