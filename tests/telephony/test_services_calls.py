"""What events do to a call: the same whatever order they come in, however often."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from django.apps import apps
from django.db import connections
from hypothesis import HealthCheck, given, settings, strategies as st

from convomono.lib.db import IntegrityError, atomic
from convomono.lib.ids import uuid7
from telephony.events import CallDetails, CallEvent
from telephony.models import Call, CallDetail
from telephony.rules import RULES_VERSION
from telephony.services import apply_event, record_placed_call, record_settlement
from tests.factories.accounts import ClientFactory
from tests.factories.telephony import (
    CallFactory,
    PhoneNumberFactory,
    PlacedAttemptFactory,
    VoiceAgentFactory,
)
from tests.mongo import fewer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import Client

STARTED_AT = datetime(2026, 11, 23, 15, 1, tzinfo=UTC)
SAID = [{"role": "agent", "content": "Hi."}, {"role": "user", "content": "Hello?"}]
STARTED = CallEvent(
    kind="started",
    provider_call_id="call_1",
    event_ms=1000,
    call_status="ongoing",
    started_at=STARTED_AT,
)
ENDED = CallEvent(
    kind="ended",
    provider_call_id="call_1",
    event_ms=2000,
    call_status="ended",
    disconnection_reason="user_hangup",
    started_at=STARTED_AT,
    ended_at=STARTED_AT + timedelta(seconds=30),
    duration_ms=30_000,
    user_spoke=True,
    details=CallDetails(
        transcript="Agent: Hi.\nUser: Hello?\n",
        transcript_object=SAID,
        call_cost={"combined_cost": 5},
        retell_cost_micros=50_000,
        recording_url="https://recordings.example.invalid/1",
    ),
)
ANALYZED = replace(
    ENDED,
    kind="analyzed",
    event_ms=3000,
    details=replace(
        ENDED.details,
        call_cost={"combined_cost": 6.7},
        retell_cost_micros=67_000,
        analysis={
            "call_summary": "They said hello.",
            "user_sentiment": "Positive",
            "call_successful": True,
            "in_voicemail": False,
            "custom_analysis_data": {"interested": True},
        },
    ),
)
ANALYZED_AGAIN = replace(
    ANALYZED,
    event_ms=9000,
    details=replace(ANALYZED.details, analysis={"call_summary": "Again.", "in_voicemail": True}),
)


def rows(provider_call_id: str = "call_1") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return everything the two tables say of the call, apart from keys."""
    call: dict[str, Any] = dict(Call.objects.values().get(provider_call_id=provider_call_id))
    detail: dict[str, Any] = dict(
        CallDetail.objects.filter(call_id=call.pop("id")).values().first() or {}
    )
    for row_key in ("id", "call_id"):
        detail.pop(row_key, None)
    # How often it was written depends on the order; what it says does not.
    for copied in ("attempt_id", "provider_call_id", "client_id", "campaign_id", "revision"):
        call.pop(copied)
    return call, detail


def apply_all(events: Sequence[CallEvent], now: datetime) -> None:
    for event in events:
        with atomic():
            apply_event(event=event, now=now)


@pytest.fixture
def call(acme: Client) -> Call:
    return CallFactory.create(client=acme, provider_call_id="call_1")


class TestEvents:
    def test_let_a_call_begin(self, call: Call, now: datetime):
        change = apply_event(event=STARTED, now=now)
        assert change is not None
        assert (change.before.status, change.after.status) == ("registered", "ongoing")
        assert change.outcome is None
        assert change.started_at == STARTED_AT
        assert not CallDetail.objects.exists()

    def test_keep_what_each_product_cost(self, call: Call, now: datetime):
        kept: list[dict[str, object]] = [
            {"product": "$voice.a", "micros": 40_000},
            {"product": "llm", "micros": 27_000},
        ]
        cents = {"llm": 2.7, "$voice.a": 4}
        cost = {
            "combined_cost": 6.7,
            "product_costs": [{"product": name, "cost": cost} for name, cost in cents.items()],
        }
        latest = replace(ANALYZED, details=replace(ANALYZED.details, call_cost=cost))
        apply_all([ENDED], now)
        assert CallDetail.objects.get().product_costs == [{"product": "other", "micros": 50_000}]
        apply_all([latest, ENDED], now)
        assert CallDetail.objects.get().product_costs == kept
        # What was stored before is split by the migration.
        CallDetail.objects.update(product_costs=[])
        import_module("telephony.migrations.0002_product_costs").split_costs(apps, None)
        assert CallDetail.objects.get().product_costs == kept

    def test_settle_it_at_its_end(self, call: Call, now: datetime):
        change = apply_event(event=ENDED, now=now)
        assert change is not None
        assert change.is_settled
        assert (change.before.outcome_class, change.after.outcome_class) == ("", "human")
        assert change.after.duration_ms == 30_000
        call.refresh_from_db()
        assert call.outcome_rules_version == RULES_VERSION
        assert call.retell_cost_micros == 50_000
        assert call.detail.transcript_object == SAID

    def test_complete_it_with_the_analysis(self, call: Call, now: datetime):
        apply_all([STARTED, ENDED], now)
        change = apply_event(event=ANALYZED, now=now)
        assert change is not None
        assert change.analysis_data == {"interested": True}
        call.refresh_from_db()
        assert (call.is_successful, call.user_sentiment) == (True, "Positive")
        assert call.retell_cost_micros == 67_000
        assert call.analyzed_at == now

    def test_change_nothing_the_second_time(self, call: Call, now: datetime):
        apply_all([STARTED, ENDED, ANALYZED], now)
        for event in (ANALYZED, ENDED, STARTED):
            change = apply_event(event=event, now=now + timedelta(hours=1))
            assert change is not None
            assert change.before == change.after

    def test_move_the_class_when_the_analysis_hears_a_machine(self, call: Call, now: datetime):
        apply_all([ENDED, ANALYZED], now)
        change = apply_event(event=ANALYZED_AGAIN, now=now)
        assert change is not None
        assert (change.before.outcome_class, change.after.outcome_class) == ("human", "machine")

    def test_keep_the_duration_that_was_told_first(self, call: Call, now: datetime):
        apply_all([ENDED, replace(ANALYZED, duration_ms=60_000)], now)
        call.refresh_from_db()
        assert call.duration_ms == 30_000

    def test_never_let_an_older_analysis_replace_a_newer_one(self, call: Call, now: datetime):
        apply_all([ANALYZED_AGAIN, ANALYZED], now)
        assert call.detail.call_summary == "Again."

    @pytest.mark.parametrize(
        "lacking", [{"duration_ms": None}, {"disconnection_reason": ""}, {"call_status": ""}]
    )
    def test_settle_nothing_while_a_fact_is_missing(
        self, call: Call, now: datetime, lacking: dict[str, Any]
    ):
        change = apply_event(event=replace(ENDED, **lacking), now=now)
        assert change is not None
        assert not change.is_settled
        assert change.after.outcome_class == ""
        later = apply_event(event=ANALYZED, now=now)
        assert later is not None
        assert later.after.outcome_class == "human"

    def test_settle_what_was_fetched_with_whatever_it_says(self, call: Call, now: datetime):
        swept = CallEvent(kind="swept", provider_call_id="call_1", call_status="error")
        change = apply_event(event=swept, now=now)
        assert change is not None
        assert (change.after.outcome_class, change.after.duration_ms) == ("technical", 0)
        assert change.after.disconnection_reason == "not_reported"

    def test_leave_a_fetched_call_that_still_runs(self, call: Call, now: datetime):
        swept = CallEvent(kind="swept", provider_call_id="call_1", call_status="ongoing")
        change = apply_event(event=swept, now=now)
        assert change is not None
        assert not change.is_settled

    def test_wait_for_a_call_that_nobody_knows(self, acme: Client, now: datetime):
        assert apply_event(event=ENDED, now=now) is None
        assert not Call.objects.exists()


class TestEveryOrder:
    def test_gives_the_same_rows(self, acme: Client, now: datetime):
        events = [STARTED, ENDED, ANALYZED, ANALYZED_AGAIN]
        expected = None
        for number, order in enumerate(permutations(events)):
            name = f"call_{number}"
            CallFactory.create(client=acme, provider_call_id=name)
            apply_all([replace(event, provider_call_id=name) for event in order], now)
            expected = expected or rows(name)
            assert rows(name) == expected, [event.kind for event in order]

    @settings(max_examples=fewer(60, 8), deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_gives_the_same_rows_however_often_and_sparse(self, db: None, data: st.DataObject):
        """Facts may be missing from one event or another; those that are there agree."""
        client = ClientFactory.create(name=uuid7().hex)
        now = STARTED_AT
        events = [data.draw(sparse(event)) for event in (STARTED, ENDED, ANALYZED, ANALYZED_AGAIN)]
        outcomes = []
        for name in ("call_a", "call_b"):
            repeats = data.draw(st.lists(st.sampled_from(events), max_size=4))
            order = data.draw(st.permutations(events + repeats))
            call = CallFactory.create(client=client, provider_call_id=f"{name}-{client.pk.hex}")
            named = [replace(event, provider_call_id=call.provider_call_id) for event in order]
            apply_all(named, now)
            outcomes.append(rows(call.provider_call_id))
        assert outcomes[0] == outcomes[1]


def sparse(event: CallEvent) -> st.SearchStrategy[CallEvent]:
    """Leave out any of what Retell may leave out."""
    blanks: dict[str, Any] = {
        "call_status": "",
        "disconnection_reason": "",
        "started_at": None,
        "ended_at": None,
        "duration_ms": None,
        "user_spoke": False,
        "details": CallDetails(),
    }
    if event.kind == "started":
        blanks = {"started_at": None}
    return st.sets(st.sampled_from(sorted(blanks))).map(
        lambda names: replace(event, **{name: blanks[name] for name in names})
    )


class TestPlacedCall:
    def test_is_recorded_once(self, acme: Client, now: datetime):
        attempt = PlacedAttemptFactory.build(client_id=acme.pk)
        first = record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
        second = record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
        assert first.pk == second.pk
        assert first.lead_id == attempt.lead_id
        assert Call.objects.get().status == Call.Status.REGISTERED

    def test_leaves_what_events_said_alone(self, acme: Client, now: datetime):
        attempt = PlacedAttemptFactory.build(client_id=acme.pk)
        record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
        apply_all([ENDED], now)
        again = record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
        assert again.status == Call.Status.ENDED

    @pytest.mark.django_db(transaction=True)
    def test_refuses_a_second_call_for_one_attempt(self, acme: Client, now: datetime):
        attempt = PlacedAttemptFactory.build(client_id=acme.pk)
        record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
        with pytest.raises(IntegrityError):
            record_placed_call(provider_call_id="call_2", attempt=attempt, now=now)

    @pytest.mark.django_db(transaction=True)
    def test_is_one_row_when_its_first_event_races_the_answer(self, acme: Client, now: datetime):
        attempt = PlacedAttemptFactory.build(client_id=acme.pk)
        gate = threading.Barrier(8)
        found: list[Call] = []

        def record() -> None:
            gate.wait()
            try:
                found.append(
                    record_placed_call(provider_call_id="call_1", attempt=attempt, now=now)
                )
            finally:
                connections.close_all()

        threads = [threading.Thread(target=record) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert {call.pk for call in found} == {Call.objects.get().pk}


class TestIncomingCall:
    def test_belongs_to_the_client_whose_number_was_called(self, acme: Client, now: datetime):
        PhoneNumberFactory.create(phone_number="+14155550100", client=acme)
        event = replace(ENDED, direction="inbound", to_number="+14155550100")
        change = apply_event(event=event, now=now)
        assert change is not None
        assert (change.client_id, change.campaign_id) == (acme.pk, None)
        assert Call.objects.get().direction == Call.Direction.INBOUND

    def test_on_the_web_belongs_to_the_agents_client(self, acme: Client, now: datetime):
        VoiceAgentFactory.create(client=acme, provider_agent_id="agent_7")
        event = replace(ENDED, call_type="web_call", agent_id="agent_7")
        change = apply_event(event=event, now=now)
        assert change is not None
        assert change.client_id == acme.pk

    def test_to_a_number_in_stock_is_not_known(self, db: None, now: datetime):
        PhoneNumberFactory.create(phone_number="+14155550100")
        event = replace(ENDED, direction="inbound", to_number="+14155550100")
        assert apply_event(event=event, now=now) is None


def test_its_charge_and_what_it_counted_stand_on_the_call(call: Call):
    record_settlement(
        call_id=call.pk, billed_seconds=30, client_cost_micros=60_000, counted={"dials_count": 1}
    )
    call.refresh_from_db()
    assert (call.billed_seconds, call.client_cost_micros) == (30, 60_000)
    assert call.counted == {"dials_count": 1}
