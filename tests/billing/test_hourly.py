"""Each hour beside Retell's books once it is over: found once, asked for again, told of after an hour."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import Notification
from billing import jobs, services
from billing.invariants import audit_ledger
from billing.models import Difference, Reconciliation
from billing.services import reconciliation
from convomono.lib import clock
from telephony.models import Call
from telephony.provider import Unauthorised, Unavailable
from tests.billing.test_reconciliation import DAY, Books, found, resolve, talked
from tests.factories.billing import NOW, TESTS, Launch, open_wallet

HOUR = timedelta(hours=1)
LOOK = DAY + timedelta(hours=16, minutes=20)  # the calls of 15:00 are over
NIGHT = DAY + timedelta(hours=27, minutes=5)


@pytest.fixture
def books():
    return Books(page_size=100)


@pytest.fixture
def launch(acme):
    open_wallet(acme, seconds=10_000)
    return Launch(acme, 5_000)


def go_through(runs, books, now):
    for run in runs:
        while not services.compare_slice(run_id=run.pk, gateway=books, now=now):
            pass
        services.finish_hours(run_id=run.pk, gateway=books, now=now)


def look(books, now=LOOK):
    """Do what the job does each ten minutes, and a worker after it."""
    runs = services.ask_hours(now=now)
    go_through(runs, books, now)
    services.tell_of_overdue(now=now)
    return runs


def compare_night(books):
    (run,) = services.ask_nightly(now=NIGHT)
    go_through([run], books, NIGHT)
    services.tell_of_differences(run_id=run.pk, now=NIGHT)
    return run


def windows():
    rows = Reconciliation.objects.filter(key__startswith="hours:").order_by("window_from")
    return [(row.window_from - DAY, row.window_until - DAY, row.status) for row in rows]


def told():
    return [row.title for row in Notification.objects.filter(client=None).order_by("pk")]


# -- Hours -----------------------------------------------------------------------------------------


def test_compares_each_hour_once_with_one_request(launch, books):
    talked(launch, books, "fine")

    for minutes in (0, 10, 20, 54):
        look(books, LOOK + timedelta(minutes=minutes))
    assert (windows(), books.asked) == ([(15 * HOUR, 16 * HOUR, "done")], 1)

    look(books, LOOK + timedelta(minutes=55))  # the next hour is over, and its news had a quarter
    assert (windows(), books.asked) == ([(15 * HOUR, 17 * HOUR, "done")], 2)
    assert Reconciliation.objects.get().compared_count == 1


def test_has_a_run_for_each_day(db, books):
    look(books)

    look(books, LOOK + 10 * HOUR)

    assert windows() == [(15 * HOUR, 24 * HOUR, "done"), (24 * HOUR, 26 * HOUR, "done")]
    assert books.asked == 11


def test_looks_back_48_hours_after_an_outage_and_leaves_the_rest_to_the_nights(db, books):
    look(books)

    runs = look(books, LOOK + 72 * HOUR)

    assert len(runs) == 3
    assert windows()[1:] == [
        (40 * HOUR, 48 * HOUR, "done"),
        (48 * HOUR, 72 * HOUR, "done"),
        (72 * HOUR, 88 * HOUR, "done"),
    ]
    assert books.asked == 1 + 48


def test_asks_for_an_hour_once_and_goes_on_with_one_that_was_left_behind(db, books):
    asked = [services.ask_hours(now=LOOK) for _twice in range(2)]
    assert asked[0] == asked[1]
    assert Reconciliation.objects.count() == 1

    assert services.ask_hours(now=LOOK + HOUR) == asked[0]
    assert windows() == [(15 * HOUR, 17 * HOUR, "queued")]


def test_loses_no_hour_that_was_asked_for_while_a_worker_ended_the_one_before(db, books):
    """The worker read where the window ended before it grew."""
    (run,) = services.ask_hours(now=LOOK)
    services.ask_hours(now=LOOK + HOUR)
    Reconciliation.objects.update(status="done", next_from=run.window_until)

    look(books, LOOK + HOUR + timedelta(minutes=10))

    assert windows() == [(15 * HOUR, 17 * HOUR, "done")]
    assert Reconciliation.objects.get().next_from == DAY + 17 * HOUR


def test_tries_again_an_hour_after_retell_refused_and_leaves_telling_to_the_night(db, books):
    def refused(**_asked):
        books.asked += 1
        raise Unauthorised("The key is not valid.", 401)

    books.list_calls = refused

    for minutes in (0, 10, 60):
        look(books, LOOK + timedelta(minutes=minutes))

    assert books.asked == 2
    assert windows() == [(15 * HOUR, 17 * HOUR, "failed")]
    assert told() == []


def test_writes_each_difference_once_however_often_an_hour_is_killed(launch, books, monkeypatch):
    talked(launch, books, "longer", ms=75_000)
    note = reconciliation._note
    monkeypatch.setattr(
        reconciliation, "_note", lambda *_a, **_k: (_ for _ in ()).throw(MemoryError)
    )
    with pytest.raises(MemoryError):
        look(books)
    monkeypatch.setattr(reconciliation, "_note", note)

    look(books)

    assert Difference.objects.count() == 1


def test_is_what_the_jobs_do(launch, books, monkeypatch):
    now = clock.now()
    last = (now - timedelta(minutes=15)).replace(minute=0, second=0, microsecond=0)
    talked(launch, books, "longer", ms=75_000, started_at=last - timedelta(minutes=1))
    monkeypatch.setattr(jobs, "retell_gateway", lambda: books)

    for _twice in range(2):
        jobs.reconcile_hourly()
        jobs.reconcile(run_id=str(Reconciliation.objects.get().pk))

    assert Reconciliation.objects.get().status == "done"
    assert found()["longer"].reconciliation == Reconciliation.objects.get()


# -- Again -----------------------------------------------------------------------------------------


def test_closes_an_hour_later_what_agrees_by_then_with_one_request_for_all(launch, books):
    for name in ("late", "later", "apart"):
        talked(launch, books, name, ms=75_000 if name == "apart" else 60_000)
    late = Call.objects.filter(provider_call_id__startswith="late")
    late.update(status="ongoing", duration_ms=None)
    look(books)
    assert len(found()) == 3
    late.update(status="ended", duration_ms=60_000)

    asked = books.asked
    look(books, LOOK + HOUR)

    states = {name: (row.status, row.step) for name, row in found().items()}
    assert states == {
        "late": ("resolved", "later"),
        "later": ("resolved", "later"),
        "apart": ("open", ""),
    }
    assert books.asked - asked == 2
    assert Difference.objects.count() == 3


def test_says_what_the_books_say_by_now(launch, books):
    talked(launch, books, "longer", ms=75_000)
    look(books)
    books.calls["longer"].payload["duration_ms"] = 90_000

    look(books, LOOK + HOUR)

    row = found()["longer"]
    assert (row.their_ms, row.due_seconds, row.missing_seconds) == (90_000, 90, 30)
    assert row.found_at == LOOK


def test_names_what_else_is_wrong_with_a_call_whose_end_came_late(launch, books):
    talked(launch, books, "late", ms=75_000)
    call = Call.objects.filter(provider_call_id="late")
    call.update(status="ongoing", duration_ms=None)
    look(books)
    call.update(status="ended", duration_ms=60_000)

    look(books, LOOK + HOUR)

    states = dict(Difference.objects.values_list("kind", "status"))
    assert states == {"missing_here": "resolved", "seconds_differ": "open"}


def test_keeps_the_word_on_a_call_that_was_fetched_in_vain(launch, books):
    books.add("incoming", started_at=NOW, ms=30_000, direction="inbound")
    look(books)
    resolve(found()["incoming"], "fetch")
    services.reopen(difference=found()["incoming"])

    look(books, LOOK + HOUR)

    row = found()["incoming"]
    assert (row.is_foreign, "changed nothing" in row.sentence) == (True, True)


def test_closes_what_neither_side_has_any_more(launch, books):
    books.add("extra", started_at=NOW, ms=30_000)
    look(books)
    books.calls.clear()

    look(books, LOOK + HOUR)

    assert (found()["extra"].status, found()["extra"].step) == ("resolved", "later")


def test_leaves_what_is_listed_twice_to_the_night_and_what_is_older_alone(launch, books):
    talked(launch, books, "twice")
    books.twice = "twice"
    talked(launch, None, "lost")
    look(books)
    assert len(found()) == 2
    books.twice = ""

    look(books, LOOK + HOUR)
    assert found()["twice"].status == "open"

    asked = books.asked
    assert services.look_again(gateway=books, now=LOOK + 49 * HOUR) == 0
    assert books.asked == asked


def test_waits_for_the_next_hour_while_retell_is_away(launch, books, monkeypatch):
    talked(launch, None, "lost")
    look(books)

    def away(**_asked):
        raise Unavailable("Connection refused.")

    monkeypatch.setattr(books, "list_calls", away)

    assert services.look_again(gateway=books, now=LOOK + HOUR) == 0
    assert found()["lost"].status == "open"


# -- Beside the night ------------------------------------------------------------------------------


def test_gives_the_night_its_line_instead_of_having_two(launch, books):
    talked(launch, books, "longer", ms=75_000)
    look(books)
    line = found()["longer"]
    books.calls["longer"].payload["duration_ms"] = 90_000

    night = compare_night(books)
    look(books, NIGHT + HOUR)

    row = Difference.objects.get()
    assert (row.pk, row.reconciliation, row.their_ms) == (line.pk, night, 90_000)


def test_writes_no_second_line_of_what_somebody_compared_before(launch, books):
    talked(launch, books, "longer", ms=75_000)
    run = services.ask_reconciliation(
        since=DAY, until=DAY + 16 * HOUR, actor=TESTS, now=DAY + 16 * HOUR
    )
    go_through([run], books, LOOK)

    look(books)

    assert Difference.objects.get().reconciliation == run


def test_keeps_what_was_decided_on_an_hours_line(launch, books):
    talked(launch, books, "longer", ms=75_000)
    look(books)
    resolve(found()["longer"], "charge")

    night = compare_night(books)

    row = Difference.objects.get(reconciliation=night)
    assert (row.status, row.step) == ("resolved", "charge")
    assert told() == []


# -- Told ------------------------------------------------------------------------------------------


def test_tells_the_agency_once_of_what_is_unresolved_for_an_hour(launch, books, mailoutbox, root):
    talked(launch, books, "longer", ms=75_000)
    talked(launch, None, "lost")
    look(books)
    later = [LOOK + timedelta(minutes=minutes) for minutes in (59, 60, 70)]

    counts = [services.tell_of_overdue(now=now) for now in later]

    assert counts == [0, 2, 0]
    assert told() == ["2 calls have differed from Retell's records for an hour"]
    assert [mail.to for mail in mailoutbox] == [[root.email]]
    compare_night(books)  # finds the same two
    assert len(told()) == 1


def test_tells_of_each_anew_but_of_none_that_was_resolved_or_told_of_before(launch, books):
    talked(launch, books, "longer", ms=75_000)
    look(books)
    resolve(found()["longer"], "excuse", "Agreed")
    assert services.tell_of_overdue(now=LOOK + HOUR) == 0

    talked(launch, books, "next", ms=75_000, started_at=NOW + HOUR)
    look(books, LOOK + HOUR)
    assert services.tell_of_overdue(now=LOOK + 2 * HOUR) == 1
    talked(launch, books, "last", ms=75_000, started_at=NOW + 2 * HOUR)
    look(books, LOOK + 2 * HOUR)

    assert services.tell_of_overdue(now=LOOK + 3 * HOUR) == 1
    assert told() == ["1 call has differed from Retell's records for an hour"] * 2


def test_the_night_tells_of_what_no_hour_told_of_and_nobody_tells_it_again(launch, books):
    talked(launch, books, "longer", ms=75_000)

    compare_night(books)
    services.tell_of_overdue(now=NIGHT + HOUR)

    assert told() == ["1 call differs from Retell's records"]


def test_counts_as_unresolved_for_the_audit_an_hour_after_it_was_found(launch, books):
    """A day's run is asked for hours before."""
    look(books, LOOK - 3 * HOUR)
    talked(launch, books, "longer", ms=75_000)
    look(books)

    def unresolved(now):
        return [one for one in audit_ledger(now=now) if "unresolved" in one.sentence]

    assert unresolved(LOOK + timedelta(minutes=59)) == []
    assert len(unresolved(LOOK + HOUR)) == 1


def test_marks_an_hourly_run_in_the_list(browse, root, db, books):
    look(books)

    assert "Hour by hour" in browse(root).get("/agency/money/books/").content.decode()
