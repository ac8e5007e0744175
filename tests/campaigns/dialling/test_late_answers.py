"""Answers, lists and news that come later than what they are about: none leads to a second call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.invariants import audit_ledger
from campaigns.dialling import recovery
from campaigns.dialling.answers import apply_answer, record_lost
from campaigns.dialling.placing import Claim, rearm
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services.steering import pause_by_system
from convomono.lib.ids import uuid7
from telephony.models import Call
from telephony.provider import CallPage, PlacedCall, RateLimited, Rejected
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.provider import ProviderError
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
NOTHING = CallPage(calls=(), pagination_key=None)


def send_again(rig: Rig, attempt: Attempt) -> None:
    """Let another dispatcher find the answer lost and send the attempt again."""
    record_lost(attempt=attempt, error="The dispatcher ended before the answer came.")
    lost = Attempt.objects.get(pk=attempt.pk)
    claim = Claim(lease=uuid7(), until=rig.real + timedelta(seconds=60))
    rearm(attempt=lost, claim=claim, now=rig.now)


@pytest.mark.parametrize("late", [Rejected("Bad request.", 400), RateLimited("Busy.", 1.0)])
def test_leaves_an_attempt_alone_that_was_sent_again_meanwhile(
    rig: Rig, ready: Callable[..., BatchCall], late: ProviderError
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=True)
    rig.dispatcher().step(now=rig.now)  # its answer is not written yet
    sent = Attempt.objects.get()
    send_again(rig, sent)

    apply_answer(attempt=sent, answer=late, retry_at=rig.now, now=rig.now)

    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.sends_count) == ("dialling", 2)
    assert statuses(batch_call) == {"dialling": 1}
    assert list(audit_ledger()) == []


def test_gives_nothing_up_by_a_list_from_before_the_last_sending(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)
    rig.step()
    rig.tick(16 * 60)
    asked_about = Attempt.objects.get()
    send_again(rig, asked_about)  # and this one rings
    record_lost(attempt=Attempt.objects.get(), error="Timed out.")
    pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)

    settled = recovery.settle_unknown(attempt=asked_about, page=NOTHING, now=rig.now)

    assert settled == "wait"
    assert statuses(batch_call) == {"dialling": 1}


def test_gives_up_only_when_the_last_sending_would_be_listed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)
    rig.step()
    rig.tick(20 * 60)
    send_again(rig, Attempt.objects.get())
    record_lost(attempt=Attempt.objects.get(), error="Timed out.")
    pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)

    def settle() -> str:
        return recovery.settle_unknown(attempt=Attempt.objects.get(), page=NOTHING, now=rig.now)

    rig.tick(14 * 60)
    assert settle() == "wait"
    rig.tick(2 * 60)
    assert settle() == "given_up"
    assert statuses(batch_call) == {"queued": 1}
    assert list(audit_ledger()) == []


def test_dials_afresh_instead_of_sending_what_was_kept_for_too_long(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready()
    rig.retell.rate_limit(1)
    rig.step()
    kept = Attempt.objects.get()
    rig.dispatchers.clear()  # and for an hour nobody dials

    rig.tick(3600)
    for _ in range(3):
        rig.step()

    kept.refresh_from_db()
    assert kept.status == "not_placed"
    assert [dial.idempotency_key == str(kept.pk) for dial in rig.retell.dials] == [True, False]
    assert list(audit_ledger()) == []


def test_goes_on_when_the_platform_gives_one_attempt_two_calls(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=2)
    dispatcher = rig.dispatcher()
    rig.retell.limit = 1
    dispatcher.step(now=rig.now)
    attempt = Attempt.objects.get()
    first = rig.call_of(attempt)
    rig.tell(attempt, kind="started", call_status="ongoing")  # overtakes the answer
    rig.retell._by_key.clear()
    again = PlacedCall(call_id="call_other", call_status="registered", agent_id="", agent_version=0)

    apply_answer(attempt=attempt, answer=again, retry_at=rig.now, now=rig.now)

    attempt.refresh_from_db()
    assert (attempt.status, attempt.provider_call_id) == ("placed", first)
    assert Call.objects.count() == 1
    rig.retell.limit = 20
    for _ in range(3):
        rig.step(dispatcher)
    assert statuses(batch_call) == {"in_call": 2}


def test_keeps_who_is_on_the_phone_out_of_the_line(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=True)
    rig.step()
    attempt = Attempt.objects.get()
    pause_by_system(batch_call_id=batch_call.pk, reason="telephony", now=rig.now)
    rig.tick(16 * 60)
    recovery.settle_unknown(attempt=attempt, page=NOTHING, now=rig.now)
    assert statuses(batch_call) == {"queued": 1}

    attempt.refresh_from_db()
    rig.tell(attempt, kind="started", call_status="ongoing")

    attempt.refresh_from_db()
    assert attempt.status == "placed"
    assert statuses(batch_call) == {"in_call": 1}
    rig.end(attempt, seconds=40)
    assert statuses(batch_call) == {"done": 1}
    assert list(audit_ledger()) == []


def test_calls_by_the_zone_that_a_lead_has_now(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(is_any_hour=False)
    enrolment = Enrolment.objects.select_related("lead").get()
    enrolment.lead.time_zone = "America/Los_Angeles"  # it is seven in the morning there
    enrolment.lead.save()

    rig.step()

    assert rig.retell.dials == []
    assert Enrolment.objects.get().waiting_reason == "window"
