"""The live page, the launch page, the pages of calls and of one lead."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.services import hold
from campaigns import leasing
from campaigns.leasing import Lease
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.queries.leads import ENROLMENT_ORDER, enrolment_list
from campaigns.queries.progress import add_up, shown_status, why
from convomono.lib import clock, pages
from convomono.lib.ids import uuid7
from leads.models import Suppression
from telephony.models import Call, CallDetail
from tests.factories.billing import balances
from tests.factories.campaigns import (
    NOW,
    enrol,
    launch,
    make_draft,
    make_ready,
    run_batch,
)
from tests.plans import plans

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def running(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


def make_call(batch_call, enrolment, number=1, **fields):
    attempt = Attempt.objects.create(
        client=batch_call.client,
        enrolment=enrolment,
        number=number,
        campaign_id=batch_call.campaign_id,
        batch_call_id=batch_call.pk,
        version_id=batch_call.version_id,
        lead_id=enrolment.lead_id,
        phone_number=enrolment.phone_number,
        status="ended",
        decision={"verdict": "allow", "rules": ["us.tsr.310.4.hours"], "inputs": {"country": "US"}},
        created_at=NOW,
        placed_at=NOW,
    )
    return Call.objects.create(
        client=batch_call.client,
        provider_call_id=f"call_{attempt.pk.hex}",
        campaign_id=batch_call.campaign_id,
        batch_call_id=batch_call.pk,
        enrolment_id=enrolment.pk,
        attempt_id=attempt.pk,
        lead_id=enrolment.lead_id,
        to_number=enrolment.phone_number,
        from_number="+12125550199",
        created_at=NOW,
        **{
            "status": "ended",
            "outcome_class": "human",
            "duration_ms": 74_000,
            "billed_seconds": 74,
            "client_cost_micros": 370_000,
            "retell_cost_micros": 98_765,
            **fields,
        },
    )


def url(batch_call, path=""):
    return f"/app/campaigns/{batch_call.campaign_id}/{path}"


# -- Live ------------------------------------------------------------------------------------------


def test_shows_progress_and_asks_again_while_it_dials(browse, vera, running):
    page = browse(vera).get(url(running)).content.decode()

    assert 'hx-trigger="every 2s"' in page
    assert "0 of 4 leads done" in page
    assert "Adds up" in page
    assert "status=exhausted" in page
    assert "Pause" not in page  # viewers look


def test_resumes_a_paused_launch_beside_one_that_runs(browse, alice, running):
    BatchCall.objects.filter(pk=running.pk).update(status="paused", pause_reason="paused_credit")
    enrol(running.campaign, 1, start=50)
    run_batch(launch(running.campaign, seconds=600))
    browser = browse(alice)

    page = browser.get(url(running)).content.decode()
    assert "Pause</span>" in page and url(running, "resume/") in page
    browser.post(url(running, "resume/"))

    assert set(BatchCall.objects.values_list("status", flat=True)) == {"running"}
    assert url(running, "resume/") not in browser.get(url(running)).content.decode()


def test_offers_who_may_not_launch_to_ask_for_leads_added_since(browse, alice, mia, running):
    enrol(running.campaign, 1, start=50)
    mia.can_launch = False
    mia.save()
    asks = url(running, "launch/ask/")

    page = browse(mia).get(url(running)).content.decode()

    assert "1 lead was added since" in page
    assert asks in page and "Launch them too" not in page
    assert browse(mia).get(asks).status_code == 200
    assert asks not in browse(alice).get(url(running)).content.decode()


def test_holds_still_when_asked_to(browse, vera, running):
    page = browse(vera).get(url(running, "?updates=off")).content.decode()

    assert "every 2s" not in page
    assert "Go live again" in page


def test_answers_htmx_with_the_live_part_alone(browse, alice, running):
    page = browse(alice).get(url(running), **HTMX).content.decode()

    assert page.lstrip().startswith("<div")
    assert "<html" not in page
    assert "Pause" in page


def test_asks_few_queries_from_sign_in_to_the_campaign(browse, alice, running, client):
    """
    Each page of the way under 12, on the busiest day: calls in progress, retries, people set apart.

    The first look of a process asks for the dispatcher's lease too.
    """
    Lease().acquire(real_now=clock.real_now())
    rows = list(running.enrolments.all())
    Enrolment.objects.filter(pk=rows[0].pk).update(held_at=NOW)
    hold(
        attempt_id=uuid7(), batch_call_id=running.pk, max_call_seconds=60, now=clock.now()
    )  # so that the header counts the talk
    browser, campaign = browse(alice), url(running)
    way = ("/app/", "/app/campaigns/", campaign)
    asked: dict[str, set[int]] = {path: set() for path in way}
    for number, row in enumerate(rows):
        make_call(running, row)
        make_call(running, row, number=2, status="ongoing", outcome_class="", started_at=NOW)
        BatchCall.objects.update(in_call_count=number + 1)
        for path in way:
            leasing.lease_look._sure_until = None
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(path).status_code == 200
            asked[path].add(len(queries))
    with CaptureQueriesContext(connection) as queries:
        client.get("/account/login/")

    assert len(queries) <= 1
    assert asked == {"/app/": {11}, "/app/campaigns/": {11}, campaign: {11}}


def test_asks_as_few_queries_after_a_month_of_launches(browse, alice, running):
    """A campaign that launches its new leads each day has more launches than the page shows."""
    Lease().acquire(real_now=clock.real_now())
    earlier = {
        name.attname: getattr(running, name.attname) for name in running._meta.concrete_fields
    }
    earlier |= {"status": "finished", "queued_count": 0, "tasks_count": 0}
    BatchCall.objects.bulk_create(
        BatchCall(**earlier | {"id": uuid7(), "launch_key": uuid7(), "created_at": NOW - day})
        for day in (timedelta(days=number) for number in range(1, 31))
    )
    hold(attempt_id=uuid7(), batch_call_id=running.pk, max_call_seconds=60, now=clock.now())
    row = running.enrolments.first()
    make_call(running, row)
    make_call(running, row, number=2, status="ongoing", outcome_class="", started_at=NOW)
    BatchCall.objects.filter(pk=running.pk).update(in_call_count=1)
    browser = browse(alice)
    browser.get(url(running))

    with CaptureQueriesContext(connection) as queries:
        page = browser.get(url(running)).content.decode()
    assert len(queries) == 11

    oldest = BatchCall.objects.earliest("created_at")
    BatchCall.objects.filter(pk=oldest.pk).update(status="paused", pause_reason="paused_credit")
    BatchCall.objects.filter(pk=running.pk).update(status="finished", in_call_count=0)
    assert "Paused" not in page
    assert "Paused" in browser.get(url(running)).content.decode()


def test_shows_minutes_while_they_are_used(browse, alice, running):
    """What is talked now grows on the page by itself, as fast as so many calls talk."""
    now = clock.now()
    for number, row in enumerate(running.enrolments.all()[:3]):
        make_call(running, row, status="ongoing", outcome_class="")
        Call.objects.filter(enrolment_id=row.pk).update(
            started_at=now - timedelta(seconds=60) if number else None
        )
    BatchCall.objects.update(in_call_count=3)
    page = browse(alice).get(url(running)).content.decode()
    found = re.search(
        r'and <span data-talk="(\d+)" data-rate="2">(\d+):\d\d</span> in 2 calls', page
    )
    assert found
    assert 120 <= int(found[1]) < 180
    Call.objects.update(status="ended")
    assert 'data-rate="2"' not in browse(alice).get(url(running)).content.decode()


def test_leads_to_all_calls_where_it_shows_a_part(browse, alice, running, monkeypatch):
    monkeypatch.setattr("campaigns.queries.live.LIVE_ROWS", 1)
    for row in running.enrolments.all()[:2]:
        make_call(running, row, status="ongoing", outcome_class="")
    BatchCall.objects.update(in_call_count=1)
    all_of_them = f"/app/calls/?campaign={running.campaign_id}&amp;status=ongoing"
    assert all_of_them not in browse(alice).get(url(running)).content.decode()
    BatchCall.objects.update(in_call_count=2)
    assert all_of_them in browse(alice).get(url(running)).content.decode()


def test_pauses_resumes_and_stops_by_plain_forms(browse, alice, running):
    browser = browse(alice)

    page = browser.post(url(running, "pause/"), follow=True).content.decode()
    assert "no new one starts" in page
    assert "No call was dialled before, and none is from now on." in page
    assert "Paused by alice@acme.test" in browser.get(url(running)).content.decode()
    browser.post(url(running, "resume/"))
    assert BatchCall.objects.get().status == "running"
    asked = browser.get(url(running, "stop/")).content.decode()
    assert "Stop calling 4 leads" in asked
    assert "50.00" in asked
    BatchCall.objects.update(last_dialled_at=NOW)
    page = browser.post(url(running, "stop/"), follow=True).content.decode()
    assert "Stopped: 4 leads are no longer called." in page
    assert "The last call was dialled at 23 Nov, 10:00:00.000, and none after it." in page
    assert balances(running.client)[:2] == (60_000, 0)


@pytest.mark.parametrize(
    ("verb", "flash"),
    [("pause/", "Paused. Calls in progress go on."), ("stop/", "Stopped: 2 leads")],
)
def test_says_who_is_called_all_the_same_by_a_list_it_cannot_recall(
    browse, alice, running, verb, flash
):
    waiting = list(Enrolment.objects.values_list("pk", flat=True)[:2])
    Enrolment.objects.filter(pk__in=waiting).update(status="dialling")
    BatchCall.objects.update(mode="retell_batch", dialling_count=2, queued_count=2)
    browser, unrecalled = browse(alice), "2 people wait in a list at the voice platform"

    told = html.unescape(browser.post(url(running, verb), follow=True).content.decode())
    later = html.unescape(browser.get(url(running)).content.decode())

    assert flash in told
    assert told.count(unrecalled) == 2  # the flash, and the sentence that stays
    assert later.count(unrecalled) == 1
    for page in (told, later):
        assert "none after it" not in page
        assert "no new one starts" not in page
        assert "none is from now on" not in page


def test_tells_of_leads_that_wait_for_the_next_launch(browse, alice, running):
    enrol(running.campaign, 2, start=4)

    page = browse(alice).get(url(running)).content.decode()

    assert "2 leads were added since" in page
    assert url(running, "launch/") in page


def test_pages_through_all_leads_by_key(browse, vera, equipped, monkeypatch):
    """Whoever was called last first, then the others; nobody twice, nobody left out, and back again."""
    given = pages.keyset_page.__kwdefaults__ or {}
    monkeypatch.setattr(pages.keyset_page, "__kwdefaults__", {**given, "size": 3})
    campaign = make_ready(equipped)
    enrol(campaign, 8)
    rows = list(campaign.enrolments.order_by("pk"))
    for minutes, row in ((1, rows[5]), (2, rows[1]), (2, rows[3]), (2, rows[6])):
        row.last_attempted_at = NOW + timedelta(minutes=minutes)
        row.save()
    wanted = [rows[i] for i in (1, 3, 6, 5, 0, 2, 4, 7)]
    browser, seen, query = browse(vera), [], ""
    for first, last in ((1, 3), (4, 6), (7, 8)):
        page = browser.get(f"/app/campaigns/{campaign.pk}/leads/{query}").content.decode()
        assert f"{first}–{last} of 8" in page
        seen += re.findall(r'href="/app/leads/([0-9a-f-]{36})/"', page)
        query = neighbour(page, "next")
    assert seen == [str(row.lead_id) for row in wanted]
    assert not query
    back = browser.get(f"/app/campaigns/{campaign.pk}/leads/{neighbour(page, 'prev')}")
    assert "4–6 of 8" in back.content.decode()


def neighbour(page, rel):
    found = re.search(rf'href="([^"]+)"\s+rel="{rel}"', page)
    return html.unescape(found[1]) if found else ""


def test_asks_as_many_queries_for_a_page_of_leads_as_for_one(
    browse, vera, equipped, django_assert_num_queries
):
    campaign = make_ready(equipped)
    enrol(campaign, 1)  # in no launch: what such leads wait for takes two queries
    browser = browse(vera)
    with django_assert_num_queries(6):
        browser.get(f"/app/campaigns/{campaign.pk}/leads/")
    enrol(campaign, 40, start=1)
    with django_assert_num_queries(6):
        browser.get(f"/app/campaigns/{campaign.pk}/leads/")


@pytest.mark.sqlite_only("reads SQLite's plans")
@pytest.mark.parametrize("called", [None, NOW])
def test_begins_a_page_of_leads_where_it_begins(equipped, called):
    """No page sorts a list that may hold a hundred thousand people."""
    campaign = make_ready(equipped)
    enrol(campaign, 8)
    Enrolment.objects.update(last_attempted_at=called)
    rows = enrolment_list(campaign)
    page = pages.keyset_page(rows, order=ENROLMENT_ORDER, token=None, size=3)

    plan, *_others = plans(
        lambda: pages.keyset_page(rows, order=ENROLMENT_ORDER, token=page.after, size=3)
    )

    assert "enrolment_by_last" in plan
    assert "TEMP B-TREE" not in plan


def test_lists_the_leads_behind_a_number(browse, vera, running):
    row = running.enrolments.first()
    row.status, row.last_attempted_at = "done", NOW
    row.save()

    page = browse(vera).get(url(running, "leads/?status=done")).content.decode()

    assert page.count("/app/leads/") >= 1
    assert str(row.lead_id) in page
    assert str(running.enrolments.last().lead_id) not in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "scheduled", "attached_at": None}, "put in line"),
        ({"status": "scheduled"}, "Starts at"),
        ({"waiting_reason": "credit"}, "Buy minutes"),
        ({"waiting_reason": "window", "waiting_until": NOW}, "open at 23 Nov, 15:00"),
        ({"waiting_reason": "", "dialling_count": 2}, "2 calls in progress."),
        ({"waiting_reason": ""}, "about to start"),
        ({"status": "paused", "paused_by_email": "a@b.c", "paused_at": NOW}, "Paused by a@b.c"),
        ({"status": "paused", "pause_reason": "provider_key"}, "refused our key"),
        ({"status": "paused", "pause_reason": "of a newer version"}, "Resume it"),
        ({"status": "finished", "finished_at": NOW, "done_count": 3}, "3 people were reached"),
        ({"status": "cancelled", "finished_at": NOW}, "Stopped at"),
    ],
)
def test_always_says_why(running, fields, words):
    for name, value in fields.items():
        setattr(running, name, value)

    sentence = why(running.campaign, [running], add_up([running]))

    assert words in sentence


@pytest.mark.parametrize("status", ["draft", "preparing", "ready", "archived"])
def test_always_says_why_without_a_launch(alice, status):
    campaign = make_draft(alice.client)
    campaign.status = status

    assert why(campaign, [], add_up([]))
    assert shown_status(campaign, []) == status


# -- Launch ----------------------------------------------------------------------------------------


def fields_of(page):
    return dict(re.findall(r'name="(launch_key|leads|seconds)" value="([^"]+)"', page))


def test_launches_what_the_button_says(browse, alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 3)
    browser, address = browse(alice), f"/app/campaigns/{campaign.pk}/launch/"
    page = browser.get(address).content.decode()
    sent = fields_of(page)

    assert re.search(r"Launch 3 leads, reserve [\d.]+ minutes", page)
    first = browser.post(address, sent, follow=True)
    second = browser.post(address, sent)

    assert "Launched. The first calls start now." in first.content.decode()
    assert second.status_code == 302
    assert BatchCall.objects.get().tasks_count == 3
    assert balances(equipped)[1] == int(sent["seconds"])


def test_shows_what_stands_in_the_way_instead_of_the_button(browse, alice, acme):
    campaign = make_draft(acme)

    page = browse(alice).get(f"/app/campaigns/{campaign.pk}/launch/").content.decode()

    assert "First put this right" in page
    assert "No lead waits for a launch." in page
    assert "no phone number" in page
    assert "launch_key" not in page


def test_asks_again_when_the_numbers_are_no_longer_true(browse, alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 3)
    browser, address = browse(alice), f"/app/campaigns/{campaign.pk}/launch/"
    sent = fields_of(browser.get(address).content.decode())

    refused = browser.post(address, {**sent, "seconds": "999999"}, follow=True)
    broken = browser.post(address, {"seconds": "x"})

    assert "The balance has changed" in refused.content.decode()
    assert broken.status_code == 422
    assert not BatchCall.objects.exists()


# -- Calls and leads -------------------------------------------------------------------------------


def test_lists_and_filters_calls(browse, vera, running, django_assert_num_queries):
    browser = browse(vera)
    for number, row in enumerate(running.enrolments.all()):
        make_call(running, row, outcome_class="human" if number else "machine")
        if number in {0, 3}:
            browser.get("/app/calls/")
            with django_assert_num_queries(6):
                page = browser.get("/app/calls/").content.decode()

    assert page.count("/app/calls/0") >= 4
    assert "$0.37" in page
    assert "0.098765" not in page and "0.0988" not in page  # Retell's cost is the agency's
    found = browser.get("/app/calls/?outcome=machine", **HTMX).content.decode()
    assert found.count("Voicemail") == 1
    number = running.enrolments.last().phone_number[-4:]
    assert browser.get(f"/app/calls/?number={number}", **HTMX).content.decode().count("1:14") == 1
    assert "No call matches" in browser.get("/app/calls/?until=2026-11-22").content.decode()


def test_shows_a_call_with_what_was_said(browse, vera, running):
    call = make_call(running, running.enrolments.first(), started_at=NOW, ended_at=NOW)
    CallDetail.objects.create(
        call=call,
        call_summary="They agreed to Tuesday.",
        transcript_object=[
            {"role": "agent", "content": "Hi <b>", "words": [{"word": "Hi", "start": 0.4}]},
            {"role": "user", "content": "Hello", "words": []},
            {"role": "tool", "content": "x"},
        ],
        call_analysis={"custom_analysis_data": {"converted": True}},
    )

    page = browse(vera).get(f"/app/calls/{call.pk}/").content.decode()

    assert "They agreed to Tuesday." in page
    assert "Hi &lt;b&gt;" in page
    assert "Converted" in page
    assert "Decided: attempt 1" in page
    assert "Never call this number again" not in page


def test_puts_a_number_on_the_list_once(browse, mia, running):
    call = make_call(running, running.enrolments.first())
    browser = browse(mia)

    browser.post(f"/app/calls/{call.pk}/suppress/")
    page = browser.post(f"/app/leads/{call.lead_id}/suppress/", follow=True).content.decode()

    assert Suppression.objects.get().phone_number == call.to_number
    assert "On the do-not-call list" in page


def test_shows_a_lead_with_each_decision(browse, vera, running):
    call = make_call(running, running.enrolments.first())

    page = browse(vera).get(f"/app/leads/{call.lead_id}/").content.decode()

    assert "It was within calling hours there: 8:00 to 21:00." in page
    assert "Attempt 1" in page
    assert f"/app/calls/{call.pk}/" in page


@pytest.mark.parametrize("path", ["calls/{call}/", "leads/{lead}/"])
def test_hides_another_clients_calls_and_leads(browse, charlie, vera, mia, running, path):
    call = make_call(running, running.enrolments.first())
    address = "/app/" + path.format(call=call.pk, lead=call.lead_id)

    assert browse(charlie).get(address).status_code == 404
    assert browse(charlie).post(f"{address}suppress/").status_code == 404
    assert browse(vera).post(f"{address}suppress/").status_code == 403
    assert browse(mia).get(f"{address}suppress/").status_code == 405
    assert str(call.pk) not in browse(charlie).get("/app/calls/").content.decode()


def test_tells_a_calls_course_to_the_millisecond_and_the_other_calls(browse, vera, running):
    lead = running.enrolments.order_by("pk")[0]
    first = make_call(running, lead, outcome_class="no_contact", status="not_connected")
    call = make_call(
        running,
        lead,
        number=2,
        started_at=NOW + timedelta(milliseconds=8250),
        ended_at=NOW + timedelta(seconds=82),
    )

    page = browse(vera).get(f"/app/calls/{call.pk}/").content.decode()

    assert "+8.250 s" in page
    assert "+82.000 s" in page
    assert page.index("Queued") < page.index("Decided: attempt 2") < page.index("Answered")
    assert f"/app/calls/{first.pk}/" in page
    assert f'ws-connect="/ws/app/calls/{call.pk}/"' in page


def test_offers_to_end_a_call_in_progress_only(browse, mia, running):
    lead = running.enrolments.order_by("pk")[0]
    over = make_call(running, lead)
    going_on = make_call(running, lead, number=2, status="ongoing", outcome_class="")
    browser = browse(mia)

    assert "/end/" not in browser.get(f"/app/calls/{over.pk}/").content.decode()
    assert "/end/" in browser.get(f"/app/calls/{going_on.pk}/").content.decode()
