"""The kill switch: no dial passes after it, with a receipt; a person lets dialling go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from billing.invariants import audit_ledger
from campaigns.dialling.placing import prepare_attempt
from campaigns.models import Attempt, BatchCall
from campaigns.queries.live import live_page
from campaigns.services import stopping
from campaigns.services.stopping import (
    AlreadyStopped,
    NotStopped,
    resume_dialling,
    stop_dialling,
)
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("everything", [True, False])
def test_dials_nobody_after_a_stop_and_says_when_the_last_was(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, root: User, everything: bool
) -> None:
    batch_call = ready(leads=9)
    dispatcher = rig.dispatcher(per_second=2)
    rig.step(dispatcher)
    dialled = len(rig.retell.dials)
    last = max(one.sent_at for one in Attempt.objects.all() if one.sent_at)

    receipt = stop_dialling(
        client=None if everything else acme, reason="Complaint", actor=root, now=rig.now
    )
    for _ in range(20):
        rig.step(dispatcher, seconds=0.1)

    assert dialled > 0
    assert len(rig.retell.dials) == dialled
    assert receipt.last_dialled_at == last
    assert receipt.in_progress == dialled
    assert Attempt.objects.count() == dialled  # not even begun
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == ("stopped_all" if everything else "stopped_client")
    assert "stopped" in live_page(batch_call.campaign, now=rig.now).sentence
    row = AuditLog.objects.get(action="dialling.stopped")
    assert row.details["last_dialled_at"] == last.isoformat()
    assert row.user_email == root.email


def test_goes_on_where_it_stopped(rig: Rig, ready: Callable[..., BatchCall], root: User) -> None:
    batch_call = ready(leads=4)
    stop_dialling(client=None, reason="", actor=root, now=rig.now)
    rig.step()
    assert rig.retell.dials == []

    resume_dialling(client=None, actor=root, now=rig.now)
    for _ in range(5):
        rig.step()

    assert statuses(batch_call) == {"in_call": 4}
    assert AuditLog.objects.filter(action="dialling.resumed").count() == 1


@pytest.mark.parametrize("everything", [True, False])
def test_stops_between_decision_and_sending(
    rig: Rig,
    ready: Callable[..., BatchCall],
    acme: Client,
    root: User,
    monkeypatch: pytest.MonkeyPatch,
    everything: bool,
) -> None:
    batch_call = ready(leads=3)

    def stopped_meanwhile(**arguments: Any) -> Attempt:
        stop_dialling(client=None if everything else acme, reason="", actor=root, now=rig.now)
        return prepare_attempt(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", stopped_meanwhile)
    rig.step()
    rig.step()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"queued": 3}
    assert list(audit_ledger()) == []


def test_stops_one_client_and_no_other(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, rival: Client, root: User
) -> None:
    ours = ready(leads=2)
    theirs = ready(client=rival, leads=2, start=50, number="+12125550198")

    stop_dialling(client=acme, reason="", actor=root, now=rig.now)
    for _ in range(3):
        rig.step()

    assert statuses(ours) == {"queued": 2}
    assert statuses(theirs) == {"in_call": 2}


def test_sends_no_lost_attempt_again(rig: Rig, ready: Callable[..., BatchCall], root: User) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)
    rig.step()
    sent = len(rig.retell.dials)
    stop_dialling(client=None, reason="", actor=root, now=rig.now)

    for _ in range(10):
        rig.step(seconds=30)

    assert len(rig.retell.dials) == sent
    assert statuses(batch_call) == {"dialling": 1}
    assert list(audit_ledger()) == []


def test_stops_once_and_resumes_once(acme: Client, root: User, rig: Rig) -> None:
    for client in (None, acme):
        with pytest.raises(NotStopped):
            resume_dialling(client=client, actor=root, now=rig.now)
        stop_dialling(client=client, reason="", actor=root, now=rig.now)
        with pytest.raises(AlreadyStopped):
            stop_dialling(client=client, reason="", actor=root, now=rig.now)
        resume_dialling(client=client, actor=root, now=rig.now)


def test_gives_a_receipt_of_a_dial_that_slipped_in_before_it(
    rig: Rig,
    ready: Callable[..., BatchCall],
    root: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands on the receipt is read after the gate is closed, never before."""
    ready(leads=1)
    dispatcher = rig.dispatcher()
    gate = stopping._gate

    def slipped_in(client: Client | None) -> Any:
        found = gate(client)
        rig.step(dispatcher)
        return found

    monkeypatch.setattr(stopping, "_gate", slipped_in)
    receipt = stop_dialling(client=None, reason="", actor=root, now=rig.now)

    assert receipt.last_dialled_at == Attempt.objects.get().sent_at
