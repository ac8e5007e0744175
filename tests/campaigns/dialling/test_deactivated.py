"""A client that was deactivated: nobody is called for it any more, from the very next call on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts.services import activate_client, deactivate_client
from billing.invariants import audit_ledger
from campaigns.dialling.placing import prepare_attempt
from campaigns.models import Attempt, BatchCall
from campaigns.queries.live import live_page
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def test_stops_before_the_next_call_and_says_why(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, root: User
) -> None:
    batch_call = ready(leads=9)
    dispatcher = rig.dispatcher(per_second=2)
    rig.step(dispatcher)
    dialled = len(rig.retell.dials)

    deactivate_client(client=acme, actor=root, now=rig.now)
    for _ in range(20):
        rig.step(dispatcher, seconds=0.1)

    assert dialled > 0
    assert len(rig.retell.dials) == dialled
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "client_inactive"
    assert "inactive" in live_page(batch_call.campaign, now=rig.now).sentence
    activate_client(client=acme, actor=root, now=rig.now)
    for _ in range(5):
        rig.step(dispatcher)
    assert statuses(batch_call) == {"in_call": 9}


def test_stops_between_decision_and_sending(
    rig: Rig,
    ready: Callable[..., BatchCall],
    acme: Client,
    root: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batch_call = ready(leads=3)

    def deactivated_meanwhile(**arguments: Any) -> Attempt:
        deactivate_client(client=acme, actor=root, now=rig.now)
        return prepare_attempt(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", deactivated_meanwhile)
    rig.step()
    rig.step()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"queued": 3}
    assert list(audit_ledger()) == []


def test_sends_no_lost_attempt_again(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, root: User
) -> None:
    batch_call = ready()
    rig.retell.lose_answer(placed=False)
    rig.step()
    deactivate_client(client=acme, actor=root, now=rig.now)

    for _ in range(60):
        rig.step(seconds=30)

    assert len(rig.retell.dials) == 1
    assert Attempt.objects.get().status == "not_placed"
    assert statuses(batch_call) == {"queued": 1}
    assert list(audit_ledger()) == []
