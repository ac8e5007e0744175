"""The circuit breaker: a campaign whose calls go wrong stops by itself, says why, and a person resumes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Notification
from audit.models import AuditLog
from campaigns.dialling.answers import halt_campaign, halt_launch
from campaigns.dialling.breaking import Recent, Safety, counted_from, tripped
from campaigns.models import BatchCall, SafetyPolicy
from campaigns.queries.progress import add_up, why
from campaigns.services import funding, lifecycle, steering
from campaigns.services.funding import resume_funded
from campaigns.services.steering import pause_batch_call, resume_batch_call
from telephony.models import Call
from tests.campaigns.dialling.histories import KilledError, killed
from tests.factories.campaigns import TESTS, enrol, launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

SAFETY = Safety()


@pytest.mark.parametrize(
    ("recent", "code"),
    [
        (Recent(calls=20, failed=11), "breaker_failed"),
        (Recent(calls=20, failed=10), None),  # fifty per cent are allowed, more aren't
        (Recent(calls=19, failed=19), None),  # too few to tell
        (Recent(calls=50, people=40, opted_out=10), "breaker_opted_out"),
        (Recent(calls=50, people=40, opted_out=4), None),
        (Recent(calls=50, people=12, opted_out=2), None),  # that may be chance
        (Recent(calls=50, people=9, opted_out=9), None),
        (Recent(calls=50, analysed=40, negative=32), "breaker_negative"),
        (Recent(calls=50, analysed=40, negative=24), None),
        (Recent(calls=50, analysed=10, negative=7), None),
        (Recent(calls=50, failed=26, people=10, opted_out=9), "breaker_failed"),
        (Recent(), None),
    ],
)
def test_says_what_is_too_bad(recent: Recent, code: str | None) -> None:
    trip = tripped(safety=SAFETY, recent=recent)

    assert (trip.code if trip else None) == code


def test_limits_talk_per_hour_only_where_somebody_asked_for_it() -> None:
    hour = Recent(calls=3, talk_seconds=601)

    assert tripped(safety=SAFETY, recent=hour) is None
    trip = tripped(safety=replace(SAFETY, talk_minutes_per_hour=10), recent=hour)
    assert trip is not None
    assert (trip.code, trip.facts) == ("breaker_spend", {"used": 10, "limit": 10})


def test_can_be_switched_off() -> None:
    off = Safety(failed_percent=100, opted_out_percent=100, negative_percent=100)

    assert tripped(safety=off, recent=Recent(calls=99, failed=99, people=99, opted_out=99)) is None


def careful(batch_call: BatchCall, **fields: Any) -> SafetyPolicy:
    return SafetyPolicy.objects.create(
        client=batch_call.client, campaign=batch_call.campaign, **fields
    )


@pytest.mark.django_db
def test_stops_a_campaign_whose_calls_fail_and_a_person_resumes_it(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=40)
    careful(batch_call, least_calls=4, window_calls=8)
    rig.retell.limit = 4
    rig.step()
    rig.step()
    for attempt in rig.ringing():
        rig.end(attempt, "error_retell")

    rig.step()
    dialled = len(rig.retell.dials)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "paused"
    assert batch_call.pause_reason == "breaker_failed"
    sentence = why(batch_call.campaign, [batch_call], add_up([batch_call]))
    assert "100 % of the last 4 calls failed, 50 % are allowed" in sentence
    told = Notification.objects.get(client=batch_call.client)
    assert "100 % of the last 4 calls" in told.body
    assert len(rig.retell.dials) == dialled  # nothing more after the stop

    rig.tick()
    resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    for attempt in rig.ringing():
        rig.end(attempt, "user_hangup")
    rig.step()
    rig.step()

    # It counts anew from the resume: the old failures stop it no second time.
    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("running", "")
    assert batch_call.waiting_facts.get("percent") is None
    assert len(rig.retell.dials) > dialled


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reason", "sentiment", "code"),
    [
        ("user_requested_dnc", "", "breaker_opted_out"),
        ("user_hangup", "Negative", "breaker_negative"),
    ],
)
def test_stops_what_people_dislike(
    rig: Rig, ready: Callable[..., BatchCall], reason: str, sentiment: str, code: str
) -> None:
    batch_call = ready(leads=30)
    careful(batch_call, least_calls=6)
    rig.step()
    rig.step()
    for attempt in rig.ringing()[:8]:
        rig.end(attempt, reason)
        if sentiment:
            rig.analyse(attempt, user_sentiment=sentiment)

    rig.step()

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("paused", code)


@pytest.mark.django_db
def test_stops_when_too_much_is_talked(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=30)
    careful(batch_call, talk_minutes_per_hour=5)
    rig.step()
    rig.step()
    for attempt in rig.ringing()[:4]:
        rig.end(attempt, "user_hangup", seconds=100)

    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.pause_reason == "breaker_spend"
    assert Call.objects.exclude(billed_seconds=0).count() == 4


@pytest.mark.django_db
def test_leaves_others_alone(rig: Rig, ready: Callable[..., BatchCall], rival: Any) -> None:
    bad = ready(leads=10)
    careful(bad, least_calls=4)
    good = ready(leads=10, client=rival, number="+12125550177", start=50)
    careful(good, least_calls=4)
    rig.step()
    rig.step()
    for attempt in rig.ringing():
        failed = attempt.batch_call_id == bad.pk
        rig.end(attempt, "error_retell" if failed else "user_hangup")

    rig.tick(1)
    rig.step()
    rig.now += timedelta(seconds=1)

    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.status, good.status) == ("paused", "finished")


def beside(batch_call: BatchCall, rig: Rig, *, start: int, by: str = "") -> BatchCall:
    """Launch further leads of the same campaign, by somebody or by itself."""
    enrol(batch_call.campaign, 30, start=start, at=rig.now)
    made = launch(batch_call.campaign, seconds=6000, now=rig.now)
    if by:
        BatchCall.objects.filter(pk=made.pk).update(launched_by_email=by)
    return made


@pytest.mark.django_db
def test_pauses_every_launch_of_the_campaign_and_tells_once(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    first = ready(leads=30)
    careful(first, least_calls=6)
    second = beside(first, rig, start=40)
    third = beside(first, rig, start=80)
    BatchCall.objects.filter(pk=third.pk).update(status="paused", pause_reason="paused_credit")
    rig.step()
    rig.step()
    # Neither launch alone has made six calls: what they found is found of the campaign.
    of = {
        one.pk: [a for a in rig.ringing() if a.batch_call_id == one.pk] for one in (first, second)
    }
    for attempt in [*of[first.pk][:3], *of[second.pk][:3]]:
        rig.end(attempt, "error_retell")
    rig.step()

    for row in (first, second, third):
        row.refresh_from_db()
        assert (row.status, row.pause_reason) == ("paused", "breaker_failed")
    assert Notification.objects.filter(client=first.client).count() == 1


@pytest.mark.django_db
def test_pauses_every_launch_when_a_carrier_takes_a_call_for_fraud(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    first = ready(leads=30)
    second = beside(first, rig, start=40)
    rig.step()
    rig.step()
    rig.end(rig.ringing()[0], "scam_detected")

    for row in (first, second):
        row.refresh_from_db()
        assert (row.status, row.pause_reason) == ("paused", "scam_detected")
    assert Notification.objects.filter(client=first.client).count() == 1


@pytest.mark.django_db
def test_goes_on_counting_when_new_leads_launch_by_themselves(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    first = ready(leads=30)
    rig.tick()
    assert counted_from(first) == first.created_at
    by_itself = beside(first, rig, start=40, by="top-up")
    assert counted_from(by_itself) == first.created_at
    rig.tick()
    by_hand = beside(first, rig, start=80)
    assert counted_from(first) == by_hand.created_at
    BatchCall.objects.exclude(pk=by_itself.pk).update(launched_by_email="top-up")
    assert counted_from(by_itself) < first.created_at


@pytest.mark.django_db
def test_resumes_nothing_with_minutes_that_a_person_paused(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    dry = ready(leads=30)
    other = beside(dry, rig, start=40)
    BatchCall.objects.filter(pk=dry.pk).update(status="paused", pause_reason="paused_credit")

    lifecycle.pause_campaign(campaign=dry.campaign, actor=TESTS, now=rig.now)

    assert resume_funded(now=rig.now) == 0
    for row in (dry, other):
        row.refresh_from_db()
        assert (row.status, row.pause_reason, row.paused_by_email) == (
            "paused",
            "person",
            TESTS.actor_email,
        )


@pytest.mark.django_db
def test_goes_on_counting_when_minutes_resume_the_launch(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=30)
    rig.step()
    BatchCall.objects.update(status="paused", pause_reason="paused_credit")

    assert resume_funded(now=rig.now) == 1

    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    assert counted_from(batch_call) == batch_call.created_at
    rig.tick()
    pause_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    assert counted_from(batch_call) == rig.now


@pytest.mark.django_db
def test_pauses_nothing_for_the_fraud_verdict_of_long_ago(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    """What was replayed or came late tells nothing of now: a person may have resumed it since."""
    batch_call = ready(leads=30)
    rig.step()
    ended_at = rig.now
    attempt = rig.ringing()[0]
    rig.tick(3 * 3600)
    rig.end(attempt, "scam_detected", ended_at=ended_at)

    batch_call.refresh_from_db()
    assert batch_call.status == "running"


@pytest.mark.django_db
def test_says_that_it_paused_what_waited_for_minutes_and_records_it(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    dry = ready(leads=30)
    BatchCall.objects.update(status="paused", pause_reason="paused_credit")

    paused = lifecycle.pause_campaign(campaign=dry.campaign, actor=TESTS, now=rig.now)

    assert [one.pk for one in paused] == [dry.pk]
    assert AuditLog.objects.filter(action="campaign.paused").count() == 1
    with pytest.raises(lifecycle.BatchCallNotRunning):
        lifecycle.pause_campaign(campaign=dry.campaign, actor=TESTS, now=rig.now)


@pytest.mark.django_db
def test_does_not_resume_with_minutes_what_a_person_paused_meanwhile(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=30)
    rig.step()
    BatchCall.objects.update(status="paused", pause_reason="paused_credit")
    seen = BatchCall.objects.select_related("client__wallet").get()

    lifecycle.pause_campaign(campaign=batch_call.campaign, actor=TESTS, now=rig.now)

    assert not funding._resume_if_funded(seen, True, rig.now)
    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "person")


@pytest.mark.django_db
def test_pauses_too_what_minutes_start_while_it_pauses(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    dry = ready(leads=10)
    rig.step()
    enrol(dry.campaign, 5, start=50)
    running = launch(dry.campaign, now=rig.now)
    BatchCall.objects.filter(pk=dry.pk).update(status="paused", pause_reason="paused_credit")
    pause_one = steering._pause_one
    is_first = True

    def minutes_come(those: Any, pk: Any, *rest: Any) -> bool:
        nonlocal is_first
        if is_first:
            is_first = False
            row = BatchCall.objects.select_related("client__wallet").get(pk=dry.pk)
            assert funding._resume_if_funded(row, True, rig.now)
        return pause_one(those, pk, *rest)

    monkeypatch.setattr(steering, "_pause_one", minutes_come)
    steering.pause_campaign_by_system(
        client_id=dry.client_id, campaign_id=dry.campaign_id, reason="telephony", now=rig.now
    )

    for row in (dry, running):
        row.refresh_from_db()
        assert (row.status, row.pause_reason) == ("paused", "telephony")


@pytest.mark.django_db
def test_tells_of_each_halt_although_whoever_halted_was_killed(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready(leads=3)
    rig.step()
    asked: dict[str, Any] = {"reason": "telephony", "now": rig.now}
    of: dict[str, Any] = {"client_id": batch_call.client_id, "campaign_id": batch_call.campaign_id}
    halts = (
        partial(halt_launch, batch_call_id=batch_call.pk, detail="", **asked),
        partial(halt_campaign, **of, **asked),
    )
    for number, halt in enumerate(halts):
        with monkeypatch.context() as patch:
            patch.setattr("campaigns.dialling.answers.notify", killed)
            with pytest.raises(KilledError):
                halt()
        assert halt()
        assert not halt()
        assert Notification.objects.filter(client=batch_call.client).count() == 1 + number
        resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["scam_detected", "sip_routing_error"])
def test_halts_although_whoever_heard_of_it_was_killed(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    batch_call = ready(leads=30)
    rig.step()
    with monkeypatch.context() as killed:
        killed.setattr("campaigns.services.dialling._halts", lambda *_all: iter(()))
        rig.end(rig.ringing()[0], reason)
    batch_call.refresh_from_db()
    assert batch_call.status == "running"

    rig.tick(2)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "paused"
    resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    rig.tick(2)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"  # a person has looked at it
