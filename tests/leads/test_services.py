"""Do-not-call, consent and the summary of a lead: what other rooms ask for."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from audit.models import AuditLog
from audit.services import System
from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.db import atomic
from convomono.lib.ids import uuid7
from leads.models import Lead
from leads.services import (
    LeadExists,
    LeadFields,
    create_lead,
    has_consent,
    lift_suppression,
    record_summary,
    suppress,
    suppressed_numbers,
)
from leads.services.filling import fill_lead
from leads.services.people import change_lead
from leads.services.scoring import weighing_of
from leads.services.summaries import LeadBook
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import CONSENT, LeadFactory, SuppressionFactory

if TYPE_CHECKING:
    from leads.models import Suppression
    from leads.services.people import Summary

NUMBER = "+12125550101"


def put(client, *, level="client", campaign_id=None, number=NUMBER) -> Suppression:
    return suppress(
        level=level,
        client_id=client.pk,
        campaign_id=campaign_id,
        phone_number=number,
        source="call",
        reason="Asked",
        call_id=uuid7(),
        actor=System("dispatcher"),
        now=NOW,
    )


def test_tells_the_widest_list_a_number_is_on(acme, rival):
    campaign_id = uuid7()
    put(acme, level="campaign", campaign_id=campaign_id)
    put(acme)
    put(rival, number="+12125550102")
    put(acme, level="agency", number="+12125550103")
    put(acme, level="campaign", campaign_id=uuid7(), number="+12125550104")
    numbers = [f"+1212555010{n}" for n in range(6)]

    asked = {"client_id": acme.pk, "phone_numbers": numbers}
    assert suppressed_numbers(campaign_id=campaign_id, **asked) == {
        NUMBER: "client",
        "+12125550103": "agency",
    }
    assert suppressed_numbers(campaign_id=None, **asked) == {
        NUMBER: "client",
        "+12125550103": "agency",
    }


def test_asks_once_for_each_900_numbers_and_once_whether_anybody_is_erased(
    acme, django_assert_max_num_queries
):
    numbers = [f"+1212{n:07}" for n in range(2000)]

    with django_assert_max_num_queries(4):  # on MongoDB one list takes them all
        suppressed_numbers(client_id=acme.pk, campaign_id=uuid7(), phone_numbers=numbers)


def test_puts_a_number_on_a_list_once(acme):
    with atomic():
        first = put(acme)

    assert put(acme) == first
    assert AuditLog.objects.count() == 1
    assert first.added_by_email == "dispatcher"


@pytest.mark.django_db(transaction=True)
def test_puts_a_number_on_a_list_once_from_four_threads(acme):
    rows: list[Suppression] = []

    def work() -> None:
        try:
            rows.append(put(acme))
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(rows) == 4
    assert len({row.pk for row in rows}) == 1
    assert AuditLog.objects.count() == 1


@pytest.mark.parametrize(("attempts", "status"), [(0, "new"), (2, "called")])
def test_gives_the_lead_its_status_back_when_lifted(acme, alice, attempts, status):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER, attempts_count=attempts)
    row = put(acme)

    assert lift_suppression(suppression=row, reason="Mistake", actor=alice, now=NOW)
    assert not lift_suppression(suppression=row, reason="Mistake", actor=alice, now=NOW)

    lead.refresh_from_db()
    assert lead.status == status


@pytest.mark.parametrize("one_by_one", [True, False])
@pytest.mark.parametrize(
    ("level", "status"),
    [("client", "suppressed"), ("agency", "suppressed"), ("campaign", "reached")],
)
def test_keeps_do_not_call_when_the_call_it_was_asked_on_ends(
    acme, alice, level, status, one_by_one
):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    suppress(
        level=level, client_id=acme.pk, campaign_id=uuid7(), phone_number=NUMBER, source="person",
        reason="", actor=alice, now=NOW,
    )  # fmt: skip
    Lead.objects.filter(pk=lead.pk).update(status="suppressed")
    summary: Summary = {"status": "reached", "attempts_count": 1, "last_attempted_at": NOW}

    if one_by_one:
        record_summary(lead_id=lead.pk, now=NOW, **summary)
    else:
        book = LeadBook([lead.pk])
        book.summarise(lead.pk, summary, now=NOW)
        book.convert(lead.pk, now=NOW)
        book.write()

    lead.refresh_from_db()
    expected = "converted" if status == "reached" and not one_by_one else status
    assert (lead.status, lead.attempts_count) == (expected, 1)


def test_gives_back_what_calls_had_made_of_a_lead(acme, alice):
    won, reached, other = (
        LeadFactory.create(client=acme, attempts_count=1, status="suppressed") for _ in range(3)
    )
    campaign = make_draft(acme)
    for lead in (won, reached, other):
        enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    Enrolment.objects.filter(lead__in=[won, reached]).update(status="done")
    Enrolment.objects.filter(lead=won).update(is_converted=True)
    SuppressionFactory.create(client=None, level="agency", phone_number=other.phone_number)

    for lead in (won, reached, other):
        entry = SuppressionFactory.create(client=acme, phone_number=lead.phone_number)
        lift_suppression(suppression=entry, reason="Mistake", actor=alice, now=NOW)

    for lead, status in ((won, "converted"), (reached, "reached"), (other, "suppressed")):
        lead.refresh_from_db()
        assert lead.status == status
        assert lead.score == weighing_of(acme.pk).points(lead) or status == "suppressed"


def test_frees_the_leads_of_every_client_when_the_agency_lifts_it(acme, rival, alice):
    mine, theirs, listed = (
        LeadFactory.create(client=client, phone_number=number, status="suppressed")
        for client, number in ((acme, NUMBER), (rival, NUMBER), (acme, "+12125550102"))
    )
    put(rival)
    entry = SuppressionFactory.create(client=None, level="agency", phone_number=NUMBER)

    lift_suppression(suppression=entry, reason="Mistake", actor=alice, now=NOW)

    for lead, status in ((mine, "new"), (theirs, "suppressed"), (listed, "suppressed")):
        lead.refresh_from_db()
        assert lead.status == status


def test_fills_gaps_of_the_lead_as_it_is_by_now(acme, alice):
    seen = LeadFactory.create(client=acme, first_name="", company="", tags=["old"])
    Lead.objects.filter(pk=seen.pk).update(first_name="Ada", tags=["old", "meanwhile"])

    assert fill_lead(
        lead=seen, fields=LeadFields(first_name="A.", company="Acme"), tags=["new"],
        consent=None, actor=alice, now=NOW,
    )  # fmt: skip

    lead = Lead.objects.get(pk=seen.pk)
    assert (lead.first_name, lead.company) == ("Ada", "Acme")
    assert lead.tags == ["old", "meanwhile", "new"]


def test_keeps_the_newest_attempt_in_the_summary(acme):
    lead = LeadFactory.create(client=acme)
    late: Summary = {"status": "reached", "attempts_count": 2, "last_attempted_at": NOW}
    early: Summary = {
        "status": "called",
        "attempts_count": 1,
        "last_attempted_at": NOW - timedelta(hours=1),
    }

    for summary in (late, early, late):
        record_summary(lead_id=lead.pk, now=NOW, **summary)

    lead.refresh_from_db()
    assert (lead.status, lead.attempts_count) == ("reached", 2)
    assert not record_summary(lead_id=lead.pk, now=NOW, **early)


def test_adds_a_lead_once_for_each_client(acme, rival, alice):
    def add(client) -> Lead:
        return create_lead(
            client=client,
            phone_number="(212) 555-0101",
            country="US",
            fields=LeadFields(first_name="Ada"),
            consent=CONSENT,
            actor=alice,
            now=NOW,
        )

    lead = add(acme)
    add(rival)

    assert has_consent(lead)
    assert lead.consents.get().source == "Web form"
    with pytest.raises(LeadExists) as refused:
        add(acme)
    assert refused.value.lead == lead


def test_never_writes_a_whole_number_into_the_audit_log(acme, alice):
    lead = create_lead(
        client=acme,
        phone_number=NUMBER,
        country="US",
        fields=LeadFields(),
        consent=None,
        actor=alice,
        now=NOW,
    )
    row = SuppressionFactory.create(client=acme, phone_number="+12125550102")
    lift_suppression(suppression=row, reason="Mistake", actor=alice, now=NOW)

    assert not has_consent(lead)
    for entry in AuditLog.objects.all():
        assert "212555" not in f"{entry.resource} {entry.details}"


def test_forgets_a_wrong_zone_that_somebody_takes_off(acme, alice):
    campaign = make_draft(acme)
    fields = LeadFields(time_zone="America/New_York")
    lead = create_lead(
        client=acme, phone_number="+14155550101", country="US", fields=fields, consent=CONSENT,
        actor=alice, now=NOW,
    )  # fmt: skip
    Lead.objects.filter(pk=lead.pk).update(zone_candidates=[])  # as an import leaves it
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    assert Enrolment.objects.get().zones == ["America/New_York"]

    change_lead(lead=lead, fields=LeadFields(), names=("time_zone",), tags=[], actor=alice, now=NOW)

    assert Lead.objects.get().zones == ["America/Los_Angeles"]
    assert Enrolment.objects.get().zones == ["America/Los_Angeles"]


def test_lets_waiting_enrolments_alone_follow_a_zone(acme, alice):
    campaign, lead = make_draft(acme), LeadFactory.create(client=acme, zone_candidates=["X/Y"])
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    Enrolment.objects.update(status="done")

    change_lead(
        lead=lead, fields=LeadFields(time_zone="America/Denver"), names=("time_zone",), tags=[],
        actor=alice, now=NOW,
    )  # fmt: skip

    assert Enrolment.objects.get().zones == ["X/Y"]
