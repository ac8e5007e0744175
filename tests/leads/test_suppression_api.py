"""Asking for one number of the do-not-call list by program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from leads.services.suppressions import hashed_numbers
from tests.factories.leads import SuppressionFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User

LIST = "/api/v1/client/suppressions/"
NUMBER = "+12125550101"


@pytest.fixture
def ask(browse: Callable[[User], Browser], vera: User) -> Callable[[str], Any]:
    """Ask with this query string, as it stands in an address."""
    return lambda query: browse(vera).get(f"{LIST}?{query}")


@pytest.mark.parametrize(
    "query",
    [
        "phone_number=%2B12125550101",
        "phone_number=+12125550101",  # a plus that nobody encoded arrives as a blank
        "phone_number=+1+212+555-0101",
        "phone_number=(212)%20555-0101",
        "phone_number=2125550101&country=CA",
    ],
)
def test_finds_a_number_however_it_is_written(
    ask: Callable[[str], Any], acme: Client, rival: Client, query: str
) -> None:
    SuppressionFactory.create(client=acme, phone_number=NUMBER)
    SuppressionFactory.create(client=acme, phone_number="+12125550102")
    SuppressionFactory.create(client=rival, phone_number=NUMBER)

    found = ask(query).json()["results"]

    assert [row["phone_number"] for row in found] == [NUMBER]


def test_reads_a_number_as_one_of_the_country(ask: Callable[[str], Any], acme: Client) -> None:
    SuppressionFactory.create(client=acme, phone_number="+442079460018")

    assert len(ask("phone_number=020 7946 0018&country=GB").json()["results"]) == 1


def test_finds_a_number_that_may_not_be_called_and_called_in(
    ask: Callable[[str], Any], acme: Client
) -> None:
    SuppressionFactory.create(client=acme, phone_number="+18004633339")

    assert len(ask("phone_number=%2B18004633339").json()["results"]) == 1
    assert ask("phone_number=%2B18005551212").json()["results"] == []


def test_finds_the_number_of_an_erased_person_and_shows_none(
    ask: Callable[[str], Any], acme: Client
) -> None:
    SuppressionFactory.create(client=acme, phone_number=hashed_numbers(NUMBER)[0])

    (found,) = ask("phone_number=%2B12125550101").json()["results"]

    assert found["phone_number"] is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("phone_number=", "phone_missing"),
        ("phone_number=nope", "phone_damaged"),
        ("phone_number=%2B1212", "phone_too_short"),
        ("phone_number=2125550101&country=XX", "phone_unknown_country"),
    ],
)
def test_says_that_it_is_no_number(
    ask: Callable[[str], Any], acme: Client, query: str, reason: str
) -> None:
    answer = ask(query)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["fields"] == {"phone_number": [reason]}
