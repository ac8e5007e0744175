"""Our books beside Retell's: each kind of difference is named, and a clean day prints 0.00."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.models import Client, Notification
from audit.models import AuditLog
from billing import margins, reconciling, services
from billing.books import StillApart, still_apart
from billing.invariants import audit_ledger
from billing.models import Difference, Reconciliation
from billing.services import reconciliation
from telephony.models import Call, CallDetail, PhoneNumber
from telephony.payloads import epoch_ms
from telephony.provider import CallPage, ProviderCall, Unauthorised, Unavailable
from telephony.provider_costs import cost_micros, product_costs, product_micros
from telephony.services.health import set_number_limits
from telephony.services.numbers import assign_number, release_number
from tests.factories.billing import NOW, TESTS, Launch, balances, open_wallet

DAY = NOW.replace(hour=0)
COST = {"combined_cost": 10.5, "product_costs": [{"product": "voice", "cost": 10.5}]}
PAGE = "/agency/money/books/"


@dataclass
class Books:
    """Retell's list of calls in memory, paged as Retell pages; `asked` is how often it was asked."""

    calls: dict[str, ProviderCall] = field(default_factory=dict)
    page_size: int = 3
    asked: int = 0
    twice: str = ""

    def add(self, name: str, *, started_at: datetime, ms: int, attempt_id: Any = "", **payload):
        whole = {
            "start_timestamp": epoch_ms(started_at),
            "duration_ms": ms,
            "call_cost": COST,
            **payload,
        }
        metadata = {"attempt_id": str(attempt_id)} if attempt_id else {}
        self.calls[name] = ProviderCall(
            call_id=name, call_status="ended", metadata=metadata, payload=whole
        )

    def list_calls(
        self,
        *,
        started_from=None,
        started_until=None,
        call_ids=(),
        pagination_key=None,
    ):
        self.asked += 1
        found = [one for one in self.calls.values() if not call_ids or one.call_id in call_ids]
        if started_from:
            bounds = epoch_ms(started_from), epoch_ms(started_until)
            found = [
                one for one in found if bounds[0] <= one.payload["start_timestamp"] <= bounds[1]
            ]
        found += [one for one in found if one.call_id == self.twice]
        start = int(pagination_key or 0)
        following = start + self.page_size
        return CallPage(
            calls=tuple(found[start:following]),
            pagination_key=str(following) if following < len(found) else None,
        )


@pytest.fixture
def books():
    return Books()


@pytest.fixture
def launch(acme):
    open_wallet(acme, seconds=10_000)
    return Launch(acme, 5_000)


def talked(launch: Launch, books: Books | None, name: str, *, seconds: int = 60, **more: Any):
    """Let a call happen: billed here, and listed there."""
    dial = launch.dial(600)
    started_at = more.pop("started_at", NOW)
    Call.objects.create(
        pk=dial.call_id,
        client=launch.client,
        provider_call_id=name,
        attempt_id=dial.attempt_id,
        status="ended",
        outcome_class="human",
        created_at=started_at - timedelta(seconds=10),
        started_at=started_at,
        duration_ms=seconds * 1000,
        retell_cost_micros=105_000,
    )
    dial.end(seconds)
    if books is not None:
        whole = {"ms": seconds * 1000, "attempt_id": dial.attempt_id, **more}
        books.add(name, started_at=started_at, **whole)
    return dial


def compare(books: Books) -> Reconciliation:
    run = services.ask_reconciliation(
        since=DAY, until=DAY + timedelta(days=1), actor=TESTS, now=NOW + timedelta(days=1)
    )
    while not services.compare_slice(run_id=run.pk, gateway=books, now=NOW):
        pass
    run.refresh_from_db()
    return run


def found():
    return {row.provider_call_id: row for row in Difference.objects.all()}


def test_prints_nothing_apart_on_a_clean_day(launch, books):
    for number in range(7):
        talked(launch, books, f"call_{number}", started_at=NOW + timedelta(minutes=20 * number))

    run = compare(books)

    assert (run.status, run.compared_count, run.percent) == ("done", 7, 100)
    assert not found()
    assert run.products == {"voice": 7 * 105_000}


def test_names_each_kind_of_difference(launch, books):
    talked(launch, books, "fine")
    talked(launch, None, "lost")
    talked(launch, books, "longer", ms=75_000)
    talked(launch, books, "dearer", call_cost={"combined_cost": 11, "product_costs": []})
    doubled = talked(launch, books, "first")
    books.add("second", started_at=NOW, ms=60_000, attempt_id=doubled.attempt_id)
    books.add("extra", started_at=NOW, ms=30_000)

    run = compare(books)

    assert {name: row.kind for name, row in found().items()} == {
        "lost": "missing_there",
        "extra": "missing_here",
        "longer": "seconds_differ",
        "dearer": "cost_differs",
        "second": "billed_twice",
    }
    # 60 s lost, 15 s longer, 60 s doubled, 30 s extra; one is only dearer.
    assert still_apart([run.pk])[run.pk] == StillApart(5, 165_000, 75, 3 * 105_000 + 5_000)
    assert (found()["longer"].billed_seconds, found()["longer"].due_seconds) == (60, 75)
    assert found()["extra"].client is None
    assert found()["lost"].client == launch.client


def test_names_a_call_that_is_listed_twice_and_one_whose_end_never_came(launch, books):
    talked(launch, books, "twice")
    talked(launch, books, "silent")
    Call.objects.filter(provider_call_id="silent").update(status="ongoing", duration_ms=None)
    books.twice = "twice"

    compare(books)

    assert {name: row.kind for name, row in found().items()} == {
        "twice": "billed_twice",
        "silent": "missing_here",
    }


def test_names_a_call_that_was_never_billed(launch, books):
    dial = launch.dial(600)
    Call.objects.create(
        client=launch.client,
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

    row = found()["never"]
    assert (row.kind, row.billed_seconds, row.due_seconds) == ("seconds_differ", 0, 5)


def test_asks_by_id_for_what_started_a_moment_outside_the_window(launch, books):
    edge = DAY + timedelta(hours=5)
    talked(launch, books, "edge", started_at=edge)
    books.add(
        "edge",
        started_at=edge - timedelta(days=30),
        ms=60_000,
        attempt_id=Call.objects.get().attempt_id,
    )

    compare(books)

    assert not found()


def test_looks_at_no_call_that_is_going_on_or_was_never_connected(launch, books):
    books.add("live", started_at=NOW, ms=0)
    live = books.calls["live"]
    books.calls["live"] = ProviderCall(
        call_id="live", call_status="ongoing", metadata={}, payload=live.payload
    )
    Call.objects.create(
        client=launch.client,
        provider_call_id="busy",
        status="not_connected",
        created_at=NOW,
        duration_ms=0,
    )

    assert compare(books).compared_count == 0
    assert not found()


def test_compares_each_slice_once_however_often_it_is_killed(launch, books, monkeypatch):
    for number in range(5):
        talked(launch, books, f"call_{number}", started_at=NOW + timedelta(minutes=number))
    books.add("extra", started_at=NOW, ms=1000)
    run = services.ask_reconciliation(
        since=NOW, until=NOW + timedelta(hours=2), actor=TESTS, now=NOW + timedelta(hours=3)
    )
    note = reconciliation._note
    monkeypatch.setattr(
        reconciliation, "_note", lambda *_a, **_k: (_ for _ in ()).throw(MemoryError)
    )
    with pytest.raises(MemoryError):
        services.compare_slice(run_id=run.pk, gateway=books, now=NOW)
    monkeypatch.setattr(reconciliation, "_note", note)

    while not services.compare_slice(run_id=run.pk, gateway=books, now=NOW):
        pass
    services.compare_slice(run_id=run.pk, gateway=books, now=NOW)

    run.refresh_from_db()
    assert (run.compared_count, run.status) == (5, "done")
    assert Difference.objects.count() == 1


def test_goes_on_where_it_was_once_retell_is_back(launch, books):
    """One bad minute of a night cost the day its comparison."""
    answer = books.list_calls

    def away(**_asked):
        raise Unavailable("Connection refused.")

    books.list_calls = away
    run = compare(books)
    assert (run.status, run.error) == ("queued", "Connection refused.")

    books.list_calls = answer
    while not services.compare_slice(run_id=run.pk, gateway=books, now=NOW):
        pass
    run.refresh_from_db()
    assert (run.status, run.error) == ("done", "")
    assert not Notification.objects.exists()


def test_stops_and_tells_the_agency_when_retell_refuses(launch, books, mailoutbox, root):
    def refused(**_asked):
        raise Unauthorised("The key is not valid.", 401)

    books.list_calls = refused
    for _twice in range(2):
        run = compare(books)
    assert (run.status, run.error) == ("failed", "The key is not valid.")
    assert str(run.pk) in Notification.objects.latest("created_at").url
    assert mailoutbox[0].to == [root.email]


def test_tells_the_agency_once_of_a_run_with_differences(launch, books, mailoutbox, root):
    talked(launch, None, "call_only_here")
    run = compare(books)
    assert Difference.objects.exists()
    for _twice in range(2):
        services.tell_of_differences(run_id=run.pk, now=NOW)
    assert Notification.objects.get().title == "1 call differs from Retell's records"
    assert len(mailoutbox) == 1


def test_asks_for_a_night_once_and_for_no_window_that_makes_no_sense(db):
    later = NOW + timedelta(days=2)
    (first,) = services.ask_nightly(now=later)

    assert services.ask_nightly(now=later + timedelta(hours=1)) == []
    assert first.window_until - first.window_from == timedelta(days=1)
    assert first.window_until <= later - timedelta(hours=3)
    hour = timedelta(hours=1)
    for since, until in (
        (NOW, NOW),
        (NOW, NOW - hour),
        (NOW, NOW + hour),
        (DAY.replace(year=2025), NOW),
    ):
        with pytest.raises(services.WindowInvalid):
            services.ask_reconciliation(since=since, until=until, actor=TESTS, now=NOW)


def test_keeps_only_a_slice_in_memory(launch, books):
    for number in range(12):
        talked(launch, books, f"call_{number}", started_at=DAY + timedelta(hours=number))
    held = []
    for number in range(12):
        since = DAY + timedelta(hours=number)
        part = reconciling.Comparison(gateway=books, since=since, until=since + reconciling.SLICE)
        assert not list(part.differences())
        held.append(len(part._seen))

    assert held == [1] * 12


# -- Resolving -------------------------------------------------------------------------------------


def resolve(row, step, reason=""):
    return services.resolve_difference(
        difference=row, step=step, reason=reason, actor=TESTS, now=NOW
    )


def test_refunds_what_was_billed_too_much_once(launch, books, acme):
    talked(launch, books, "shorter", ms=45_000)
    talked(launch, None, "lost")
    compare(books)
    before = balances(acme)

    for name in ("shorter", "lost"):
        row = found()[name]
        assert row.safe_steps == ["refund", "excuse"]
        for _ in range(2):
            assert resolve(row, "refund").status == "resolved"

    assert balances(acme)[0] - before[0] == 15 + 60
    assert AuditLog.objects.filter(action="difference.resolved").count() == 2
    assert audit_ledger() == []
    with pytest.raises(services.StepRefused):
        resolve(found()["lost"], "excuse", "Changed my mind")


def test_refunds_nothing_where_the_client_paid_too_little_and_wants_a_reason(launch, books):
    talked(launch, books, "longer", ms=75_000)
    compare(books)
    row = found()["longer"]

    assert row.safe_steps == ["charge", "excuse"]
    for step, reason in (("refund", ""), ("fetch", ""), ("excuse", "  "), ("delete", "x")):
        with pytest.raises(services.StepRefused):
            resolve(row, step, reason)
    assert resolve(row, "excuse", "Our first word holds").reason == "Our first word holds"


def test_hands_a_call_to_whoever_fetches_it(launch, books):
    books.add("extra", started_at=NOW, ms=30_000, attempt_id=launch.dial(600).attempt_id)
    compare(books)

    resolve(found()["extra"], "fetch")

    (row,) = services.differences_to_fetch()
    assert row.status == "fetching"
    services.mark_fetched(difference=row, now=NOW)
    assert found()["extra"].status == "fetching"
    assert not services.differences_to_fetch()


# -- Costs and pages -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "micros"),
    [
        ({"combined_cost": 15.215}, 152_150),
        ({}, 0),
        (None, 0),
        ({"combined_cost": "x"}, 0),
        ({"combined_cost": float("nan")}, 0),
        ({"combined_cost": -4}, 0),
        ({"combined_cost": True}, 0),
    ],
)
def test_reads_costs_whatever_they_look_like(cost, micros):
    assert cost_micros(cost) == micros


def test_splits_a_cost_by_product_to_the_micro():
    third = {"combined_cost": 1, "product_costs": [{"product": n, "cost": 1 / 3} for n in "abc"]}
    assert sum(product_micros(third).values()) == 10_000

    short = {"combined_cost": 5, "product_costs": [{"product": "tts", "cost": 3}, "junk", {}]}
    assert product_micros(short) == {"tts": 30_000, "other": 20_000}
    assert product_micros({"combined_cost": 2}) == {"other": 20_000}
    assert product_micros({"product_costs": 7}) == {}


def text(response):
    return response.content.decode()


def test_runs_and_resolves_from_the_pages(browse, root, launch, books):
    talked(launch, None, "lost")
    browser = browse(root)
    assert (
        browser.post(PAGE, {"first_on": "2026-11-24", "last_on": "2026-11-23"}).status_code == 422
    )
    future = browser.post(PAGE, {"first_on": "2099-01-01", "last_on": "2099-01-02"}, follow=True)
    assert "Choose days that have begun" in text(future)

    run = compare(books)
    page = text(browser.get(f"{PAGE}{run.pk}/"))
    for words in ("lost", "Missing at Retell", "Refund 60 s", "60,000 ms"):
        assert words in page, words
    address = f"/agency/money/differences/{Difference.objects.get().pk}/resolve/"
    assert "needs a reason" in text(browser.post(address, {"step": "excuse"}, follow=True))
    assert "Done." in text(browser.post(address, {"step": "refund"}, follow=True))
    assert "can&#x27;t be done" in text(browser.post(address, {"step": "excuse"}, follow=True))
    assert "Reconciliation" in text(browser.get(PAGE))


def test_shows_how_far_a_run_is(browse, root, launch):
    run = services.ask_reconciliation(
        since=DAY, until=DAY + timedelta(hours=4), actor=TESTS, now=NOW
    )
    Reconciliation.objects.update(next_from=DAY + timedelta(hours=1), status="working")

    part = text(browse(root).get(f"{PAGE}{run.pk}/", headers={"hx-request": "true"}))

    assert "25%" in part and "every 2s" in part and "<html" not in part


@pytest.mark.usefixtures("at_that_time")
def test_shows_what_calls_earned_to_the_agency_alone(browse, root, alice, launch, books, acme):
    dial = talked(launch, books, "call_1")
    kept = {"call_cost": COST, "product_costs": product_costs(COST)}
    CallDetail.objects.create(call_id=dial.call_id, **kept)
    PhoneNumber.objects.create(
        phone_number="+12025550110", client=acme, created_at=NOW, rent_micros=50_000
    )
    services.refund_call(
        client_id=acme.pk, call_id=dial.call_id, seconds=20, reason="x", actor=TESTS, now=NOW
    )

    page = text(browse(root).get("/agency/money/margins/", {"month": "2026-11"}))
    detail = text(browse(root).get(f"/agency/clients/{acme.pk}/margins/"))

    for shown in ("$0.20", "$0.11", "$0.05", "Acme Dental"):  # 0.30 less 0.10; 0.105; rent
        assert shown in page, shown
    for shown in ("$0.20", "$0.105", "$0.045", "Voice"):
        assert shown in detail, shown
    assert browse(alice).get("/agency/money/margins/").status_code == 403
    assert Client.objects.count() == 1


@pytest.mark.usefixtures("at_that_time")
@pytest.mark.parametrize("calls", [1, 15])
def test_shows_margins_in_as_many_queries(
    browse, root, launch, books, acme, django_assert_num_queries, calls
):
    for number in range(calls):
        talked(launch, books, f"call_{number}")
    browser = browse(root)
    browser.get("/agency/money/margins/")

    with django_assert_num_queries(7):
        browser.get("/agency/money/margins/", {"month": "2026-11"})
    with django_assert_num_queries(12):
        browser.get(f"/agency/clients/{acme.pk}/margins/")


def test_says_what_each_campaign_earned_on_the_page_and_in_a_file(
    browse, root, launch, books, acme, rival
):
    open_wallet(rival)
    talked(launch, books, "call_1", seconds=60)
    talked(launch, books, "call_2", seconds=120)
    Call.objects.update(campaign_id=launch.campaign_id)
    month = date(2026, 11, 1)
    (row,) = margins.campaigns_in(month, client=acme)
    assert (row.calls, row.seconds) == (2, 180)
    (whole,) = margins.clients_in(month)
    assert (row.charged_micros, row.cost_micros) == (whole.charged_micros, whole.cost_micros)
    assert margins.campaigns_in(month, client=rival) == []

    page = text(browse(root).get(f"/agency/clients/{acme.pk}/margins/", {"month": "2026-11"}))
    assert "By campaign in November 2026" in page
    answer = browse(root).get("/agency/money/margins/export/", {"month": "2026-11"})
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert lines[0].startswith("client,campaign,calls,minutes")
    assert lines[1].startswith("Acme Dental,")
    assert len(lines) == 2


def test_moves_the_rent_with_the_number(acme, rival):
    """A number lent to another client took the whole month's rent with it, past months too."""
    for client in (acme, rival):
        open_wallet(client)
    first = datetime(2026, 11, 1, tzinfo=NOW.tzinfo)
    number = PhoneNumber.objects.create(
        phone_number="+12025550110", created_at=first, rent_micros=3_000_001
    )
    lend: dict[str, Any] = {"number": number, "actor": TESTS}
    assign_number(client=acme, now=first, **lend)
    assign_number(client=acme, now=first + timedelta(days=1), **lend)
    assign_number(client=rival, now=first + timedelta(days=10), **lend)
    release_number(number=number, actor=TESTS, now=first + timedelta(days=15))

    november, december = date(2026, 11, 1), date(2026, 12, 1)
    rents = {row.name: row.rent_micros for row in margins.clients_in(november)}

    assert rents == {"Acme Dental": 2_000_001, "Rival Roofing": 1_000_000}
    assert not [row for row in margins.clients_in(december) if row.rent_micros]


@pytest.mark.parametrize("is_leased", [True, False])
def test_leaves_the_margins_of_closed_months_when_a_rent_changes(acme, is_leased):
    october, november = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 16, tzinfo=UTC)
    lent = None if is_leased else acme  # before leases were kept
    number = PhoneNumber.objects.create(
        phone_number="+12025550110", created_at=october, rent_micros=2_000_000, client=lent
    )
    if is_leased:
        assign_number(number=number, client=acme, actor=TESTS, now=october)

    for _twice in range(2):
        set_number_limits(
            number=number,
            daily_cap=0,
            concurrency_limit=0,
            warms_up=False,
            rent_micros=6_000_000,
            actor=TESTS,
            now=november,
        )

    rents = [
        [row.rent_micros for row in margins.clients_in(date(2026, month, 1))]
        for month in (10, 11, 12)
    ]
    assert rents == [[2_000_000], [4_000_000], [6_000_000]]  # half of November each


def test_keeps_the_rent_of_a_number_lent_before_leases_were_kept(acme, rival):
    for client in (acme, rival):
        open_wallet(client)
    number = PhoneNumber.objects.create(
        phone_number="+12025550110", client=acme, created_at=DAY, rent_micros=2_000_000
    )
    month = date(2026, 11, 1)
    assert {row.rent_micros for row in margins.clients_in(month)} == {2_000_000}

    assign_number(number=number, client=rival, actor=TESTS, now=DAY + timedelta(days=5))

    rents = {row.name: row.rent_micros for row in margins.clients_in(month)}
    assert sum(rents.values()) == 2_000_000
    assert rents["Acme Dental"] > rents["Rival Roofing"] > 0  # five days of eight


def test_tells_what_each_product_cost_as_it_was_stored(launch, books, acme):
    talked(launch, books, "call_1")
    call = Call.objects.get()
    stored = [{"product": "tts", "micros": 60_001}, {"product": "llm", "micros": 44_999}]
    CallDetail.objects.create(call=call, call_cost=COST, product_costs=stored)

    (row,) = margins.of_calls(client=acme, calls=[call])

    assert row.products == {"tts": 60_001, "llm": 44_999}


def test_shows_the_calls_of_the_month_that_is_asked_for(browse, root, launch, books, acme):
    talked(launch, books, "call_1")
    page = f"/agency/clients/{acme.pk}/margins/"

    november = text(browse(root).get(page, {"month": "2026-11"}))
    october = text(browse(root).get(page, {"month": "2026-10"}))

    assert "Connected calls" in november and "Connected calls" not in october
    assert "?month=2026-11" in october


def test_leaves_at_one_press_what_is_billed_rightly(browse, root, launch, books):
    doubled = talked(launch, books, "first")
    books.add("second", started_at=NOW, ms=60_000, attempt_id=doubled.attempt_id)
    talked(launch, books, "rounded", ms=59_500)
    talked(launch, books, "longer", ms=75_000)
    run = compare(books)
    browser, ready = browse(root), "Nothing is billed wrongly"
    page = text(browser.get(f"{PAGE}{run.pk}/"))

    assert page.count(f'value="{ready}"') == 2
    assert {name: row.is_left_at_once for name, row in found().items()} == {
        "second": True,
        "rounded": True,
        "longer": False,
    }
    for name in ("second", "rounded"):
        address = f"/agency/money/differences/{found()[name].pk}/resolve/"
        browser.post(address, {"step": "excuse", "reason": ready})
        assert (found()[name].status, found()[name].reason) == ("resolved", ready)
