"""What corrects a charge reaches the call and its day, once; whatever events come before or after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing import services
from billing.models import Difference, Reservation, Transaction
from reporting.models import DailyStat
from telephony.models import Call
from tests.factories.billing import NOW, TESTS
from tests.webhooks.conftest import ANALYSIS, Ringing, deliver, tell
from tests.webhooks.test_handler import check_the_books
from webhooks.drain import step
from webhooks.models import WebhookEvent
from webhooks.replay import Range, apply_again, rebuild_everything, rebuilt_call

if TYPE_CHECKING:
    from datetime import datetime


@pytest.fixture
def ended(ringing: Ringing, now: datetime) -> Call:
    """A call of a minute and a half, 450,000 micros, that was billed."""
    tell(ringing.says("user_hangup", seconds=90)["ended"], now)
    return Call.objects.get()


def give_back(call: Call, seconds: int | None, reason: str = "Bad line") -> Transaction:
    return services.refund_call(
        client_id=call.client_id,
        call_id=call.pk,
        seconds=seconds,
        reason=reason,
        actor=TESTS,
        now=NOW,
    )


def shown() -> list[tuple[int, int]]:
    """Return what the call and its day say that was billed: seconds and micros."""
    columns = ("billed_seconds", "client_cost_micros")
    return [model.objects.values_list(*columns).get() for model in (Call, DailyStat)]


def test_shows_a_refund_on_the_call_and_in_its_day_once(ended: Call):
    """Home, KPIs, lists and exports went on with what had been charged at first."""
    for _twice in range(2):
        give_back(ended, 30)
    assert shown() == [(60, 300_000)] * 2
    check_the_books()

    give_back(ended, None, "All of it")

    assert shown() == [(0, 0)] * 2
    assert DailyStat.objects.get().humans_count == 1  # what it came to stays
    check_the_books()


def test_shows_a_rest_that_was_billed_later_once(ended: Call):
    asked: dict[str, Any] = {"client_id": ended.client_id, "call_id": ended.pk, "cause": ended.pk}
    for _twice in range(2):
        services.charge_rest(due_seconds=120, reason="Longer", actor=TESTS, now=NOW, **asked)

    assert shown() == [(120, 600_000)] * 2


@pytest.mark.parametrize(("due", "step_", "net"), [(60, "refund", 60), (120, "charge", 120)])
def test_shows_what_a_reconciliation_put_right(ended: Call, due: int, step_: str, net: int):
    run = services.ask_reconciliation(
        since=NOW.replace(hour=0), until=NOW.replace(hour=1), actor=TESTS, now=NOW
    )
    row = Difference.objects.create(
        reconciliation=run,
        client_id=ended.client_id,
        call_id=ended.pk,
        kind="seconds_differ",
        provider_call_id=ended.provider_call_id,
        started_at=NOW,
        their_ms=due * 1000,
        billed_seconds=90,
        charged_seconds=90,
        due_seconds=due,
    )
    for _twice in range(2):
        services.resolve_difference(difference=row, step=step_, reason="", actor=TESTS, now=NOW)

    assert shown() == [(net, net * 5_000)] * 2


def test_keeps_the_correction_when_more_events_come(ended: Call, ringing: Ringing, now: datetime):
    give_back(ended, 30)

    said = ringing.says("user_hangup", seconds=90)
    for name in ("analyzed", "ended", "started"):
        tell(said[name], now)

    assert shown() == [(60, 300_000)] * 2
    check_the_books()


def test_gives_back_the_rest_of_a_corrected_call_that_a_machine_answered(
    ringing: Ringing, now: datetime
):
    Reservation.objects.update(bills_voicemail=False)
    said = ringing.says("user_hangup", seconds=90, call_analysis=ANALYSIS | {"in_voicemail": True})
    tell(said["ended"], now)
    give_back(Call.objects.get(), 30)
    for _twice in range(2):
        tell(said["analyzed"], now)

    assert shown() == [(0, 0)] * 2
    assert DailyStat.objects.get().machines_count == 1
    check_the_books()


def test_comes_out_of_a_rebuild_as_it_is(ringing: Ringing, now: datetime):
    for body in ringing.says("user_hangup", seconds=90).values():
        deliver(body, created_at=now)
    while step(now=now):
        pass
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    give_back(Call.objects.get(), 30)

    assert rebuilt_call(provider_call_id=ringing.call_id).differences == []
    again = apply_again(chosen=Range(provider_call_id=ringing.call_id), is_dry_run=False, now=now)
    assert again.differences == []
    assert rebuild_everything(shuffle=1).differences == []
    assert shown() == [(60, 300_000)] * 2
    check_the_books()


def test_leaves_the_ledger_right_where_the_calls_row_is_gone(ended: Call):
    Call.objects.filter(pk=ended.pk).delete()

    assert give_back(ended, 30).seconds == 30
