"""Leads by program: what is told of one that is there, changing it, deleting it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from campaigns.models import Campaign, Enrolment
from campaigns.services.enrolment import enrol_lead
from leads.models import Consent, Lead, LeadOperation
from leads.services.consents import revoke_consent
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft, make_lead
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.test import Client as Browser

    from accounts.models import Client, User

LEADS = "/api/v1/client/leads/"
NUMBER = "+12125550142"
GIVEN = {"kind": "written", "source": "Form", "given_at": "2026-11-01T10:00:00Z"}


def post(browser, **body):
    return browser.post(LEADS, {"phone_number": NUMBER, **body}, content_type="application/json")


def patch(browser, lead, **body):
    return browser.patch(f"{LEADS}{lead.pk}/", body, content_type="application/json")


def test_adds_a_lead_with_all_that_is_known_of_it(browse, mia):
    answer = post(
        browse(mia), first_name="Ada", region="CA", postal_code="90001", external_id="crm-7",
        tags=["vip"],
    )  # fmt: skip

    lead = Lead.objects.get()
    assert answer.status_code == 201
    assert (lead.external_id, lead.tags, lead.zones) == ("crm-7", ["vip"], ["America/Los_Angeles"])
    shown = answer.json()
    assert (shown["region"], shown["tags"], shown["external_id"]) == ("CA", ["vip"], "crm-7")


def test_fills_in_what_it_is_told_of_a_lead_that_is_there(browse, mia, acme):
    lead = LeadFactory.create(
        client=acme, phone_number=NUMBER, first_name="Ada", consent_status="none", tags=["old"],
        zone_candidates=["America/New_York"],
    )  # fmt: skip
    body = {
        "first_name": "Eve",
        "company": "Firm",
        "region": "CA",
        "tags": ["vip"],
        "consent": GIVEN,
    }

    answers = [post(browse(mia), **body) for _twice in range(2)]

    lead.refresh_from_db()
    assert [one.status_code for one in answers] == [200, 200]
    assert (lead.first_name, lead.company, lead.tags) == ("Ada", "Firm", ["old", "vip"])
    assert (lead.consent_status, lead.zones) == ("given", ["America/Los_Angeles"])
    assert Consent.objects.count() == 1
    assert AuditLog.objects.filter(action="lead.changed").count() == 1


@pytest.mark.parametrize(("days", "status"), [(-1, "revoked"), (0, "revoked"), (1, "given")])
def test_believes_a_consent_again_that_is_newer_than_its_taking_back(
    browse, mia, acme, days, status
):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    Consent.objects.create(
        client=acme, lead=lead, kind="express", source="Fair", given_at=NOW - timedelta(days=90),
        recorded_by_email="x@x.test", created_at=NOW,
    )  # fmt: skip
    taken_back = NOW - timedelta(days=20)
    revoke_consent(lead=lead, how="By mail", actor=mia, now=taken_back)

    post(
        browse(mia), consent={**GIVEN, "given_at": (taken_back + timedelta(days=days)).isoformat()}
    )

    lead.refresh_from_db()
    assert lead.consent_status == status


def test_changes_what_is_sent_and_nothing_else(browse, mia, acme):
    lead = LeadFactory.create(
        client=acme, phone_number=NUMBER, first_name="Ada", company="Firm", tags=["old"]
    )
    browser = browse(mia)

    answer = patch(browser, lead, company="", postal_code="90001", tags=["vip"])

    lead.refresh_from_db()
    assert answer.status_code == 200
    assert (lead.first_name, lead.company, lead.tags) == ("Ada", "", ["vip"])
    assert lead.zones == ["America/Los_Angeles"]
    assert answer.json()["tags"] == ["vip"]
    assert patch(browser, lead, first_name="Eve").json()["tags"] == ["vip"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"first_name": "{{x}}"}, "first_name"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"tags": ["a,b"]}, "tags"),
        ({"tags": ["{{x}}"]}, "tags"),
        ({"email": "nobody"}, "email"),
    ],
)
def test_refuses_changes_that_could_harm(browse, mia, acme, body, field):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)

    answer = patch(browse(mia), lead, **body)

    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_deletes_a_lead_that_nobody_called_and_can_bring_it_back(browse, mia, acme):
    lead = LeadFactory.create(client=acme, created_at=NOW - timedelta(days=900))
    called = LeadFactory.create(client=acme, created_at=NOW - timedelta(days=900))
    use(called)
    browser = browse(mia)

    gone, kept = (browser.delete(f"{LEADS}{one.pk}/") for one in (lead, called))

    assert gone.status_code == 204
    assert (kept.status_code, kept.json()["code"]) == (409, "lead_in_use")
    assert list(Lead.objects.all()) == [called]
    assert browser.delete(f"{LEADS}{lead.pk}/").status_code == 404
    operation = LeadOperation.objects.get(changed_count=1)
    assert (operation.kind, operation.status) == ("delete", "done")


def use(lead: Lead) -> None:
    """Give the lead a promise that somebody made."""
    from campaigns.models import FollowUp

    FollowUp.objects.create(
        client=lead.client, lead=lead, due_at=NOW, note="Call", key="k", created_at=NOW
    )


def test_is_for_the_clients_own_managers(browse, vera, charlie, acme):
    lead = LeadFactory.create(client=acme)

    for person, status in ((vera, 403), (charlie, 404)):
        assert patch(browse(person), lead, first_name="X").status_code == status
        assert browse(person).delete(f"{LEADS}{lead.pk}/").status_code == status

    assert Lead.objects.get() == lead


@pytest.fixture
def told(acme: Client) -> dict[str, Lead]:
    """A lead in no campaign, one in one, and one whose newest enrolment isn't its first."""
    first, second = make_draft(acme), make_draft(acme, name="Second")
    own = {"alone": "called", "once": "reached", "twice": "queued"}
    leads = {name: make_lead(acme, number) for number, name in enumerate(own)}
    enrolled = [
        (first, "once", "done", 0),
        (first, "twice", "exhausted", 0),
        (second, "twice", "queued", 1),
    ]
    for campaign, name, status, later in enrolled:
        enrol_lead(
            campaign=campaign,
            lead=leads[name],
            dynamic_vars={"of": campaign.name},
            now=NOW + timedelta(hours=later),
        )
        Enrolment.objects.filter(campaign=campaign, lead=leads[name]).update(status=status)
    for name, lead in leads.items():
        Lead.objects.filter(pk=lead.pk).update(status=own[name])
    return leads


def names_of(answer: Any, told: dict[str, Lead]) -> set[str]:
    by_id = {str(lead.pk): name for name, lead in told.items()}
    return {by_id[row["lead_id"]] for row in answer.json()["results"]}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "called"}, {"alone"}),
        ({"status": "done"}, {"once"}),
        ({"status": "reached"}, set()),
        ({"status": "queued"}, {"twice"}),
        ({"status": "exhausted"}, set()),
        ({"lead_status": "reached"}, {"once"}),
        ({"lead_status": "queued", "status": "queued"}, {"twice"}),
    ],
)
def test_filters_by_the_status_that_it_shows(
    browse: Callable[[User], Browser],
    vera: User,
    told: dict[str, Lead],
    query: dict[str, str],
    found: set[str],
) -> None:
    answer = browse(vera).get(LEADS, query)

    assert names_of(answer, told) == found
    for row in answer.json()["results"]:
        assert row["status"] == query.get("status", row["status"])
        assert row["lead_status"] == query.get("lead_status", row["lead_status"])


def test_shows_the_enrolment_in_the_campaign_that_was_asked_for(
    browse: Callable[[User], Browser],
    vera: User,
    told: dict[str, Lead],
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    first = Campaign.objects.get(name="Autumn check-ups")
    browser = browse(vera)
    with django_assert_num_queries(4):
        answer = browser.get(LEADS, {"campaign_id": str(first.pk).upper()})

    rows = {row["lead_id"]: row for row in answer.json()["results"]}
    twice = rows[str(told["twice"].pk)]
    assert {row["campaign_id"] for row in rows.values()} == {str(first.pk)}
    assert (twice["status"], twice["lead_status"]) == ("exhausted", "queued")
    assert twice["dynamic_vars"]["of"] == "Autumn check-ups"
    assert len(twice["enrolments"]) == 2
    for status, found in (("exhausted", {"twice"}), ("done", {"once"}), ("queued", set())):
        with django_assert_num_queries(4 if found else 2):
            narrowed = browser.get(LEADS, {"campaign_id": str(first.pk), "status": status})
        assert names_of(narrowed, told) == found


def test_answers_with_the_campaign_that_a_lead_was_sent_for(
    browse: Callable[[User], Browser], mia: User, told: dict[str, Lead]
) -> None:
    first = Campaign.objects.get(name="Autumn check-ups")
    lead = told["twice"]
    body = {"phone_number": lead.phone_number, "campaign_id": str(first.pk)}
    key = {"Idempotency-Key": "crm-1"}

    for _twice in range(2):
        answer = browse(mia).post(LEADS, body, content_type="application/json", headers=key)
        shown = answer.json()
        assert (shown["campaign_id"], shown["status"]) == (str(first.pk), "exhausted")


def test_describes_what_it_flattens(browse: Callable[[User], Browser], vera: User) -> None:
    schema = browse(vera).get("/api/v1/schema/", {"format": "json"}).json()

    lead = schema["components"]["schemas"]["Lead"]["properties"]
    assert {"campaign_id", "dynamic_vars", "status", "lead_status"} <= lead.keys()


def test_tells_what_became_of_a_lead_so_far(browse, vera, acme):
    LeadFactory.create(
        client=acme, score=61, attempts_count=2, last_outcome="machine", next_attempt_at=NOW
    )

    (lead,) = browse(vera).get(LEADS).json()["results"]

    assert (lead["score"], lead["attempts_count"], lead["last_outcome"]) == (61, 2, "machine")
    assert datetime.fromisoformat(lead["next_attempt_at"]) == NOW
