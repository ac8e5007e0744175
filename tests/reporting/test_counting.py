"""DailyStat: each call counts once, and moves when its outcome changes."""

from __future__ import annotations

from dataclasses import fields
from datetime import date, timedelta

import pytest

from accounts.models import Client
from convomono.lib.ids import uuid7
from reporting.metrics import Figures
from reporting.models import NO_CAMPAIGN, DailyStat
from reporting.queries.figures import client_totals
from reporting.services import count_outcome
from telephony.events import CallChange, CallState
from telephony.models import Call


def count(call: Call) -> None:
    """Count a call as it stands, and keep on it what it has added, as the handler does."""
    names = (field.name for field in fields(CallState))
    state = CallState(**{name: getattr(call, name) for name in names})
    columns = {field.name for field in fields(CallChange)}
    known = {name: value for name, value in vars(call).items() if name in columns}
    change = CallChange(
        **known, kind="ended", call_id=call.pk, before=state, after=state, outcome=None
    )
    counted = count_outcome(change=change)
    if counted is not None:
        call.counted = counted
        call.save(update_fields=["counted"])


@pytest.fixture
def call(acme, now):
    return Call.objects.create(
        client=acme,
        provider_call_id="call_1",
        campaign_id=uuid7(),
        status="ended",
        outcome_class="human",
        is_successful=True,
        duration_ms=61_000,
        billed_seconds=61,
        client_cost_micros=254_167,
        retell_cost_micros=120_000,
        created_at=now,
    )


def test_adds_a_call_once_however_often_it_is_told(call):
    for _ in range(3):
        count(Call.objects.get(pk=call.pk))

    row = DailyStat.objects.get()
    assert (row.dials_count, row.connects_count, row.humans_count) == (1, 1, 1)
    assert (row.conversions_count, row.talk_ms, row.billed_seconds) == (1, 61_000, 61)
    assert (row.client_cost_micros, row.retell_cost_micros) == (254_167, 120_000)


def test_moves_a_call_that_turns_out_to_be_a_machine(call):
    count(call)
    call.outcome_class = "machine"
    call.retell_cost_micros = 130_000
    count(call)

    row = DailyStat.objects.get()
    assert (row.humans_count, row.machines_count, row.dials_count) == (0, 1, 1)
    assert (row.conversions_count, row.human_talk_ms, row.retell_cost_micros) == (0, 0, 130_000)


def test_counts_of_a_call_without_a_campaign_what_it_costs_alone(call):
    """Inbound and web calls cost the agency money that its home left out of the margin."""
    call.campaign_id = None
    call.billed_seconds = call.client_cost_micros = 0
    for cost in (120_000, 130_000):
        call.retell_cost_micros = cost
        call.save()
        count(call)

    row = DailyStat.objects.get()
    assert (row.campaign_id, row.retell_cost_micros) == (NO_CAMPAIGN, 130_000)
    assert (row.dials_count, row.humans_count, row.talk_ms) == (0, 0, 0)
    figures = sum(client_totals(first=row.day, last=row.day).values(), Figures())
    assert (figures.retell_cost_micros, figures.margin.margin_micros) == (130_000, -130_000)


def test_counts_a_call_that_was_never_placed_as_no_dial(call):
    call.outcome_class, call.duration_ms = "not_placed", 0
    count(call)

    row = DailyStat.objects.get()
    assert (row.dials_count, row.connects_count, row.not_placed_count) == (0, 0, 1)


@pytest.mark.parametrize("status", ["registered", "ongoing"])
def test_counts_nothing_while_a_call_lasts(call, status):
    call.status = status
    count(call)

    assert not DailyStat.objects.exists()


def test_counts_by_the_days_of_the_clients_calendar(call, now):
    call.created_at = now.replace(hour=3)  # 22:00 of the day before in New York
    count(call)

    assert DailyStat.objects.get().day == date(2026, 11, 22)


def test_stays_on_its_day_when_the_client_moves_to_another_zone(call, acme, now):
    call.created_at = now.replace(hour=3)
    count(call)
    Client.objects.filter(pk=acme.pk).update(time_zone="Europe/London")
    call.outcome_class = "machine"
    count(call)

    row = DailyStat.objects.get()
    assert (row.day, row.humans_count, row.machines_count) == (date(2026, 11, 22), 0, 1)


def test_keeps_a_day_together(call, acme, now):
    other = Call.objects.create(
        client=acme,
        provider_call_id="call_2",
        campaign_id=call.campaign_id,
        status="not_connected",
        outcome_class="no_contact",
        created_at=now + timedelta(minutes=5),
    )
    for row in (call, other):
        count(row)

    row = DailyStat.objects.get()
    assert (row.dials_count, row.connects_count, row.no_contacts_count) == (2, 1, 1)
