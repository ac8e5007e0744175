"""Test calls whose news never comes: Retell is asked about them before their minutes are given back."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.invariants import audit_ledger
from billing.models import CallHold, Wallet
from billing.services import expire_holds
from campaigns.models import TrialCall
from campaigns.services.trial_sending import settle_trial
from telephony.models import Call
from tests.campaigns.test_trial_calls import ask, send
from tests.factories.billing import open_wallet
from tests.factories.campaigns import make_number, make_ready
from tests.fakes import FakeRetell
from webhooks.drain import step
from webhooks.sweeper import sweep_calls

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User
    from campaigns.models import Campaign

MINUTE = timedelta(minutes=1)


@pytest.fixture
def gateway() -> FakeRetell:
    return FakeRetell()


@pytest.fixture
def campaign(acme: Client) -> Campaign:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    return make_ready(acme)


def end_unheard(gateway: FakeRetell) -> None:
    """Let the one call at Retell end after half a minute, without a webhook."""
    (call_id,) = gateway.placed
    gateway.becomes(
        call_id, call_status="ended", disconnection_reason="user_hangup", duration_ms=30_000
    )


def let_pass(gateway: FakeRetell, since: datetime, *, minutes: int) -> datetime | None:
    """Run the jobs and the drain each minute; return when Retell was asked first."""
    asked: datetime | None = None
    for minute in range(minutes):
        now = since + minute * MINUTE
        before = len(gateway.asked)
        expire_holds(now=now)
        sweep_calls(gateway=gateway, now=now)
        asked = asked or (now if len(gateway.asked) > before else None)
        while step(now=now):
            pass
    return asked


def test_is_asked_about_after_its_own_longest_duration(
    campaign: Campaign, mia: User, gateway: FakeRetell, now: datetime
):
    """Five minutes at most, two minutes to ring, ten minutes of grace."""
    trial = ask(campaign, mia, now=now)
    assert trial.held_seconds == 300
    assert send(trial, gateway, now)
    end_unheard(gateway)

    assert let_pass(gateway, now, minutes=30) == now + 18 * MINUTE

    call = Call.objects.get()
    assert (call.status, call.billed_seconds, call.is_test) == ("ended", 30, True)
    assert CallHold.objects.get().status == "posted"
    assert list(audit_ledger()) == []


@pytest.mark.parametrize("minutes", [4, 14])
def test_keeps_its_minutes_from_when_it_was_sent(
    campaign: Campaign, mia: User, gateway: FakeRetell, now: datetime, minutes: int
):
    """It had waited for a worker."""
    trial = ask(campaign, mia, now=now)
    assert send(trial, gateway, now + minutes * MINUTE)
    end_unheard(gateway)

    let_pass(gateway, now + minutes * MINUTE, minutes=30)

    assert (CallHold.objects.get().status, Call.objects.get().billed_seconds) == ("posted", 30)


def test_keeps_its_minutes_from_when_it_was_found(
    campaign: Campaign, mia: User, gateway: FakeRetell, now: datetime
):
    """Its answer was lost, and Retell away for a quarter of an hour."""
    trial = ask(campaign, mia, now=now)
    gateway.lose_answer(placed=True)
    assert send(trial, gateway, now)
    trial.refresh_from_db()
    found = now + 16 * MINUTE
    assert settle_trial(trial=trial, gateway=gateway, gone="Gone.", now=found)
    end_unheard(gateway)

    let_pass(gateway, found, minutes=30)

    assert (CallHold.objects.get().status, Call.objects.get().billed_seconds) == ("posted", 30)


def test_is_not_dialled_after_its_minutes_were_given_back(
    campaign: Campaign, mia: User, gateway: FakeRetell, now: datetime
):
    trial = ask(campaign, mia, now=now)
    late = now + 21 * MINUTE
    assert expire_holds(now=late) == 1

    assert not send(trial, gateway, late)

    assert gateway.dials == []
    trial = TrialCall.objects.get()
    assert (trial.status, trial.error) == (
        "refused",
        "It waited too long, so its minutes were given back. Ask for it again.",
    )
    assert Wallet.objects.get().reserved_seconds == 0
    assert list(audit_ledger()) == []
