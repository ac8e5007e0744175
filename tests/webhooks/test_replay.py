"""History applied again: nothing changes that was applied, and what wasn't is mended."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.models import ClientEvent
from billing.invariants import audit_ledger
from billing.models import Transaction
from campaigns.models import FollowUp, FollowUpRule
from reporting.models import DailyStat
from telephony.models import Call, CallDetail
from tests.factories.telephony import PhoneNumberFactory
from tests.factories.webhooks import EndpointFactory, delivery
from tests.webhooks.conftest import Ringing, deliver
from webhooks import replay
from webhooks.client_events import LISTENERS
from webhooks.drain import step
from webhooks.models import ReplayRun, WebhookEvent
from webhooks.replay import Range, apply_again, rebuild_everything, rebuilt_call
from webhooks.scratch import read_comparison, written_comparison

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client
    from webhooks.pictures import Difference

REASONS = ("user_hangup", "dial_busy", "voicemail_reached", "invalid_destination", "user_hangup")


@pytest.fixture
def past(launched: Callable[[int], list[Ringing]], acme: Client, now: datetime) -> list[Ringing]:
    """Five calls of a campaign and one that came to us, all of whose events were applied."""
    calls = launched(len(REASONS))
    for call, reason in zip(calls, REASONS, strict=True):
        for body in call.says(reason).values():
            deliver(body, created_at=now)
    PhoneNumberFactory.create(client=acme, phone_number="+14155550199")
    inbound: dict[str, Any] = {
        "direction": "inbound",
        "from_number": "+12125550101",
        "to_number": "+14155550199",
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "duration_ms": 9000,
    }
    deliver(delivery("call_ended", call_id="call_inbound", **inbound), created_at=now)
    while step(now=now):
        pass
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    return calls


def rows() -> list[Any]:
    found: list[Any] = []
    for model in (Call, CallDetail, DailyStat, Transaction, WebhookEvent):
        found += model.objects.order_by("pk").values()
    return found


def vars_of(one: Difference) -> tuple[str, str]:
    return one.stored, one.rebuilt


class TestEverything:
    @pytest.mark.parametrize("shuffle", [None, 1, 2, 3])
    def test_comes_out_equal_in_any_order_and_doubled(
        self, past: list[Ringing], shuffle: int | None
    ):
        money = list(Transaction.objects.order_by("pk").values())
        found = rebuild_everything(shuffle=shuffle)
        assert found.differences == []
        assert found.stored_hash == found.rebuilt_hash
        assert (found.calls_count, found.left_out_count, found.failed_count) == (6, 0, 0)
        assert found.events_count == WebhookEvent.objects.count() * (1 if shuffle is None else 2)
        assert list(Transaction.objects.order_by("pk").values()) == money
        assert list(audit_ledger()) == []

    def test_hashes_the_same_history_the_same(self, past: list[Ringing]):
        assert rebuild_everything().rebuilt_hash == rebuild_everything(shuffle=7).rebuilt_hash

    @pytest.mark.parametrize(
        ("model", "change", "column"),
        [
            (Call, {"duration_ms": 31_000}, "call.duration_ms"),
            (Call, {"outcome_class": "technical"}, "call.outcome_class"),
            (Call, {"to_number": "+12125550177"}, "call.to_number"),
            (Call, {"from_number": "+12125550178"}, "call.from_number"),
            (CallDetail, {"transcript": "Agent: Forged."}, "detail.transcript"),
            (CallDetail, {"call_analysis": {}}, "detail.call_analysis"),
            (DailyStat, {"talk_ms": 1}, "day.talk_ms"),
        ],
    )
    def test_shows_what_was_changed_by_hand(
        self, past: list[Ringing], model: Any, change: dict[str, Any], column: str
    ):
        row = model.objects.exclude(duration_ms=0) if model is Call else model.objects
        first = row.order_by("pk").values_list("pk", flat=True)[0]
        model.objects.filter(pk=first).update(**change)
        found = rebuild_everything()
        assert column in {one.column for one in found.differences}
        assert found.stored_hash != found.rebuilt_hash

    def test_tells_nothing_of_what_was_said_or_with_whom(self, past: list[Ringing]):
        Call.objects.update(
            to_number="+12125550177", from_number="+12125550178", last_line="canary"
        )
        CallDetail.objects.update(
            transcript="canary", call_analysis={"canary": 1}, recording_url="https://canary/"
        )
        shown = [text for one in rebuild_everything().differences for text in vars_of(one)]
        assert shown
        assert [text for text in shown if "canary" in text or "+1212555" in text] == []

    def test_leaves_out_calls_without_events(self, past: list[Ringing]):
        WebhookEvent.objects.filter(provider_call_id=past[0].call_id).delete()
        found = rebuild_everything()
        assert (found.calls_count, found.left_out_count) == (5, 1)
        assert found.differences == []

    def test_leaves_out_calls_from_before_the_purge(self, past: list[Ringing], now: datetime):
        Call.objects.filter(provider_call_id=past[0].call_id).update(
            created_at=now - timedelta(days=100)
        )
        found = rebuild_everything(kept_since=now - timedelta(days=90))
        assert found.calls_count == 5

    def test_is_written_and_read_as_one_line(self, past: list[Ringing]):
        Call.objects.update(user_sentiment="Angry")
        found = rebuild_everything()
        assert read_comparison("noise\n" + written_comparison(found)) == found


class TestOneCall:
    def test_is_compared_and_left_as_it_is(self, past: list[Ringing]):
        Call.objects.filter(provider_call_id=past[0].call_id).update(user_sentiment="Angry")
        before = rows()
        found = rebuilt_call(provider_call_id=past[0].call_id)
        assert [(one.column, one.stored, one.rebuilt) for one in found.differences] == [
            ("call.user_sentiment", "Angry", "Positive")
        ]
        assert rows() == before

    def test_that_nobody_knows_has_nothing_to_differ(self, db: None):
        assert rebuilt_call(provider_call_id="call_x").differences == []


class TestAgain:
    def test_changes_nothing_that_was_applied(self, past: list[Ringing], now: datetime):
        before = rows()
        for is_dry_run in (True, False):
            found = apply_again(chosen=Range(), is_dry_run=is_dry_run, now=now)
            assert (found.calls_count, found.differences) == (6, [])
            assert rows() == before

    def test_mends_what_was_not_applied_and_tells_before(self, ringing: Ringing, now: datetime):
        deliver(ringing.says("user_hangup")["ended"], created_at=now)
        WebhookEvent.objects.update(status="dead", attempts=5, error="ValueError: no antidote")
        before = rows()
        dry = apply_again(chosen=Range(), is_dry_run=True, now=now)
        assert ("call.status", "registered", "ended") in {
            (one.column, one.stored, one.rebuilt) for one in dry.differences
        }
        assert rows() == before
        wet = apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert wet.differences == dry.differences
        assert Call.objects.get().billed_seconds == 30
        assert WebhookEvent.objects.get().status == "applied"
        assert apply_again(chosen=Range(), is_dry_run=False, now=now).differing_count == 0
        assert list(audit_ledger()) == []

    def test_tells_clients_nothing_that_was_told_long_ago(
        self, past: list[Ringing], acme: Client, now: datetime
    ):
        """The log of what was sent is purged before the events are."""
        EndpointFactory.create(client=acme, kinds=["call.ended", "call.analyzed"])
        LISTENERS.forget()
        assert apply_again(chosen=Range(), is_dry_run=False, now=now).events_count
        assert not ClientEvent.objects.exclude(kind="campaign.finished").exists()
        WebhookEvent.objects.filter(provider_call_id=past[0].call_id).update(status="dead")
        apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert ClientEvent.objects.filter(kind="call.analyzed").exists()  # they hadn't heard of it

    def test_has_the_follow_ups_that_a_failed_event_did_not_have(
        self, ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        concluded: list[Any] = []

        def conclude(*, changes: Any, now: datetime) -> None:
            concluded.append([change.attempt_id for change in changes])

        monkeypatch.setattr(replay, "conclude", conclude)
        deliver(ringing.says("user_hangup")["ended"], created_at=now)
        WebhookEvent.objects.update(status="dead")
        apply_again(chosen=Range(), is_dry_run=True, now=now)
        assert concluded == []
        apply_again(chosen=Range(), is_dry_run=False, now=now)
        apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert concluded == [[ringing.attempt.pk], []]  # what it did it doesn't do again

    def test_makes_the_follow_up_of_a_rule(self, ringing: Ringing, acme: Client, now: datetime):
        FollowUpRule.objects.create(
            client=acme, outcome="human", delay_seconds=0, note="Call back.", created_at=now
        )
        deliver(ringing.says("user_hangup")["ended"], created_at=now)
        WebhookEvent.objects.update(status="dead")
        later = now + timedelta(hours=12)  # nobody looks for what was missed so long ago
        apply_again(chosen=Range(), is_dry_run=False, now=later)
        assert FollowUp.objects.count() == 1
        apply_again(chosen=Range(), is_dry_run=False, now=later)
        assert FollowUp.objects.count() == 1

    def test_counts_events_of_calls_that_nobody_knows(self, db: None, now: datetime):
        deliver(delivery("call_ended", call_id="call_x"), created_at=now)
        WebhookEvent.objects.update(status="parked")
        found = apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert (found.events_count, found.unknown_count, found.failed_count) == (1, 1, 0)
        assert ReplayRun(**asdict(found)).conclusion == "unknown"

    def test_takes_the_range_it_is_given(self, past: list[Ringing], now: datetime):
        later = past[1]
        moved = WebhookEvent.objects.filter(provider_call_id=later.call_id)
        count = moved.update(created_at=now + timedelta(hours=1))
        hour = now + timedelta(hours=1)

        def events(**chosen: Any) -> int:
            return apply_again(chosen=Range(**chosen), is_dry_run=True, now=now).events_count

        everything = WebhookEvent.objects.count()
        assert events(received_from=hour) == count
        assert events(received_until=hour) == everything - count
        assert events(provider_call_id=later.call_id) == count
        assert events(received_from=hour + timedelta(seconds=1)) == 0

    def test_goes_on_after_an_event_that_fails(
        self, past: list[Ringing], now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        WebhookEvent.objects.filter(provider_call_id=past[0].call_id).update(body="{")
        found = apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert found.failed_count == 3
        assert len(found.failures) == 3
        assert ReplayRun(**asdict(found)).conclusion == "failed"
        assert found.calls_count == 6

    def test_leaves_what_waits_to_the_drain(self, ringing: Ringing, now: datetime):
        deliver(ringing.says("user_hangup")["ended"], created_at=now)
        assert apply_again(chosen=Range(), is_dry_run=False, now=now).events_count == 0


class TestCommand:
    def test_replays_a_call(self, past: list[Ringing]):
        count = WebhookEvent.objects.filter(provider_call_id=past[0].call_id).count()
        told = call_command("replay_webhooks", "--call", past[0].call_id)
        assert told == f"Replayed {count} events, 0 calls changed."

    def test_replays_a_range_dryly(self, past: list[Ringing]):
        told = call_command(
            "replay_webhooks", "--from", "2026-11-23", "--to", "2026-11-24", "--dry-run"
        )
        assert told == f"Would replay {WebhookEvent.objects.count()} events, 0 calls would change."

    def test_asks_which_events(self, db: None):
        with pytest.raises(CommandError, match="Say which"):
            call_command("replay_webhooks")
        with pytest.raises(CommandError, match="no instant"):
            call_command("replay_webhooks", "--from", "yesterday")

    def test_rebuilds_nothing_but_a_scratch_copy(self, db: None):
        with pytest.raises(CommandError, match="no scratch copy"):
            call_command("replay_webhooks", "--rebuild-here")


@pytest.fixture
def may_open_a_copy(db: None, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any) -> None:
    """Django's tests forbid a database that they weren't told of: on MongoDB the copy is one."""
    real = django_db_blocker._real_ensure_connection
    monkeypatch.setattr(BaseDatabaseWrapper, "ensure_connection", real)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("may_open_a_copy")
def test_everything_is_compared_in_a_copy_by_a_process_of_its_own(
    past: list[Ringing], tmp_path: Any, settings: Any, capsys: pytest.CaptureFixture[str]
):
    settings.VAR_DIR = tmp_path
    before = rows()
    told = call_command("replay_webhooks", "--everything", "--shuffle", "5")
    assert told == f"Rebuilt 6 calls from {2 * WebhookEvent.objects.count()} events: equal."
    Call.objects.filter(provider_call_id=past[0].call_id).update(user_sentiment="Angry")
    with pytest.raises(CommandError, match="1 differ"):
        call_command("replay_webhooks", "--everything")
    assert "call.user_sentiment: Angry -> Positive" in capsys.readouterr().out
    Call.objects.filter(provider_call_id=past[0].call_id).update(user_sentiment="Positive")
    assert rows() == before
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["lock"]
