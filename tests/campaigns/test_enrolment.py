"""Putting leads into campaigns: as the target of imports, once each, from any number of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead, find_target, target_of
from convomono.lib.ids import uuid7
from leads.imports.targets import EnrolRow, find_target as find_for_import
from tests.factories.campaigns import NOW, enrol, make_draft, make_lead


def rows_of(leads):
    return [
        EnrolRow(
            lead_id=lead.pk,
            phone_number=lead.phone_number,
            zones=lead.zones,
            dynamic_vars={"plan": "gold"},
        )
        for lead in leads
    ]


def test_offers_itself_to_imports_with_its_variables(acme):
    campaign = make_draft(acme, script_raw="AI of Acme Dental: {{plan}}, {{current_time}}.")

    target = find_for_import(client_id=acme.pk, campaign_id=campaign.pk)

    assert target is not None
    assert (target.name, target.variables) == ("Autumn check-ups", ("first_name", "plan"))


def test_offers_neither_anothers_nor_an_archived_campaign(acme, rival):
    campaign = make_draft(acme)

    assert find_target(client_id=rival.pk, campaign_id=campaign.pk) is None
    campaign.status = "archived"
    campaign.save()
    assert find_target(client_id=acme.pk, campaign_id=campaign.pk) is None


def test_enrols_each_lead_once(acme):
    target = target_of(make_draft(acme))
    leads = [make_lead(acme, number) for number in range(3)]

    assert target.enrol(rows=rows_of(leads[:2]), now=NOW) == 2
    assert target.enrol(rows=rows_of([*leads, leads[2]]), now=NOW) == 1

    row = Enrolment.objects.filter(lead=leads[0]).get()
    assert (row.status, row.batch_call_id, row.dynamic_vars) == ("queued", None, {"plan": "gold"})
    assert row.zones == ["America/New_York"]
    ids = [lead.pk for lead in leads]
    assert target.already_enrolled([*ids, uuid7()]) == set(ids)


@pytest.mark.django_db(transaction=True)
def test_enrols_each_lead_once_when_two_imports_meet(acme):
    target = target_of(make_draft(acme))
    leads = [make_lead(acme, number) for number in range(40)]

    def take(_number):
        try:
            return target.enrol(rows=rows_of(leads), now=NOW)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(take, range(4)))

    assert sum(added) == 40
    assert Enrolment.objects.count() == 40


def test_keeps_what_the_row_says_and_copies_nothing_of_the_lead(acme):
    campaign = make_draft(acme)
    lead = make_lead(acme, first_name="Ada", company="Engines")

    said = {"company": "Own", "plan": ""}
    assert enrol_lead(campaign=campaign, lead=lead, dynamic_vars=said, now=NOW)
    assert not enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)

    assert Enrolment.objects.get().dynamic_vars == {"company": "Own"}


def test_keeps_the_same_person_in_two_campaigns(acme):
    first, second = make_draft(acme, name="A"), make_draft(acme, name="B")
    [row] = enrol(first)

    assert enrol_lead(campaign=second, lead=row.lead, dynamic_vars={}, now=NOW)
    assert Enrolment.objects.count() == 2


def test_tells_imports_when_each_places_hours_open(acme):
    target = target_of(make_draft(acme))
    late = NOW.replace(hour=1, minute=30)  # 20:30 of a Sunday evening in New York

    def opens(state, *zones):
        return target.opens_at(country="US", state=state, zones=zones, now=late)

    new_york = opens("NY", "America/New_York")
    assert new_york is not None
    assert new_york > late
    # The later zone of two, and the state whose law opens latest.
    assert opens("NY", "America/New_York", "America/Los_Angeles") > new_york
    assert opens("", "America/New_York") >= new_york
    assert target.opens_at(country="ZZ", state="", zones=(), now=late) is None
