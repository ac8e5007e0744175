"""Differences to Retell's books, resolved: what is given back, billed, left, or settles by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, models

from accounts.models import Notification
from billing import services
from billing.forms import DaysForm
from billing.invariants import audit_ledger
from billing.models import Difference, Reconciliation, Transaction
from billing.services import differences
from convomono.lib.ids import uuid7
from telephony.models import Call, CallErasure
from tests.billing.test_reconciliation import DAY, Books, compare, found, resolve, talked
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet

HOUR = timedelta(hours=1)


@pytest.fixture
def books():
    return Books()


@pytest.fixture
def launch(acme):
    open_wallet(acme, seconds=10_000)
    return Launch(acme, 5_000)


def compare_again(books: Books) -> Reconciliation:
    run = services.ask_reconciliation(
        since=DAY, until=DAY + timedelta(days=1), actor=TESTS, now=NOW + timedelta(days=2)
    )
    while not services.compare_slice(run_id=run.pk, gateway=books, now=NOW):
        pass
    return run


def lines(kind: str) -> list[Transaction]:
    return list(Transaction.objects.filter(type=kind).order_by("seq"))


def refund(dial, seconds: int, reason: str = "Too long") -> None:
    line = Transaction.objects.get(key=f"consume:{dial.call_id}")
    services.refund_call(
        client_id=line.client_id,
        call_id=dial.call_id,
        seconds=seconds,
        reason=reason,
        actor=TESTS,
        now=NOW,
    )


def spoil_rest(**columns) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER transaction_never_changed")
    rest = Transaction.objects.filter(corrects_id__isnull=False, type="consume")
    models.QuerySet.update(rest, **columns)


# -- Too much --------------------------------------------------------------------------------------


def test_gives_back_no_more_than_is_still_too_much(launch, books, acme):
    """It gave 15 s back twice: once by hand, once by the stale figure of the comparison."""
    dial = talked(launch, books, "shorter", ms=45_000)
    compare(books)
    refund(dial, 10)
    before = balances(acme)

    assert resolve(found()["shorter"], "refund").status == "resolved"

    assert balances(acme)[0] - before[0] == 5
    assert audit_ledger() == []


def test_resolves_without_a_line_what_was_given_back_meanwhile(launch, books, acme):
    dial = talked(launch, books, "shorter", ms=45_000)
    compare(books)
    refund(dial, 15)
    before = balances(acme)

    assert "before" in resolve(found()["shorter"], "refund").reason
    assert balances(acme) == before


def test_gives_back_from_a_second_run_of_another_amount(launch, books, acme):
    """The same reason with another amount was a reused key, and a page of nothing but an error."""
    talked(launch, books, "shorter", ms=45_000)
    first = compare(books)
    row = Difference.objects.get(reconciliation=first)
    resolve(row, "refund")
    books.calls["shorter"].payload["duration_ms"] = 30_000
    again = compare_again(books)
    second = Difference.objects.get(reconciliation=again)
    assert second.status == "open"  # something else was decided then

    resolve(second, "refund")

    assert [line.seconds for line in lines("refund")] == [15, 15]
    assert audit_ledger() == []


# -- Too little ------------------------------------------------------------------------------------


def test_bills_what_is_missing_by_a_line_that_names_the_first(launch, books, acme):
    talked(launch, books, "longer", ms=75_000)
    compare(books)
    row = found()["longer"]
    assert row.safe_steps[0] == "charge"

    for _twice in range(2):
        assert resolve(row, "charge").status == "resolved"

    first, rest = lines("consume")
    assert (rest.seconds, rest.corrects_id, rest.call_id) == (15, first.pk, first.call_id)
    assert (rest.reason, rest.actor_email) == ("Reconciliation: Seconds differ", "tests")
    assert balances(acme)[2] == 75
    assert launch.reservation.posted_seconds == 75
    assert audit_ledger(now=NOW) == []


@pytest.mark.parametrize(("available", "debt"), [(1000, 0), (10, 5), (0, 15)])
def test_takes_what_is_missing_of_a_launch_that_is_over_from_the_wallet(
    acme, books, available, debt
):
    open_wallet(acme, seconds=600 + available)
    launch = Launch(acme, 600)
    talked(launch, books, "longer", ms=75_000)
    talked(launch, books, "rest", seconds=540)
    launch.close()
    compare(books)

    resolve(found()["longer"], "charge")

    assert balances(acme) == (max(0, available - 15), 0, 615, debt)
    assert audit_ledger(now=NOW) == []


def test_costs_together_what_one_line_would(acme, books):
    """37 s and 1 s round up to a micro more than 38 s do."""
    open_wallet(acme, seconds=1000, price_per_minute_micros=100_001)
    launch = Launch(acme, 600)
    talked(launch, books, "longer", seconds=37, ms=38_000)
    compare(books)

    resolve(found()["longer"], "charge")

    assert sum(line.amount_micros for line in lines("consume")) == -(-38 * 100_001 // 60)
    assert audit_ledger(now=NOW) == []


def test_bills_the_rest_of_a_call_once_however_many_runs_name_it(launch, books):
    talked(launch, books, "longer", ms=75_000)
    compare(books)
    compare_again(books)
    one, other = Difference.objects.order_by("pk")

    resolve(one, "charge")

    assert "before" in resolve(other, "charge").reason
    assert [line.seconds for line in lines("consume")] == [60, 15]


@pytest.mark.parametrize("due", [0, 59, 60])
def test_bills_nothing_more_of_a_call_that_was_billed_enough(launch, books, acme, due):
    dial = talked(launch, books, "fine")
    asked = {"client_id": acme.pk, "call_id": dial.call_id, "cause": dial.call_id, "reason": "x"}

    assert services.charge_rest(due_seconds=due, actor=TESTS, now=NOW, **asked) is None

    assert len(lines("consume")) == 1


def test_bills_a_call_that_never_was_from_its_hold(launch, books, acme):
    dial = launch.dial(600)
    Call.objects.create(
        pk=dial.call_id,
        client=acme,
        provider_call_id="never",
        attempt_id=dial.attempt_id,
        status="ended",
        outcome_class="human",
        created_at=NOW,
        started_at=NOW,
        duration_ms=5000,
        retell_cost_micros=105_000,
    )
    books.add("never", started_at=NOW, ms=5000, attempt_id=dial.attempt_id)
    compare(books)

    resolve(found()["never"], "charge")

    assert [line.key for line in lines("consume")] == [f"consume:{dial.call_id}"]
    assert launch.reservation.held_seconds == 0
    call = Call.objects.get(pk=dial.call_id)
    assert (call.billed_seconds, call.client_cost_micros) == (5, 25_000)
    assert audit_ledger(now=NOW) == []


def test_gives_back_the_whole_of_a_call_that_was_billed_in_two_lines(launch, books, acme):
    dial = talked(launch, books, "longer", ms=75_000)
    compare(books)
    resolve(found()["longer"], "charge")

    services.refund_call(
        client_id=acme.pk, call_id=dial.call_id, seconds=None, reason="x", actor=TESTS, now=NOW
    )

    assert (lines("refund")[0].seconds, balances(acme)[2]) == (75, 0)
    assert audit_ledger(now=NOW) == []


@pytest.mark.parametrize("spoilt", [{"amount_micros": 74_998}, {"corrects_id": None}])
def test_names_a_rest_that_is_priced_otherwise_or_names_no_line(launch, books, spoilt):
    talked(launch, books, "longer", ms=75_000)
    compare(books)
    resolve(found()["longer"], "charge")
    spoil_rest(**spoilt)

    assert audit_ledger() != []


# -- Not ours --------------------------------------------------------------------------------------


def test_offers_one_press_for_what_names_no_dial_of_ours(browse, root, launch, books):
    """Its news was parked, and five minutes later the same button stood there again."""
    books.add("extra", started_at=NOW, ms=30_000)
    books.add("elsewhere", started_at=NOW, ms=30_000, attempt_id=uuid7())
    run = compare(books)
    browser, ready = browse(root), "Not a call of ours"

    page = browser.get(f"/agency/money/books/{run.pk}/").content.decode()

    assert page.count(f'value="{ready}"') == 2
    assert "Take Retell" not in page
    address = f"/agency/money/differences/{found()['extra'].pk}/resolve/"
    browser.post(address, {"step": "fetch"})
    assert found()["extra"].status == "open"
    browser.post(address, {"step": "excuse", "reason": ready})
    assert (found()["extra"].status, found()["extra"].reason) == ("resolved", ready)


@pytest.mark.parametrize("said", [{"direction": "inbound"}, {"call_type": "web_call"}])
def test_asks_retell_of_calls_to_us_and_of_dials(launch, books, said):
    books.add("incoming", started_at=NOW, ms=30_000, **said)
    books.add("dialled", started_at=NOW, ms=30_000, attempt_id=launch.dial(600).attempt_id)

    compare(books)

    assert {tuple(row.safe_steps) for row in found().values()} == {("fetch", "excuse")}


@pytest.mark.parametrize("is_known", [True, False])
def test_is_no_call_of_ours_if_retells_news_leaves_it_unknown(launch, books, is_known):
    books.add("incoming", started_at=NOW, ms=30_000, direction="inbound")
    compare(books)
    resolve(found()["incoming"], "fetch")
    services.mark_fetched(difference=found()["incoming"], now=NOW)
    if is_known:  # and yet its end didn't arrive
        Call.objects.create(client=launch.client, provider_call_id="incoming", created_at=NOW)

    services.settle_fetched(now=NOW + HOUR)

    row = found()["incoming"]
    assert (row.status, row.is_foreign) == ("open", not is_known)
    assert row.is_left_at_once is not is_known


# -- By itself -------------------------------------------------------------------------------------


def test_is_closed_by_a_later_look_that_finds_the_books_agreeing(launch, books):
    """Calls that had just ended stayed open differences although their events came seconds later."""
    talked(launch, books, "late")
    talked(launch, books, "apart", ms=75_000)
    Call.objects.filter(provider_call_id="late").update(status="ongoing", duration_ms=None)
    compare(books)
    assert found()["late"].status == "open"
    Call.objects.filter(provider_call_id="late").update(status="ended", duration_ms=60_000)

    compare_again(books)

    late = Difference.objects.get(provider_call_id="late")
    assert (late.status, late.step) == ("resolved", "later")
    assert set(
        Difference.objects.filter(provider_call_id="apart").values_list("status", flat=True)
    ) == {"open"}


@pytest.mark.parametrize("step", ["excuse", "charge", "refund"])
def test_keeps_what_was_decided_when_the_same_days_are_compared_again(launch, books, step):
    """Excused lines came back open with each run, with a mail and an audit that turned red."""
    talked(launch, books, "apart", ms=45_000 if step == "refund" else 75_000)
    compare(books)
    resolve(found()["apart"], step, "Agreed by phone")

    again = compare_again(books)

    row = Difference.objects.get(reconciliation=again)
    assert (row.status, row.step) == ("resolved", step)
    assert services.tell_of_differences(run_id=again.pk, now=NOW) is False
    later = NOW + timedelta(days=3)
    assert not [one for one in audit_ledger(now=later) if "unresolved" in one.sentence]


def test_ends_a_window_where_calls_may_still_be_on_their_way(db):
    form = DaysForm({"first_on": "2026-11-23", "last_on": "2026-11-23"}, today=NOW.date())
    assert form.is_valid()

    assert form.window(NOW) == (DAY, NOW - timedelta(minutes=15))


def test_leaves_out_calls_that_retell_deleted_because_we_asked(launch, books, acme):
    """One press gave back a call that was talked, because its person had been erased."""
    talked(launch, None, "erased")
    talked(launch, None, "lost")
    CallErasure.objects.create(
        provider_call_id="erased", status="done", next_try_at=NOW, created_at=NOW
    )

    compare(books)

    assert set(found()) == {"lost"}


def test_names_a_charge_of_what_was_no_dial(launch, books):
    talked(launch, books, "undialled")
    Call.objects.update(outcome_class="not_placed")

    compare(books)

    row = found()["undialled"]
    assert (row.kind, row.due_seconds, row.refundable_seconds) == ("seconds_differ", 0, 60)
    Difference.objects.all().delete()
    assert any("was no dial" in one.sentence for one in audit_ledger())
    compare_again(books)
    resolve(Difference.objects.get(), "refund")
    assert audit_ledger() == []


def test_counts_a_call_once_that_retell_starts_in_the_hour_before(launch, books):
    edge = DAY + 5 * HOUR
    dial = talked(launch, None, "edge", started_at=edge)
    books.add("edge", started_at=edge - timedelta(seconds=1), ms=60_000, attempt_id=dial.attempt_id)

    assert compare(books).compared_count == 1


def test_closes_all_that_agrees_however_many_there_are(launch, books, monkeypatch):
    """From the 201st on they stayed open."""
    monkeypatch.setattr(differences, "CHUNK", 2)
    for number in range(5):
        talked(launch, books, f"call_{number}", ms=75_000)
    compare(books)
    assert Difference.objects.filter(status="open").count() == 5
    for call in books.calls.values():
        call.payload["duration_ms"] = 60_000

    compare_again(books)

    assert Difference.objects.filter(status="resolved", step="later").count() == 5


# -- Nights ----------------------------------------------------------------------------------------


def test_compares_every_night_that_was_missed(db):
    first = services.ask_nightly(now=NOW)
    later = services.ask_nightly(now=NOW + timedelta(days=3))

    assert [run.window_from for run in first] == [DAY - timedelta(days=1)]
    assert [run.window_from for run in later] == [DAY + timedelta(days=n) for n in range(3)]
    assert services.ask_nightly(now=NOW + timedelta(days=3, hours=1)) == []


def test_catches_up_after_an_outage_of_more_than_a_month_the_oldest_night_first(db):
    """Nights before the last month were never compared."""
    services.ask_nightly(now=NOW)
    Reconciliation.objects.update(status="done")
    later = NOW + timedelta(days=80)
    for _look in range(10):
        for _again in range(2):  # nothing more is asked for while a month of them waits
            services.ask_nightly(now=later)
            assert Reconciliation.objects.exclude(status="done").count() <= 31
        waiting = Reconciliation.objects.exclude(status="done").order_by("window_from")
        done = Reconciliation.objects.filter(status="done").count()
        days = [DAY + timedelta(days=done - 1 + n) for n in range(len(waiting))]
        assert [run.window_from for run in waiting] == days
        waiting.filter(pk__in=[run.pk for run in waiting[:20]]).update(status="done")

    nights = Reconciliation.objects.order_by("window_from").values_list("window_from", flat=True)
    assert list(nights) == [DAY + timedelta(days=n) for n in range(-1, 80)]


def test_compares_a_night_again_that_was_refused(db):
    (night,) = services.ask_nightly(now=NOW)
    Reconciliation.objects.update(status="failed", finished_at=NOW)
    assert services.ask_nightly(now=NOW + HOUR) == []

    asked = services.ask_nightly(now=NOW + timedelta(days=1))

    assert [run.window_from for run in asked] == [night.window_from, DAY]
    assert services.ask_nightly(now=NOW + timedelta(days=1, hours=1)) == []


def test_tells_of_differences_although_the_worker_died_before_it_told(launch, books):
    talked(launch, books, "longer", ms=75_000)
    compare(books)
    assert not Notification.objects.filter(client=None).exists()

    told = [services.tell_of_latest(now=NOW + HOUR * hours) for hours in (1, 2, 72)]

    assert told == [1, 0, 0]
    assert "1 call differs" in Notification.objects.get(client=None).title


def test_has_one_worker_at_a_time(db):
    (run,) = services.ask_nightly(now=NOW)

    assert services.claim_run(run_id=run.pk, now=NOW)
    assert not services.claim_run(run_id=run.pk, now=NOW)
    assert services.runs_left_behind(now=NOW) == []
    assert services.runs_left_behind(now=NOW + HOUR) == [run.pk]  # it was killed
    services.release_run(run_id=run.pk)
    assert services.runs_left_behind(now=NOW) == [run.pk]


def test_offers_the_bill_on_the_page(browse, root, launch, books):
    talked(launch, books, "longer", ms=75_000)
    run = compare(books)
    browser = browse(root)

    page = browser.get(f"/agency/money/books/{run.pk}/").content.decode()
    assert "Bill 15 s" in page
    row = Difference.objects.get(kind="seconds_differ")
    browser.post(f"/agency/money/differences/{row.pk}/resolve/", {"step": "charge"})

    assert [line.seconds for line in lines("consume")] == [60, 15]


def test_moves_no_more_than_one_person_may(browse, root, launch, books, settings):
    settings.CREDIT_APPROVAL_MINUTES = 1
    talked(launch, books, "shorter", seconds=600, ms=60_000)
    compare(books)
    address = f"/agency/money/differences/{found()['shorter'].pk}/resolve/"

    page = browse(root).post(address, {"step": "refund"}, follow=True).content.decode()

    assert "more than one person may move" in page
    assert lines("refund") == []
