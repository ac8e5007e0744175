"""The agency's do-not-call list: it holds for every client, lists come and go, everything is on record."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse

from audit.models import AuditLog
from convomono.lib.lane import run_bulk
from leads.imports.work import Pace
from leads.jobs import resume_listings, work_on_listing
from leads.models import AgencyListing, Suppression
from leads.operations import agency_listing
from leads.operations.agency_listing import run_listing, undo_listing
from leads.services.agency_list import ListingUndoRefused, undo_agency_listing
from leads.services.suppressions import suppress, suppressed_numbers
from tests.factories.accounts import NOW
from tests.factories.leads import LeadFactory, SuppressionFactory

LIST = "/agency/do-not-call/"
NUMBER = "+12125550101"
NEW = {"phone_number": "(212) 555-0101", "country": "US", "source": "spoken", "reason": "By mail"}


class Killed(BaseException):
    """What a worker gets in the middle of something."""


@pytest.fixture
def bob_may(bob):
    """Bob with the one permission that the list asks for."""
    bob.manage_campaigns = True
    bob.save()
    return bob


@pytest.fixture
def take_over(browse, bob_may, run_jobs, django_capture_on_commit_callbacks):
    def run(text: str, *, jobs: bool = True) -> AgencyListing:
        with django_capture_on_commit_callbacks(execute=True):
            answer = browse(bob_may).post(
                f"{LIST}import/", {"country": "US", "reason": "State list", "pasted": text}
            )
        assert answer.status_code == 302, answer.text
        if jobs:
            run_jobs()
        return AgencyListing.objects.latest("created_at")

    return run


def numbers() -> set[str]:
    return set(Suppression.objects.filter(level="agency").values_list("phone_number", flat=True))


def test_keeps_a_number_from_every_client_until_somebody_says_why_not(browse, bob_may, acme, rival):
    browser = browse(bob_may)

    assert browser.post(f"{LIST}add/", NEW).status_code == 302

    for client in (acme, rival):
        found = suppressed_numbers(client_id=client.pk, campaign_id=None, phone_numbers=[NUMBER])
        assert found == {NUMBER: "agency"}
    entry = Suppression.objects.get()
    assert (entry.source, entry.added_by_email) == ("spoken", bob_may.email)
    lift = f"{LIST}{entry.pk}/lift/"
    assert browser.post(lift, {"reason": ""}).status_code == 422
    assert browser.post(lift, {"reason": "A mistake"}).status_code == 302
    assert not numbers()
    told = AuditLog.objects.order_by("created_at", "pk").values_list("action", "details__reason")
    assert list(told) == [("number.suppressed", "By mail"), ("suppression.lifted", "A mistake")]


def test_shows_all_lists_and_takes_off_the_agencys_alone(browse, bob_may, acme):
    theirs = SuppressionFactory.create(client=acme, phone_number="+13125550102")
    ours = SuppressionFactory.create(client=None, level="agency", phone_number=NUMBER)
    browser = browse(bob_may)

    page = browser.get(LIST).text
    narrowed = browser.get(LIST, {"level": "agency"}).text

    assert "312-555-0102" in page
    assert acme.name in page
    assert "212-555-0101" in narrowed
    assert "312-555-0102" not in narrowed
    assert f"{ours.pk}/lift/" in page
    assert f"{theirs.pk}/lift/" not in page
    assert browser.get(f"{LIST}{theirs.pk}/lift/").status_code == 404
    assert browser.get(LIST, {"q": "999"}).text.count("No number on the list matches") == 1


def test_asks_as_few_queries_for_many_entries(browse, bob_may, django_assert_num_queries, acme):
    browser = browse(bob_may)
    SuppressionFactory.create(client=acme)
    browser.get(LIST)
    with django_assert_num_queries(4):
        browser.get(LIST)
    SuppressionFactory.create_batch(20, client=acme)
    with django_assert_num_queries(4):
        browser.get(LIST)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"phone_number": "12"}, "too few digits"), ({"reason": ""}, "required")],
)
def test_refuses_what_is_no_entry(browse, bob_may, change, sentence):
    answer = browse(bob_may).post(f"{LIST}add/", {**NEW, **change})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert not numbers()


def test_takes_over_a_list_and_says_which_lines_had_no_number(take_over, browse, bob_may):
    suppress(
        level="agency", client_id=None, campaign_id=None, phone_number=NUMBER, source="person",
        reason="", actor=bob_may, now=NOW,
    )  # fmt: skip

    listing = take_over("(212) 555-0101\nname;+1 212 555 0102\nnobody\n212.555.0102\n")

    assert listing.status == "done"
    assert (listing.added_count, listing.listed_count, listing.refused_count) == (1, 2, 1)
    assert numbers() == {NUMBER, "+12125550102"}
    page = browse(bob_may).get(f"{LIST}lists/{listing.pk}/").text
    assert "nobody" in page
    assert AuditLog.objects.filter(action="suppressions.imported").count() == 1


def test_takes_a_list_back_and_nothing_else(take_over, browse, bob_may, root, run_jobs):
    suppress(
        level="agency", client_id=None, campaign_id=None, phone_number=NUMBER, source="person",
        reason="", actor=root, now=NOW,
    )  # fmt: skip
    listing = take_over("212 555 0101\n212 555 0102\n212 555 0103\n")

    browse(bob_may).post(f"{LIST}lists/{listing.pk}/undo/")
    work_on_listing(listing_id=listing.pk)
    work_on_listing(listing_id=listing.pk)  # a second time changes nothing

    listing.refresh_from_db()
    assert (listing.status, listing.undone_by_email) == ("undone", bob_may.email)
    assert numbers() == {NUMBER}
    assert AuditLog.objects.filter(action="suppressions.listing_undone").count() == 1
    with pytest.raises(ListingUndoRefused):
        undo_agency_listing(listing=listing, actor=root, now=NOW, real_now=NOW)


def test_frees_the_leads_when_it_is_taken_back(take_over, run_jobs, root, acme, rival):
    listing = take_over("212 555 0101\n212 555 0102\n")
    leads = [
        LeadFactory.create(client=client, phone_number=NUMBER, status="suppressed")
        for client in (acme, rival)
    ]
    undo_agency_listing(listing=listing, actor=root, now=NOW, real_now=NOW)
    listing.refresh_from_db()

    assert undo_listing(listing=listing, pace=Pace(lambda: NOW, lambda _seconds: None), now=NOW)

    for lead in leads:
        lead.refresh_from_db()
        assert lead.status == "new"


def test_leaves_on_the_list_who_asks_while_it_is_taken_back(take_over, monkeypatch, root):
    listing = take_over("212 555 0101\n212 555 0102\n")
    undo_agency_listing(listing=listing, actor=root, now=NOW, real_now=NOW)
    listing.refresh_from_db()
    run = run_bulk

    def asked_for(block):
        monkeypatch.setattr(agency_listing, "run_bulk", run)
        suppress(
            level="agency", client_id=None, campaign_id=None, phone_number=NUMBER, source="spoken",
            reason="Asked on a call", actor=root, now=NOW,
        )  # fmt: skip
        return run(block)

    monkeypatch.setattr(agency_listing, "run_bulk", asked_for)

    assert undo_listing(listing=listing, pace=Pace(lambda: NOW, lambda _seconds: None), now=NOW)

    assert numbers() == {NUMBER}


def test_cant_be_taken_back_after_30_days(take_over, root):
    listing = take_over("212 555 0101\n")
    late = listing.created_at + timedelta(days=31)

    with pytest.raises(ListingUndoRefused):
        undo_agency_listing(listing=listing, actor=root, now=late, real_now=late)


@pytest.mark.parametrize("kills", [1, 2, 3])
def test_ends_the_same_when_it_is_killed(take_over, monkeypatch, kills):
    monkeypatch.setattr(agency_listing, "SLICE", 3)
    listing = take_over("\n".join(f"212 555 01{n:02}" for n in range(10)) + "\nx", jobs=False)
    left = [kills]

    def pause(_seconds: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    for _try in range(10):
        listing.refresh_from_db()
        left[0] = kills
        try:
            run_listing(listing=listing, pace=Pace(lambda: NOW, pause), now=NOW)
            break
        except Killed:
            continue

    listing.refresh_from_db()
    assert listing.status == "done"
    assert (listing.lines_done, listing.added_count, listing.refused_count) == (11, 10, 1)
    assert len(numbers()) == 10


@pytest.mark.django_db(transaction=True)
def test_writes_each_number_once_from_two_workers(take_over, monkeypatch):
    monkeypatch.setattr(agency_listing, "SLICE", 5)
    listing = take_over("\n".join(f"212 555 01{n:02}" for n in range(40)), jobs=False)

    def work() -> None:
        try:
            work_on_listing(listing_id=listing.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _one in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    listing.refresh_from_db()
    assert (listing.status, listing.added_count) == ("done", 40)
    assert len(numbers()) == 40


def test_picks_up_what_a_killed_worker_left(
    take_over, run_jobs, empty_valkey, django_capture_on_commit_callbacks
):
    listing = take_over("212 555 0101\n", jobs=False)
    assert resume_listings() == 0  # somebody is at it
    AgencyListing.objects.update(progressed_at=NOW - timedelta(days=900))

    with django_capture_on_commit_callbacks(execute=True):
        assert resume_listings() == 1
    run_jobs()

    listing.refresh_from_db()
    assert listing.status == "done"
    assert resume_listings() == 0


def test_exports_the_agencys_list_alone(browse, bob_may, acme):
    SuppressionFactory.create(client=None, level="agency", phone_number=NUMBER, reason="=1+1")
    SuppressionFactory.create(client=acme, phone_number="+13125550102")

    answer = browse(bob_may).get(f"{LIST}export/")
    text = b"".join(answer).decode("utf-8-sig")

    assert "'+12125550101,agency" in text
    assert "'=1+1" in text
    assert "+13125550102" not in text
    assert AuditLog.objects.filter(action="suppressions.exported").count() == 1


def test_is_for_those_who_manage_campaigns(browse, bob, root, alice):
    assert browse(bob).get(LIST).status_code == 403
    assert browse(alice).get(LIST).status_code == 403
    assert browse().get(LIST).status_code == 302
    rules = reverse("agency-campaigns:rule-list")
    assert f'href="{LIST}"' not in browse(bob).get(rules).text  # nor is it in the side bar
    assert f'href="{LIST}"' in browse(root).get(rules).text


def test_is_a_fragment_for_htmx(browse, root):
    fragment = browse(root).get(LIST, headers={"HX-Request": "true"}).text

    assert fragment.lstrip().startswith("<section")
    assert browse(root).get(f"{LIST}add/").status_code == 405


def test_keeps_who_asked_since_when_a_list_is_taken_back(take_over, browse, bob_may):
    listing = take_over("212 555 0101\n212 555 0102\n")
    browse(bob_may).post(f"{LIST}add/", NEW)

    browse(bob_may).post(f"{LIST}lists/{listing.pk}/undo/")
    work_on_listing(listing_id=listing.pk)

    entry = Suppression.objects.get()
    assert (entry.phone_number, entry.source) == (NUMBER, "spoken")
    assert AuditLog.objects.filter(action="number.suppressed").count() == 1


def test_keeps_whom_another_list_names_when_one_is_taken_back(take_over, browse, bob_may):
    first = take_over("212 555 0101\n212 555 0102\n")
    take_over("212 555 0102\n")

    browse(bob_may).post(f"{LIST}lists/{first.pk}/undo/")
    work_on_listing(listing_id=first.pk)

    assert numbers() == {"+12125550102"}
