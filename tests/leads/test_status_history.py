"""Each change of a lead's status leaves one line, in its own transaction; the lead's page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from convomono.lib.db import atomic
from leads.imports.work import Pace
from leads.models import AgencyListing, Lead, LeadOperation, LeadStatusChange, Suppression
from leads.operations.agency_listing import undo_listing
from leads.resources import LeadResource, SuppressionResource
from leads.services import (
    LeadFields,
    create_lead,
    lift_suppression,
    record_summary,
    statuses as status_services,
    suppress,
)
from leads.services.erasure import erase_lead
from leads.services.summaries import LeadBook, LeadMovedOn
from tests.factories.accounts import NOW
from tests.factories.leads import LeadFactory, SuppressionFactory
from tests.leads.test_lead_admin import table
from tests.leads.test_operations import change, undo

if TYPE_CHECKING:
    from collections.abc import Callable

    from leads.services.people import Summary

__all__ = ["change", "undo"]  # fixtures of the bulk changes
NUMBER = "+12125550101"
SUMMARY: Summary = {"status": "reached", "attempts_count": 1, "last_attempted_at": NOW}


def lines(lead: Lead | None = None) -> list[tuple[str, str, str, str]]:
    """Return before, after, why and who of each line, oldest first."""
    rows = LeadStatusChange.objects.filter(lead=lead) if lead else LeadStatusChange.objects.all()
    names = ("before", "after", "why", "changed_by_email")
    return list(rows.order_by("created_at", "pk").values_list(*names))


def listed(acme, actor, number=NUMBER, level="client") -> Suppression:
    return suppress(
        level=level,
        client_id=acme.pk if level == "client" else None,
        campaign_id=None,
        phone_number=number,
        source="person",
        reason="",
        actor=actor,
        now=NOW,
    )


def add(acme, actor) -> Lead:
    return create_lead(
        client=acme, phone_number=NUMBER, country="US", fields=LeadFields(), consent=None,
        actor=actor, now=NOW,
    )  # fmt: skip


def test_begins_with_who_added_the_lead(acme, rival, alice):
    assert lines(add(acme, alice)) == [("", "new", "added", alice.email)]
    listed(rival, alice)

    lead = add(rival, alice)

    assert lines(lead) == [("", "suppressed", "added", alice.email)]
    assert LeadStatusChange.objects.get(lead=lead).client == rival


def test_writes_no_line_for_what_an_import_adds(imported):
    imported(f"Phone,Name\n{NUMBER},Ada\n+12125550102,Bob\n")

    assert Lead.objects.count() == 2
    assert not LeadStatusChange.objects.exists()


def test_tells_what_calls_came_to_once(acme):
    lead = LeadFactory.create(client=acme)

    for _twice in range(2):
        record_summary(lead_id=lead.pk, now=NOW, **SUMMARY)

    assert lines() == [("new", "reached", "call", "dispatcher")]


def test_tells_in_one_line_what_events_of_one_slice_came_to(acme):
    several = LeadFactory.create_batch(3, client=acme)
    book = LeadBook([lead.pk for lead in several])
    for lead in several:
        for _twice in range(2):
            book.summarise(lead.pk, SUMMARY, now=NOW)
        book.convert(lead.pk, now=NOW)

    with atomic(), CaptureQueriesContext(connection) as asked:
        book.write()
    assert connection.vendor != "sqlite" or len(asked) == 2  # all leads, all lines
    book.written()
    for lead in several:
        book.summarise(lead.pk, {**SUMMARY, "status": "converted"}, now=NOW)
    with atomic():
        book.write()

    assert lines() == [("new", "converted", "call", "dispatcher")] * 3


def test_leaves_no_line_of_what_was_not_written(acme):
    lead = LeadFactory.create(client=acme)
    book = LeadBook([lead.pk])
    book.summarise(lead.pk, SUMMARY, now=NOW)
    Lead.objects.filter(pk=lead.pk).update(attempts_count=7)

    with pytest.raises(LeadMovedOn), atomic():
        book.write()

    assert lines() == []


def test_tells_who_put_a_number_on_the_list_and_who_took_it_off(acme, alice, mia):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    for _twice in range(2):
        entry = listed(acme, alice)
    for _twice in range(2):
        lift_suppression(suppression=entry, reason="Mistake", actor=mia, now=NOW)

    assert lines(lead) == [
        ("new", "suppressed", "listed", alice.email),
        ("suppressed", "new", "lifted", mia.email),
    ]


def test_tells_nothing_of_an_agencys_entry_until_it_changes_the_lead(acme, alice, root):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)

    listed(acme, root, level="agency")

    assert lines(lead) == []


def test_tells_of_many_leads_and_of_their_undo(change, undo, acme, mia):
    marked, lead = LeadFactory.create(client=acme, status="suppressed"), LeadFactory.create(
        client=acme, status="called", attempts_count=1
    )  # fmt: skip

    operation = change("suppress", [marked, lead], reason="Asked by mail")
    undo(operation)

    assert lines(lead) == [
        ("called", "suppressed", "listed", mia.email),
        ("suppressed", "called", "undone", mia.email),
    ]
    assert lines(marked) == [("suppressed", "new", "undone", mia.email)]


def test_tells_of_a_list_and_of_its_undo(
    acme, mia, browse, undo, run_jobs, django_capture_on_commit_callbacks
):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    with django_capture_on_commit_callbacks(execute=True):
        answer = browse(mia).post(
            "/app/do-not-call/import/", {"country": "US", "reason": "List", "pasted": NUMBER}
        )
    assert answer.status_code == 302, answer.text
    run_jobs()
    undo(LeadOperation.objects.latest("created_at"))

    assert lines(lead) == [
        ("new", "suppressed", "listed", mia.email),
        ("suppressed", "new", "undone", mia.email),
    ]


def test_tells_of_leads_that_the_agencys_undo_frees(acme, rival):
    leads = [
        LeadFactory.create(client=one, phone_number=NUMBER, status="suppressed")
        for one in (acme, rival)
    ]
    listing = AgencyListing.objects.create(
        country="US", reason="State list", created_by_email="bob@convomono.test", status="undoing",
        undone_by_email="bob@convomono.test", progressed_at=NOW, created_at=NOW,
    )  # fmt: skip
    SuppressionFactory.create(
        client=None, level="agency", phone_number=NUMBER, operation_id=listing.pk
    )

    undo_listing(listing=listing, pace=Pace(lambda: NOW, lambda _seconds: None), now=NOW)

    for lead in leads:
        assert lines(lead) == [("suppressed", "new", "undone", "bob@convomono.test")]


def test_tells_of_the_back_offices_tables(acme, rival, root):
    SuppressionFactory.create(client=rival, phone_number=NUMBER)
    known = LeadFactory.create(client=acme, phone_number=NUMBER)
    heads = ["client", "phone_number"]
    rows = table(heads, (rival.name, NUMBER), (rival.name, "+12125550177"))

    for is_dry in (True, False):
        LeadResource().import_data(rows, raise_errors=True, dry_run=is_dry, user=root)
        SuppressionResource().import_data(
            table([*heads, "reason"], (acme.name, NUMBER, "Law")),
            raise_errors=True, dry_run=is_dry, user=root,
        )  # fmt: skip

    assert lines(known) == [("new", "suppressed", "listed", root.email)]
    assert lines(Lead.objects.get(client=rival, phone_number=NUMBER)) == [
        ("", "suppressed", "added", root.email)
    ]
    assert LeadStatusChange.objects.count() == 2


def test_keeps_of_an_erased_person_only_that_they_were_erased(acme, alice):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    record_summary(lead_id=lead.pk, now=NOW, **SUMMARY)

    erase_lead(lead=lead, reason="Asked", actor=alice, now=NOW)

    assert lines() == [("reached", "erased", "erased", alice.email)]


def test_comes_back_with_a_lead_that_was_deleted(change, undo, acme, alice):
    lead = add(acme, alice)
    operation = change("delete", [lead])
    assert lines() == []

    undo(operation)

    assert lines(lead) == [("", "new", "added", alice.email)]


WRITERS: dict[str, Callable[[Lead, Any], object]] = {
    "summary": lambda lead, _who: record_summary(lead_id=lead.pk, now=NOW, **SUMMARY),
    "list": lambda lead, who: listed(lead.client, who, lead.phone_number),
    "lift": lambda lead, who: lift_suppression(
        suppression=Suppression.objects.get(), reason="", actor=who, now=NOW
    ),
    "erase": lambda lead, who: erase_lead(lead=lead, reason="", actor=who, now=NOW),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("writer", WRITERS)
def test_changes_nothing_where_the_line_can_not_be_written(acme, alice, monkeypatch, writer):
    status = "suppressed" if writer == "lift" else "new"
    lead = LeadFactory.create(client=acme, status=status)
    if writer == "lift":
        SuppressionFactory.create(client=acme, phone_number=lead.phone_number)

    def fail(_rows: Any) -> None:
        raise RuntimeError("The disk is full")

    monkeypatch.setattr(status_services, "insert_rows", fail)
    with pytest.raises(RuntimeError):
        WRITERS[writer](lead, alice)

    lead.refresh_from_db()
    assert (lead.status, lead.erased_at) == (status, None)
    assert Suppression.objects.count() == (writer == "lift")


# The page


def page_of(browser, lead) -> str:
    return str(browser.get(f"/app/leads/{lead.pk}/").text)


def test_shows_what_became_of_a_lead_why_and_who_did_it(browse, vera, charlie, acme, alice):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    record_summary(lead_id=lead.pk, now=NOW, **SUMMARY)
    listed(acme, alice)

    text = page_of(browse(vera), lead)

    assert "before: New · What a call came to · the platform" in text
    assert "before: Reached · Put on the do-not-call list · alice@acme.test" in text
    assert "Older changes of the status were not kept" not in text
    assert browse(charlie).get(f"/app/leads/{lead.pk}/").status_code == 404


def test_says_when_older_changes_are_missing(browse, vera, acme, alice):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER, status="called")

    assert "Older changes of the status were not kept" in page_of(browse(vera), lead)

    listed(acme, alice)
    assert "Older changes of the status were not kept" in page_of(browse(vera), lead)


def test_asks_as_few_queries_for_a_long_history(browse, vera, acme):
    short, long = LeadFactory.create(client=acme), LeadFactory.create(client=acme)
    for lead, times in ((short, 1), (long, 60)):
        for number in range(times):
            status = "called" if number % 2 else "reached"
            record_summary(lead_id=lead.pk, now=NOW, status=status)
    browser, counts = browse(vera), []

    for lead in (short, short, long):
        with CaptureQueriesContext(connection) as asked:
            text = page_of(browser, lead)
        counts.append(len(asked))

    assert counts[1] == counts[2]
    assert text.count("What a call came to") == 50
