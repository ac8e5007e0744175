"""A client's owners make, replace and revoke API keys on pages."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client as Browser

from accounts.api_keys import create_api_key, revoke_api_key, rotate_api_key
from accounts.models import ApiKey
from convomono.lib import clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from accounts.models import User

LIST = "/app/api-keys/"
SECRET = re.compile(r"cmk_[\w-]{43}")


def made(user: User, **fields: Any) -> ApiKey:
    assert user.client is not None
    told = {"name": "CRM", "scope": "read", "expires_at": None, "now": clock.real_now()} | fields
    return create_api_key(client=user.client, actor=user, **told)[0]


def test_makes_a_key_and_shows_it_once(browse: Callable[[User], Browser], alice: User) -> None:
    browser = browse(alice)
    page = browser.post(f"{LIST}new/", {"name": "CRM", "scope": "write", "days": "90"})

    (secret,) = set(SECRET.findall(page.text))
    key = ApiKey.objects.get()
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    assert (key.name, key.scope, key.created_by_email) == ("CRM", "write", alice.email)
    assert key.expires_at is not None and key.expires_at - key.created_at == timedelta(days=90)
    answer = Browser().get(
        "/api/v1/client/campaigns/", headers={"Authorization": f"Bearer {secret}"}
    )
    assert answer.status_code == 200
    shown = browser.get(LIST).text
    assert secret not in shown
    assert key.prefix in shown and "alice@acme.test" in shown


def test_makes_another_in_its_place(browse: Callable[[User], Browser], alice: User) -> None:
    key, browser = made(alice), browse(alice)

    page = browser.post(f"{LIST}{key.pk}/rotate/")
    again = browser.post(f"{LIST}{key.pk}/rotate/", follow=True)

    assert SECRET.search(page.text) and key.prefix in page.text
    assert "was replaced" in again.text
    assert ApiKey.objects.count() == 2
    assert "Replaced" in browser.get(LIST).text


def test_revokes_a_key(browse: Callable[[User], Browser], alice: User) -> None:
    key, browser = made(alice), browse(alice)

    page = browser.post(f"{LIST}{key.pk}/revoke/", follow=True)

    key.refresh_from_db()
    assert key.revoked_at is not None
    assert "opens nothing any more" in page.text
    assert "Revoked" in page.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "required"),
        ({"scope": "all"}, "valid choice"),
        ({"days": "5000"}, "valid choice"),
    ],
)
def test_says_what_is_wrong(
    browse: Callable[[User], Browser], alice: User, typed: dict[str, str], said: str
) -> None:
    answer = browse(alice).post(
        f"{LIST}new/", {"name": "CRM", "scope": "read", "days": "0"} | typed
    )

    assert answer.status_code == 422
    assert said in answer.text
    assert not ApiKey.objects.exists()


def test_stops_at_twenty(browse: Callable[[User], Browser], alice: User) -> None:
    for _number in range(20):
        made(alice)
    answer = browse(alice).post(f"{LIST}new/", {"name": "X", "scope": "read", "days": "0"})

    assert answer.status_code == 422
    assert "Revoke one first" in answer.text


def test_offers_launching_to_whom_it_is_granted(
    browse: Callable[[User], Browser], alice: User
) -> None:
    key = made(alice, scope="launch")
    assert "and launches" in browse(alice).get(f"{LIST}new/").text
    alice.can_launch = False
    alice.save()
    browser = browse(alice)

    assert "and launches" not in browser.get(f"{LIST}new/").text
    typed = {"name": "X", "scope": "launch", "days": "0"}
    assert browser.post(f"{LIST}new/", typed).status_code == 422
    assert f"rotate-{key.prefix}" not in browser.get(LIST).text.split("<dialog")[0]
    page = browser.post(f"{LIST}{key.pk}/rotate/", follow=True)
    assert "only who may launch" in page.text
    assert ApiKey.objects.count() == 1


def test_is_for_owners_of_the_client_alone(
    browse: Callable[..., Browser], alice: User, mia: User, vera: User, charlie: User, root: User
) -> None:
    key = made(alice)
    one = [f"{LIST}{key.pk}/rotate/", f"{LIST}{key.pk}/revoke/"]

    for person in (mia, vera, root):
        assert browse(person).get(LIST).status_code == 403
        assert {browse(person).post(path).status_code for path in one} == {403}
    assert browse().get(LIST).status_code == 302
    assert key.prefix not in browse(charlie).get(LIST).text
    assert {browse(charlie).post(path).status_code for path in one} == {404}
    assert {browse(alice).get(path).status_code for path in one} == {405}
    assert ApiKey.objects.get().revoked_at is None


def test_is_not_made_by_somebody_of_the_agency_who_works_as_the_client(
    browse: Callable[[User], Browser], alice: User, root: User
) -> None:
    key, browser = made(alice), browse(root)
    act = {"acted_for": alice.pk, "reason": "Asked to", "minutes": 15}
    browser.post(f"/agency/clients/{alice.client_id}/act/", act)

    page = browser.post(f"{LIST}new/", {"name": "X", "scope": "read", "days": "0"})
    rotated = browser.post(f"{LIST}{key.pk}/rotate/", follow=True)

    assert page.status_code == 422
    assert "outlive your time" in page.text and "outlive your time" in rotated.text
    key.refresh_from_db()
    assert (ApiKey.objects.count(), key.replaced_at) == (1, None)
    browser.post(f"{LIST}{key.pk}/revoke/")
    key.refresh_from_db()
    assert key.revoked_at is not None


def test_is_found_in_an_owners_menu(
    browse: Callable[[User], Browser], alice: User, mia: User
) -> None:
    assert LIST in browse(alice).get("/app/leads/").text
    assert LIST not in browse(mia).get("/app/leads/").text


def test_asks_the_same_queries_for_many_keys(
    browse: Callable[[User], Browser],
    alice: User,
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    browser, now = browse(alice), clock.real_now()
    first = made(alice)
    with django_assert_num_queries(3):
        browser.get(LIST)
    rotate_api_key(key=first, actor=alice, now=now)
    revoke_api_key(key=made(alice, expires_at=now), actor=alice, now=now)
    for _number in range(15):
        made(alice)
    with django_assert_num_queries(3):
        assert browser.get(LIST).text.count("<tr>") == 19
