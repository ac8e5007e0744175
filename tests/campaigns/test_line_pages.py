"""The page of a campaign's line, and its buttons."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import pytest

from campaigns.models import BatchCall, Enrolment
from campaigns.queries.line import held_back, in_line, line, taken_out
from convomono.lib import pages
from tests.factories.campaigns import NOW, enrol, launch, make_ready, run_batch
from tests.plans import plans

if TYPE_CHECKING:
    from uuid import UUID

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def batch_call(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 3)
    return run_batch(launch(campaign, seconds=3000))


def url(batch_call, lead=None, change=""):
    path = f"/app/campaigns/{batch_call.campaign_id}/line/"
    return f"{path}{lead.pk}/{change}/" if lead else path


def leads_of(batch_call):
    return list(in_line([batch_call.pk], now=NOW))


def test_shows_who_is_next_and_why(browse, vera, batch_call):
    page = browse(vera).get(url(batch_call)).content.decode()

    assert page.index("Person 0") < page.index("Person 1") < page.index("Person 2")
    assert "called as soon as a line is free" in page
    assert "Take out of the line" not in page  # viewers look
    live = browse(vera).get(f"/app/campaigns/{batch_call.campaign_id}/").content.decode()
    assert "Next in line" in live
    assert url(batch_call) in live


@pytest.mark.parametrize(
    ("change", "undo"), [("up", "back"), ("hold", "release"), ("remove", "return")]
)
def test_changes_the_line_and_offers_the_way_back(browse, mia, batch_call, change, undo):
    browser, before = browse(mia), leads_of(batch_call)
    lead = before[-1]

    page = browser.post(url(batch_call, lead, change), {"on": "line"}, follow=True)
    assert page.redirect_chain[-1][0] == url(batch_call)
    assert url(batch_call, lead, undo) in page.content.decode()
    assert leads_of(batch_call) != before
    browser.post(url(batch_call, lead, undo))

    assert leads_of(batch_call) == before


def test_answers_htmx_with_the_part_and_the_news(browse, mia, batch_call):
    lead = leads_of(batch_call)[1]
    answer = (
        browse(mia)
        .post(url(batch_call, lead, "hold"), {"on": "line"}, follow=True, **HTMX)
        .content.decode()
    )

    assert 'id="whole-line"' in answer
    assert "Person 1 is held back" in answer
    assert "<html" not in answer


def test_says_what_is_possible_once_the_launch_is_over(browse, mia, batch_call):
    lead = leads_of(batch_call)[0]
    browse(mia).post(url(batch_call, lead, "remove"))
    BatchCall.objects.update(status="finished")

    answer = browse(mia).post(url(batch_call, lead, "return"), follow=True).content.decode()

    assert "The launch is over. Enrol the lead in another campaign to call them." in answer


def test_lets_in_whom_it_should(browse, vera, charlie, batch_call):
    lead = leads_of(batch_call)[0]
    assert browse().get(url(batch_call)).status_code == 302
    assert browse(charlie).get(url(batch_call)).status_code == 404
    assert browse(charlie).post(url(batch_call, lead, "hold")).status_code == 404
    assert browse(vera).post(url(batch_call, lead, "hold")).status_code == 403
    assert browse(vera).post(url(batch_call)).status_code == 405
    assert not Enrolment.objects.exclude(held_at=None).exists()


def test_knows_no_other_change_and_no_lead_of_another_campaign(browse, alice, acme, batch_call):
    lead = leads_of(batch_call)[0]
    other = enrol(make_ready(acme, name="Other"), 1, start=50)[0]
    browser = browse(alice)

    assert browser.post(url(batch_call, lead, "burn")).status_code == 404
    assert browser.post(url(batch_call, other, "hold")).status_code == 404


def test_is_kept_up_to_date_as_it_is_shown_and_holds_still_on_request(browse, vera, batch_call):
    browser, where = browse(vera), url(batch_call)
    page = browser.get(where, {"page": 1}).content.decode()
    assert f'ws-connect="/ws{where}"' in page
    assert f'hx-get="{where}?page=1"' in page
    assert "htmx:oobAfterSwap from:#changed" in page
    assert 'id="changed"' in page
    still = browser.get(where, {"updates": "off"}).content.decode()
    assert 'ws-connect="/ws/app/"' in still
    assert "every 5s" not in still
    assert "Go live again" in still


def test_stays_on_the_page_that_a_lead_was_changed_on(browse, mia, equipped, monkeypatch):
    monkeypatch.setattr(pages.list_page, "__kwdefaults__", {"size": 2})
    campaign = make_ready(equipped)
    enrol(campaign, 5)
    batch_call = run_batch(launch(campaign, seconds=3000))
    browser, where = browse(mia), f"{url(batch_call)}?page=2&updates=off"
    lead = leads_of(batch_call)[3]
    page = html.unescape(browser.get(where).text)
    change = f"{url(batch_call, lead, 'hold')}?page=2&updates=off"
    assert page.count(f'"{change}"') == 2  # the form's own address and htmx's

    answer = browser.post(change, {"on": "line"}, follow=True)

    assert answer.redirect_chain[-1][0] == where
    assert "This page holds still." in answer.text


def test_asks_the_same_number_of_queries_for_one_lead_and_for_twenty(
    browse, alice, equipped, django_assert_num_queries
):
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    run_batch(launch(campaign, seconds=600))
    browser = browse(alice)
    path = f"/app/campaigns/{campaign.pk}/line/"
    with django_assert_num_queries(7):
        browser.get(path)
    enrol(campaign, 20, start=10)
    run_batch(launch(campaign, seconds=600))
    with django_assert_num_queries(7):
        browser.get(path)


@pytest.mark.parametrize("few", [21, 55])  # read together, and each list by itself
def test_shows_every_list_beside_the_line_with_its_true_count(browse, mia, equipped, few):
    campaign = make_ready(equipped)
    enrol(campaign, 67)
    batch_call = run_batch(launch(campaign, seconds=6000))
    ids = list(Enrolment.objects.order_by("phone_number").values_list("pk", flat=True))
    held, asked, gone = ids[:few], ids[55:64], ids[64:66]
    Enrolment.objects.filter(pk__in=asked).update(callback_at=NOW)
    Enrolment.objects.filter(pk__in=held).update(held_at=NOW)
    Enrolment.objects.filter(pk__in=gone).update(status="cancelled", removed_at=NOW)
    browser, where = browse(mia), url(batch_call)

    def shown(text: str, keys: list[UUID]) -> int:
        return sum(f"line-{key}" in text for key in keys)

    whole = browser.get(where).text
    assert f"Held back ({few})" in whole
    assert "Promised callbacks (9)" in whole
    assert "Taken out (2)" in whole
    assert (shown(whole, held), shown(whole, asked), shown(whole, gone)) == (20, 9, 2)
    both = [browser.get(where, {"show": "held", "page": page}).text for page in (1, 2)]
    assert [shown(page, held) for page in both] == [min(few, 50), max(0, few - 50)]
    assert shown(both[0], asked) == 0
    live = browser.get(f"/app/campaigns/{campaign.pk}/").text
    assert f"{few} leads are held back." in live
    assert "The first of 9 promised callbacks that are due." in live
    assert shown(live, asked) == 5

    freed = Enrolment.objects.get(pk=held[-1])
    release = f"{url(batch_call, freed, 'release')}?show=held"
    answer = browser.post(release, {"on": "line"}, follow=True)

    assert answer.redirect_chain[-1][0] == f"{where}?show=held"
    assert f"Held back ({few - 1})" in answer.text
    assert "Held back (1)" not in browser.get(where, {"show": "asked"}).text


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_finds_who_stands_apart_without_reading_the_line(browse, vera, batch_call):
    """Few stand apart, a hundred thousand wait: each open page asks every other second."""
    (together,) = plans(lambda: line([batch_call.pk], rows=[], now=NOW))
    (held,) = plans(lambda: list(held_back([batch_call.pk])))
    (removed,) = plans(lambda: list(taken_out([batch_call.pk])))

    assert "enrolment_due_first" not in together
    for name in ("enrolment_callback", "enrolment_held", "enrolment_removed"):
        assert name in together
    assert "enrolment_held" in held
    assert "enrolment_removed" in removed
