"""Retries: per reason, at another time of the day, on business days; calls back at the asked time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from campaigns.dialling.callbacks import KEPT_WITHIN, asked_time
from campaigns.dialling.retrying import Earlier, at_another_time, on_a_business_day, part_of_day
from campaigns.dialling.windows import Hours
from campaigns.models import Attempt, BatchCall, Enrolment, FollowUp
from tests.campaigns.dialling.conftest import policy, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

NEW_YORK = ZoneInfo("America/New_York")
HOURS = Hours(frozenset(range(7)), 9 * 60, 20 * 60)
MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 10:00 in New York


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=NEW_YORK)


def another(due: datetime, *called: datetime, hours: Hours = HOURS) -> datetime:
    earlier = Earlier(zone="America/New_York", called_at=called)
    return at_another_time(due=due.astimezone(UTC), earlier=earlier, hours=hours)


@pytest.mark.parametrize(
    ("due", "called", "expected"),
    [
        (local(23, 14), [local(23, 10)], local(23, 14)),  # another part already
        (local(23, 11), [local(23, 10)], local(23, 12)),  # the afternoon begins at noon
        (local(24, 10), [local(23, 10)], local(24, 12)),
        (local(24, 10), [local(23, 10), local(23, 13)], local(24, 17)),
        (local(23, 21), [local(23, 18), local(22, 13)], local(24, 9)),  # tomorrow's morning
        (local(24, 10), [local(21, 10), local(22, 13), local(23, 18)], local(24, 10)),
        (local(24, 13), [local(21, 10), local(22, 10)], local(24, 13)),
    ],
)
def test_tries_the_part_of_the_day_that_was_tried_least(due, called, expected) -> None:
    assert another(due, *called) == expected.astimezone(UTC)


def test_keeps_to_the_parts_in_which_the_campaign_calls() -> None:
    mornings = Hours(frozenset(range(7)), 9 * 60, 12 * 60)

    assert another(local(24, 10), local(23, 10), hours=mornings) == local(24, 10)
    never = Hours(frozenset(), 0, 0)
    assert another(local(24, 10), local(23, 10), hours=never) == local(24, 10)
    assert at_another_time(due=MONDAY, earlier=Earlier(), hours=HOURS) == MONDAY


@settings(max_examples=200, deadline=None)
@given(
    minutes=st.integers(0, 60 * 24 * 60),
    called=st.lists(st.integers(0, 60 * 24 * 60), max_size=4),
)
def test_never_moves_a_retry_forward_and_stays_within_hours(
    minutes: int, called: list[int]
) -> None:
    due = MONDAY + timedelta(minutes=minutes)
    found = another(due, *(MONDAY - timedelta(minutes=one) for one in called))

    assert found >= due
    assert found - due < timedelta(days=2)
    at = found.astimezone(NEW_YORK)
    if found != due:
        assert 9 <= at.hour < 20
    assert part_of_day(at) in {0, 1, 2}


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (local(27, 15), local(27, 15)),
        (local(28, 15), local(30, 15)),
        (local(29, 15), local(30, 15)),
        (local(30, 15), local(30, 15)),
    ],
)
def test_calls_again_on_business_days(due: datetime, expected: datetime) -> None:
    found = on_a_business_day(due=due.astimezone(UTC), zone="America/New_York")

    assert found == expected.astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01 15:30", datetime(2026, 12, 1, 15, 30, tzinfo=NEW_YORK)),
        ("2026-12-01T15:30:00Z", datetime(2026, 12, 1, 15, 30, tzinfo=UTC)),
        ("2026-12-01T15:30:00-08:00", datetime(2026, 12, 1, 23, 30, tzinfo=UTC)),
        ("2026-12-01", local(23, 10) + timedelta(days=8)),
        ("tomorrow morning", local(24, 10)),
        ("Tomorrow at 3 pm", local(24, 15)),
        ("tomorrow at 3", local(24, 15)),
        ("tomorrow at 9", local(24, 9)),
        ("Thursday at 3 pm", local(26, 15)),
        ("on monday", local(30, 10)),
        ("next week", local(30, 10)),
        ("day after tomorrow, 11:15", local(25, 11, 15)),
        ("this evening", local(23, 18)),
        ("at 9 am", local(24, 9)),  # nine is past: tomorrow's
        ("around noon", local(23, 12)),
        ("12 pm", local(23, 12)),
        ("in 20 minutes", local(23, 10, 20)),
        ("in an hour", local(23, 11)),
        ("in half an hour", local(23, 10, 30)),
        ("call me back in 2 hours please", local(23, 12)),
        ("in 3 days", local(26, 10)),
        ("tonight at 8", local(23, 20)),
        ("this evening at 9", local(23, 21)),
        ("tomorrow evening at 8", local(24, 20)),
        ("tomorrow at 3:30", local(24, 15, 30)),
        ("this afternoon, at 9 or so", local(23, 21)),
        ("tomorrow afternoon", local(24, 15)),
        ("tomorrow morning at 7", local(24, 7)),
        ("tomorrow at 07:30", local(24, 7, 30)),
        ("tomorrow at 10:30", local(24, 10, 30)),
        ("tomorrow at half past three", local(24, 15, 30)),
        ("at two thirty", local(23, 14, 30)),
        ("in two hours", local(23, 12)),
        ("one of these days", None),
        ("", None),
        ("no", None),
        ("later", None),
        ("he has 3 dogs and 2 cats", None),
        ("2026-11-22 10:00", None),  # past
        ("2027-11-22 10:00", None),  # too far away
        ("2026-13-45 10:00", None),
        ("at 99:99", None),
        ("in 999 weeks", None),
    ],
)
def test_reads_the_time_that_somebody_asked_for(text: str, expected: datetime | None) -> None:
    assert asked_time(text, zone="America/New_York", said_at=MONDAY) == expected


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_reads_any_words_without_failing(text: str) -> None:
    found = asked_time(text, zone="Pacific/Honolulu", said_at=MONDAY)

    assert found is None or found > MONDAY


# In the engine


def due_after(rig: Rig, batch_call: BatchCall, reason: str) -> tuple[str, float]:
    """Call the one lead, end the call so; return its status and the hours until it is due."""
    rig.step()
    rig.end(rig.ringing()[0], reason)
    enrolment = Enrolment.objects.get(batch_call=batch_call)
    wait = enrolment.next_attempt_at - rig.now
    return enrolment.status, round(wait.total_seconds() / 3600, 2)


@pytest.mark.django_db
def test_keeps_a_policy_for_each_reason(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    policy(
        batch_call.campaign,
        max_attempts=9,
        gap_seconds=0,
        dispositions={
            "voicemail_reached": {"most": 2, "delay_seconds": 7200},
            "user_declined": {"most": 1, "delay_seconds": None},
        },
    )

    assert due_after(rig, batch_call, "voicemail_reached") == ("queued", 2)
    rig.tick(7200)
    assert due_after(rig, batch_call, "dial_no_answer") == ("queued", 4)
    rig.tick(4 * 3600)
    assert due_after(rig, batch_call, "voicemail_reached")[0] == "exhausted"
    assert statuses(batch_call) == {"exhausted": 1}


@pytest.mark.django_db
def test_gives_up_at_once_where_a_reason_allows_one_call(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    declined: Any = {"user_declined": {"most": 1, "delay_seconds": None}}
    policy(batch_call.campaign, dispositions=declined)

    assert due_after(rig, batch_call, "user_declined")[0] == "exhausted"


@pytest.mark.django_db
def test_retries_in_the_afternoon_whom_it_called_in_the_morning(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    policy(batch_call.campaign, is_other_time_of_day=True, no_answer_delay_seconds=1800)

    assert due_after(rig, batch_call, "dial_no_answer") == ("queued", 2)  # 10:00 -> noon
    assert Enrolment.objects.get().next_attempt_at.astimezone(NEW_YORK).hour == 12


@pytest.mark.slow
@pytest.mark.django_db
def test_calls_back_at_the_asked_time_before_all_others(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=60)
    rig.retell.limit = 1
    rig.step()
    asked = rig.ringing()[0]
    rig.end(asked, "user_requested_callback")
    rig.analyse(asked, custom_analysis_data={"callback_time": "in 30 minutes"})
    enrolment = Enrolment.objects.get(pk=asked.enrolment_id)
    assert (enrolment.status, enrolment.waiting_reason) == ("queued", "callback")
    assert enrolment.callback_at == rig.now + timedelta(minutes=30)
    assert enrolment.was_reached

    while rig.now < enrolment.callback_at + timedelta(seconds=30):
        rig.step(seconds=20)
        for attempt in rig.ringing():
            if attempt.enrolment_id != enrolment.pk:
                rig.end(attempt, "dial_busy")

    again = Attempt.objects.get(enrolment=enrolment, number=2)
    assert again.callback_at == enrolment.callback_at
    assert again.sent_at is not None
    assert timedelta() <= again.sent_at - enrolment.callback_at < KEPT_WITHIN
    rig.end(again, "user_hangup")
    enrolment.refresh_from_db()
    ended = Enrolment.objects.get(pk=enrolment.pk)
    assert (ended.status, ended.callback_at) == ("done", None)
    assert batch_call.enrolments.exclude(pk=enrolment.pk).filter(status="done").count() == 0


@pytest.mark.django_db
def test_waits_a_day_where_no_time_was_said_and_keeps_the_launch_open(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    assert due_after(rig, batch_call, "user_requested_callback") == ("queued", 24)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    assert batch_call.waiting_reason == "callback"


@pytest.mark.django_db
def test_calls_back_beyond_the_cap_and_counts_who_was_reached_as_done(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    policy(batch_call.campaign, max_attempts=1, gap_seconds=0)
    assert due_after(rig, batch_call, "user_requested_callback")[0] == "queued"
    rig.tick(24 * 3600)

    assert due_after(rig, batch_call, "dial_no_answer")[0] == "done"  # they were reached before
    assert Attempt.objects.count() == 2
    rig.step()
    assert statuses(batch_call) == {"done": 1}


@pytest.mark.django_db
def test_calls_whom_it_promised_to_after_a_call_that_was_never_placed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    policy(batch_call.campaign, max_attempts=1, gap_seconds=0)
    assert due_after(rig, batch_call, "user_requested_callback")[0] == "queued"
    asked = Enrolment.objects.get().callback_at
    rig.tick(24 * 3600)

    assert due_after(rig, batch_call, "concurrency_limit_reached")[0] == "queued"

    waiting = Enrolment.objects.get()
    assert (waiting.callback_at, waiting.waiting_reason) == (asked, "callback")
    rig.tick(61)
    rig.step()
    assert len(rig.ringing()) == 1
    assert rig.ringing()[0].callback_at == asked


@pytest.mark.django_db
def test_hears_of_a_callback_that_only_the_analysis_tells(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=2)
    rig.step()
    rig.step()
    asked = rig.ringing()[0]
    rig.end(asked, "agent_hangup")
    assert Enrolment.objects.get(pk=asked.enrolment_id).status == "done"

    for _ in range(2):  # Retell may say it twice
        rig.analyse(asked, custom_analysis_data={"callback_time": "tomorrow at 3 pm"})

    enrolment = Enrolment.objects.get(pk=asked.enrolment_id)
    assert enrolment.status == "queued"
    assert enrolment.callback_at == local(24, 15).astimezone(UTC)
    assert statuses(batch_call) == {"queued": 1, "in_call": 1}


@pytest.mark.django_db
def test_reopens_no_launch_for_a_callback(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.step()
    asked = rig.ringing()[0]
    rig.end(asked, "agent_hangup")
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "finished"

    rig.analyse(asked, custom_analysis_data={"callback_time": "tomorrow at 3 pm"})

    assert statuses(batch_call) == {"done": 1}
    assert batch_call.status == "finished"
    # Nobody calls by itself: a person is reminded to.
    promise = FollowUp.objects.get()
    assert promise.due_at == local(24, 15).astimezone(UTC)
    assert (promise.lead_id, promise.call_id) == (asked.lead_id, Attempt.objects.get().call_id)
    rig.analyse(asked, custom_analysis_data={"callback_time": "tomorrow at 3 pm", "more": "x"})
    assert FollowUp.objects.count() == 1
