"""Pausing, resuming and stopping launches: at once, once, and with nothing lost."""

from __future__ import annotations

import pytest

from audit.models import AuditLog
from campaigns import jobs
from campaigns.models import BatchCall, Enrolment
from campaigns.services import lifecycle, steering
from tests.factories.billing import balances
from tests.factories.campaigns import NOW, enrol, launch, make_ready, run_batch


@pytest.fixture
def running(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


def status(batch_call):
    return BatchCall.objects.values_list("status", flat=True).get(pk=batch_call.pk)


def test_pauses_and_resumes_where_it_stopped(alice, running):
    lifecycle.pause_batch_call(batch_call=running, actor=alice, now=NOW)

    running.refresh_from_db()
    assert (running.status, running.paused_by_email) == ("paused", "alice@acme.test")
    lifecycle.resume_batch_call(batch_call=running, actor=alice, now=NOW)
    running.refresh_from_db()
    assert (running.status, running.paused_by_email, running.pause_reason) == ("running", "", "")
    assert running.queued_count == 4


def test_resumes_a_launch_that_never_began_as_scheduled(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)
    batch_call = launch(campaign)

    lifecycle.pause_batch_call(batch_call=batch_call, actor=alice, now=NOW)
    lifecycle.resume_batch_call(batch_call=batch_call, actor=alice, now=NOW)

    assert status(batch_call) == "scheduled"


def test_refuses_the_second_of_two_presses(alice, running):
    lifecycle.pause_batch_call(batch_call=running, actor=alice, now=NOW)
    with pytest.raises(lifecycle.BatchCallNotRunning):
        lifecycle.pause_batch_call(batch_call=running, actor=alice, now=NOW)
    lifecycle.resume_batch_call(batch_call=running, actor=alice, now=NOW)
    with pytest.raises(lifecycle.BatchCallNotPaused):
        lifecycle.resume_batch_call(batch_call=running, actor=alice, now=NOW)
    lifecycle.stop_batch_call(batch_call=running, actor=alice, now=NOW)
    with pytest.raises(lifecycle.BatchCallOver):
        lifecycle.stop_batch_call(batch_call=running, actor=alice, now=NOW)

    actions = AuditLog.objects.filter(action__in=["campaign.paused", "campaign.stopped"])
    assert actions.count() == 2


def test_pauses_by_the_product_with_its_reason(running):
    assert lifecycle.pause_by_system(batch_call_id=running.pk, reason="provider_key", now=NOW)
    assert not lifecycle.pause_by_system(batch_call_id=running.pk, reason="other", now=NOW)

    running.refresh_from_db()
    assert (running.status, running.pause_reason, running.paused_by_email) == (
        "paused",
        "provider_key",
        "",
    )


def test_stops_waiting_leads_and_frees_their_minutes(alice, running):
    one = Enrolment.objects.all()[0]
    Enrolment.objects.filter(pk=one.pk).update(status="in_call")
    BatchCall.objects.update(queued_count=3, in_call_count=1)

    lifecycle.stop_batch_call(batch_call=running, actor=alice, now=NOW)

    running.refresh_from_db()
    assert (running.status, running.cancelled_count, running.in_call_count) == ("cancelled", 3, 1)
    assert Enrolment.objects.filter(status="cancelled", completed_at=NOW).count() == 3
    assert balances(running.client)[:2] == (60_000, 0)


def test_goes_on_where_a_killed_stop_broke_off(
    alice, running, monkeypatch, run_jobs, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(steering, "SLICE", 1)
    steering.stop_batch_call(batch_call=running, actor=alice, now=NOW)
    steering.cancel_slice(batch_call_id=running.pk, now=NOW)  # and here it was killed

    with django_capture_on_commit_callbacks(execute=True):
        jobs.resume_campaigns()
    run_jobs()

    running.refresh_from_db()
    assert (running.queued_count, running.cancelled_count) == (0, 4)
    assert balances(running.client)[:2] == (60_000, 0)


@pytest.mark.parametrize("waiting", [4, 0])
def test_frees_the_minutes_of_a_stop_that_was_killed_before_it_did(
    alice, running, run_jobs, django_capture_on_commit_callbacks, waiting
):
    if not waiting:  # everybody was called, and nobody had to be taken out of the line
        Enrolment.objects.update(status="done")
        BatchCall.objects.update(queued_count=0, done_count=4)
    steering.stop_batch_call(batch_call=running, actor=alice, now=NOW)
    if waiting:
        steering.cancel_slice(batch_call_id=running.pk, now=NOW)  # and here it was killed
    assert balances(running.client)[:2] == (57_000, 3000)

    for _ in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.resume_campaigns()
        run_jobs()

    assert balances(running.client)[:2] == (60_000, 0)
    assert not steering.left_behind().exists()


def test_steers_every_launch_of_a_campaign(alice, equipped):
    campaign = make_ready(equipped)
    for start in (0, 2):
        enrol(campaign, 2, start=start)
        run_batch(launch(campaign, seconds=600))

    assert len(lifecycle.pause_campaign(campaign=campaign, actor=alice, now=NOW)) == 2
    assert len(lifecycle.resume_campaign(campaign=campaign, actor=alice, now=NOW)) == 2
    assert len(lifecycle.stop_campaign(campaign=campaign, actor=alice, now=NOW)) == 2
    with pytest.raises(lifecycle.BatchCallOver):
        lifecycle.stop_campaign(campaign=campaign, actor=alice, now=NOW)
