"""The completeness equation: checked each minute, kept on the launch, demanded at its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from billing.models import Reservation
from campaigns.dialling import bookkeeping
from campaigns.dialling.bookkeeping import check_completeness, check_launch
from campaigns.enrolments import completeness, finish_if_complete, move_enrolment
from campaigns.models import BatchCall, Enrolment
from campaigns.queries.progress import add_up
from campaigns.services import steering
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def test_checks_a_running_launch_each_minute(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=5)
    rig.step()

    assert check_completeness(now=rig.now) == 0
    batch_call.refresh_from_db()
    assert (batch_call.checked_at, batch_call.mismatch) == (rig.now, {})
    first = rig.now
    rig.tick(30)
    check_completeness(now=rig.now)
    batch_call.refresh_from_db()
    assert batch_call.checked_at == first
    rig.tick(30)
    check_completeness(now=rig.now)
    batch_call.refresh_from_db()
    assert batch_call.checked_at == rig.now
    assert not Notification.objects.exists()


def test_finds_a_lead_that_is_lost_and_tells_the_agency_once(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=5)
    lost = Enrolment.objects.filter(batch_call=batch_call).first()
    assert lost is not None
    Enrolment.objects.filter(pk=lost.pk).update(batch_call=None)

    assert check_completeness(now=rig.now) == 1
    rig.tick(60)
    assert check_completeness(now=rig.now) == 1

    batch_call.refresh_from_db()
    assert batch_call.mismatch == {"queued": [5, 4], "enrolled": [5, 4]}
    progress = add_up([batch_call])
    assert progress.is_off and not progress.adds_up
    told = Notification.objects.get()
    assert told.client is None
    assert "queued counted 5, found 4" in told.body

    Enrolment.objects.filter(pk=lost.pk).update(batch_call=batch_call)
    rig.tick(60)
    assert check_completeness(now=rig.now) == 0
    batch_call.refresh_from_db()
    assert batch_call.mismatch == {}


def test_never_finishes_what_does_not_add_up(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=2)
    lost = Enrolment.objects.filter(batch_call=batch_call).first()
    assert lost is not None
    Enrolment.objects.filter(pk=lost.pk).update(batch_call=None)
    BatchCall.objects.filter(pk=batch_call.pk).update(queued_count=1)

    rig.run(ends={"reason": "user_hangup"})

    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    assert not finish_if_complete(batch_call_id=batch_call.pk, now=rig.now)
    assert check_completeness(now=rig.now) == 1


def test_takes_no_move_between_two_looks_for_a_mistake(
    ready: Callable[..., BatchCall], rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready(leads=5)
    count = completeness
    looks = []

    def is_overtaken_once(batch_call_id):
        counted = count(batch_call_id)
        looks.append(counted)
        if len(looks) > 1:
            return counted
        return replace(counted, queued=4, in_call=0, counters_agree=False)

    monkeypatch.setattr(bookkeeping, "completeness", is_overtaken_once)

    assert check_launch(batch_call=batch_call, now=rig.now)
    assert len(looks) == 2


def test_looks_once_more_after_the_end_and_then_no_more(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=2)
    rig.run(ends={"reason": "user_hangup"})
    batch_call.refresh_from_db()
    assert batch_call.status == "finished"

    rig.tick(60)
    check_completeness(now=rig.now)
    batch_call.refresh_from_db()
    assert batch_call.checked_at == rig.now
    assert (batch_call.done_count, batch_call.tasks_count) == (2, 2)
    rig.now += timedelta(hours=2)
    check_completeness(now=rig.now)
    batch_call.refresh_from_db()
    assert batch_call.checked_at != rig.now


def test_finishes_a_paused_launch_whose_last_leads_left_the_line(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=1)
    rig.step()
    rig.end(rig.ringing()[0], "dial_busy")
    steering.pause_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    lead = Enrolment.objects.get()
    move_enrolment(
        enrolment_id=lead.pk, from_statuses=("queued",), to_status="suppressed", now=rig.now
    )
    batch_call.refresh_from_db()
    assert batch_call.status == "paused"

    rig.tick(60)
    check_completeness(now=rig.now)

    batch_call.refresh_from_db()
    assert batch_call.status == "finished"
    assert Reservation.objects.get().status == "closed"
