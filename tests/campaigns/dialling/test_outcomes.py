"""What the news of a call does to its lead: in any order, any number of times, once in effect."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from billing.models import Reservation
from campaigns import enrolments, jobs
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services import steering
from leads.models import Lead, Suppression
from telephony.models import PhoneNumber
from tests.campaigns.dialling import conftest
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def test_counts_an_ended_call_once(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=2)
    rig.step()
    (attempt,) = rig.ringing()

    for _ in range(3):
        rig.end(attempt, "dial_no_answer")

    assert Enrolment.objects.get(pk=attempt.enrolment_id).attempts_count == 1
    assert statuses(batch_call) == {"queued": 2}


def test_moves_a_lead_whose_call_was_a_voicemail_after_all(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=2)
    rig.step()
    (attempt,) = rig.ringing()

    rig.end(attempt, "user_hangup")
    assert statuses(batch_call) == {"done": 1, "queued": 1}
    rig.analyse(attempt, in_voicemail=True)

    enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
    assert statuses(batch_call) == {"queued": 2}
    assert (enrolment.attempts_count, enrolment.was_reached) == (1, False)
    assert (enrolment.last_outcome, enrolment.waiting_reason) == ("machine", "retry")
    assert Lead.objects.get(pk=enrolment.lead_id).status == "called"


def test_does_not_reopen_a_finished_launch(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.step()
    (attempt,) = rig.ringing()
    rig.end(attempt, "user_hangup")

    rig.analyse(attempt, in_voicemail=True)

    assert statuses(batch_call) == {"exhausted": 1}
    assert batch_call.status == "finished"
    assert completeness(batch_call.pk).holds


@pytest.mark.parametrize("order", list(permutations(["started", "ended", "analyzed", "answer"])))
def test_comes_out_alike_in_every_order(
    rig: Rig, ready: Callable[..., BatchCall], order: tuple[str, ...]
) -> None:
    batch_call = ready(leads=2)
    rig.retell.lose_answer(placed=True)
    rig.step()
    attempt = Attempt.objects.get()
    call_id = rig.call_of(attempt)

    for name in (*order, *order):
        if name == "started":
            rig.tell(attempt, kind="started", call_status="ongoing")
        elif name == "ended":
            rig.end(attempt, "user_hangup")
        elif name == "analyzed":
            rig.analyse(attempt, in_voicemail=True)
        else:
            from campaigns.dialling.answers import record_placed

            record_placed(
                attempt=Attempt.objects.get(),
                provider_call_id=call_id,
                now=rig.now,
            )

    enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
    assert statuses(batch_call) == {"queued": 2}
    assert (enrolment.attempts_count, enrolment.was_reached) == (1, False)
    attempt.refresh_from_db()
    assert (attempt.status, attempt.outcome_class) == ("ended", "machine")


def test_suppresses_who_asks_for_it_everywhere(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    from tests.factories.campaigns import launch, make_ready

    first = ready()
    campaign = make_ready(first.client, name="Another", is_any_hour=True)
    Enrolment.objects.create(
        client=first.client,
        campaign=campaign,
        lead=Lead.objects.get(),
        phone_number="+12015550100",
        next_attempt_at=rig.now,
        created_at=rig.now,
    )
    second = launch(campaign, seconds=600)
    rig.step()
    (attempt,) = rig.ringing()

    rig.end(attempt, "user_requested_dnc")
    for _ in range(5):
        rig.step(seconds=1000)

    assert len(rig.retell.dials) == 1
    assert statuses(first) == {"suppressed": 1}
    assert statuses(second) == {"suppressed": 1}
    assert (first.status, second.status) == ("finished", "finished")
    row = Suppression.objects.get()
    assert (row.level, row.source, row.phone_number) == ("client", "call", "+12015550100")
    assert Enrolment.objects.get(batch_call=first).has_opted_out


def test_notes_a_conversion_that_the_analysis_found(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=2)
    rig.step()
    (attempt,) = rig.ringing()

    rig.end(attempt, "user_hangup")
    rig.analyse(attempt, custom_analysis_data={"converted": True})

    enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
    assert (enrolment.was_reached, enrolment.is_converted) == (True, True)
    assert Lead.objects.get(pk=enrolment.lead_id).status == "converted"


def test_rests_a_number_that_was_marked_as_spam(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=3)
    rig.step()

    rig.end(rig.ringing()[0], "marked_as_spam", seconds=0)
    rig.step()

    number = PhoneNumber.objects.get()
    assert number.resting_until is not None and number.resting_until > rig.now
    assert len(rig.retell.dials) == 1


@pytest.mark.parametrize(
    ("reason", "pause"),
    [("scam_detected", "scam_detected"), ("sip_routing_error", "telephony")],
)
def test_pauses_a_campaign_that_must_be_looked_at(
    rig: Rig, ready: Callable[..., BatchCall], reason: str, pause: str
) -> None:
    batch_call = ready(leads=3)
    rig.step()

    rig.end(rig.ringing()[0], reason, seconds=0)

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("paused", pause)


def test_stops_everything_when_the_platform_is_not_paid(
    rig: Rig, ready: Callable[..., BatchCall], rival: object
) -> None:
    first = ready(leads=3)
    second = ready(leads=2, client=rival, start=50, number="+12125550177")
    rig.step()

    rig.end(rig.ringing()[0], "no_valid_payment", seconds=0)

    for batch_call in (first, second):
        batch_call.refresh_from_db()
        assert (batch_call.status, batch_call.pause_reason) == ("paused", "provider_payment")


def test_pauses_nothing_of_today_for_a_call_of_last_month_that_was_not_paid_for(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    """Its event failed then, and somebody replays it now."""
    batch_call = ready(leads=3)
    rig.step()
    told = rig.now
    rig.tick(3601)

    rig.end(rig.ringing()[0], "no_valid_payment", seconds=0, ended_at=told)

    batch_call.refresh_from_db()
    assert batch_call.status == "running"
    assert Attempt.objects.filter(disconnection_reason="no_valid_payment").exists()


def test_pauses_everything_outside_of_the_events_transaction(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred launches are hundreds of rows: no event may hold the database for so long."""
    batch_call = ready(leads=1)
    rig.step()
    attempt = rig.ringing()[0]
    monkeypatch.setattr(conftest, "conclude", lambda **_later: None)

    rig.end(attempt, "no_valid_payment", seconds=0)

    batch_call.refresh_from_db()
    assert batch_call.status == "running"


def test_retries_once_what_is_retried_once(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    for _ in range(2):
        rig.step(seconds=5 * 3600)
        rig.end(rig.ringing()[0], "error_retell")

    assert statuses(batch_call) == {"exhausted": 1}


def test_ends_the_lead_of_a_stopped_launch_with_its_call(
    rig: Rig, ready: Callable[..., BatchCall], alice: User
) -> None:
    from campaigns.services.lifecycle import stop_batch_call

    batch_call = ready(leads=3)
    rig.step()
    batch_call.refresh_from_db()
    stop_batch_call(batch_call=batch_call, actor=alice, now=rig.now)

    rig.end(rig.ringing()[0], "dial_no_answer")

    assert statuses(batch_call) == {"cancelled": 3}
    assert batch_call.status == "cancelled"


def test_knows_nothing_of_calls_without_an_attempt(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    from dataclasses import replace

    from campaigns.services.dialling import record_outcome
    from convomono.lib.ids import uuid7

    ready()
    rig.step()
    change = rig.end(rig.ringing()[0])
    assert change is not None

    for attempt_id in (None, uuid7()):
        stranger = replace(change, attempt_id=attempt_id)
        assert record_outcome(change=stranger, charge=None, now=rig.now) is None


def test_halts_once_for_many_calls_and_not_for_a_test_call(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from campaigns.services import dialling

    ready(leads=3)
    rig.step()
    monkeypatch.setattr(conftest, "conclude", lambda **_later: None)
    change = rig.end(rig.ringing()[0], "sip_routing_error", seconds=0)
    assert change is not None
    halted: list[object] = []
    monkeypatch.setattr(dialling, "halt_campaign", lambda **fields: halted.append(fields))

    dialling.free_lines(changes=[replace(change, attempt_id=None)], now=rig.now)
    assert halted == []

    dialling.free_lines(changes=[change] * 50, now=rig.now)
    assert len(halted) == 1


def test_does_not_pause_again_what_a_person_resumed(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3)
    rig.step()
    (attempt,) = rig.ringing()
    rig.end(attempt, "sip_routing_error", seconds=0)
    BatchCall.objects.update(status="running", pause_reason="")

    rig.end(attempt, "sip_routing_error", seconds=0)

    batch_call.refresh_from_db()
    assert batch_call.status == "running"


def test_frees_the_minutes_of_an_end_that_was_killed_before_it_did(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()
    rig.step()

    def killed(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(enrolments, "close_reservation", killed)
        with pytest.raises(KeyboardInterrupt):
            rig.end(rig.ringing()[0])
    batch_call.refresh_from_db()
    assert batch_call.status == "finished"
    assert Reservation.objects.get().status == "open"

    assert list(steering.left_behind()) == [batch_call.pk]
    jobs.cancel_leads(batch_call_id=str(batch_call.pk))

    assert Reservation.objects.get().status == "closed"
    assert not steering.left_behind().exists()
