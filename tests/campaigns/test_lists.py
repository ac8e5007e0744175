"""The campaign list: kept views, orders, conversions, and campaigns side by side."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.models import Reservation, Transaction
from billing.rules import Terms
from billing.services import audit_ledger, change_rate, forgive_machine, hold, refund_call
from campaigns.dialling.bookkeeping import check_completeness
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.queries.campaigns import campaign_rows
from campaigns.queries.launches import launches_of, totals_of
from campaigns.queries.live import live_page
from campaigns.queries.ranking import compared
from convomono.lib.ids import uuid7
from leads.models import SavedView
from tests.factories.billing import TESTS, Dial, open_wallet
from tests.factories.campaigns import NOW, enrol, launch, make_draft, make_number, make_ready

LIST = "/app/campaigns/"
COMPARE = f"{LIST}compare/"


def past(client, name, *, reached, converted, dialled=0, start=0):
    """Make a campaign whose launch reached so many people, and converted some of them."""
    campaign = make_ready(client, name=name)
    enrol(campaign, 1, start=start)
    row = launch(campaign, seconds=60)
    BatchCall.objects.filter(pk=row.pk).update(
        done_count=reached,
        tasks_count=reached,
        converted_count=converted,
        last_dialled_at=NOW + timedelta(hours=dialled),
    )
    return campaign


@pytest.fixture
def three(equipped):
    """Few of many, all of one, most of many: the one of one is luck."""
    return [
        past(equipped, "Few", reached=100, converted=5, dialled=1, start=0),
        past(equipped, "Lucky", reached=1, converted=1, dialled=3, start=1),
        past(equipped, "Good", reached=100, converted=60, dialled=2, start=2),
    ]


def order(browser, sort):
    page = browser.get(LIST, {"sort": sort}).content.decode()
    names = ("Few", "Lucky", "Good")
    return sorted(names, key=lambda name: page.index(f">{name}</a>"))


def test_sorts_by_what_was_asked_for(alice, browse, three):
    browser = browse(alice)

    assert order(browser, "") == ["Good", "Lucky", "Few"]
    assert order(browser, "name") == ["Few", "Good", "Lucky"]
    assert order(browser, "dialled") == ["Lucky", "Good", "Few"]
    assert order(browser, "conversion") == ["Good", "Lucky", "Few"]
    assert "60.0%" in browser.get(LIST).content.decode()


def test_pages_through_an_order_without_loss(alice, browse, equipped):
    names = {f"Number {number:02}" for number in range(23)}
    for name in names:
        make_draft(equipped, name=name)
    browser = browse(alice)

    seen = [
        name
        for page in (1, 2)
        for name in names
        if f">{name}</a>"
        in browser.get(LIST, {"sort": "conversion", "page": page}).content.decode()
    ]

    assert sorted(seen) == sorted(names)


@pytest.mark.parametrize("sort", ["", "name", "conversion", "dialled"])
def test_asks_as_often_for_twenty_in_any_order(
    alice, browse, equipped, django_assert_max_num_queries, sort
):
    browser = browse(alice)
    make_draft(equipped)
    browser.get(LIST)
    for _number in range(19):
        make_draft(equipped)
    with django_assert_max_num_queries(11):
        browser.get(LIST, {"sort": sort})


def test_reads_few_launches_of_a_campaign_that_had_many(
    browse, alice, equipped, django_assert_num_queries
):
    campaign = make_ready(equipped, name="Hourly")
    enrol(campaign, 2)
    first = launch(campaign, seconds=600)
    columns = {one.attname: getattr(first, one.attname) for one in first._meta.concrete_fields}
    BatchCall.objects.bulk_create(
        BatchCall(
            **columns
            | {
                "id": uuid7(),
                "launch_key": uuid7(),
                "status": "finished",
                "created_at": NOW - timedelta(hours=number + 1),
                "done_count": 2,
                "queued_count": 0,
                "converted_count": 1,
            }
        )
        for number in range(300)
    )
    totals = totals_of([campaign])
    rows = launches_of([campaign], totals)[campaign.pk]
    page = live_page(campaign, now=NOW)

    assert [row.pk for row in rows] == [first.pk]
    assert (totals[campaign.pk].enrolled, totals[campaign.pk].converted) == (602, 300)
    assert totals[campaign.pk].by_status["done"] == 600
    assert (page.progress.enrolled, page.progress.by_status["queued"]) == (602, 2)
    assert len(page.launches) == 20
    assert page.launches[0].pk == first.pk
    assert page.minutes.granted == 600
    listed = browse(alice).get(LIST).content.decode()
    assert "602" in listed


def talk(row, seconds):
    dial = Dial()
    hold(attempt_id=dial.attempt_id, batch_call_id=row.pk, max_call_seconds=60, now=row.created_at)
    dial.end(seconds, now=row.created_at)
    return dial


def test_costs_what_was_billed_less_what_was_given_back(equipped):
    later = NOW + timedelta(hours=6)
    terms = Terms(100_001, bills_voicemail=False)
    change_rate(client=equipped, terms=terms, actor=TESTS, now=later)
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    row = launch(campaign, seconds=240, now=later)
    talk(row, 7)
    machine, halved, _overrun = talk(row, 20), talk(row, 30), talk(row, 400)
    forgive_machine(attempt_id=machine.attempt_id, call_id=machine.call_id, now=later)
    refund_call(
        client_id=equipped.pk,
        call_id=halved.call_id,
        seconds=11,
        reason="Noise",
        actor=TESTS,
        now=later,
    )

    lines = Transaction.objects.filter(campaign_id=campaign.pk)
    micros = sum(
        line.amount_micros * {"consume": 1, "refund": -1}.get(line.type, 0) for line in lines
    )
    minutes = live_page(campaign, now=later).minutes
    (listed,), (beside,) = campaign_rows([campaign], now=later, asked={}), compared([campaign])

    assert (minutes.charged, beside.talked_seconds) == (426, 426)
    assert minutes.cost_micros == listed.minutes.cost_micros == beside.spent_micros == micros
    assert audit_ledger(client_id=equipped.pk) == []
    Reservation.objects.update(charged_micros=micros + 1)
    assert [found.invariant for found in audit_ledger(client_id=equipped.pk)] == ["L3"]


def test_filters_by_what_the_badge_says(browse, alice, equipped):
    browser = browse(alice)
    for number, status in enumerate(("running", "paused", "scheduled", "finished", "cancelled")):
        campaign = make_ready(equipped, name=f"Now {status}")
        enrol(campaign, 2, start=10 * number)
        BatchCall.objects.filter(pk=launch(campaign, seconds=60).pk).update(status=status)
        if status == "running":  # a running launch beside a paused one: it runs
            enrol(campaign, 1, start=10 * number + 5)
            BatchCall.objects.filter(pk=launch(campaign, seconds=60).pk).update(status="paused")
        if status == "finished":  # it was stopped before
            BatchCall.objects.filter(campaign=campaign).update(created_at=NOW + timedelta(hours=1))
            row = BatchCall.objects.get(campaign=campaign)
            row.pk = row.id = uuid7()
            row.launch_key, row.status, row.created_at = uuid7(), "cancelled", NOW
            row.save(force_insert=True)

    def shown(status):
        page = browser.get(LIST, {"status": status}).content.decode()
        names = ("running", "paused", "scheduled", "finished", "cancelled")
        return [one for one in names if f">Now {one}</a>" in page]

    for status in ("running", "paused", "scheduled", "finished", "cancelled"):
        assert shown(status) == [status]
    assert shown("live") == ["running", "paused", "scheduled"]


def test_counts_conversions_each_minute_and_at_the_end(equipped):
    campaign = make_ready(equipped)
    rows = enrol(campaign, 3)
    launch(campaign)
    Enrolment.objects.filter(pk=rows[0].pk).update(is_converted=True)

    check_completeness(now=NOW)
    assert BatchCall.objects.get().converted_count == 1
    # The analysis said later that it was a machine.
    Enrolment.objects.update(is_converted=False)
    check_completeness(now=NOW + timedelta(minutes=2))
    assert BatchCall.objects.get().converted_count == 0


# -- Kept views ------------------------------------------------------------------------------------


def keep(browser, name, query, **fields):
    return browser.post(f"{LIST}views/", {"name": name, "query": query, **fields})


def test_keeps_a_view_and_opens_it(alice, browse, three):
    browser = browse(alice)

    answer = keep(browser, "Best ones", "sort=conversion&status=ready&nonsense=1&page=7")

    view = SavedView.objects.get()
    assert (view.of_list, view.query) == ("campaigns", "status=ready&sort=conversion")
    page = browser.get(answer.url).content.decode()
    assert 'aria-current="page"' in page[page.index("Best ones") - 200 : page.index("Best ones")]
    # Leads have views of their own.
    assert "Best ones" not in browser.get("/app/leads/").content.decode()


def test_shares_only_what_managers_share(alice, vera, browse, acme):
    keep(browse(vera), "Hers", "sort=name", is_shared="on")
    keep(browse(alice), "Everybody's", "sort=name", is_shared="on")

    assert SavedView.objects.get(name="Hers").user_id == vera.pk
    page = browse(alice).get(LIST).content.decode()
    assert "Everybody&#x27;s" in page
    assert "Hers" not in page


def test_forgets_only_ones_own(alice, mia, vera, charlie, browse, acme):
    keep(browse(alice), "Mine", "sort=name")
    keep(browse(alice), "Ours", "sort=name", is_shared="on")
    mine, ours = SavedView.objects.order_by("name")

    assert browse(charlie).post(f"{LIST}views/{ours.pk}/delete/").status_code == 404
    assert browse(vera).post(f"{LIST}views/{ours.pk}/delete/").status_code == 404
    assert browse(mia).post(f"{LIST}views/{mine.pk}/delete/").status_code == 404
    browse(mia).post(f"{LIST}views/{ours.pk}/delete/")
    browse(alice).post(f"{LIST}views/{mine.pk}/delete/")

    assert not SavedView.objects.exists()


def test_wants_a_name(alice, browse, acme):
    assert keep(browse(alice), "", "sort=name").url == LIST
    assert not SavedView.objects.exists()


# -- Side by side ----------------------------------------------------------------------------------


def test_shows_chosen_campaigns_side_by_side(alice, browse, three):
    few, lucky, good = three
    answer = browse(alice).post(
        f"{LIST}bulk/", {"do": "compare", "campaign": [str(few.pk), str(good.pk)]}
    )
    page = browse(alice).get(answer.url).content.decode()

    assert page.index("Few") < page.index("Good")
    assert "5.0%" in page
    assert "60.0%" in page
    assert "beyond chance" in page
    # One of one isn't certain.
    both = browse(alice).get(f"{COMPARE}?campaign={lucky.pk}&campaign={few.pk}").content.decode()
    assert "may still be chance" in both


def test_lets_viewers_compare_too(vera, browse, three):
    browser = browse(vera)
    assert "Compare" in browser.get(LIST).content.decode()
    query = "&".join(f"campaign={row.pk}" for row in three)
    assert browser.get(f"{COMPARE}?{query}").status_code == 200


@pytest.mark.parametrize("query", ["", "campaign=x", "campaign={0}", "campaign={0}&campaign={0}"])
def test_asks_for_two(alice, browse, three, query):
    answer = browse(alice).get(f"{COMPARE}?{query.format(three[0].pk)}")

    assert answer.url == LIST


def test_compares_with_no_strangers_campaign(alice, browse, three, rival):
    open_wallet(rival, seconds=600)
    make_number(rival, "+13105550199")
    theirs = make_draft(rival)

    for other in (theirs.pk, uuid7()):
        answer = browse(alice).get(f"{COMPARE}?campaign={three[0].pk}&campaign={other}")
        assert answer.status_code == 404
    assert Campaign.objects.count() == 4


def test_asks_as_often_for_six_as_for_two(alice, browse, equipped, django_assert_num_queries):
    rows = [past(equipped, f"N{n}", reached=9, converted=n, start=n) for n in range(6)]
    browser = browse(alice)
    browser.get(LIST)
    for count in (2, 6):
        query = "&".join(f"campaign={row.pk}" for row in rows[:count])
        with django_assert_num_queries(5):
            browser.get(f"{COMPARE}?{query}")
