"""The last look before a call is sent: a pause, a stop or an opt-out meanwhile, and attempts that were put off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.invariants import audit_ledger
from campaigns.dialling.placing import prepare_attempt, rearm
from campaigns.models import Attempt, BatchCall
from campaigns.services.steering import pause_by_system
from leads.models import Suppression
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def test_honours_a_pause_between_decision_and_sending(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready(leads=3)

    def paused_meanwhile(**arguments: Any) -> Attempt:
        pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)
        return prepare_attempt(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", paused_meanwhile)
    rig.step()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"queued": 3}
    assert not Attempt.objects.exists()
    assert list(audit_ledger()) == []


def test_honours_a_pause_that_meets_a_kept_attempt(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()
    rig.retell.rate_limit()
    rig.step()

    def paused_meanwhile(**arguments: Any) -> Attempt:
        attempt = prepare_attempt(**arguments)
        pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)
        return attempt

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", paused_meanwhile)
    rig.step(seconds=6)

    assert len(rig.retell.dials) == 1
    assert statuses(batch_call) == {"queued": 1}
    assert Attempt.objects.get().status == "not_placed"
    assert list(audit_ledger()) == []


def test_honours_a_do_not_call_between_decision_and_sending(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()

    def asked_meanwhile(**arguments: Any) -> Attempt:
        number = batch_call.enrolments.get().phone_number
        Suppression.objects.get_or_create(
            level="agency",
            phone_number=number,
            scope_key=f"agency:{number}",
            source="person",
            defaults={"created_at": rig.now},
        )
        return prepare_attempt(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", asked_meanwhile)
    rig.step()
    rig.step()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"suppressed": 1}


def test_does_not_send_again_for_a_paused_launch(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)

    def paused_meanwhile(**arguments: Any) -> None:
        pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)
        rearm(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.rearm", paused_meanwhile)
    for _ in range(100):
        rig.step()

    assert len(rig.retell.dials) == 1
    assert Attempt.objects.get().status == "unknown"


def test_lets_go_of_a_kept_attempt_of_a_stopped_launch(
    rig: Rig, ready: Callable[..., BatchCall], alice: User
) -> None:
    from campaigns.services.lifecycle import stop_batch_call

    batch_call = ready()
    rig.retell.rate_limit(600)
    rig.step()
    assert Attempt.objects.get().status == "dialling"
    batch_call.refresh_from_db()
    stop_batch_call(batch_call=batch_call, actor=alice, now=rig.now)

    rig.step()
    rig.step()

    assert Attempt.objects.get().status == "not_placed"
    assert statuses(batch_call) == {"cancelled": 1}
    assert list(audit_ledger()) == []


def test_dials_afresh_when_a_kept_attempt_was_not_taken_for_long(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready()
    rig.retell.rate_limit(1200)
    rig.step()

    rig.step(seconds=700)
    assert Attempt.objects.get().status == "not_placed"
    rig.step(seconds=600)
    rig.step()

    assert [row.status for row in Attempt.objects.order_by("number")] == ["not_placed", "placed"]
    assert list(audit_ledger()) == []
