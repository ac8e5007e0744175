"""Signing in, being sent to one's face, and the theme."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cryptography.fernet import Fernet  # noqa: TID251 - makes a key as people do
from django.core.cache import cache

PRODUCTION = {
    "SECRET_KEY": "of-a-test-and-long-enough-to-be-taken-for-one-of-a-server",
    "FIELD_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    "PUBLIC_BASE_URL": "https://calls.example",
    "RETELL_API_KEY": "key",
    "RETELL_WEBHOOK_KEY": "key",
    "SENTRY_DSN": "https://key@errors.example/1",
}


@pytest.fixture
def enough_cache():
    """An empty cache before and after: it holds what counts the tries."""
    cache.clear()
    yield
    cache.clear()


def test_sends_strangers_to_the_sign_in_page(browse, db):
    response = browse().get("/")

    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/")


def test_keeps_people_of_an_inactive_client_out(browse, alice):
    browser = browse(alice)
    alice.client.status = "inactive"
    alice.client.save()

    response = browser.get("/")

    assert response["Location"] == "/account/login/"
    assert browser.get("/")["Location"].startswith("/account/login/")


def test_keeps_the_theme_in_a_cookie(browse, db):
    response = browse().post("/theme/", {"theme": "dark", "next": "https://elsewhere.test/"})

    assert response["Location"] == "/"
    assert response.cookies["theme"].value == "dark"


def test_keeps_wrong_passwords_of_one_address_from_locking_out_another(
    browse, alice, settings, enough_cache
):
    """Behind our proxy every request comes from the proxy; what it adds tells them apart."""
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1

    def tries(seen):
        guess = {"login": f"{seen.partition(',')[0]}@acme.test", "password": "guess"}
        return browse().post("/account/login/", guess, headers={"X-Forwarded-For": seen})

    # What the caller wrote before our proxy counts for nothing.
    answers = [tries(f"198.51.100.{number}, 203.0.113.1") for number in range(11)]
    assert "Too many failed login attempts" in answers[-1].text
    assert "Too many" not in tries("203.0.113.2").text


def test_runs_production_with_nothing_personal_in_its_errors():
    """The reporter's own switch for personal data leaves bodies and local variables on."""
    program = (
        "import json, sentry_sdk\n"
        "sentry_sdk.init = lambda **options: print(json.dumps(options))\n"
        "import convomono.settings.production\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=PRODUCTION, capture_output=True, check=True, text=True
    )
    told = json.loads(done.stdout)
    assert told["include_local_variables"] is False
    assert told["max_request_body_size"] == "never"
    assert told["send_default_pii"] is False


def test_counts_as_many_proxies_for_the_api_as_for_signing_in():
    program = (
        "import convomono.settings.production as p\n"
        "print(p.REST_FRAMEWORK['NUM_PROXIES'], p.ALLAUTH_TRUSTED_PROXY_COUNT)\n"
    )
    given = PRODUCTION | {"SENTRY_DSN": "", "TRUSTED_PROXY_COUNT": "2"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=given, capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == ["2", "2"]


def test_refuses_to_keep_files_wherever_a_process_was_started():
    """`VAR_DIR=var` of a trial, left in a server's file of variables, would win over its units."""
    program = "import convomono.settings.production as p\nprint(p.VAR_DIR)\n"
    given = PRODUCTION | {"SENTRY_DSN": ""}
    command = [sys.executable, "-c", program]
    relative = subprocess.run(
        command, env=given | {"VAR_DIR": "var"}, capture_output=True, check=False, text=True
    )
    assert relative.returncode == 1
    assert "VAR_DIR must begin with /" in relative.stderr
    absolute = subprocess.run(
        command, env=given | {"VAR_DIR": "/srv/x"}, capture_output=True, check=True, text=True
    )
    assert absolute.stdout.strip() == "/srv/x"
