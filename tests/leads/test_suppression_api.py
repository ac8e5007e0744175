"""The do-not-call lists for programs: asking for one number, and the agency's list."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from campaigns.models import Campaign
from leads.models import Suppression
from leads.services.suppressions import hashed_numbers
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import SuppressionFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User

LIST = "/api/v1/client/suppressions/"
NUMBER = "+12125550101"
LATER = NOW + timedelta(days=1)


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


@pytest.mark.parametrize("which", ["archived", "the oldest of 201"])
def test_lists_a_number_for_a_campaign_however_old_it_is(
    browse: Callable[[User], Browser], mia: User, acme: Client, rival: Client, which: str
) -> None:
    campaign = make_draft(acme)
    if which == "archived":
        Campaign.objects.update(status="archived")
    else:
        newer = {"client": acme, "created_at": LATER, "updated_at": LATER}
        Campaign.objects.bulk_create([Campaign(name=str(n), **newer) for n in range(200)])
    sent = {"phone_number": NUMBER, "reason": "CRM", "campaign_id": str(campaign.pk)}

    answer = browse(mia).post(LIST, sent, **JSON)

    assert (answer.status_code, answer.json().get("campaign_id")) == (201, str(campaign.pk))
    strange = sent | {"campaign_id": str(make_draft(rival).pk)}
    assert browse(mia).post(LIST, strange, **JSON).status_code == 404


@pytest.mark.parametrize(
    ("number", "country", "listed"),
    [
        ("1-800-234-5678", "US", "+18002345678"),
        ("0800 111 1111", "GB", "+448001111111"),
        ("900 234 5678", "US", "+19002345678"),
    ],
)
def test_lists_a_number_that_nobody_calls_for_whoever_called_from_it(
    browse: Callable[[User], Browser], mia: User, number: str, country: str, listed: str
) -> None:
    sent = {"phone_number": number, "country": country, "reason": "Asked on the phone"}

    answer = browse(mia).post(LIST, sent, **JSON)

    assert (answer.status_code, answer.json()["phone_number"]) == (201, listed)
    found = browse(mia).get(LIST, {"phone_number": number, "country": country}).json()["results"]
    assert [row["phone_number"] for row in found] == [listed]
    page = browse(mia).post("/app/do-not-call/add/", sent)
    assert page.status_code == 302
    assert Suppression.objects.count() == 1


AGENCY = "/api/v1/admin/suppressions/"
JSON: Any = {"content_type": "application/json"}


@pytest.fixture
def clerk(bob: User) -> User:
    """An admin who may work on campaigns and leads."""
    bob.manage_campaigns = True
    bob.save()
    return bob


def test_keeps_the_agencys_list_for_its_people(
    browse: Callable[[User], Browser], clerk: User, acme: Client
) -> None:
    SuppressionFactory.create(client=acme, phone_number=NUMBER)
    browser, body = browse(clerk), {"phone_number": "(212) 555-0101", "reason": "Complaint"}

    answers = [browser.post(AGENCY, body, **JSON) for _twice in range(2)]

    made = answers[0].json()
    assert [one.status_code for one in answers] == [201, 201]
    assert (made["level"], made["phone_number"], made["source"]) == ("agency", NUMBER, "api")
    assert answers[1].json() == made
    assert [one["suppression_id"] for one in browser.get(AGENCY).json()["results"]] == [
        made["suppression_id"]
    ]
    found = browser.get(f"{AGENCY}?phone_number=2125550101").json()["results"]
    assert found == [made]
    assert browser.get(f"{AGENCY}?phone_number=2125550102").json()["results"] == []

    one = f"{AGENCY}{made['suppression_id']}/"
    assert browser.get(one).json() == made
    assert browser.delete(one, {}, **JSON).json()["fields"].keys() == {"reason"}
    assert browser.delete(one, {"reason": "A mistake"}, **JSON).status_code == 204
    assert browser.get(one).status_code == 404
    assert Suppression.objects.get().client == acme
    actions = AuditLog.objects.order_by("created_at", "pk").values_list("action", "details")
    assert [(action, details["reason"]) for action, details in actions] == [
        ("number.suppressed", "Complaint"),
        ("suppression.lifted", "A mistake"),
    ]


def test_lifts_no_clients_entry_by_the_agencys_address(
    browse: Callable[[User], Browser], clerk: User, acme: Client
) -> None:
    entry = SuppressionFactory.create(client=acme)

    answer = browse(clerk).delete(f"{AGENCY}{entry.pk}/", {"reason": "Ours now"}, **JSON)

    assert answer.status_code == 404
    assert Suppression.objects.get() == entry


def test_says_what_is_wrong_with_a_number_for_the_agencys_list(
    browse: Callable[[User], Browser], clerk: User
) -> None:
    answer = browse(clerk).post(AGENCY, {"phone_number": "12", "reason": "x"}, **JSON)

    assert (answer.status_code, answer.json()["fields"]) == (
        400,
        {"phone_number": ["phone_too_short"]},
    )


def test_keeps_out_clients_and_admins_without_the_permission(
    browse: Callable[[User], Browser], bob: User, alice: User
) -> None:
    for person in (bob, alice):
        assert browse(person).get(AGENCY).status_code == 403
        assert browse(person).post(AGENCY, {}, **JSON).status_code == 403
