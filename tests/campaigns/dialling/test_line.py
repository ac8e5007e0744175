"""A person's hand on the line, as the dispatcher sees it: who is called next, and who isn't."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from billing.invariants import audit_ledger
from campaigns.dialling.placing import prepare_attempt
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.queries.line import in_line, line
from campaigns.services import queueing
from campaigns.services.lifecycle import stop_campaign
from campaigns.services.queueing import LaunchIsOver, NotDue, NotInLine
from tests.campaigns.dialling.conftest import statuses
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def leads_of(batch_call: BatchCall) -> list[Enrolment]:
    return list(in_line([batch_call.pk], now=NOW))


def dialled(rig: Rig) -> list[str]:
    return [dial.to_number for dial in rig.retell.dials]


@pytest.fixture
def line_of_five(rig: Rig, ready: Callable[..., BatchCall]) -> BatchCall:
    """Five leads in line; the dispatcher calls one a second."""
    rig.dispatcher(per_second=1)
    return ready(leads=5)


def test_calls_next_whom_somebody_moved_up(rig: Rig, line_of_five: BatchCall, alice: User) -> None:
    last = leads_of(line_of_five)[-1]

    queueing.move_up(enrolment=last, actor=alice, now=rig.now)
    assert leads_of(line_of_five)[0] == last
    rig.step()

    assert dialled(rig)[0] == last.phone_number
    last.refresh_from_db()
    assert last.moved_from is None  # the next attempt has its own place
    assert AuditLog.objects.get(action="enrolment.moved_up").client_id == line_of_five.client_id


def test_puts_back_whom_somebody_moved_up(rig: Rig, line_of_five: BatchCall, alice: User) -> None:
    before = leads_of(line_of_five)
    queueing.move_up(enrolment=before[3], actor=alice, now=rig.now)

    moved = Enrolment.objects.get(pk=before[3].pk)
    queueing.move_back(enrolment=moved, actor=alice, now=rig.now)

    assert leads_of(line_of_five) == before
    moved.refresh_from_db()
    with pytest.raises(NotInLine):
        queueing.move_back(enrolment=moved, actor=alice, now=rig.now)


def test_calls_nobody_sooner_who_waits_for_a_time(
    rig: Rig, line_of_five: BatchCall, alice: User
) -> None:
    lead = leads_of(line_of_five)[0]
    Enrolment.objects.filter(pk=lead.pk).update(
        next_attempt_at=rig.now + timedelta(hours=1), waiting_reason="retry"
    )
    lead.refresh_from_db()

    with pytest.raises(NotDue):
        queueing.move_up(enrolment=lead, actor=alice, now=rig.now)


def test_does_not_call_whom_somebody_holds_back_and_says_so(
    rig: Rig, line_of_five: BatchCall, alice: User
) -> None:
    held = leads_of(line_of_five)[0]
    queueing.hold_back(enrolment=held, actor=alice, now=rig.now)

    for _ in range(10):
        rig.step()
        for attempt in rig.ringing():
            rig.end(attempt)

    assert held.phone_number not in dialled(rig)
    assert statuses(line_of_five) == {"queued": 1, "done": 4}
    assert line_of_five.status == BatchCall.Status.RUNNING
    assert line_of_five.waiting_reason == "held"
    held.refresh_from_db()
    queueing.let_go(enrolment=held, actor=alice, now=rig.now)
    rig.step()
    assert dialled(rig)[-1] == held.phone_number


@pytest.mark.parametrize("hand", [queueing.hold_back, queueing.take_out])
def test_wins_against_a_dial_that_was_decided_before(
    rig: Rig,
    ready: Callable[..., BatchCall],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    hand: Callable[..., None],
) -> None:
    batch_call = ready(leads=1)
    lead = leads_of(batch_call)[0]

    def meanwhile(**arguments: Any) -> Attempt:
        hand(enrolment=lead, actor=alice, now=rig.now)
        return prepare_attempt(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", meanwhile)
    rig.step()

    assert rig.retell.dials == []
    assert not Attempt.objects.exists()
    assert list(audit_ledger()) == []


def test_loses_against_a_dial_that_was_quicker(
    rig: Rig, ready: Callable[..., BatchCall], alice: User
) -> None:
    batch_call = ready(leads=1)
    lead = leads_of(batch_call)[0]
    rig.step()

    for hand in (queueing.move_up, queueing.hold_back, queueing.take_out):
        with pytest.raises(NotInLine):
            hand(enrolment=lead, actor=alice, now=rig.now)
    assert statuses(batch_call) == {"in_call": 1}


def test_takes_out_and_puts_back_with_the_numbers_adding_up(
    rig: Rig, line_of_five: BatchCall, alice: User
) -> None:
    lead = leads_of(line_of_five)[1]
    queueing.take_out(enrolment=lead, actor=alice, now=rig.now)

    assert statuses(line_of_five) == {"queued": 4, "cancelled": 1}
    shown = line([line_of_five.pk], now=rig.now, rows=leads_of(line_of_five))
    assert [row.enrolment for row in shown.removed.rows] == [lead]
    lead.refresh_from_db()
    queueing.put_back(enrolment=lead, actor=alice, now=rig.now)

    assert statuses(line_of_five) == {"queued": 5}
    assert leads_of(line_of_five)[1] == lead
    lead.refresh_from_db()
    with pytest.raises(NotInLine):
        queueing.put_back(enrolment=lead, actor=alice, now=rig.now)


def test_puts_nobody_back_into_a_launch_that_is_over(
    rig: Rig, line_of_five: BatchCall, alice: User
) -> None:
    lead = leads_of(line_of_five)[0]
    queueing.take_out(enrolment=lead, actor=alice, now=rig.now)
    stop_campaign(campaign=line_of_five.campaign, actor=alice, now=rig.now)
    lead.refresh_from_db()

    with pytest.raises(LaunchIsOver):
        queueing.put_back(enrolment=lead, actor=alice, now=rig.now)
    assert statuses(line_of_five) == {"cancelled": 5}


def test_keeps_phone_numbers_out_of_the_log(rig: Rig, line_of_five: BatchCall, alice: User) -> None:
    lead = leads_of(line_of_five)[2]
    queueing.hold_back(enrolment=lead, actor=alice, now=rig.now)

    row = AuditLog.objects.get(action="enrolment.held")
    assert lead.phone_number not in f"{row.resource} {row.details}"
