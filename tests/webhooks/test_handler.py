"""What one event does to everything: the same in every order, however often."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from django.forms.models import model_to_dict
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from accounts.models import Notification
from billing.invariants import audit_ledger
from billing.models import CallHold, Transaction, Wallet
from campaigns.models import Attempt, Enrolment
from leads.models import Lead, Suppression
from reporting.models import DailyStat
from reporting.services import Counted, contribution
from telephony.models import Call, CallDetail
from telephony.rules import OUTCOMES
from telephony.services import PlacedAttempt, record_placed_call
from tests.factories.telephony import PhoneNumberFactory, VoiceAgentFactory
from tests.factories.webhooks import INDEX, delivery, recorded
from tests.mongo import fewer
from tests.webhooks.conftest import ANALYSIS, Ringing, deliver, tell, without
from webhooks import drain
from webhooks.handlers.retell import SecondCall
from webhooks.models import WebhookEvent
from webhooks.payloads import call_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

REASONS = [*sorted(OUTCOMES), "abducted_by_aliens"]
NAMES_OF_ROWS = {
    "revision",  # how often it was written depends on the order
    "id",
    "call",
    "enrolment",
    "lead",
    "attempt_id",
    "call_id",
    "enrolment_id",
    "lead_id",
    "last_call_id",
    "provider_call_id",
    "phone_number",
    "to_number",
    "search_text",
    "first_name",
    "request",
    "dynamic_vars",
    "dynamic_variables",
    "decision",
    # When each was dialled, which the dispatcher spread over some seconds.
    "created_at",
    "placed_at",
    "sent_at",
    "last_attempted_at",
    "expires_at",
}


def plain(row: Any) -> dict[str, Any]:
    """Return a row's values, without those that name it or its neighbours."""
    if row is None:
        return {}
    values = model_to_dict(row) | {
        field.name: getattr(row, field.attname) for field in row._meta.fields
    }
    return {name: value for name, value in values.items() if name not in NAMES_OF_ROWS}


def outcome_of(attempt: Attempt) -> dict[str, Any]:
    """Return everything that events determine about an attempt's call."""
    call = Call.objects.filter(attempt_id=attempt.pk).first()
    consumed = Transaction.objects.filter(type="consume", reference_id=str(attempt.pk))
    return {
        "call": plain(call),
        "detail": plain(CallDetail.objects.filter(call=call).first()),
        "attempt": plain(Attempt.objects.get(pk=attempt.pk)),
        "enrolment": plain(Enrolment.objects.get(pk=attempt.enrolment_id)),
        "lead": plain(Lead.objects.get(pk=attempt.lead_id)),
        "hold": plain(CallHold.objects.get(attempt_id=attempt.pk)),
        "billed": list(consumed.values_list("seconds", "amount_micros")),
        "suppressed": Suppression.objects.filter(phone_number=attempt.phone_number).count(),
    }


def check_the_books() -> None:
    """The ledger is clean, and the counters are what a recount of the calls gives."""
    assert list(audit_ledger()) == []
    recount: dict[str, int] = {}
    for call in Call.objects.all():
        if call.outcome_class and call.campaign_id:
            for name, value in vars(contribution(call)).items():
                recount[name] = recount.get(name, 0) + value
    counted = {
        name: sum(getattr(row, name) for row in DailyStat.objects.all())
        for name in Counted.__dataclass_fields__
    }
    assert counted == {name: recount.get(name, 0) for name in counted}
    consumed = sum(Wallet.objects.values_list("consumed_seconds", flat=True))
    assert consumed == sum(Call.objects.values_list("billed_seconds", flat=True))


def tell_all(bodies: Iterable[bytes], now: datetime) -> None:
    for body in bodies:
        tell(body, now)


class TestOneCall:
    def test_begins_ends_and_is_billed(self, ringing: Ringing, now: datetime):
        said = ringing.says("user_hangup", seconds=90)
        tell(said["started"], now)
        assert Call.objects.get().status == "ongoing"
        tell(said["ended"], now)
        call = Call.objects.get()
        assert (call.billed_seconds, call.client_cost_micros) == (90, 450_000)
        hold = CallHold.objects.get()
        assert (hold.status, hold.posted_seconds) == ("posted", 90)
        assert Enrolment.objects.get().status == "done"
        assert DailyStat.objects.get().humans_count == 1
        check_the_books()

    def test_gives_its_hold_back_when_it_was_no_dial(self, ringing: Ringing, now: datetime):
        tell(ringing.says("invalid_destination")["ended"], now)
        assert CallHold.objects.get().status == "voided"
        assert Enrolment.objects.get().status == "invalid"
        assert not Transaction.objects.filter(type="consume").exists()
        check_the_books()

    def test_posts_nothing_of_its_hold_when_nobody_answered(self, ringing: Ringing, now: datetime):
        tell(ringing.says("dial_no_answer")["ended"], now)
        hold = CallHold.objects.get()
        assert (hold.status, hold.posted_seconds) == ("posted", 0)
        check_the_books()

    def test_moves_between_columns_when_the_analysis_hears_a_machine(
        self, ringing: Ringing, now: datetime
    ):
        said = ringing.says("agent_hangup", call_analysis=ANALYSIS | {"in_voicemail": True})
        tell(said["ended"], now)
        assert (DailyStat.objects.get().humans_count, DailyStat.objects.get().dials_count) == (1, 1)
        tell(said["analyzed"], now)
        stat = DailyStat.objects.get()
        assert (stat.humans_count, stat.machines_count, stat.dials_count) == (0, 1, 1)
        assert Enrolment.objects.get().attempts_count == 1
        check_the_books()

    def test_keeps_its_bill_when_a_later_event_tells_another_duration(
        self, ringing: Ringing, now: datetime
    ):
        tell(ringing.says("user_hangup", seconds=30)["ended"], now)
        tell(ringing.says("user_hangup", seconds=60)["analyzed"], now)
        call = Call.objects.get()
        assert (call.billed_seconds, call.duration_ms) == (30, 30_000)
        check_the_books()

    def test_suppresses_who_asked_for_it(self, ringing: Ringing, now: datetime):
        tell(ringing.says("user_requested_dnc")["ended"], now)
        assert Suppression.objects.get().phone_number == ringing.attempt.phone_number
        assert DailyStat.objects.get().opt_outs_count == 1

    def test_waits_to_be_billed_until_its_duration_is_known(self, ringing: Ringing, now: datetime):
        said = ringing.says("user_hangup")
        blind = without(said["ended"], "duration_ms", "end_timestamp", "start_timestamp")
        tell(blind, now)
        assert CallHold.objects.get().status == "held"
        assert not DailyStat.objects.exists()
        tell(said["analyzed"], now)
        assert Call.objects.get().billed_seconds == 30
        check_the_books()


class TestEveryOrder:
    @pytest.mark.slow
    @pytest.mark.parametrize("reason", REASONS[:: fewer(1, 8)])
    def test_gives_the_same_rows_for_each_reason(
        self, reason: str, launched: Callable[[int], list[Ringing]], now: datetime
    ):
        names = list(Ringing(Attempt(), "").says(reason))
        orders = [list(order) for order in permutations(names)]
        orders += [[*orders[0], *orders[-1]], [*orders[-1], *orders[0]]]
        calls = launched(len(orders))
        for call, order in zip(calls, orders, strict=True):
            said = call.says(reason)
            tell_all((said[name] for name in order), now)
        outcomes = [outcome_of(call.attempt) for call in calls]
        for order, outcome in zip(orders, outcomes, strict=True):
            assert outcome == outcomes[0], order
        check_the_books()

    def test_learns_late_when_a_call_ended(
        self, launched: Callable[[int], list[Ringing]], now: datetime
    ):
        """An analysis without the time comes first: the attempt ended when Retell says, not now."""
        first, second = launched(2)
        for call, order in ((first, ["ended", "analyzed"]), (second, ["analyzed", "ended"])):
            said = call.says("agent_hangup")
            said["analyzed"] = without(said["analyzed"], "end_timestamp")
            tell_all((said[name] for name in order), now)

        assert outcome_of(first.attempt)["attempt"] == outcome_of(second.attempt)["attempt"]

    @settings(max_examples=fewer(15, 4), deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def test_gives_the_same_rows_however_often_and_sparse(
        self, launched: Callable[[int], list[Ringing]], now: datetime, data: st.DataObject
    ):
        reason = data.draw(st.sampled_from(REASONS))
        names = list(Ringing(Attempt(), "").says(reason))
        left_out = st.sets(st.sampled_from(OPTIONAL))
        said = {name: data.draw(left_out, label=f"left out of {name}") for name in names}
        again = st.lists(st.sampled_from(sorted(names)), max_size=4)
        orders = [data.draw(st.permutations([*names, *data.draw(again)])) for _call in range(2)]
        if not Call.objects.exists():
            launched(fewer(60, 16))
        calls = fresh(2)
        # Behind all draws, which must not depend on it: each example wants calls of its own, and more may be tried than 15.
        assume(len(calls) == 2)
        for call, order in zip(calls, orders, strict=True):
            bodies = {name: without(body, *said[name]) for name, body in call.says(reason).items()}
            tell_all((bodies[name] for name in order), now)
        first, second = calls
        assert outcome_of(first.attempt) == outcome_of(second.attempt)
        check_the_books()


OPTIONAL = [
    "disconnection_reason",
    "duration_ms",
    "start_timestamp",
    "end_timestamp",
    "call_status",
    "transcript",
    "call_cost",
    "call_analysis",
    "metadata",
]


def fresh(number: int) -> list[Ringing]:
    """Return calls that nothing was told of yet."""
    quiet = Call.objects.filter(status="registered").order_by("pk")[:number]
    return [Ringing(Attempt.objects.get(call_id=call.pk), call.provider_call_id) for call in quiet]


class TestOvertaking:
    def test_records_the_call_of_an_answer_still_under_way(
        self, rig: Rig, ready: Callable[..., Any], now: datetime
    ):
        """The event comes between Retell's dial and our note of it; the attempt's row says whose."""
        ready()
        rig.retell.lose_answer(placed=True)
        rig.step()
        attempt = Attempt.objects.get()
        assert attempt.status == "unknown"
        call_id = next(iter(rig.retell.placed))
        said = Ringing(attempt, call_id).says("user_hangup")
        tell(said["started"], now)
        call = Call.objects.get()
        assert (call.attempt_id, call.lead_id) == (attempt.pk, attempt.lead_id)
        assert call.campaign_id == attempt.campaign_id
        assert Enrolment.objects.get().status == "in_call"
        tell(said["ended"], now)
        assert Enrolment.objects.get().status == "done"
        check_the_books()

    def test_is_one_call_when_the_answer_comes_after_it_ended(
        self, rig: Rig, ready: Callable[..., Any], now: datetime
    ):
        ready()
        rig.retell.lose_answer(placed=True)
        rig.step()
        attempt = Attempt.objects.get()
        call_id = next(iter(rig.retell.placed))
        tell(Ringing(attempt, call_id).says("user_hangup")["ended"], now)
        late = PlacedAttempt(
            client_id=attempt.client_id,
            campaign_id=attempt.campaign_id,
            batch_call_id=attempt.batch_call_id,
            enrolment_id=attempt.enrolment_id,
            attempt_id=attempt.pk,
            lead_id=attempt.lead_id,
            agent_id="agent_1",
            agent_version=0,
            from_number=attempt.from_number,
            to_number=attempt.phone_number,
        )
        assert record_placed_call(provider_call_id=call_id, attempt=late, now=now).is_over
        assert Call.objects.count() == 1

    def test_never_takes_an_attempt_from_the_call_that_has_it(
        self, ringing: Ringing, now: datetime
    ):
        other = Ringing(ringing.attempt, "call_of_somebody_else")
        with pytest.raises(SecondCall, match=ringing.call_id):
            tell(other.says("user_hangup")["ended"], now)
        assert Call.objects.count() == 1
        assert CallHold.objects.get().status == "held"

    def test_tells_the_agency_at_once_of_a_second_call(self, ringing: Ringing, now: datetime):
        """Somebody was called twice: that is no stranger's event to be parked for three days."""
        other = Ringing(ringing.attempt, "call_second")
        for body in other.says("user_hangup").values():
            deliver(body)
        drain.step(now=now)
        events = WebhookEvent.objects.filter(provider_call_id="call_second")
        assert {(one.status, one.attempts) for one in events} == {("dead", 1)}
        assert f"is call {ringing.call_id} already" in events[0].error
        notice = Notification.objects.get()  # one, of three events
        assert "two calls of one attempt" in notice.title
        assert notice.url in {f"/agency/webhooks/{event.pk}/" for event in events}


class TestContradictions:
    @pytest.mark.parametrize("first", ["ended", "analyzed"])
    def test_are_noted_on_the_event_that_came_later_and_told(
        self, ringing: Ringing, now: datetime, first: str
    ):
        """What was billed by stays; nobody has to guess that another duration was told too."""
        said = {
            "ended": ringing.says("user_hangup", seconds=61)["ended"],
            "analyzed": ringing.says("user_hangup", seconds=59)["analyzed"],
        }
        order = sorted(said, key=lambda kind: kind != first)
        for kind in order:
            deliver(said[kind])
            drain.step(now=now)
        call = Call.objects.get()
        held, told = (61_000, 59_000) if first == "ended" else (59_000, 61_000)
        assert call.duration_ms == held
        later = WebhookEvent.objects.get(event_type=f"call_{order[1]}")
        assert (later.status, later.error) == (
            "applied", f"duration_ms: {held} holds, {told} was told.",
        )  # fmt: skip
        assert WebhookEvent.objects.get(event_type=f"call_{first}").error == ""
        assert "contradict" in Notification.objects.get(level="warn").title

    def test_are_none_where_events_agree(self, ringing: Ringing, now: datetime):
        for body in ringing.says("user_hangup").values():
            deliver(body)
        drain.step(now=now)
        assert set(WebhookEvent.objects.values_list("error", flat=True)) == {""}
        assert not Notification.objects.filter(level="warn").exists()


class TestStrangers:
    def test_wait_when_nothing_says_whose_they_are(self, acme: Client, now: datetime):
        assert tell(delivery("call_ended", call_status="ended"), now) is None
        assert not Call.objects.exists()

    def test_wait_when_their_attempt_is_none_of_ours(self, acme: Client, now: datetime):
        assert tell(delivery("call_ended", attempt_id=acme.pk), now) is None

    def test_are_recorded_without_a_campaign_when_they_called_us(self, acme: Client, now: datetime):
        PhoneNumberFactory.create(phone_number="+14155550100", client=acme)
        over: dict[str, Any] = {
            "call_status": "ended",
            "disconnection_reason": "user_hangup",
            "duration_ms": 5000,
        }
        tell(delivery("call_ended", direction="inbound", to_number="+14155550100", **over), now)
        call = Call.objects.get()
        assert (call.campaign_id, call.outcome_class, call.billed_seconds) == (None, "human", 0)
        assert not DailyStat.objects.exists()

    def test_are_recorded_when_they_called_on_the_web(self, acme: Client, now: datetime):
        VoiceAgentFactory.create(client=acme, provider_agent_id="agent_7")
        tell(delivery("call_started", call_type="web_call", agent_id="agent_7"), now)
        assert Call.objects.get().status == "ongoing"

    def test_never_move_a_known_call_to_another_client(
        self, ringing: Ringing, rival: Client, now: datetime
    ):
        VoiceAgentFactory.create(client=rival, provider_agent_id="agent_of_rival")
        said = ringing.says("user_hangup", agent_id="agent_of_rival", direction="inbound")
        tell(said["ended"], now)
        assert Call.objects.get().client_id == ringing.attempt.client_id


DELIVERIES = [one for one in INDEX["fixtures"] if not one["name"].startswith("vector")]


@pytest.mark.parametrize("name", [one["name"] for one in DELIVERIES])
def test_reads_each_recorded_delivery(name: str):
    entry = next(entry for entry in INDEX["fixtures"] if entry["name"] == name)
    event = call_event(recorded(name))
    assert event.provider_call_id == entry["call_id"]
    assert event.call_status == entry["call_status"]
    assert event.disconnection_reason == (entry["disconnection_reason"] or "")
    assert f"call_{event.kind}" == entry["event"]
    assert event.event_ms == entry["timestamp"]
    assert event.user_spoke is ("dial_" not in name and event.kind != "started")


# What each call at Retell comes to here, by hand: 300,000 micros a minute, each second billed.
RECORDED: dict[str, dict[str, Any]] = {
    "call_0000000000000000000a11ce000": {  # of which only the beginning is told
        "call": ("ongoing", "", None, 0),
        "attempt": ("placed", "", ""),
        "enrolment": ("in_call", 0, "", None),
        "bill": ("held", 0, 0, 0),
    },
    "call_0000000000000000000a11ce001": {
        "call": ("ended", "human", 74_000, 177_333),
        "attempt": ("ended", "human", "user_hangup"),
        "enrolment": ("done", 1, "human", None),
        "bill": ("posted", 74, 74, 370_000),
    },
    "call_0000000000000000000a11ce002": {
        "call": ("ended", "human", 68_000, 164_333),
        "attempt": ("ended", "human", "agent_hangup"),
        "enrolment": ("done", 1, "human", None),
        "bill": ("posted", 68, 68, 340_000),
    },
    "call_0000000000000000000a11ce003": {
        "call": ("ended", "machine", 19_000, 58_167),
        "attempt": ("ended", "machine", "voicemail_reached"),
        "enrolment": ("queued", 1, "machine", timedelta(hours=24)),
        "bill": ("posted", 19, 19, 95_000),
    },
    "call_0000000000000000000a11ce007": {
        "call": ("not_connected", "no_contact", 0, 0),
        "attempt": ("ended", "no_contact", "dial_no_answer"),
        "enrolment": ("queued", 1, "no_contact", timedelta(hours=4)),
        "bill": ("posted", 0, 0, 0),
    },
    "call_0000000000000000000a11ce008": {
        "call": ("not_connected", "no_contact", 0, 0),
        "attempt": ("ended", "no_contact", "dial_busy"),
        "enrolment": ("queued", 1, "no_contact", timedelta(minutes=20)),
        "bill": ("posted", 0, 0, 0),
    },
}


@pytest.mark.parametrize("call_id", sorted({one["call_id"] for one in DELIVERIES}))
@pytest.mark.parametrize("order", ["as it was", "backwards and twice"])
def test_applies_the_recorded_life_of_a_call(
    ringing: Ringing, now: datetime, call_id: str, order: str
):
    """Byte for byte, for the call that Retell has under that id."""
    names = [one["name"] for one in DELIVERIES if one["call_id"] == call_id]
    Call.objects.update(provider_call_id=call_id)
    for name in names if order == "as it was" else [*reversed(names), *names]:
        tell(recorded(name), now)

    call, attempt, hold = Call.objects.get(), Attempt.objects.get(), CallHold.objects.get()
    enrolment = Enrolment.objects.get()
    since = call.ended_at or now  # nothing tells when a dial ended that nobody answered
    waits = enrolment.next_attempt_at - since if enrolment.status == "queued" else None
    assert {
        "call": (call.status, call.outcome_class, call.duration_ms, call.retell_cost_micros),
        "attempt": (attempt.status, attempt.outcome_class, attempt.disconnection_reason),
        "enrolment": (enrolment.status, enrolment.attempts_count, enrolment.last_outcome, waits),
        "bill": (hold.status, hold.posted_seconds, call.billed_seconds, call.client_cost_micros),
    } == RECORDED[call_id]
    check_the_books()


def test_keeps_what_was_said_in_a_recorded_call(ringing: Ringing, now: datetime):
    Call.objects.update(provider_call_id="call_0000000000000000000a11ce001")
    tell(recorded("call_analyzed.user_hangup"), now)
    assert CallDetail.objects.get().call_summary.startswith("The agent confirmed")
