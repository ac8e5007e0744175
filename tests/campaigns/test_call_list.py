"""The list of calls while it goes on: kept up to date, and with the button that ends a call."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from convomono.lib import pages
from telephony.models import Call
from tests.campaigns.test_live_pages import make_call
from tests.conftest import NOW
from tests.factories.campaigns import enrol, launch, make_ready, run_batch

if TYPE_CHECKING:
    from campaigns.models import BatchCall

HTMX = {"HTTP_HX_REQUEST": "true"}
CALLS = "/app/calls/"


@pytest.fixture
def running(equipped) -> BatchCall:
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    return run_batch(launch(campaign, seconds=3000))


@pytest.fixture
def calls(running) -> list[Call]:
    """Three calls in progress, the first the longest on the line, and one that is over."""
    lead = running.enrolments.order_by("pk")[0]
    talking = [
        make_call(
            running,
            lead,
            number=number,
            status="ongoing",
            outcome_class="",
            duration_ms=None,
            client_cost_micros=0,
        )
        for number in range(1, 4)
    ]
    for number, call in enumerate(talking, 1):
        Call.objects.filter(pk=call.pk).update(created_at=NOW + timedelta(seconds=number))
    return [*talking, make_call(running, lead, number=9)]


def listed(page: str) -> list[str]:
    return re.findall(r'<tr id="call-([0-9a-f-]{36})"', page)


def talking(running: BatchCall) -> str:
    return f"{CALLS}?campaign={running.campaign_id}&status=ongoing"


def test_keeps_itself_up_to_date_as_it_is_filtered(browse, vera, running, calls):
    page = browse(vera).get(talking(running)).text

    assert 'ws-connect="/ws/app/lists/"' in page
    assert 'id="changed"' in page
    asks = f'hx-get="{html.escape(talking(running))}"'
    assert asks in page
    assert "htmx:oobAfterSwap from:#changed" in page
    part = browse(vera).get(talking(running), **HTMX).text
    assert asks in part
    assert "<html" not in part


def test_holds_still_when_asked_to(browse, vera, running, calls):
    page = browse(vera).get(f"{talking(running)}&updates=off").text

    assert 'ws-connect="/ws/app/"' in page
    assert "every 5s" not in page
    assert f'href="{html.escape(talking(running)).removeprefix(CALLS)}"' in page  # go live again
    assert 'hx-get="/app/calls/?updates=off"' in page  # so do the filters


def test_shows_who_talks_longest_first_and_all_calls_newest_first(browse, vera, running, calls):
    *talks, over = (str(call.pk) for call in calls)
    browser = browse(vera)

    assert listed(browser.get(talking(running)).text) == talks
    assert listed(browser.get(CALLS).text) == [*reversed(talks), over]


def test_offers_to_end_a_call_in_progress_to_those_who_may(browse, mia, vera, calls):
    page = browse(mia).get(CALLS).text

    assert page.count("End the call with Person 0") == 3  # and not for the one that is over
    assert "data-talk" not in page  # nobody says when they began to talk
    Call.objects.filter(pk=calls[0].pk).update(started_at=NOW)
    assert 'data-talk="' in browse(mia).get(CALLS).text
    assert "End the call" not in browse(vera).get(CALLS).text


def test_comes_back_to_the_page_that_a_call_was_ended_from(
    browse, mia, vera, charlie, running, calls, retell, monkeypatch
):
    monkeypatch.setattr(pages.list_page, "__kwdefaults__", {"size": 2})
    browser, query = browse(mia), f"{talking(running)}&page=2".removeprefix(CALLS)
    end = f"{CALLS}{calls[2].pk}/end/"
    page = html.unescape(browser.get(CALLS + query).text)
    assert page.count(f'"{end}{query}"') == 2  # the form's own address and htmx's

    answer = browser.post(end + query, {"from": "calls"}, follow=True, **HTMX).text

    assert listed(answer) == [str(calls[2].pk)]
    assert "The call is being ended." in answer
    assert "Being ended" in answer
    assert "End the call" not in answer
    assert 'id="flashes"' in answer  # the receipt is shown at once
    assert browse(vera).post(end + query, {"from": "calls"}).status_code == 403
    assert browse(charlie).post(end + query, {"from": "calls"}).status_code == 404


def test_shows_no_call_of_another_client(browse, charlie, running, calls):
    assert listed(browse(charlie).get(talking(running), **HTMX).text) == []


def test_asks_as_many_queries_for_twenty_calls_in_progress_as_for_one(
    browse, mia, running, calls, django_assert_num_queries
):
    browser = browse(mia)
    Call.objects.exclude(pk=calls[0].pk).delete()
    with django_assert_num_queries(5):
        browser.get(talking(running), **HTMX)
    lead = running.enrolments.order_by("pk")[1]
    for number in range(11, 30):
        make_call(running, lead, number=number, status="ongoing", outcome_class="")
    with django_assert_num_queries(5):
        browser.get(talking(running), **HTMX)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [("given", {1}), ("missed", {2, 3}), ("ai", {3}), ("name", {2, 3}), ("recording", set())],
)
def test_finds_the_calls_whose_opening_left_something_out(
    browse, vera, charlie, running, asked, numbers
):
    lead = running.enrolments.order_by("pk")[0]
    made = {number: make_call(running, lead, number=number) for number in range(1, 6)}
    for number, kept in ((1, "given"), (2, "name"), (3, "name ai"), (4, "cut"), (5, "recording")):
        Call.objects.filter(pk=made[number].pk).update(disclosure=kept)
    Call.objects.filter(pk=made[5].pk).update(outcome_class="machine")

    page = browse(vera).get(f"{CALLS}?opening={asked}").text

    assert set(listed(page)) == {str(made[number].pk) for number in numbers}
    assert listed(browse(charlie).get(f"{CALLS}?opening={asked}").text) == []
