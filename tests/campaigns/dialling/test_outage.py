"""Retell is down, at the launch and in the middle: the page says so, and afterwards it goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Notification
from billing.invariants import audit_ledger
from billing.models import CallHold, Wallet
from billing.services import consume, hold, purchase
from campaigns.enrolments import completeness
from campaigns.models import Attempt
from campaigns.queries.live import live_page
from campaigns.services.funding import resume_funded
from convomono.lib.ids import uuid7
from telephony.models import Call
from telephony.provider import Unavailable
from tests.campaigns.dialling.conftest import statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User
    from campaigns.models import BatchCall
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
METHODS = ("concurrency", "create_phone_call", "list_calls")


class Outage:
    """Refuses every connection to Retell while it lasts."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def begin(self) -> None:
        for method in METHODS:
            setattr(self._rig.retell, method, self._refuse)

    def end(self) -> None:
        for method in METHODS:
            delattr(self._rig.retell, method)

    @staticmethod
    def _refuse(**_request: Any) -> None:
        raise Unavailable("Connection refused.")


def sentence(batch_call: BatchCall, rig: Rig) -> str:
    return live_page(batch_call.campaign, now=rig.now).sentence


def finish(rig: Rig, batch_call: BatchCall) -> None:
    for _ in range(200):
        rig.step(seconds=10)
        for attempt in rig.ringing():
            rig.end(attempt)
        batch_call.refresh_from_db()
        if batch_call.status == "finished":
            return


def nothing_is_amiss(rig: Rig, batch_call: BatchCall, leads: int) -> None:
    assert batch_call.status == "finished"
    assert statuses(batch_call) == {"done": leads}
    assert completeness(batch_call.pk).holds
    assert len(rig.retell.placed) == leads
    assert not CallHold.objects.filter(status="held").exists()
    assert list(audit_ledger()) == []


def test_down_at_the_launch(
    rig: Rig, ready: Callable[..., BatchCall], alice: User, browse: Callable[..., Browser]
) -> None:
    outage = Outage(rig)
    outage.begin()
    batch_call = ready(leads=4)

    for _ in range(30):
        rig.step()

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.waiting_reason) == ("running", "provider_silent")
    assert "voice platform" in sentence(batch_call, rig)
    page = browse(alice).get(f"/app/campaigns/{batch_call.campaign_id}/")
    assert "voice platform" in page.content.decode()
    assert not Attempt.objects.exists()
    outage.end()
    finish(rig, batch_call)
    nothing_is_amiss(rig, batch_call, 4)


def test_down_in_the_middle(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=6)
    rig.retell.limit = 2
    for _ in range(3):
        rig.step()
    assert statuses(batch_call) == {"in_call": 2, "queued": 4}
    rig.retell.lose_answer(placed=True)
    rig.end(rig.ringing()[0])
    rig.step()

    outage = Outage(rig)
    outage.begin()
    for attempt in rig.ringing():  # those that ring go on, and their news arrives
        rig.end(attempt)
    for _ in range(20):
        rig.step()
        batch_call.refresh_from_db()
        assert sentence(batch_call, rig)
    assert batch_call.waiting_reason == "provider_silent"
    assert statuses(batch_call) == {"done": 2, "dialling": 1, "queued": 3}
    outage.end()
    finish(rig, batch_call)
    nothing_is_amiss(rig, batch_call, 6)


def test_says_what_is_owed(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=3, seconds=6000, reserve=6000)
    rig.retell.limit = 1
    rig.step()
    attempt = rig.ringing()[0]
    rig.end(attempt, seconds=9000)  # somebody let it run, far above its hold
    for _ in range(5):
        rig.step()

    batch_call.refresh_from_db()
    assert Wallet.objects.get().debt_seconds == 3000
    assert len(rig.retell.dials) == 1
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "paused_debt")
    assert "owes" in sentence(batch_call, rig)
    assert list(audit_ledger()) == []


def test_says_what_is_owed_while_somebody_still_talks(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=4, seconds=6000, reserve=6000)
    rig.retell.limit = 2
    rig.run()
    first, _second = rig.ringing()
    rig.end(first, seconds=9000)
    for _ in range(5):
        rig.step()

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.waiting_reason) == ("running", "debt")
    assert "owes" in sentence(batch_call, rig)
    assert len(rig.retell.dials) == 2


def test_goes_on_with_another_launch_once_debt_is_paid(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, root: User
) -> None:
    batch_call = ready(leads=2, seconds=1200, reserve=600)
    other = ready(leads=1, start=50, reserve=600, number=None)
    owing = uuid7()
    hold(attempt_id=owing, batch_call_id=other.pk, max_call_seconds=60, now=rig.now)
    call = Call.objects.create(
        client=acme, provider_call_id="call_owing", attempt_id=owing, created_at=rig.now
    )
    consume(attempt_id=owing, call_id=call.pk, duration_ms=1_000_000, now=rig.now)
    assert Wallet.objects.get().debt_seconds == 400
    for _ in range(3):
        rig.step()
    assert rig.retell.dials == []

    purchase(
        client=acme,
        seconds=400,
        amount_micros=0,
        method="bank",
        reference="R-1",
        actor=root,
        now=rig.now,
    )
    assert resume_funded(now=rig.now) == 1
    for _ in range(5):
        rig.step()

    assert statuses(batch_call).get("in_call", 0) > 0
    assert Notification.objects.filter(client=acme).exists()
    assert list(audit_ledger()) == []
