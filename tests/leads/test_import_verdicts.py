"""Every verdict has a row that gets it, and every warning a row that counts it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from campaigns.services.enrolment import CampaignTarget
from campaigns.variables import VariableRule
from leads.imports.error_file import error_lines
from leads.imports.undo import undo_rows
from leads.imports.verdicts import MENDABLE, REASONS, SUGGESTIONS, WARNINGS, Verdict
from leads.imports.work import Pace
from leads.models import Consent, Lead
from leads.services.imports import undo_import
from leads.services.people import LeadFields, create_lead
from tests.factories.accounts import NOW
from tests.factories.leads import CONSENT, LeadFactory, SuppressionFactory, upload

if TYPE_CHECKING:
    from leads.imports.targets import AskedVariable

HEADER = "name,phone,country,state,zip,offer,dnc,scrub date,opted out\n"
GOOD = "Ada,{phone},,,,yes,,,\n"
YES_NO = VariableRule("offer", kind="yes_no")


def asked_of(target, *rules: VariableRule) -> dict[str, AskedVariable]:
    """Return what a campaign with these rules asks, as the campaigns room puts it."""
    return CampaignTarget(target.client_id, target.campaign_id, "", (), rules).asked


@pytest.fixture
def world(acme, target):
    """A campaign with a script, and people the verdicts are about."""
    target.variables = ["offer"]
    target.asked = asked_of(target, YES_NO)
    for level, number in (("client", 1), ("agency", 2), ("campaign", 3)):
        SuppressionFactory.create(
            client=None if level == "agency" else acme,
            level=level,
            campaign_id=target.campaign_id if level == "campaign" else None,
            phone_number=f"+1212555010{number}",
        )
    LeadFactory.create(client=acme, phone_number="+12125550104", consent_status="revoked")
    LeadFactory.create(client=acme, phone_number="+12125550105", consent_status="given")
    return target


CASES = {
    Verdict.ROW_UNREADABLE: "{{evil}},2125550106,,,,yes,,,\n",
    Verdict.PHONE_MISSING: "Ada,,,,,yes,,,\n",
    Verdict.PHONE_DAMAGED: "Ada,4.15551E+09,,,,yes,,,\n",
    Verdict.PHONE_TOO_SHORT: "Ada,12345,,,,yes,,,\n",
    Verdict.PHONE_TOO_LONG: "Ada,212 555 0101 2222 333,,,,yes,,,\n",
    Verdict.PHONE_NOT_ASSIGNABLE: "Ada,999 200 2671,,,,yes,,,\n",
    Verdict.PHONE_PREMIUM: "Ada,900 200 2671,,,,yes,,,\n",
    Verdict.PHONE_TOLL_FREE: "Ada,800 234 5678,,,,yes,,,\n",
    Verdict.PHONE_UNKNOWN_COUNTRY: "Ada,0201,Narnia,,,yes,,,\n",
    Verdict.LINE_TYPE_REFUSED: "Ada,020 7946 0018,UK,,,yes,,,\n",
    Verdict.DUP_FILE: "Ada,2125550106,,,,yes,,,\nAda,2125550106,,,,yes,,,\n",
    Verdict.SUPPRESSED_CLIENT: "Ada,2125550101,,,,yes,,,\n",
    Verdict.SUPPRESSED_AGENCY: "Ada,2125550102,,,,yes,,,\n",
    Verdict.SUPPRESSED_CAMPAIGN: "Ada,2125550103,,,,yes,,,\n",
    Verdict.SUPPRESSED_REGISTRY: "Ada,2125550106,,,,yes,Yes,2026-11-01,\n",
    Verdict.SUPPRESSED_FILE: "Ada,2125550106,,,,yes,,,Yes\n",
    Verdict.DUP_CAMPAIGN: "Ada,2125550107,,,,yes,,,\n",
    Verdict.VARIABLE_MISSING: "Ada,2125550106,,,,,,,\n",
    Verdict.VARIABLE_UNFIT: "Ada,2125550106,,,,perhaps,,,\n",
    Verdict.DUP_CLIENT: "Ada,2125550105,,,,yes,,,\n",
    Verdict.NO_CONSENT: "Ada,2125550104,,,,yes,,,\n",
    Verdict.UPDATE: "Ada,2125550105,,,,yes,,,\n",
    Verdict.NEW: "Ada,2125550106,,,,yes,,,\n",
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_gives_every_verdict_to_the_row_it_is_for(imported, world, verdict):
    if verdict == Verdict.DUP_CAMPAIGN:
        imported(HEADER + GOOD.format(phone="2125550107"), campaign_id=world.campaign_id)
    options: dict[str, Any] = (
        {"refused_lines": ["landline"]} if verdict == Verdict.LINE_TYPE_REFUSED else {}
    )
    if verdict == Verdict.DUP_CLIENT:
        options["existing"] = "skip"

    done = imported(HEADER + CASES[verdict], campaign_id=world.campaign_id, **options)

    rows = CASES[verdict].count("\n")
    assert done.counts[verdict] == 1
    assert sum(done.counts.get(one, 0) for one in Verdict) == rows == done.rows_total


def test_says_why_and_what_to_do_of_every_verdict():
    assert set(REASONS) == set(Verdict)
    assert set(SUGGESTIONS) >= MENDABLE - {Verdict.PHONE_PREMIUM, Verdict.PHONE_TOLL_FREE}


@pytest.mark.parametrize("warning", list(WARNINGS))
def test_counts_every_warning_beside_the_verdict(imported, acme, target, warning):
    lead = LeadFactory.create(client=acme, phone_number="+12125550101")
    LeadFactory.create(client=acme, phone_number="+12125550103", consent_status="given")
    target.elsewhere = {lead.pk: "Winter"}
    content = {
        "consent_revoked": "name,phone,opt in\nAda,2125550103,no\nBob,2125550102,yes\n",
        "tz_uncertain": "name,phone\nAda,850 555 0101\n",
        "tz_unread": "name,phone,time zone\nAda,2125550102,Narnia\n",
        "active_elsewhere": "name,phone\nAda,2125550101\n",
        "extension_dropped": "name,phone\nAda,212-555-0102 ext. 9\n",
        "old_consent": "name,phone\nAda,2125550102\n",
        "old_scrub": "name,phone,dnc,scrub date\nAda,2125550102,no,2026-01-01\n",
    }[warning]
    old = CONSENT.__class__("written", "Form", "Yes", NOW - timedelta(days=800))

    done = imported(
        content,
        campaign_id=target.campaign_id,
        consent=old if warning == "old_consent" else CONSENT,
    )

    name = "active_elsewhere:Winter" if warning == "active_elsewhere" else warning
    assert done.counts[name] == 1
    assert done.counts.get("new", 0) + done.counts.get("update", 0) == 1


def test_reads_the_consent_of_each_row_where_the_file_says_it(imported, alice, acme):
    content = (
        "name,phone,consent,consent date,consent source\n"
        "Ada,2125550101,yes,11/03/2026,Fair\n"
        "Bob,2125550102,no,11/03/2026,Fair\n"
        "Cy,2125550103,yes,,Fair\n"
        "Di,2125550104,yes,2999-01-01,Fair\n"
    )

    done = imported(content, consent=None, consent_by_row=True)

    assert done.counts == {"new": 1, "no_consent": 3}
    consent = Consent.objects.get()
    at = datetime(2026, 11, 3, tzinfo=ZoneInfo(acme.time_zone))  # the client's day, not Greenwich's
    assert (at.utcoffset(), consent.lead.first_name) == (timedelta(hours=-5), "Ada")
    assert (consent.given_at, consent.source) == (at, "Fair")


def test_takes_the_first_good_number_of_several_and_keeps_the_others_in_order(imported):
    done = imported(
        "name,phone,work phone,home phone\n"
        "Ada,12,(212) 555-0101,(212) 555-0102\n"
        "Bob,2125550103,2125550103,2125550104\n"
    )

    assert done.counts == {"new": 2}
    rows = dict(Lead.objects.values_list("phone_number", "other_numbers"))
    assert rows == {"+12125550101": ["+12125550102"], "+12125550103": ["+12125550104"]}


def test_fills_the_gaps_of_the_first_row_from_the_others(imported, target):
    target.variables = ["offer"]
    done = imported(
        "first name,e-mail,phone,offer\n"
        "Ada,,2125550101,\nGrace,grace@x.test,2125550102,B\n,ada@x.test,212-555-0101,A\n",
        campaign_id=target.campaign_id,
        duplicates="merge",
    )

    assert done.counts == {"new": 2, "dup_file": 1}
    ada = Lead.objects.get(phone_number="+12125550101")
    assert (ada.first_name, ada.email) == ("Ada", "ada@x.test")
    assert target.enrolled["+12125550101"].dynamic_vars == {"offer": "A"}


@pytest.mark.parametrize(
    ("state", "zip_code", "zones"),
    [
        ("", "32501", ["America/Chicago"]),  # Pensacola
        ("FL", "33101", ["America/New_York"]),  # Miami
        ("Florida", "", ["America/New_York", "America/Chicago"]),
        ("", "2115", ["America/New_York"]),  # Boston, its zero lost
        ("ON", "", ["America/New_York"]),  # no American state: by the number
        ("", "46534", ["America/Indiana/Indianapolis", "America/Chicago"]),  # Knox
        ("", "40143", ["America/New_York", "America/Chicago"]),  # Hardinsburg
        ("", "37723", ["America/New_York", "America/Chicago"]),  # Crab Orchard
        ("", "99546", ["America/Anchorage", "America/Adak"]),  # Adak
    ],
)
def test_tells_zones_by_state_and_zip_before_the_number(imported, state, zip_code, zones):
    imported(f"phone,state,zip\n212 555 0101,{state},{zip_code}\n")

    assert Lead.objects.get().zones == zones


def test_counts_people_by_state_and_zone(imported):
    done = imported("phone,state\n2125550101,NY\n2125550102,ny\n8505550101,\n020 7946 0018,\n")

    assert done.zones == {
        "US-NY|America/New_York": 2,
        "US|America/Chicago,America/New_York": 1,
    }


def test_remembers_what_a_column_was_in_another_file(alice, imported, browse):
    imported("Wer,Kontakt\nAda,2125550101\n")
    row = upload(alice, "Kontakt,Something\n2125550102,x\n")

    page = browse(alice).get(f"/app/imports/{row.pk}/").text

    assert '<option value="field:phone_number" selected>' in page


def test_calls_a_known_lead_in_the_hours_of_the_place_the_file_tells(imported, acme, alice):
    lead = LeadFactory.create(
        client=acme, phone_number="+12125550101", zone_candidates=["America/New_York"]
    )

    done = imported("phone,state,zip\n212 555 0101,CA,90001\n", existing="fill")

    lead.refresh_from_db()
    assert (lead.region, lead.zones) == ("CA", ["America/Los_Angeles"])
    undo_import(lead_import=done, actor=alice, now=NOW, real_now=NOW)
    done.refresh_from_db()
    undo_rows(lead_import=done, pace=Pace(lambda: NOW, lambda _seconds: None), now=NOW)
    lead.refresh_from_db()
    assert (lead.region, lead.zones) == ("", ["America/New_York"])


def test_takes_the_hours_of_both_places_where_lead_and_file_differ(imported, acme):
    lead = LeadFactory.create(
        client=acme, phone_number="+12125550101", region="NY", zone_candidates=["America/New_York"]
    )

    imported("phone,state,zip\n212 555 0101,CA,90001\n", existing="fill")

    lead.refresh_from_db()
    assert (lead.region, lead.postal_code) == ("NY", "90001")
    assert lead.zones == ["America/New_York", "America/Los_Angeles"]


def test_calls_a_lead_that_a_program_adds_in_the_hours_of_its_place(acme, alice):
    lead = create_lead(
        client=acme, phone_number="2125550101", country="US", fields=LeadFields(region="CA"),
        consent=None, actor=alice, now=NOW,
    )  # fmt: skip

    assert lead.zones == ["America/Los_Angeles"]


@pytest.mark.parametrize(
    "said", ["DNC", "Do Not Call", "listed", "T", "opted out", "2026-01-05", "1", "yes", "?"]
)
def test_calls_nobody_whose_do_not_call_cell_isnt_a_plain_no(imported, said):
    assert imported(f"phone,dnc\n2125550101,{said}\n").counts == {"suppressed_registry": 1}


@pytest.mark.parametrize("said", ["", "0", "N", "no", "FALSE", "nein", "-", "none", "not listed"])
def test_calls_whose_do_not_call_cell_says_no(imported, said):
    assert imported(f"phone,dnc\n2125550101,{said}\n").counts == {"new": 1}


def test_takes_a_column_of_customers_for_no_registry(imported):
    assert imported("phone,registered\n2125550101,2024-05-01\n").counts == {"new": 1}


@pytest.mark.parametrize("day", ["0001-01-01", "1900-01-01", "01/01/0001", "1999-12-31"])
def test_takes_a_day_that_programs_write_for_nothing_for_no_consent(imported, day):
    content = f"phone,consent,consent date\n2125550101,yes,{day}\n"

    assert imported(content, consent=None, consent_by_row=True).counts == {"no_consent": 1}
    assert not Consent.objects.exists()


@pytest.mark.usefixtures("at_that_time")
def test_says_nothing_of_the_age_of_a_registry_check_in_the_future(imported, browse, mia):
    done = imported("phone,dnc,scrub date\n2125550101,yes,2027-05-01\n")

    page = browse(mia).get(f"/app/imports/{done.pk}/rows/suppressed_registry/").text
    assert "doesn&#x27;t say as of when" in page


@pytest.mark.parametrize(
    ("rule", "cell", "counts", "kept"),
    [
        (VariableRule("offer", is_required=False), "", {"new": 1}, {}),
        (VariableRule("offer", default="a gift"), "", {"new": 1}, {}),
        (VariableRule("offer", kind="number"), "12", {"new": 1}, {"offer": "12"}),
        (VariableRule("offer", kind="number"), "abc", {"variable_unfit": 1}, None),
        (VariableRule("offer", kind="number", default="5"), "abc", {"new": 1}, {"offer": "abc"}),
        (
            VariableRule("offer", kind="number", is_required=False),
            "abc",
            {"variable_unfit": 1},
            None,
        ),
        (VariableRule("offer", max_chars=3), "abcd", {"variable_unfit": 1}, None),
    ],
)
def test_goes_by_what_the_campaign_says_of_its_variables(
    imported, target, rule, cell, counts, kept
):
    target.variables, target.asked = ["offer"], asked_of(target, rule)

    done = imported(f"phone,offer\n2125550101,{cell}\n", campaign_id=target.campaign_id)

    assert done.counts == counts
    enrolled = target.enrolled.get("+12125550101")
    # As the file has it: the rules hold at each call, and may be others by then.
    assert (enrolled.dynamic_vars if enrolled else None) == kept


def test_names_the_variable_that_doesnt_fit_in_the_error_file(imported, target):
    target.variables = ["offer"]
    target.asked = asked_of(target, VariableRule("offer", kind="number"))

    done = imported("phone,offer\n2125550101,abc\n", campaign_id=target.campaign_id)

    line = "".join(error_lines(lead_import=done)).splitlines()[1]
    assert line.startswith("2125550101,abc,2,offer,variable_unfit,This isn't of the kind")
