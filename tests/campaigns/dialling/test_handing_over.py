"""Launches that Retell dials by itself: handed over once, tied to attempts, complete at the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse

from accounts.models import Notification
from billing.invariants import audit_ledger
from billing.models import CallHold, Reservation
from campaigns.dialling import handovers, recovery
from campaigns.dialling.batch_windows import batch_window, longest_day, open_for
from campaigns.dialling.windows import Hours, is_open
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment, Handover
from campaigns.queries.leads import enrolment_list, with_sentences
from campaigns.queries.progress import add_up, why
from campaigns.services import steering, stopping
from campaigns.services.enrolment import enrol_lead
from leads.models import Suppression
from leads.services import suppress
from leads.services.consents import revoke_consent
from telephony.models import Call
from telephony.provider import CallTimeWindow, Unavailable, UnknownOutcome
from tests.campaigns.dialling.conftest import policy, statuses
from tests.factories.campaigns import TESTS, enrol, launch, make_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
MODE = BatchCall.Mode.RETELL_BATCH


def lists(rig: Rig) -> list[dict[str, Any]]:
    return [asked for method, asked in rig.retell.asked if method == "create_batch_call"]


def at_retell() -> list[Attempt]:
    return list(Attempt.objects.filter(status="dialling", sends_count=1).order_by("pk"))


def handed_over(rig: Rig) -> list[Attempt]:
    """Let the dispatcher hand everything over, and write the answer."""
    for _ in range(8):
        rig.step()
    return at_retell()


def no_hold_is_left() -> bool:
    return not CallHold.objects.filter(status="held").exists()


def test_hands_everybody_over_in_one_list_with_its_minutes_held(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=30, mode=MODE, reserve=60_000)
    rig.retell.dials_lists = False
    rig.step()
    assert not lists(rig)  # 25 of 30: it is being filled, and nothing rings before it is whole
    attempts = handed_over(rig)

    (sent,) = lists(rig)
    assert len(sent["tasks"]) == len(attempts) == 30
    assert {task.metadata["attempt_id"] for task in sent["tasks"]} == {
        str(one.pk) for one in attempts
    }
    by_attempt = {one.attempt_id: one.seconds for one in CallHold.objects.filter(status="held")}
    for task, attempt in zip(sent["tasks"], attempts, strict=True):
        assert task.max_call_duration_ms <= by_attempt[attempt.pk] * 1000
        assert task.dynamic_variables["first_name"]
    assert not rig.retell.dials
    assert statuses(batch_call) == {"dialling": 30}
    handover = Handover.objects.get()
    assert (handover.status, handover.tasks_count, handover.window) == ("accepted", 30, {})
    batch_call.refresh_from_db()
    assert batch_call.provider_batch_id == handover.provider_batch_id
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "handed_over"
    leads = with_sentences(list(enrolment_list(batch_call.campaign)), now=rig.now)
    assert {one.sentence for one in leads} == {"In a list that the voice platform dials by itself."}
    said = why(batch_call.campaign, [batch_call], add_up([batch_call]))
    assert said.startswith("The voice platform has the list and calls by itself: 30 people")


def test_ends_complete_after_retries_in_further_lists(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=7, mode=MODE, reserve=60_000)
    policy(batch_call.campaign, max_attempts=2, busy_delay_seconds=1200)
    first = handed_over(rig)
    for number, attempt in enumerate(first):
        rig.end(attempt, "dial_busy" if number < 3 else "user_hangup")
    assert statuses(batch_call) == {"queued": 3, "done": 4}
    rig.tick(1300)
    second = handed_over(rig)
    assert {one.number for one in second} == {2}
    for attempt in second:
        rig.end(attempt, "dial_busy")
    rig.step()

    assert statuses(batch_call) == {"done": 4, "exhausted": 3}
    assert batch_call.status == "finished"
    assert completeness(batch_call.pk).holds
    assert len(lists(rig)) == 2
    assert no_hold_is_left()
    assert not audit_ledger()
    rig.tick(200)
    rig.step()
    assert set(Handover.objects.values_list("status", flat=True)) == {"over"}


def test_ties_a_call_to_its_lead_by_the_metadata(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=2, mode=MODE)
    attempt, other = handed_over(rig)

    rig.tell(attempt, kind="started", call_status="ongoing", started_at=rig.now)

    attempt.refresh_from_db()
    call = Call.objects.get()
    assert (attempt.status, attempt.call_id) == ("placed", call.pk)
    assert (call.lead_id, call.batch_call_id) == (attempt.lead_id, batch_call.pk)
    assert statuses(batch_call) == {"dialling": 1, "in_call": 1}
    rig.end(attempt, seconds=40)
    assert statuses(batch_call) == {"dialling": 1, "done": 1}
    assert CallHold.objects.get(attempt_id=attempt.pk).posted_seconds == 40
    rig.end(other)


@pytest.mark.parametrize("is_placed", [True, False])
def test_never_sends_a_list_again_whose_answer_was_lost(
    rig: Rig, ready: Callable[..., BatchCall], is_placed: bool
) -> None:
    batch_call = ready(leads=4, mode=MODE, reserve=20_000)
    rig.retell.lose_answer(placed=is_placed)
    attempts = handed_over(rig)
    assert Handover.objects.get().status == "unknown"
    assert all(one.was_lost for one in attempts)

    for _ in range(60):
        rig.step(seconds=130)

    assert len(lists(rig)) == 1
    assert not rig.retell.dials
    if is_placed:
        # One of them was listed, so Retell has the list; the others follow by their news.
        for attempt in attempts:
            attempt.refresh_from_db()
            rig.end(attempt)
        rig.step()
        assert statuses(batch_call) == {"done": 4}
    else:
        assert statuses(batch_call) == {"exhausted": 4}
        assert set(Attempt.objects.values_list("error", flat=True)) == {handovers.NEVER_RANG}
    assert batch_call.status == "finished"
    assert no_hold_is_left()
    assert not audit_ledger()


def test_ends_who_was_never_called_but_takes_a_late_call_in(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3, mode=MODE, reserve=20_000)
    rig.retell.dials_lists = False
    handed_over(rig)
    (batch_id,) = rig.retell.lists
    rig.retell.dial_list(batch_id, most=1)
    for _ in range(20):
        rig.step(seconds=130)
    assert statuses(batch_call) == {"dialling": 2, "in_call": 1}  # found in the list of calls
    waiting = [one.pk for one in at_retell()]
    held = CallHold.objects.filter(attempt_id__in=waiting)
    assert [(one.status, one.expires_at > rig.now) for one in held] == [("held", True)] * 2

    for _ in range(20):
        rig.step(seconds=130)
    assert statuses(batch_call) == {"exhausted": 2, "in_call": 1}
    rig.retell.dial_list(batch_id)
    late = Attempt.objects.filter(status="not_placed").order_by("pk")[0]
    rig.end(late, seconds=30)
    rig.end(rig.ringing()[0])

    late.refresh_from_db()
    assert late.status == "ended"
    assert statuses(batch_call) == {"done": 2, "exhausted": 1}
    assert not audit_ledger()
    assert len(lists(rig)) == 1


def test_says_before_and_after_that_a_stop_recalls_nobody(
    rig: Rig, ready: Callable[..., BatchCall], client: Browser, root: User, alice: User
) -> None:
    batch_call = ready(leads=3, mode=MODE, reserve=20_000)
    attempts = handed_over(rig)
    client.force_login(root)
    page = client.get(reverse("agency-campaigns:stop-everything"))
    assert page.status_code == 200
    told = client.post(
        reverse("agency-campaigns:stop-everything"), {"reason": "Complaint"}, follow=True
    ).content.decode()
    assert "3 people wait in a list at the voice platform" in told
    client.force_login(alice)
    stop = reverse("campaigns:campaign-stop", args=[batch_call.campaign_id])
    assert "which can't be recalled" in unescape(client.get(stop).content.decode())
    assert statuses(batch_call) == {"dialling": 3}
    assert add_up([batch_call]).live == 0
    steering.stop_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    while not steering.cancel_slice(batch_call_id=batch_call.pk, now=rig.now):
        pass
    rig.step()
    assert statuses(batch_call) == {"dialling": 3}  # nothing is made up about them
    for attempt in attempts:
        rig.end(attempt)
    rig.step()

    assert statuses(batch_call) == {"done": 3}
    assert Reservation.objects.get().status == "closed"
    assert completeness(batch_call.pk).holds


@pytest.mark.parametrize("how", ["pause", "stop", "gate", "client"])
def test_sends_no_list_after_a_person_forbade_it(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, root: User, how: str
) -> None:
    batch_call = ready(leads=30, mode=MODE, reserve=60_000)
    rig.step()
    assert Handover.objects.get().status == "filling"
    if how == "pause":
        steering.pause_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    elif how == "stop":
        steering.stop_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    elif how == "gate":
        stopping.stop_dialling(client=None, reason="Complaint", actor=root, now=rig.now)
    else:
        acme.status = acme.Status.INACTIVE
        acme.save()
    # Even a dispatcher that doesn't know of it yet.
    for key in list(rig.dispatchers[0]._handing._filling):
        rig.dispatchers[0]._handing._send(key, rig.now)
    for _ in range(4):
        rig.step()

    assert not lists(rig)
    assert Handover.objects.get().status == "dropped"
    assert no_hold_is_left()
    expected = {"cancelled": 25, "queued": 5} if how == "stop" else {"queued": 30}
    assert statuses(batch_call) == expected


def test_leaves_out_who_opted_out_while_the_list_was_filled(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=26, mode=MODE, reserve=60_000)
    rig.step()
    gone = Attempt.objects.order_by("pk")[0]
    suppress(
        level=Suppression.Level.CLIENT,
        client_id=batch_call.client_id,
        campaign_id=None,
        phone_number=gone.phone_number,
        source=Suppression.Source.PERSON,
        reason="",
        actor=TESTS,
        now=rig.now,
    )
    handed_over(rig)

    (sent,) = lists(rig)
    assert len(sent["tasks"]) == 25
    assert gone.phone_number not in {task.to_number for task in sent["tasks"]}
    assert statuses(batch_call) == {"dialling": 25, "suppressed": 1}


def test_leaves_out_who_took_consent_back_while_the_list_was_filled(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=26, mode=MODE, reserve=60_000)
    rig.step()
    gone = Attempt.objects.order_by("pk")[0]
    revoke_consent(lead=gone.enrolment.lead, how="By mail", actor=TESTS, now=rig.now)
    handed_over(rig)

    (sent,) = lists(rig)
    assert len(sent["tasks"]) == 25
    assert gone.phone_number not in {task.to_number for task in sent["tasks"]}
    assert statuses(batch_call) == {"dialling": 25, "suppressed": 1}


@pytest.mark.parametrize("is_stopped", [True, False])
def test_ends_who_was_never_called_in_hours_shorter_than_an_hour(
    rig: Rig, ready: Callable[..., BatchCall], is_stopped: bool
) -> None:
    rig.now = rig.real = datetime(2026, 11, 23, 17, 5, tzinfo=UTC)  # 12:05 in New York
    short = {"is_any_hour": False, "opens_minute": 12 * 60, "closes_minute": 12 * 60 + 45}
    batch_call = ready(leads=3, mode=MODE, reserve=20_000, at=rig.now, **short)
    rig.retell.dials_lists = False
    assert len(handed_over(rig)) == 3
    if is_stopped:
        steering.stop_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    for _ in range(18):
        rig.step(seconds=130)
    assert statuses(batch_call) == {"dialling": 3}  # 39 minutes of calling time, no whole hour
    rig.tick(24 * 3600 - 18 * 130)
    for _ in range(20):
        rig.step(seconds=130)

    assert statuses(batch_call) == {"exhausted": 3}
    assert batch_call.status == ("cancelled" if is_stopped else "finished")
    assert no_hold_is_left()
    assert not audit_ledger()


def test_counts_the_minutes_in_which_a_list_could_be_dialled() -> None:
    mondays = CallTimeWindow(windows=((540, 560),), timezone="America/New_York", days=("Monday",))
    zone = ZoneInfo("America/New_York")
    monday = datetime(2026, 11, 23, 9, 10, tzinfo=zone)

    assert open_for(mondays, since=monday, until=monday + timedelta(days=1)) == timedelta(
        minutes=10
    )
    assert open_for(mondays, since=monday, until=monday + timedelta(days=15)) == timedelta(
        minutes=50
    )
    assert longest_day(mondays) == timedelta(minutes=20)


@pytest.mark.parametrize("dies", ["filling", "before_sending", "after_sending"])
def test_survives_the_end_of_its_dispatcher(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    batch_call = ready(leads=26, mode=MODE, reserve=60_000)
    first = rig.dispatcher()
    rig.step(first)
    if dies != "filling":
        create = rig.retell.create_batch_call

        def killed(**request: Any) -> None:
            if dies == "after_sending":
                create(**request)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(rig.retell, "create_batch_call", killed)
            with pytest.raises(KeyboardInterrupt):
                rig.step(first)
    second = rig.dispatcher()
    rig.tick(400)  # the lease, and the time an answer may take
    for _ in range(6):
        rig.step(second)
    assert not recovery.let_go_of_kept(now=rig.now)

    if dies == "filling":
        assert Handover.objects.filter(status="dropped").count() == 1
        assert sum(len(one["tasks"]) for one in lists(rig)) == 26
    else:
        # Retell lists a call of it, or nobody knows; in neither case is it sent again.
        is_listed = dies == "after_sending"
        assert Handover.objects.get().status == ("accepted" if is_listed else "unknown")
        assert len(lists(rig)) == (dies == "after_sending")
    counted = statuses(batch_call)
    assert counted["dialling"] + counted.get("in_call", 0) == 26  # nobody waits to be called again
    times = [one.metadata["attempt_id"] for one in rig.retell.placed.values()]
    assert len(times) == len(set(times))


@pytest.mark.parametrize("is_dropped", [True, False])
def test_sends_nobody_whose_claim_ran_out_while_the_platform_was_silent(
    rig: Rig, ready: Callable[..., BatchCall], is_dropped: bool
) -> None:
    batch_call = ready(leads=26, mode=MODE, reserve=60_000)
    dispatcher = rig.dispatcher()
    rig.step(dispatcher)
    for _ in range(6):
        rig.retell.fail("concurrency", Unavailable("No answer."))
    if is_dropped:
        rig.tick(250)
        rig.step(dispatcher)
        assert Handover.objects.get().status == "dropped"
    else:  # a claim that ran out all the same, while the list was sent
        lead = Enrolment.objects.filter(status="dialling").order_by("pk")[0]
        Enrolment.objects.filter(pk=lead.pk).update(lease_until=rig.real)
        rig.tick(1)
        assert recovery.recover_lost_claims(real_now=rig.real, now=rig.now) == 1
    for _ in range(12):
        rig.step(dispatcher)

    assert statuses(batch_call) == {"dialling": 26}
    sent = [task.metadata["attempt_id"] for one in lists(rig) for task in one["tasks"]]
    assert len(sent) == len(set(sent)) == 26
    assert len({task.to_number for one in lists(rig) for task in one["tasks"]}) == 26


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (400, "to_number +1 is not a valid phone number", "provider_refused"),
        (401, "Invalid API key.", "provider_key"),
        (402, "Trial is over.", "provider_payment"),
    ],
)
def test_pauses_after_a_refusal_and_gives_everything_back(
    rig: Rig, ready: Callable[..., BatchCall], status: int, message: str, reason: str
) -> None:
    batch_call = ready(leads=3, mode=MODE, reserve=20_000)
    rig.retell.reject(status, message)
    handed_over(rig)

    assert statuses(batch_call) == {"queued": 3}
    assert (batch_call.status, batch_call.pause_reason) == ("paused", reason)
    assert no_hold_is_left()
    assert Handover.objects.get().status == "refused"
    assert Notification.objects.filter(level="bad").count() == 1


def test_waits_for_a_busy_platform_and_hands_over_later(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3, mode=MODE, reserve=20_000)
    rig.retell.rate_limit(30)
    rig.step()
    rig.step()
    assert statuses(batch_call) == {"queued": 3}
    assert not at_retell()
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "provider_busy"
    rig.tick(31)

    assert len(handed_over(rig)) == 3
    assert len(lists(rig)) == 2


def test_hands_over_what_the_minutes_cover_and_says_so(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=9, mode=MODE, seconds=2000, reserve=2000)
    attempts = handed_over(rig)

    assert 0 < len(attempts) < 9
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "credit"
    assert Reservation.objects.get().free_seconds < 60


def test_lets_nobody_else_call_who_waits_in_a_list(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    ready(mode=MODE)
    rig.retell.dials_lists = False
    (waits,) = handed_over(rig)
    other = make_ready(acme, name="Other", is_any_hour=True, weekdays=tuple(range(7)))
    enrol_lead(campaign=other, lead=Enrolment.objects.get().lead, dynamic_vars={}, now=rig.now)
    second = launch(other, now=rig.now)
    while Attempt.objects.filter(pk=waits.pk, status="dialling").exists():
        assert not rig.retell.dials
        rig.step(seconds=300)
    for _ in range(9):
        rig.step(seconds=300)

    assert len(rig.retell.dials) == 1  # once it is certain that nobody rang them
    attempt = Attempt.objects.get(batch_call_id=second.pk)
    assert attempt.created_at - waits.created_at > timedelta(hours=1)


def test_groups_by_zone_and_tells_retell_the_hours(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(
        leads=2, mode=MODE, reserve=20_000, is_any_hour=False, opens_minute=540, closes_minute=1020
    )
    enrol(
        batch_call.campaign, 1, start=10, time_zone="America/Chicago", phone_number="+13125550110"
    )
    Enrolment.objects.filter(batch_call=None).update(batch_call=batch_call, next_attempt_at=rig.now)
    BatchCall.objects.update(queued_count=3, tasks_count=3)
    rig.now = rig.real = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    attempts = handed_over(rig)

    windows = {one["window"].timezone: one["window"] for one in lists(rig)}
    assert set(windows) == {"America/New_York", "America/Chicago"}
    # Illinois allows no automated call before ten.
    assert windows["America/New_York"].windows == ((540, 1020),)
    assert windows["America/Chicago"].windows == ((600, 1020),)
    # Thanksgiving: Retell can't be told of a day, only of weekdays.
    assert "Thursday" not in windows["America/New_York"].days or len(attempts) == 3
    for handover in Handover.objects.all():
        assert handovers.window_json(handovers.window_of(handover)) == handover.window


WEEK = frozenset(range(7))


@pytest.mark.parametrize(
    "day", [datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC)]
)
@pytest.mark.parametrize(
    "zones",
    [
        ("America/New_York",),
        ("America/Denver", "America/Phoenix"),
        ("America/Chicago", "America/New_York"),
        ("Europe/London", "Europe/Paris"),
    ],
)
def test_opens_no_moment_that_is_closed_in_a_zone(day: datetime, zones: tuple[str, ...]) -> None:
    hours = Hours(WEEK - {6}, 9 * 60, 20 * 60)
    window = batch_window(hours=hours, zones=zones, now=day + timedelta(hours=18))
    assert window is not None

    opened = 0
    for minutes in range(0, 7 * 24 * 60, 10):
        at = day + timedelta(days=0, minutes=minutes)
        if open_for(window, since=at, until=at + timedelta(seconds=1)):
            opened += 1
            assert is_open(hours=hours, zones=zones, at=at), at.astimezone(ZoneInfo(zones[0]))
    assert opened > 6 * 6 * 9  # most of the hours that all have in common


def test_finds_no_window_where_there_is_none() -> None:
    now = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    far = ("America/New_York", "Pacific/Guam")
    assert batch_window(hours=Hours(WEEK, 540, 1020), zones=far, now=now) is None
    assert batch_window(hours=Hours(WEEK - {1}, 540, 1020), zones=far[:1], now=now) is None
    week = batch_window(hours=Hours(WEEK, 540, 1440), zones=far[:1], now=now)
    assert week == CallTimeWindow(windows=((540, 1440),), timezone=far[0])


def test_takes_a_lost_answer_for_lost_once(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=1, mode=MODE)
    handed_over(rig)
    handover = Handover.objects.get()

    handovers.apply_batch_answer(handover=handover, answer=UnknownOutcome("late"), now=rig.now)

    handover.refresh_from_db()
    assert handover.status == "accepted"
    assert not handovers.drop(handover=handover, now=rig.now)
