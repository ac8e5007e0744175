"""Who agreed, by a statement for all and by what the file says of each: a no is never a yes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from leads.imports import dry_run
from leads.imports.screens import rows_with_verdict
from leads.imports.verdict_file import read
from leads.models import Consent, Lead
from tests.factories.accounts import NOW
from tests.factories.leads import CONSENT, LeadFactory


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

    assert done.counts == {"no_consent": 1}
    assert not target.enrolled
    assert not Consent.objects.exists()


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

    assert done.counts == {"suppressed_registry": 1, "new": 1}


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

    assert done.counts == {"no_consent": 3, "dup_file": 3, "new": 1}
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
