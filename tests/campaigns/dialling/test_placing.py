"""Placing calls: the plain way from a launch to the end of its last call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import QuerySet

from accounts.models import Notification
from billing.models import CallHold, Reservation
from campaigns import dispatcher
from campaigns.dialling import placing
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, CampaignVersion, Enrolment
from leads.models import Lead
from telephony.models import Call, PhoneNumber
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def test_calls_a_lead_once_with_its_own_key(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()

    for _ in range(5):
        rig.step()

    attempt = Attempt.objects.get()
    (dial,) = rig.retell.dials
    assert dial.idempotency_key == str(attempt.pk)
    assert dial.metadata == {
        "attempt_id": str(attempt.pk),
        "campaign_id": str(batch_call.campaign_id),
        "client_id": str(batch_call.client_id),
    }
    assert dial.dynamic_variables["first_name"] == "Person 0"
    assert (dial.from_number, dial.to_number) == ("+12125550199", "+12015550100")
    assert attempt.status == "placed"
    assert attempt.decision["verdict"] == "allow"
    assert statuses(batch_call) == {"in_call": 1}
    assert Call.objects.get().attempt_id == attempt.pk


def test_never_lets_a_call_outlive_its_hold(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(reserve=130)

    rig.step()

    assert CallHold.objects.get().seconds == 130
    assert rig.retell.dials[0].max_call_duration_ms == 130_000


def test_runs_a_launch_to_its_end(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=30)

    rig.run(ends={"reason": "user_hangup", "seconds": 30})

    assert statuses(batch_call) == {"done": 30}
    assert batch_call.status == "finished"
    assert completeness(batch_call.pk).holds
    assert len(rig.retell.placed) == 30
    assert Reservation.objects.get().status == "closed"
    assert Reservation.objects.get().posted_seconds == 900
    assert Notification.objects.filter(key=f"batch.finished:{batch_call.pk}").exists()
    assert set(Lead.objects.values_list("status", "attempts_count")) == {("reached", 1)}


def test_retries_who_did_not_answer_until_the_cap(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()

    due = []
    for _ in range(3):
        rig.step()
        rig.end(rig.ringing()[0], "dial_no_answer")
        due.append(Enrolment.objects.get().next_attempt_at)
        rig.tick(4 * 3600)

    assert statuses(batch_call) == {"exhausted": 1}
    assert [attempt.number for attempt in Attempt.objects.order_by("number")] == [1, 2, 3]
    assert Enrolment.objects.get().attempts_count == 3
    assert batch_call.status == "finished"
    assert Lead.objects.get().status == "exhausted"


def test_does_not_count_what_was_no_dial(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.step()

    rig.end(rig.ringing()[0], "telephony_provider_unavailable", seconds=0)

    assert statuses(batch_call) == {"queued": 1}
    assert Enrolment.objects.get().attempts_count == 0
    assert Attempt.objects.get().status == "not_placed"
    assert CallHold.objects.get().status == "voided"


def test_starts_a_launch_when_its_time_has_come(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    BatchCall.objects.update(scheduled_at=rig.now.replace(hour=16))

    rig.step()
    batch_call.refresh_from_db()
    assert (batch_call.status, rig.retell.dials) == ("scheduled", [])

    rig.tick(3600)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    assert len(rig.retell.dials) == 1


def test_waits_until_all_leads_are_in_line(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready()
    BatchCall.objects.update(attached_at=None)

    rig.step()

    assert rig.retell.dials == []


def test_uses_the_least_recently_used_number_and_sticks_to_it(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    ready(leads=2)
    PhoneNumber.objects.create(phone_number="+12125550188", client=acme, created_at=rig.now)

    rig.step()
    rig.step()
    used = {dial.to_number: dial.from_number for dial in rig.retell.dials}
    assert sorted(used.values()) == ["+12125550188", "+12125550199"]

    for attempt in rig.ringing():
        rig.end(attempt, "dial_no_answer")
    rig.tick(4 * 3600)
    rig.step()
    rig.step()
    assert {dial.to_number: dial.from_number for dial in rig.retell.dials[2:]} == used
    assert set(PhoneNumber.objects.values_list("used_count", flat=True)) == {2}


def test_leaves_a_lead_that_is_not_due(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready()
    Enrolment.objects.update(next_attempt_at=rig.now.replace(hour=17))

    rig.step()

    assert rig.retell.dials == []


def test_never_has_the_name_of_a_variable_read_aloud(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready()
    words = "Offer {{deal}} before {{current_time}}."
    QuerySet.update(CampaignVersion.objects.all(), script_raw=words)  # past its own refusal

    rig.step()

    dial = rig.retell.dials[0]
    assert dial.dynamic_variables["deal"] == ""
    assert "current_time" not in dial.dynamic_variables


def test_sends_nothing_once_the_consent_is_taken_back(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the decision and the sending a moment passes, or a wait for a line."""
    ready()
    prepare = placing.prepare_attempt

    def late(**arguments: Any) -> Attempt:
        Lead.objects.update(consent_status=Lead.ConsentStatus.REVOKED)
        return prepare(**arguments)

    monkeypatch.setattr(dispatcher, "prepare_attempt", late)
    rig.step()
    assert rig.retell.dials == []
