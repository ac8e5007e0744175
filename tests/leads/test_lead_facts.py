"""What is known of a lead besides name and number: shown, typed, sent and exported; the place moves the hours."""

from __future__ import annotations

import re
from html import unescape

import pytest

from audit.models import AuditLog
from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from leads.lead_table import lead_lines
from leads.models import Lead
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory

HTMX = {"HX-Request": "true"}
FACTS = {
    "country": "US", "region": "FL", "postal_code": "33101", "line_type": "mobile",
    "external_id": "crm-7",
}  # fmt: skip


def told(page: str) -> dict[str, str]:
    """Return what the page tells of the lead, by label."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {label.strip(): unescape(re.sub(r"<[^>]+>", "", text)).strip() for label, text in pairs}


def test_shows_where_somebody_lives_their_line_and_the_clients_own_id(browse, vera, acme):
    lead = LeadFactory.create(client=acme, **FACTS)
    bare = LeadFactory.create(client=acme)
    browser = browse(vera)

    facts, nothing = (told(browser.get(f"/app/leads/{one.pk}/").text) for one in (lead, bare))

    assert facts["State or region"] == "FL"
    assert facts["ZIP or postal code"] == "33101"
    assert facts["Country of the number"] == "US"
    assert facts["Line"] == "Mobile"
    assert facts["Your own ID"] == "crm-7"
    assert nothing["Line"] == "The number doesn't tell"
    assert "Your own ID" not in nothing


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_moves_the_hours_of_whoever_waits_to_the_state_that_somebody_types(
    browse, mia, acme, headers
):
    lead = LeadFactory.create(
        client=acme, phone_number="+12125550101", zone_candidates=["America/New_York"]
    )
    enrol_lead(campaign=make_draft(acme), lead=lead, dynamic_vars={}, now=NOW)
    browser = browse(mia)
    address = f"/app/leads/{lead.pk}/edit/"
    form = browser.get(address, headers=headers).text
    typed = {"first_name": "Ada", "region": "CA", "postal_code": "90001", "external_id": "crm-8"}

    answer = browser.post(address, typed, headers=headers)

    lead = Lead.objects.get()
    assert {"region", "postal_code", "external_id"} <= set(re.findall(r'name="(\w+)"', form))
    assert answer.status_code == (200 if headers else 302)
    assert (lead.region, lead.postal_code, lead.external_id) == ("CA", "90001", "crm-8")
    assert lead.zones == Enrolment.objects.get().zones == ["America/Los_Angeles"]
    assert AuditLog.objects.get(action="lead.changed").details["changed"] == list(typed)


def test_adds_a_lead_with_the_hours_of_its_state(browse, mia):
    typed = {"phone_number": "212 555 0101", "country": "US", "consent_kind": "none"}

    browse(mia).post("/app/leads/new/", typed | {"region": "Hawaii", "external_id": "crm-7"})

    lead = Lead.objects.get()
    assert (lead.region, lead.external_id) == ("Hawaii", "crm-7")
    assert lead.zones == ["Pacific/Honolulu"]


def test_leaves_as_they_are_what_a_form_of_before_did_not_ask(browse, mia, acme):
    lead = LeadFactory.create(client=acme, **FACTS)

    browse(mia).post(f"/app/leads/{lead.pk}/edit/", {"first_name": "Ada", "region": ""})

    lead = Lead.objects.get()
    assert (lead.first_name, lead.region, lead.postal_code) == ("Ada", "", "33101")


def test_tells_programs_and_spreadsheets(browse, mia, acme):
    lead = LeadFactory.create(client=acme, **FACTS)

    sent = browse(mia).get(f"/api/v1/client/leads/{lead.pk}/").json()
    head, line = lead_lines([lead])

    assert {name: sent[name] for name in FACTS} == FACTS
    assert {name: line[head.index(name)] for name in FACTS} == FACTS


def test_shows_the_line_in_the_back_office(browse, root, acme):
    LeadFactory.create(client=acme, **FACTS)

    page = browse(root).get("/admin/leads/lead/").text

    assert "mobile" in page
