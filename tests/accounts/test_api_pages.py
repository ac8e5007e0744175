"""How lists of the API are paged: every row once, however many were made at one instant."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from convomono.lib.ids import uuid7
from leads.models import Lead
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User

URL = "/api/v1/client/leads/"


def make_leads(client, count):
    Lead.objects.bulk_create(
        [
            Lead(client=client, phone_number=f"+1212{number:07}", created_at=NOW, updated_at=NOW)
            for number in range(count)
        ],
        batch_size=150,
    )


def walked(browser, **query):
    """Follow `next` to its end, at most 50 pages."""
    seen, page = [], browser.get(URL, query).json()
    for _ in range(50):
        seen += [row["lead_id"] for row in page["results"]]
        if page["next"] is None:
            return seen
        page = browser.get(page["next"]).json()
    raise AssertionError("It never ends.")


def test_shows_thousands_of_rows_of_one_instant_once_each(browse, vera, acme):
    """The library's own cursor came back to the same page behind the thousandth."""
    make_leads(acme, 1203)
    seen = walked(browse(vera), page_size="200")
    assert len(seen) == len(set(seen)) == 1203


def test_goes_back_the_way_it_came(browse, vera, acme):
    make_leads(acme, 5)
    browser = browse(vera)
    first = browser.get(URL, {"page_size": "2"}).json()
    second = browser.get(first["next"]).json()
    assert first["previous"] is None
    assert browser.get(second["previous"]).json()["results"] == first["results"]


def test_takes_the_same_queries_for_one_row_and_for_twenty(
    browse, vera, acme, django_assert_num_queries
):
    browser = browse(vera)
    make_leads(acme, 1)
    with django_assert_num_queries(4):
        browser.get(URL)
    Lead.objects.bulk_create(
        [
            Lead(client=acme, phone_number=f"+1646{n:07}", created_at=NOW, updated_at=NOW)
            for n in range(19)
        ]
    )
    with django_assert_num_queries(4):
        assert len(browser.get(URL).json()["results"]) == 20


@pytest.mark.parametrize(
    "values", [["x"], ["a", NOW.isoformat(), "no-key", 0, ""], ["a", 5, 5, 5, 5]]
)
def test_refuses_a_cursor_that_is_none_of_ours(browse, vera, acme, values):
    token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    answer = browse(vera).get(URL, {"cursor": token})
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("score", ["many", 2**70, [], 1.5])
def test_takes_a_value_that_no_column_holds_for_the_first_page(browse, vera, acme, score):
    """A page of the lead list, sorted by score: the token comes back from strangers."""
    make_leads(acme, 1)
    place = ["a", score, NOW.isoformat(), str(uuid7()), 1, "1"]
    for length in (3, 2):
        values = ["a", *place[1 : length + 1], str(uuid7()), 1, "1"]
        token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        answer = browse(vera).get("/app/leads/", {"sort": "score", "page": token})
        assert answer.status_code == 200


def test_gives_who_only_looks_no_more_rows_at_once_than_a_page_has(
    browse: Callable[[User], Browser], vera: User, mia: User, acme: Client
) -> None:
    make_leads(acme, 60)

    for asked, viewers, managers in (("500", 50, 60), ("20", 20, 20), ("x", 50, 50)):
        for person, expected in ((vera, viewers), (mia, managers)):
            rows = browse(person).get(URL, {"page_size": asked}).json()["results"]
            assert len(rows) == expected


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_describes_itself_to_strangers_from_memory(browse, monkeypatch, kind):
    """Building it takes a second of a core; anybody may ask as often as they like."""
    address = f"/api/v1/schema/?format={kind}"
    first = browse().get(address)

    def build(*_args, **_kwargs):
        raise AssertionError("It was built again.")

    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", build)
    again = browse().get(address)

    assert again.content == first.content
    assert b"/api/v1/client/leads/" in again.content
    assert again["Content-Type"].startswith("application/")


def test_counts_strangers_by_the_address_that_our_proxy_saw(rf, monkeypatch):
    throttle = BaseThrottle()
    seen = rf.get("/", headers={"X-Forwarded-For": "198.51.100.9, 203.0.113.1"})
    # No proxy of ours: what is written counts for nothing.
    assert throttle.get_ident(seen) == "127.0.0.1"
    monkeypatch.setattr(api_settings, "NUM_PROXIES", 1)
    assert throttle.get_ident(seen) == "203.0.113.1"
