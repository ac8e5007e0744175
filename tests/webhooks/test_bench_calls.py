"""The benchmark's ringing calls are such that an end is billed, counted and moves its lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.rig.deliveries import event_body
from bench.rig.ringing import launch, ring, session_of
from billing.invariants import audit_ledger
from campaigns.models import BatchCall, Enrolment
from convomono.lib import clock
from telephony.models import Call
from tests.webhooks.conftest import deliver
from webhooks.drain import step
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from accounts.models import User


def test_rings_calls_that_an_event_ends(root: User):
    batch_call = launch(root, calls=3)
    ring(batch_call, start=7, count=3)
    BatchCall.objects.filter(pk=batch_call.pk).update(tasks_count=3, in_call_count=3)
    for number in (7, 8, 9):
        deliver(event_body(number, size=4096), created_at=clock.now())
    step(now=clock.now())
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    assert set(Call.objects.values_list("billed_seconds", flat=True)) == {62}
    assert Enrolment.objects.filter(status="done").count() == 3
    assert list(audit_ledger()) == []
    assert session_of(root)
