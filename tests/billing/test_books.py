"""How far the books are apart still: whatever is wrong shows, and what was put right doesn't."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import services
from billing.books import StillApart, still_apart
from billing.models import Difference, Reconciliation, Transaction
from telephony.models import Call
from tests.billing.test_reconciliation import COST, DAY, PAGE, Books, compare, found, talked, text
from tests.factories.billing import NOW, TESTS, Launch, open_wallet

MICROS = 105_000  # what Retell charges for each call here


@pytest.fixture
def books():
    return Books(page_size=100)


@pytest.fixture
def launch(acme):
    open_wallet(acme, seconds=10_000)
    return Launch(acme, 5_000)


def apart(run: Reconciliation) -> StillApart:
    return still_apart([run.pk])[run.pk]


def press(step: str, *names: str) -> None:
    for row in Difference.objects.filter(status="open", provider_call_id__in=names):
        services.resolve_difference(difference=row, step=step, reason="Test", actor=TESTS, now=NOW)


def test_is_nothing_on_a_clean_day(launch, books):
    talked(launch, books, "fine")

    assert apart(compare(books)) == StillApart(0, 0, 0, 0)


def test_counts_a_call_that_retell_lost(launch, books):
    """All such days read 0.00 and $0.00: only calls in both books were looked at."""
    talked(launch, None, "lost")

    assert apart(compare(books)) == StillApart(1, 60_000, 60, MICROS)


def test_counts_a_call_that_only_retell_has(launch, books):
    books.add("extra", started_at=NOW, ms=30_000)

    assert apart(compare(books)) == StillApart(1, 30_000, 0, MICROS)


def test_counts_the_second_call_of_an_attempt_and_what_is_listed_twice(launch, books):
    dial = talked(launch, books, "first")
    books.add("second", started_at=NOW, ms=61_000, attempt_id=dial.attempt_id)
    books.twice = "first"

    assert apart(compare(books)) == StillApart(2, 121_000, 0, 2 * MICROS)


def test_adds_what_is_longer_to_what_is_shorter(launch, books):
    """Half a minute too much and half a minute too little were nothing together."""
    talked(launch, books, "longer", ms=90_000)
    talked(launch, books, "shorter", ms=30_000)

    assert apart(compare(books)) == StillApart(2, 60_000, 60, 0)


def test_counts_a_call_once_whose_cost_differs_too(launch, books):
    cost = {**COST, "combined_cost": 20.5}
    talked(launch, books, "longer", ms=75_000, call_cost=cost)

    assert apart(compare(books)) == StillApart(2, 15_000, 15, 100_000)


def test_counts_what_was_never_billed_or_billed_twice(launch, books, acme):
    dial = launch.dial(600)
    Call.objects.create(
        client=acme,
        provider_call_id="never",
        attempt_id=dial.attempt_id,
        status="ended",
        outcome_class="human",
        created_at=NOW,
        started_at=NOW,
        duration_ms=5000,
        retell_cost_micros=MICROS,
    )
    books.add("never", started_at=NOW, ms=5000, attempt_id=dial.attempt_id)
    twice = talked(launch, books, "twice")
    line = Transaction.objects.get(call_id=twice.call_id)
    line.pk, line.key, line._state.adding = Reconciliation().pk, "consume:again", True
    line.seq = (line.seq or 0) + 1
    line.save()

    assert apart(compare(books)) == StillApart(3, 0, 5 + 60, 0)


def test_leaves_out_what_was_given_back_on_purpose(launch, books, acme):
    dial = talked(launch, books, "longer", ms=60_400, seconds=61)
    services.refund_call(
        client_id=acme.pk, call_id=dial.call_id, seconds=20, reason="Sorry", actor=TESTS, now=NOW
    )

    assert apart(compare(books)) == StillApart(1, 600, 0, 0)


def test_is_nothing_once_each_is_resolved_and_when_the_day_is_compared_again(launch, books):
    """A day with a refund never read 0.00 again: the durations stay as they are."""
    talked(launch, books, "longer", ms=90_000)
    talked(launch, books, "shorter", ms=30_000)
    talked(launch, None, "lost")
    books.add("extra", started_at=NOW, ms=30_000)
    first = compare(books)
    assert apart(first).count == 4

    press("charge", "longer")
    press("refund", "shorter", "lost")
    press("excuse", "extra")

    assert apart(first) == StillApart()
    again = services.ask_reconciliation(
        since=DAY, until=DAY + timedelta(days=1), actor=TESTS, now=NOW + timedelta(days=2)
    )
    while not services.compare_slice(run_id=again.pk, gateway=books, now=NOW):
        pass
    assert apart(again) == StillApart()
    assert Difference.objects.filter(reconciliation=again).count() == 4


def test_counts_what_waits_for_retells_news(launch, books):
    books.add("extra", started_at=NOW, ms=30_000)
    run = compare(books)
    Difference.objects.update(status="fetching")

    assert apart(run).count == 1


def test_stands_on_both_pages(browse, root, launch, books):
    talked(launch, None, "lost")
    talked(launch, books, "longer", ms=90_500)
    run = compare(books)
    browser = browse(root)

    pages = [text(browser.get(address)) for address in (PAGE, f"{PAGE}{run.pk}/")]

    for page in pages:
        for shown in ("90.50", "$0.105", "Unresolved"):
            assert shown in page, shown
    assert '<td class="number">2</td>' in pages[0]
    press("excuse", "lost", "longer")
    assert "90.50" not in text(browser.get(PAGE))
    assert found()["lost"].status == "resolved"


@pytest.mark.parametrize("runs", [1, 12])
def test_lists_comparisons_in_as_many_queries(
    browse, root, launch, books, django_assert_num_queries, runs
):
    talked(launch, None, "lost")
    for number in range(runs):
        row = services.ask_reconciliation(
            since=DAY, until=NOW, actor=TESTS, now=NOW, key=f"run {number}"
        )
        Difference.objects.create(reconciliation=row, kind="missing_there", provider_call_id="x")
    browser = browse(root)
    browser.get(PAGE)

    with django_assert_num_queries(4):
        browser.get(PAGE)
