"""Whoever a file says asked not to be called is called no more, whatever its other rows and files say."""

from __future__ import annotations

import pytest

from campaigns.queries.number_check import check_number
from campaigns.services.enrolment import enrol_lead
from convomono.lib.ids import uuid7
from convomono.lib.phone import parse_number
from leads.imports import dry_run
from leads.imports.commit import commit_rows
from leads.imports.screens import rows_with_verdict
from leads.imports.work import Pace
from leads.models import Lead, LeadImport, Suppression
from leads.services.people import LeadFields, create_lead
from leads.services.suppressions import lift_suppression
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import CONSENT, LeadFactory, SuppressionFactory
from tests.leads.test_import_undo import undo

AFTERNOON = NOW.replace(hour=18)


def listed() -> dict[str, str]:
    rows = Suppression.objects.filter(level="client", source="import")
    return dict(rows.values_list("phone_number", "reason"))


def decided(client, number: str) -> list[str]:
    found = check_number(
        client=client, number=parse_number(number), is_sandbox=False, now=AFTERNOON
    )
    return [answer.verdict for answer in found.answers]


@pytest.mark.parametrize("duplicates", ["first", "last", "merge"])
@pytest.mark.parametrize("chunk", [1, 200])
@pytest.mark.parametrize("is_first", [True, False])
def test_lets_a_wish_in_one_row_hold_for_every_row_of_the_number(
    imported, target, monkeypatch, duplicates, chunk, is_first
):
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", chunk)
    rows = ["Ada,2125550101,\n", "Ada,(212) 555-0101,yes\n"]
    content = "name,phone,do not call\n" + "".join(rows[:: -1 if is_first else 1])

    done = imported(
        content + "Bob,2125550102,no\n", campaign_id=target.campaign_id, duplicates=duplicates
    )

    assert done.counts == {"suppressed_file": 2, "new": 1}
    assert set(target.enrolled) == {"+12125550102"}
    assert set(listed()) == {"+12125550101"}
    assert set(Lead.objects.values_list("phone_number", flat=True)) == {"+12125550102"}


@pytest.mark.parametrize("column", ["opted out", "dnc"])
def test_calls_nobody_under_a_first_number_whose_further_one_is_listed(imported, target, column):
    content = f"name,phone,phone 2,{column}\nAda,2125550101,2125550102,\nAda,2125550102,,yes\n"

    done = imported(content + "Bob,2125550103,,\n", campaign_id=target.campaign_id)

    assert set(target.enrolled) == {"+12125550103"}
    word = {"opted out": "suppressed_file", "dnc": "suppressed_registry"}[column]
    assert done.counts == {word: 2, "new": 1}


def test_lists_every_number_of_the_person_with_the_row_that_says_so(imported, verdicts):
    done = imported(
        "name,phone,phone 2,Opted out\nAda,2125550101,2125550102,Yes please\nBob,2125550103,,\n"
    )

    assert verdicts(done) == {2: "suppressed_file"}
    why = "Import of leads.csv. Row 2, Opted out: “Yes please”"
    assert listed() == {"+12125550101": why, "+12125550102": why}


def test_keeps_the_number_listed_for_the_next_file_and_after_an_undo(imported, alice):
    done = imported("name,phone,opted out\nAda,2125550101,yes\nBob,2125550102,\n")

    assert imported("name,phone\nAda,2125550101\n").counts == {"suppressed_client": 1}
    undo(done, alice)
    assert set(listed()) == {"+12125550101"}


def test_calls_a_known_lead_that_waits_no_more(imported, acme, alice):
    campaign = make_draft(acme)
    lead = create_lead(
        client=acme, phone_number="2125550101", country="US", fields=LeadFields(first_name="Ada"),
        consent=CONSENT, actor=alice, now=NOW,
    )  # fmt: skip
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    assert decided(acme, "+12125550101") == ["allow"]

    imported("name,phone,Opted out\nAda,2125550101,yes\n")

    assert decided(acme, "+12125550101") == ["deny"]
    lead.refresh_from_db()
    assert lead.status == "suppressed"


def test_counts_a_wish_before_everything_else_that_is_said_of_a_row(imported, target):
    done = imported(
        "name,phone,opted out,consent\nAda,2125550101,yes,no\n",
        campaign_id=target.campaign_id,
        refused_lines=["unknown"],
    )

    assert done.counts == {"suppressed_file": 1}
    assert set(listed()) == {"+12125550101"}


def test_leaves_an_entry_that_is_there_and_takes_it_from_the_undo_of_its_list(imported, acme):
    there = SuppressionFactory.create(
        client=acme, phone_number="+12125550101", operation_id=uuid7(), reason="Older"
    )

    imported("name,phone,opted out\nAda,2125550101,yes\nBob,2125550102,yes\n")

    there.refresh_from_db()
    assert (there.reason, there.operation_id) == ("Older", None)
    assert Suppression.objects.count() == 2


def test_imports_whom_the_list_lets_go_again_as_anybody(imported, alice):
    imported("name,phone,opted out\nAda,2125550101,yes\n")
    entry = Suppression.objects.get()

    lift_suppression(suppression=entry, reason="A wrong column", actor=alice, now=NOW)

    assert imported("name,phone\nAda,2125550101\n").counts == {"new": 1}


def test_says_which_row_the_wish_stands_in(imported):
    done = imported("name,phone,opted out\nAda,2125550101,\nAda,2125550101,ja\n", commit=False)

    page = rows_with_verdict(lead_import=done, verdict="suppressed_file", page=None)
    assert [row.reason for row in page.rows] == ["Row 3, opted out: “ja”"] * 2


def test_lists_nobody_twice_when_a_worker_takes_the_commit_up_again(imported):
    rows = "".join(f"P{n},2125550{n:03},{'yes' if n % 2 else ''}\n" for n in range(101, 141))
    done = imported("name,phone,opted out\n" + rows, commit=False)

    for _worker in range(2):
        LeadImport.objects.filter(pk=done.pk).update(status="committing", rows_done=0, counts={})
        done.refresh_from_db()
        pace = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)
        commit_rows(lead_import=done, pace=pace, now=NOW)

    assert len(listed()) == 20


@pytest.mark.parametrize("shared", ["2125550199", "next"])
def test_lists_a_number_once_that_many_who_opt_out_share(imported, shared):
    others = [shared if shared != "next" else f"21255501{n + 6:02}" for n in range(12)]
    rows = "".join(f"P{n},21255501{n:02},{one},yes\n" for n, one in enumerate(others))

    done = imported("name,phone,phone 2,opted out\n" + rows)

    assert (done.status, done.counts) == ("committed", {"suppressed_file": 12})
    assert len(listed()) == (13 if shared != "next" else 18)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("between", [5, 10, 60])
def test_lets_what_a_row_lists_hold_for_the_rows_after_it(
    imported, acme, target, is_known, between
):
    """A row that is listed for one of its numbers lists all of them, and one stands alone further down."""
    if is_known:
        LeadFactory.create(client=acme, phone_number="+12125550103", first_name="Old")
    rows = "A,2125550101,,,yes\nB,2125550102,2125550101,2125550103,\n"
    rows += "".join(f"F{n},21355501{n:02},,,\n" for n in range(between)) + "Z,2125550103,,,\n"
    content = "first name,phone,phone 2,phone 3,opted out\n" + rows

    done = imported(content, campaign_id=target.campaign_id, existing="overwrite")

    assert (done.status, done.error) == ("committed", "")
    assert {"+12125550101", "+12125550102", "+12125550103"} == set(listed())
    for lead in Lead.objects.filter(phone_number="+12125550103"):
        assert lead.status == "suppressed"
    assert len(target.enrolled) <= between + 1
