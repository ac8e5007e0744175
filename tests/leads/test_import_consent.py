"""Who agreed, by a statement for all and by what the file says of each: a no is never a yes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.queries.number_check import check_number
from campaigns.services.enrolment import enrol_lead
from convomono.lib.phone import parse_number
from leads.imports import dry_run
from leads.imports.screens import rows_with_verdict
from leads.imports.targets import EnrolRow
from leads.imports.verdict_file import read
from leads.models import Consent, Lead
from leads.services.people import ConsentStatement
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import CONSENT, ConsentFactory, LeadFactory
from tests.leads.test_import_undo import undo


@pytest.mark.parametrize("said", ["No", "no", "0", "FALSE", "declined", "opted out", "n/a", "?"])
def test_calls_nobody_of_whom_the_file_says_no_whatever_is_stated_for_all(
    imported, target, verdicts, said
):
    done = imported(
        f"name,phone,Opt In\nAda,2125550101,Yes\nBob,2125550102,{said}\nCy,2125550103,\n",
        campaign_id=target.campaign_id,
    )

    assert done.options["consent_kind"] == "written"
    assert verdicts(done) == {3: "no_consent"}
    assert dict(Lead.objects.values_list("first_name", "consent_status")) == {
        "Ada": "given",
        "Bob": "none",
        "Cy": "given",  # the cell is empty: the statement for all holds
    }
    assert set(Consent.objects.values_list("lead__first_name", flat=True)) == {"Ada", "Cy"}
    assert set(target.enrolled) == {"+12125550101", "+12125550103"}
    (row,) = rows_with_verdict(lead_import=done, verdict="no_consent", page=None).rows
    assert row.reason == "The file says that this person didn't agree."


@pytest.mark.parametrize("said", ["Yes", "1", "1.0", "TRUE", "Opted in", "granted", "✓"])
def test_takes_a_plain_yes_for_one(imported, said):
    assert imported(f"name,phone,Opt In\nAda,2125550101,{said}\n").counts == {"new": 1}


def test_calls_no_known_lead_of_whom_the_file_says_no(imported, acme, target):
    LeadFactory.create(client=acme, phone_number="+12125550101", consent_status="given")

    done = imported(
        "name,phone,opt in\nAda,2125550101,no\n", campaign_id=target.campaign_id, existing="fill"
    )

    assert done.counts == {"no_consent": 1, "consent_revoked": 1}
    assert not target.enrolled
    assert not Consent.objects.exists()


@pytest.fixture
def agreed(acme):
    """A lead that agreed before, by a form."""
    lead = LeadFactory.create(
        client=acme,
        phone_number="+12125550101",
        consent_status="given",
        company="Old",
        time_zone="America/New_York",
    )
    ConsentFactory.create(lead=lead)
    return lead


def status_of(lead):
    return Lead.objects.get(pk=lead.pk).consent_status


@pytest.mark.parametrize("existing", ["fill", "overwrite", "skip"])
@pytest.mark.parametrize("in_campaign", [False, True])
def test_takes_a_no_for_a_consent_taken_back_with_its_row_for_proof(
    imported, agreed, target, browse, mia, existing, in_campaign
):
    if in_campaign:
        row = EnrolRow(lead_id=agreed.pk, phone_number=agreed.phone_number, zones=[])
        target.enrolled = {agreed.phone_number: row}
    content = "name,phone,company,Opt In\nBob,2125550102,,yes\nAda,2125550101,New,No\n"

    done = imported(content, campaign_id=target.campaign_id, existing=existing)

    assert done.counts == {"new": 1, "no_consent": 1, "consent_revoked": 1}
    assert status_of(agreed) == "revoked"
    consent = Consent.objects.get(lead=agreed)
    assert consent.revoked_at == Lead.objects.get(pk=agreed.pk).updated_at
    assert consent.revoked_how == f"Import of {done.file_name}, row 3: Opt In is “No”"
    assert consent.revoked_by_email == done.created_by_email
    expected = {"fill": "Old", "overwrite": "New", "skip": "Old"}[existing]
    assert Lead.objects.get(pk=agreed.pk).company == expected
    receipt = browse(mia).get(reverse("leads:import-detail", args=[done.pk])).text
    assert "1 · Agreed before, and this file says no: the consent is taken back" in receipt


def test_calls_nobody_for_an_older_consent_after_a_no(imported, agreed, acme):
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=agreed, dynamic_vars={}, now=NOW)

    def verdicts():
        number, now = parse_number(agreed.phone_number), NOW + timedelta(hours=1)
        answers = check_number(client=acme, number=number, is_sandbox=True, now=now).answers
        return [one.verdict for one in answers]

    assert verdicts() == ["allow"]
    imported("name,phone,opt in\nAda,2125550101,no\n", consent=None)
    imported("name,phone\nAda,2125550101\n")  # a statement for all brings nothing back

    assert status_of(agreed) == "revoked"
    assert verdicts() == ["deny"]


@pytest.mark.parametrize("said", ["", "?", "n/a", "unknown", "2026-11-03", "11/3/2026 14:05"])
def test_takes_nothing_back_where_the_file_does_not_say_no(imported, agreed, said):
    imported(f"name,phone,opt in\nAda,2125550101,{said}\n", consent=None)

    assert status_of(agreed) == "given"
    assert Consent.objects.get().revoked_at is None


def test_takes_nothing_back_for_an_unclear_row_beside_a_yes(imported, agreed):
    done = imported("name,phone,opt in\nAda,2125550101,yes\nAda,2125550101,?\n")

    assert done.counts == {"no_consent": 1, "dup_file": 1}  # not called for it either
    assert status_of(agreed) == "given"


def test_names_the_row_of_a_number_whose_other_row_says_no(imported, agreed):
    done = imported("name,phone,opt in\nAda,2125550101,yes\nAda,(212) 555-0101,no\n")

    said = f"Import of {done.file_name}, row 3: opt in is “no”"
    assert Consent.objects.get(lead=agreed).revoked_how == said
    assert done.counts == {"no_consent": 1, "dup_file": 1, "consent_revoked": 1}


def test_changes_nothing_before_the_commit_and_gives_nothing_back_with_an_undo(
    imported, agreed, alice
):
    done = imported("name,phone,opt in\nAda,2125550101,no\n", commit=False)
    assert done.counts == {"no_consent": 1, "consent_revoked": 1}
    assert status_of(agreed) == "given"

    undo(
        imported("name,phone,company,opt in\nAda,2125550101,New,no\n", existing="overwrite"), alice
    )

    lead = Lead.objects.get(pk=agreed.pk)
    assert (lead.consent_status, lead.company) == ("revoked", "Old")
    assert Consent.objects.get(lead=agreed).revoked_at


def test_records_what_a_row_says_in_place_of_the_statement_for_all(imported):
    imported(
        "name,phone,consent date,consent source\n"
        "Ada,2125550101,2026-05-01,Fair\nBob,2125550102,,\nCy,2125550103,2999-01-01,\n"
    )

    found = {one.lead.first_name: one for one in Consent.objects.select_related("lead")}
    assert {name: one.source for name, one in found.items()} == {
        "Ada": "Fair",
        "Bob": "Web form",
        "Cy": "Web form",
    }
    assert found["Ada"].given_at.date().isoformat() == "2026-05-01"
    assert found["Bob"].given_at == found["Cy"].given_at == NOW


def test_keeps_wording_and_kind_where_each_row_says_who_agreed(imported):
    imported(
        "name,phone,consent,consent date,consent source\n"
        "Ada,2125550101,yes,2026-05-01,\nBob,2125550102,yes,2026-05-02,Fair\n",
        consent=None,
        consent_by_row=True,
        consent_kind="written",
        consent_source="Web form",
        consent_wording="Yes, call me.",
    )

    rows = Consent.objects.values_list("lead__first_name", "kind", "source", "wording")
    assert set(rows) == {
        ("Ada", "written", "Web form", "Yes, call me."),
        ("Bob", "written", "Fair", "Yes, call me."),
    }


def test_warns_of_the_day_that_a_row_says(imported):
    old = (NOW - timedelta(days=800)).date().isoformat()

    done = imported(f"name,phone,consent date\nAda,2125550101,{old}\nBob,2125550102,\n")

    assert done.counts == {"new": 2, "old_consent": 1}


@pytest.mark.parametrize("name", ["Opt Out", "opted_out"])
def test_takes_a_column_of_who_opted_out_for_a_list_of_whom_not_to_call(imported, name):
    done = imported(f"name,phone,{name}\nAda,2125550101,yes\nBob,2125550102,\n", consent=CONSENT)

    assert done.counts == {"suppressed_file": 1, "new": 1}


@pytest.mark.parametrize("duplicates", ["first", "last", "merge"])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("chunk", [1, 200])
def test_lets_a_no_of_one_row_hold_for_every_row_of_the_number(
    imported, acme, target, monkeypatch, duplicates, by_row, chunk
):
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", chunk)
    LeadFactory.create(client=acme, phone_number="+12125550103", consent_status="given")
    said = (("1", ""), ("2", "no"), ("3", "yes"), ("4", "yes"))
    content = "name,phone,opt in,opt in date\n"
    content += "".join(f"A{n},212555010{n},{yes},2026-05-01\n" for n, yes in said)
    content += "B,(212) 555-0101,no,\nC,2125550102,yes,2026-05-01\nD,2125550103,No,2026-05-01\n"

    done = imported(
        content,
        campaign_id=target.campaign_id,
        duplicates=duplicates,
        consent=None if by_row else CONSENT,
        consent_by_row=by_row,
    )

    assert done.counts == {"no_consent": 3, "dup_file": 3, "new": 1, "consent_revoked": 1}
    assert set(target.enrolled) == {"+12125550104"}
    assert sum(done.zones.values()) == 1
    assert Consent.objects.get().lead.phone_number == "+12125550104"


@pytest.mark.parametrize(("name", "gone_through"), [("opt in", 2), ("city", 0)])
def test_goes_through_the_file_once_where_no_column_says_who_agreed(imported, name, gone_through):
    done = imported(f"name,phone,{name}\nAda,2125550101,x\nBob,2125550102,x\n")

    with read(done.verdicts_name) as ledger:
        assert ledger is not None
        assert ledger.progress().numbers == gone_through


def test_keeps_the_no_of_another_row_when_a_row_is_mended(imported, browse, mia):
    done = imported(
        "name,phone,opt in\nAda,21255501,yes\nAda,2125550101,no\n", commit=False, duplicates="first"
    )

    answer = browse(mia).post(
        reverse("leads:import-row-mend", args=[done.pk, 2]), {"cell_1": "2125550101"}
    )

    assert answer.status_code == 302
    done.refresh_from_db()
    assert done.counts == {"no_consent": 1, "dup_file": 1}


def test_keeps_by_whom_and_from_which_address_a_person_agreed_to_be_called(imported):
    said = ConsentStatement(
        kind="written", source="Web form", wording="Yes.", given_at=NOW, seller="Acme Dental"
    )
    rows = "Ada,2125550101,Smile Ltd,203.0.113.7\nBob,2125550102,,2001:DB8::1\nCy,2125550103,,n/a\n"

    imported("name,phone,seller,IP address\n" + rows, consent=said)

    kept = Consent.objects.order_by("lead__first_name")
    assert list(kept.values_list("seller", "given_from")) == [
        ("Smile Ltd", "203.0.113.7"), ("Acme Dental", "2001:db8::1"), ("Acme Dental", ""),
    ]  # fmt: skip
