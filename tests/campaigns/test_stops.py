"""The agency's live page, the kill switches on it, and the button that ends a call."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditLog
from campaigns import jobs
from campaigns.models import DialGate
from campaigns.services import lifecycle
from convomono.lib import clock
from convomono.lib.ids import uuid7
from convomono.lib.redis import redis_connection
from telephony.models import Call
from telephony.provider import Rejected, Unavailable
from tests.campaigns.test_live_pages import make_call
from tests.conftest import NOW
from tests.factories.campaigns import enrol, launch, make_ready, run_batch

HTMX = {"HTTP_HX_REQUEST": "true"}
LIVE = "/agency/live/"


@pytest.fixture
def batch_call(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


@pytest.fixture
def call(batch_call):
    """A call in progress of acme's."""
    lead = batch_call.enrolments.order_by("pk")[0]
    return make_call(batch_call, lead, status="ongoing", outcome_class="", duration_ms=None)


def stop_url(client=None):
    return f"{LIVE}clients/{client.pk}/stop/" if client else f"{LIVE}stop/"


def test_shows_every_call_in_progress_with_whose_it_is(browse, root, call):
    page = browse(root).get(LIVE).content.decode()

    assert "Person 0" in page
    assert "Acme Dental" in page
    assert "Calls in progress: 1, of which 1 talk. Launches running: 1." in page
    assert re.search(r">1</a> /\s+20\s", page)
    assert 'ws-connect="/ws/agency/live/"' in page


def test_shows_the_buttons_to_those_who_may(browse, root, bob, call):
    assert "Stop everything" in browse(root).get(LIVE).content.decode()
    page = browse(bob).get(LIVE).content.decode()
    assert "Stop everything" not in page
    assert "End the call" not in page


def test_asks_the_same_number_of_queries_for_one_call_and_for_twenty(
    browse, root, batch_call, django_assert_num_queries
):
    browser = browse(root)
    leads = list(batch_call.enrolments.order_by("pk"))
    make_call(batch_call, leads[0], status="ongoing", outcome_class="")
    with django_assert_num_queries(9):
        browser.get(LIVE)
    for number in range(2, 22):
        make_call(batch_call, leads[1], number=number, status="ongoing", outcome_class="")
    with django_assert_num_queries(9):
        browser.get(LIVE)


CALLS = f"{LIVE}calls/"


@pytest.fixture
def many(batch_call, monkeypatch):
    """Five calls in progress where a page holds two, the first the longest on the line; one that is over."""
    monkeypatch.setattr("campaigns.queries.agency_live.ROWS", 2)
    lead = batch_call.enrolments.order_by("pk")[0]
    calls = [
        make_call(batch_call, lead, number=number, status="ongoing", outcome_class="")
        for number in range(1, 6)
    ]
    for number, one in enumerate(calls):
        Call.objects.filter(pk=one.pk).update(created_at=NOW + timedelta(seconds=number))
    make_call(batch_call, lead, number=9)
    return calls


def listed(page):
    return re.findall(r'id="call-([0-9a-f-]{36})"', page)


def next_page(page):
    found = re.search(r'href="([^"]+)"\s+rel="next"', page)
    return html.unescape(found[1]) if found else ""


def test_leads_on_to_every_call_in_progress_page_by_page(browse, bob, many):
    browser = browse(bob)
    assert f'href="{CALLS}"' in browser.get(LIVE).content.decode()
    found: list[str] = []
    query, pages = "", 0
    while query or not pages:
        page = browser.get(CALLS + query).content.decode()
        assert "5 calls, dialled longest ago first" in page
        found, query, pages = [*found, *listed(page)], next_page(page), pages + 1

    assert found == [str(one.pk) for one in many]
    assert pages == 3


def test_lists_the_calls_of_one_client_or_status(browse, root, rival, many):
    Call.objects.filter(pk=many[0].pk).update(client=rival)
    Call.objects.filter(pk=many[1].pk).update(status="registered")
    browser = browse(root)

    assert listed(browser.get(f"{CALLS}?client={rival.pk}").content.decode()) == [str(many[0].pk)]
    ringing = browser.get(f"{CALLS}?status=registered", **HTMX).content.decode()
    assert listed(ringing) == [str(many[1].pk)]
    assert "<html" not in ringing
    assert (
        "No call in progress matches" in browser.get(f"{CALLS}?client={uuid7()}").content.decode()
    )
    # What is no filter of ours shows everything.
    assert "5 calls" in browser.get(f"{CALLS}?client=x&status=ended&page=x").content.decode()


def test_asks_as_many_queries_for_two_pages_as_for_one_call(
    browse, root, many, django_assert_num_queries
):
    browser = browse(root)
    query = next_page(browser.get(CALLS).content.decode())
    with django_assert_num_queries(9):  # a full page, and how many there are
        browser.get(CALLS)
    with django_assert_num_queries(8):
        browser.get(CALLS + query)
    Call.objects.exclude(pk=many[0].pk).delete()
    with django_assert_num_queries(8):
        browser.get(CALLS)


def test_comes_back_to_the_page_that_a_call_was_ended_from(browse, root, bob, many, retell):
    browser = browse(root)
    query = next_page(browser.get(CALLS).content.decode())
    page = browser.get(CALLS + query).content.decode()
    assert html.unescape(page).count(f"/end/{query}") == 4  # the form's own address and htmx's
    end = f"{LIVE}calls/{many[2].pk}/end/"

    answer = browser.post(end + query, {"from": "calls"}, follow=True)

    assert listed(answer.content.decode()) == [str(many[2].pk), str(many[3].pk)]
    assert "The call is being ended." in answer.content.decode()
    assert "Being ended" in answer.content.decode()
    assert browse(bob).post(end + query, {"from": "calls"}).status_code == 403
    assert "End the call" not in browse(bob).get(CALLS).content.decode()


def test_says_that_the_calls_of_a_page_are_over(browse, root, many):
    browser = browse(root)
    query = next_page(browser.get(CALLS).content.decode())
    Call.objects.filter(pk__in=[one.pk for one in many[2:]]).update(status="ended")
    assert "The calls of this page are over." in browser.get(CALLS + query).content.decode()
    Call.objects.update(status="ended")
    assert "Nobody is on the line just now." in browser.get(CALLS).content.decode()


def test_holds_still_when_asked_to(browse, root, many):
    browser = browse(root)
    page = browser.get(CALLS).content.decode()
    assert 'ws-connect="/ws/agency/lists/"' in page
    assert 'hx-trigger="every 5s, htmx:oobAfterSwap from:#changed delay:50ms"' in page
    assert 'id="changed"' in page
    page = browser.get(f"{CALLS}?updates=off").content.decode()
    assert 'ws-connect="/ws/agency/"' in page
    assert "every 5s" not in page
    assert "Go live again" in page


def test_answers_htmx_with_the_part(browse, root):
    part = browse(root).get(LIVE, **HTMX).content.decode()
    assert part.lstrip().startswith('<div class="stack"')
    assert "<html" not in part


@pytest.mark.parametrize("everything", [True, False])
def test_stops_after_asking_and_gives_a_receipt(browse, root, acme, batch_call, everything):
    browser, client = browse(root), None if everything else acme
    DialGate.objects.create(key="everything" if everything else f"client:{acme.pk}", client=client)

    asked = browser.get(stop_url(client)).content.decode()
    assert "Stop calling" in asked
    assert DialGate.objects.get().is_open
    page = browser.post(stop_url(client), {"reason": "Wrong script"}, follow=True).content.decode()

    gate = DialGate.objects.get()
    assert not gate.is_open
    assert gate.reason == "Wrong script"
    assert "No call was dialled before" in page
    assert "Resume" in page
    again = browser.post(stop_url(client), follow=True).content.decode()
    assert "It was stopped already." in again
    browser.post(stop_url(client).replace("stop", "resume"))
    assert DialGate.objects.get().is_open


def test_refuses_a_reason_that_is_too_long(browse, root):
    answer = browse(root).post(stop_url(), {"reason": "x" * 300})
    assert answer.status_code == 422
    assert not DialGate.objects.filter(is_open=False).exists()


def test_ends_the_calls_in_progress_too_when_asked(
    browse, root, call, retell, run_jobs, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        browse(root).post(stop_url(), {"end_calls": "on"})
    run_jobs()

    assert retell.stopped == [call.provider_call_id]


@pytest.mark.django_db(transaction=True)
def test_ends_a_thousand_calls_without_a_job_for_each(root, acme, rival, retell, now, run_jobs):
    Call.objects.bulk_create(
        Call(client=acme, provider_call_id=f"call_{n}", status="ongoing", created_at=now)
        for n in range(60)
    )
    Call.objects.create(client=rival, provider_call_id="other", status="ongoing", created_at=now)

    with CaptureQueriesContext(connection) as asked:
        assert lifecycle.end_calls(client=acme, actor=root, now=now) == 60
    assert len(asked) < 20
    assert lifecycle.end_calls(client=acme, actor=root, now=now) == 0  # twice is once

    assert AuditLog.objects.get(action="call.all_ended_by_person").details == {"calls": 60}
    retell.fail("stop_call", Unavailable("Connection refused."))
    assert run_jobs() == 3
    assert len(retell.stopped) == 59
    assert "other" not in retell.stopped
    Call.objects.update(end_requested_at=clock.now() - timedelta(minutes=5))
    jobs.hang_up_left()  # the one that failed is asked again
    run_jobs()
    assert len(set(retell.stopped)) == 61


def test_ends_one_call_and_only_once(
    browse, mia, call, retell, run_jobs, django_capture_on_commit_callbacks
):
    browser, url = browse(mia), f"/app/calls/{call.pk}/end/"
    with django_capture_on_commit_callbacks(execute=True):
        first = browser.post(url, {"from": "campaign"})
        browser.post(url)
    run_jobs()

    assert first["Location"] == f"/app/campaigns/{call.campaign_id}/"
    assert retell.stopped == [call.provider_call_id]
    call.refresh_from_db()
    assert call.end_requested_at is not None
    assert call.status == "ongoing"  # until Retell says so


def test_takes_a_call_that_is_over_already_for_ended(call, retell, now, monkeypatch):
    Call.objects.filter(pk=call.pk).update(end_requested_at=now)

    def refuse(*, call_id):
        raise Rejected("The call has ended.", 400)

    monkeypatch.setattr(retell, "stop_call", refuse)
    jobs.hang_up(call_id=str(call.pk))


def test_asks_again_for_a_call_that_goes_on(
    call, retell, now, run_jobs, django_capture_on_commit_callbacks
):
    Call.objects.filter(pk=call.pk).update(end_requested_at=now)
    redis_connection().flushdb()  # the first order was lost
    with django_capture_on_commit_callbacks(execute=True):
        jobs.hang_up_left()
    run_jobs()

    assert retell.stopped == [call.provider_call_id]


def test_ends_no_call_of_another_client(browse, charlie, vera, call):
    url = f"/app/calls/{call.pk}/end/"
    assert browse(charlie).post(url).status_code == 404
    assert browse(vera).post(url).status_code == 403
    call.refresh_from_db()
    assert call.end_requested_at is None


def test_keeps_the_calls_in_progress_still_while_they_are_filtered(browse, root, acme):
    page = browse(root).get(f"/agency/live/calls/?updates=off&client={acme.pk}", **HTMX).text

    assert "This page holds still." in page
    assert "every 5s" not in page
    assert f'href="?client={acme.pk}"' in page  # go live again, as it is filtered

    whole = browse(root).get("/agency/live/calls/?updates=off").text
    assert 'hx-get="/agency/live/calls/?updates=off"' in whole
    live = browse(root).get(f"/agency/live/calls/?client={acme.pk}", **HTMX).text
    assert "every 5s" in live
    assert f"?client={acme.pk}&amp;updates=off" in live
