"""The sweeper: calls whose news was lost end all the same, once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from audit.services import System
from billing.invariants import audit_ledger
from billing.models import CallHold, Difference, Reconciliation
from billing.services import resolve_difference
from campaigns.models import Attempt, Enrolment
from convomono.lib import clock
from telephony.models import Call
from telephony.provider import PaymentRequired, ProviderCall, Rejected, Unauthorised, Unavailable
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import delivery
from tests.webhooks.conftest import Ringing, deliver, without
from webhooks import jobs, sweeper
from webhooks.drain import step
from webhooks.models import WebhookEvent
from webhooks.sweeper import sweep_calls, sweep_parked

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.campaigns.dialling.conftest import Rig

LATER = timedelta(hours=1)
AGAIN = timedelta(minutes=11)


def retell_has(rig: Rig, call: Ringing, reason: str = "user_hangup", **fields: Any) -> None:
    """Let Retell hold the call as it ended, although no webhook told us."""
    told = orjson.loads(call.says(reason)["analyzed"])["call"] | fields
    del told["call_id"]
    rig.retell.becomes(call.call_id, **told)


def refuse(rig: Rig, monkeypatch: pytest.MonkeyPatch, refused: str, error: Rejected) -> None:
    """Let Retell refuse to tell of one call."""
    retrieve = rig.retell.retrieve_call

    def choosy(*, call_id: str) -> object:
        if call_id == refused:
            raise error
        return retrieve(call_id=call_id)

    monkeypatch.setattr(rig.retell, "retrieve_call", choosy)


def retell_runs(rig: Rig, call_id: str) -> None:
    """Let Retell hold a call that still goes on, whoever placed it."""
    payload = {"call_id": call_id, "call_status": "ongoing"}
    rig.retell.placed[call_id] = ProviderCall(
        call_id=call_id, call_status="ongoing", metadata={}, payload=payload
    )


class TestSilentCalls:
    def test_are_fetched_and_billed(self, ringing: Ringing, rig: Rig, now: datetime):
        retell_has(rig, ringing)
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 1
        event = WebhookEvent.objects.get()
        assert (event.source, event.event_type) == ("sweep", "call_swept")
        step(now=now + LATER)
        call = Call.objects.get()
        assert (call.status, call.outcome_class, call.billed_seconds) == ("ended", "human", 30)
        assert call.detail.call_summary == "They talked."
        assert Enrolment.objects.get().status == "done"
        assert list(audit_ledger()) == []

    def test_are_left_alone_while_they_may_last(self, ringing: Ringing, rig: Rig, now: datetime):
        """300 s at most, two minutes to ring, ten minutes of grace."""
        retell_has(rig, ringing)
        assert sweep_calls(gateway=rig.retell, now=now + timedelta(minutes=16)) == 0
        assert sweep_calls(gateway=rig.retell, now=now + timedelta(minutes=18)) == 1

    def test_are_fetched_once(self, ringing: Ringing, rig: Rig, now: datetime):
        retell_has(rig, ringing)
        for _ in range(2):
            sweep_calls(gateway=rig.retell, now=now + LATER)
        assert WebhookEvent.objects.count() == 1

    def test_are_asked_for_again_while_they_still_run(
        self, ringing: Ringing, rig: Rig, now: datetime
    ):
        rig.retell.becomes(ringing.call_id, call_status="ongoing")
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 0
        retell_has(rig, ringing)
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 0  # it was just asked
        assert sweep_calls(gateway=rig.retell, now=now + LATER + AGAIN) == 1

    def test_do_not_hide_a_younger_one_that_is_lost(
        self, ringing: Ringing, rig: Rig, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        """Calls that Retell still calls running, more of them than are asked about at once."""
        monkeypatch.setattr(sweeper, "BATCH", 10)
        for number in range(21):
            one = CallFactory.create(attempt_id=None, provider_call_id=f"call_long_{number}")
            Call.objects.filter(pk=one.pk).update(created_at=now - timedelta(hours=5))
            retell_runs(rig, one.provider_call_id)
        retell_has(rig, ringing)
        told = [sweep_calls(gateway=rig.retell, now=now + LATER) for _ in range(3)]
        assert told == [0, 0, 1]
        # Ten minutes later those that are running are asked about again, the earliest first.
        assert sweep_calls(gateway=rig.retell, now=now + LATER + AGAIN) == 0
        asked = Call.objects.filter(swept_at=now + LATER + AGAIN)
        assert asked.count() == 10

    def test_that_may_last_long_do_not_hide_others_either(
        self, ringing: Ringing, rig: Rig, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sweeper, "BATCH", 2)
        for number in range(3):  # given two hours, and an hour old
            one = CallFactory.create(attempt_id=None, provider_call_id=f"call_long_{number}")
            Call.objects.filter(pk=one.pk).update(created_at=now - timedelta(minutes=10))
        retell_has(rig, ringing)
        assert sweep_calls(gateway=rig.retell, now=now + timedelta(minutes=30)) == 1

    def test_do_not_wait_behind_one_that_retell_refuses(
        self, ringing: Ringing, rig: Rig, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        one = CallFactory.create(attempt_id=None, provider_call_id="nonsense")
        Call.objects.filter(pk=one.pk).update(created_at=now - timedelta(hours=5))
        retell_has(rig, ringing)
        refuse(rig, monkeypatch, "nonsense", Rejected("No such id.", 422))

        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 1
        assert Call.objects.get(pk=one.pk).swept_at == now + LATER  # not the first again at once

    @pytest.mark.parametrize("refusal", [Unauthorised, PaymentRequired])
    def test_are_not_asked_about_while_retell_refuses_all(
        self, ringing: Ringing, rig: Rig, now: datetime, monkeypatch: pytest.MonkeyPatch, refusal
    ):
        refuse(rig, monkeypatch, ringing.call_id, refusal("No.", 401))

        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 0
        assert Call.objects.get().swept_at is None

    def test_end_when_retell_knows_nothing_of_them(self, ringing: Ringing, rig: Rig, now: datetime):
        rig.retell.placed.clear()
        sweep_calls(gateway=rig.retell, now=now + LATER)
        step(now=now + LATER)
        call = Call.objects.get()
        assert (call.status, call.outcome_class) == ("error", "technical")
        assert call.disconnection_reason == "lost_by_provider"
        assert CallHold.objects.get().status == "posted"
        assert list(audit_ledger()) == []

    def test_wait_for_a_retell_that_is_away(self, ringing: Ringing, rig: Rig, now: datetime):
        retell_has(rig, ringing)
        rig.retell.fail("retrieve_call", Unavailable("Connection refused."))
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 0
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 1

    @pytest.mark.parametrize("first", ["swept", "delivered"])
    def test_are_billed_once_when_the_webhook_comes_after_all(
        self, ringing: Ringing, rig: Rig, now: datetime, first: str
    ):
        retell_has(rig, ringing)
        said = ringing.says("user_hangup")
        moves: list[Callable[[], Any]] = [
            lambda: sweep_calls(gateway=rig.retell, now=now + LATER),
            lambda: [deliver(body) for body in said.values()],
        ]
        for move in moves if first == "swept" else reversed(moves):
            move()
            step(now=now + LATER)
        assert Call.objects.get().billed_seconds == 30
        assert list(audit_ledger()) == []


class TestHalfToldCalls:
    def test_are_completed(self, ringing: Ringing, rig: Rig, now: datetime):
        """An end without a duration bills nothing; what Retell says when asked does."""
        blind = ("duration_ms", "end_timestamp", "start_timestamp")
        deliver(without(ringing.says("user_hangup")["ended"], *blind))
        step(now=now)
        assert Call.objects.get().billed_seconds == 0
        retell_has(rig, ringing)
        assert sweep_calls(gateway=rig.retell, now=now + LATER) == 1
        step(now=now + LATER)
        assert Call.objects.get().billed_seconds == 30

    def test_count_as_nothing_when_retell_knows_no_more(
        self, ringing: Ringing, rig: Rig, now: datetime
    ):
        deliver(delivery("call_ended", call_id=ringing.call_id, call_status="error"))
        step(now=now)
        rig.retell.becomes(ringing.call_id, call_status="error")
        sweep_calls(gateway=rig.retell, now=now + LATER)
        step(now=now + LATER)
        call = Call.objects.get()
        assert (call.outcome_class, call.disconnection_reason) == ("technical", "not_reported")
        assert CallHold.objects.get().status == "posted"


class TestParkedEvents:
    @pytest.fixture
    def orphan(self, ringing: Ringing, now: datetime) -> Ringing:
        """An event without metadata for a call whose row was never written."""
        Call.objects.all().delete()
        Attempt.objects.update(status=Attempt.Status.UNKNOWN, provider_call_id="", call_id=None)
        deliver(without(ringing.says("user_hangup")["ended"], "metadata"))
        step(now=now)
        assert WebhookEvent.objects.get().status == "parked"
        return ringing

    def test_find_their_call_at_retell(self, orphan: Ringing, rig: Rig, now: datetime):
        retell_has(rig, orphan)
        assert sweep_parked(gateway=rig.retell, now=now + LATER) == 1
        while step(now=now + LATER):
            pass
        assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
        assert Call.objects.get().attempt_id == orphan.attempt.pk
        assert Call.objects.get().billed_seconds == 30

    def test_are_given_time_first(self, orphan: Ringing, rig: Rig, now: datetime):
        retell_has(rig, orphan)
        assert sweep_parked(gateway=rig.retell, now=now + timedelta(minutes=1)) == 0

    def test_of_others_do_not_hide_one_of_ours(
        self, orphan: Ringing, rig: Rig, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(sweeper, "BATCH", 2)
        for number in range(5):  # somebody else's, which still run, and one that was told of
            foreign = f"call_foreign_{number}"
            for event in ("call_started", "call_analyzed"):
                deliver(delivery(event, call_id=foreign), created_at=now - timedelta(hours=1))
            retell_runs(rig, foreign)
        rig.retell.becomes("call_foreign_0", call_status="ended")
        WebhookEvent.objects.filter(status="pending").update(status="parked")
        retell_has(rig, orphan)
        told = [sweep_parked(gateway=rig.retell, now=now + LATER) for _ in range(4)]
        assert told == [1, 0, 1, 0]
        rig.retell.asked.clear()
        sweep_parked(gateway=rig.retell, now=now + LATER + AGAIN)
        asked = [about["call_id"] for _method, about in rig.retell.asked]
        assert asked == ["call_foreign_1", "call_foreign_2"]  # the others are told of

    def test_are_asked_about_once(self, orphan: Ringing, rig: Rig, now: datetime):
        retell_has(rig, orphan)
        for _ in range(2):
            sweep_parked(gateway=rig.retell, now=now + LATER)
        assert WebhookEvent.objects.filter(source="sweep").count() == 1


def test_jobs_run_with_nothing_to_do(rig: Rig, db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "retell_gateway", lambda: rig.retell)
    assert jobs.sweep_calls(of_a_later_version=1) == 0
    assert jobs.sweep_parked() == 0
    assert jobs.expire_lost_holds() == 0
    jobs.resolve_lost_answers()


def test_a_call_without_an_attempt_is_given_retells_longest(rig: Rig, db: None, now: datetime):
    CallFactory.create(attempt_id=None)
    assert sweep_calls(gateway=rig.retell, now=now + timedelta(hours=2)) == 0
    assert sweep_calls(gateway=rig.retell, now=now + timedelta(hours=3)) == 1


class TestDifferences:
    """What somebody who compares the books wants Retell's news of."""

    @pytest.fixture
    def difference(self, ringing: Ringing, now: datetime) -> Difference:
        run = Reconciliation.objects.create(
            key="night", window_from=now, window_until=now, next_from=now, asked_at=now
        )
        row = Difference.objects.create(
            reconciliation=run, kind="missing_here", provider_call_id=ringing.call_id
        )
        by: dict[str, Any] = {"reason": "", "actor": System("tests"), "now": now}
        return resolve_difference(difference=row, step="fetch", **by)

    def test_are_fetched_billed_and_resolved_once(
        self,
        difference: Difference,
        ringing: Ringing,
        rig: Rig,
        monkeypatch: pytest.MonkeyPatch,
    ):
        monkeypatch.setattr(jobs, "retell_gateway", lambda: rig.retell)
        retell_has(rig, ringing)

        assert [jobs.fetch_differences() for _ in range(2)] == [1, 0]
        difference.refresh_from_db()
        assert difference.status == "fetching"  # told, and not yet applied
        step(now=clock.now())
        jobs.fetch_differences()

        difference.refresh_from_db()
        assert (difference.status, difference.step) == ("resolved", "fetch")
        assert Call.objects.get().billed_seconds == 30
        assert list(audit_ledger()) == []

    def test_are_open_again_when_retells_news_changes_nothing(
        self,
        difference: Difference,
        rig: Rig,
        monkeypatch: pytest.MonkeyPatch,
    ):
        """An extra call ended resolved, in nobody's books."""
        Difference.objects.filter(pk=difference.pk).update(provider_call_id="call_nobodys")
        monkeypatch.setattr(jobs, "retell_gateway", lambda: rig.retell)

        jobs.fetch_differences()
        step(now=clock.now())
        Difference.objects.update(fetched_at=clock.now() - timedelta(minutes=6))
        jobs.fetch_differences()

        difference.refresh_from_db()
        assert (difference.status, difference.step) == ("open", "")
        assert "leave it with a reason" in difference.sentence
        assert (difference.is_foreign, difference.safe_steps) == (True, ["excuse"])

    def test_keep_none_waiting_behind_one_that_retell_refuses(
        self,
        difference: Difference,
        ringing: Ringing,
        rig: Rig,
        monkeypatch: pytest.MonkeyPatch,
    ):
        refused = Difference.objects.create(
            reconciliation=difference.reconciliation,
            kind="cost_differs",
            provider_call_id="nonsense",
            status="fetching",
            step="fetch",
            resolved_at=clock.now() - timedelta(hours=1),
        )
        monkeypatch.setattr(jobs, "retell_gateway", lambda: rig.retell)
        retell_has(rig, ringing)
        refuse(rig, monkeypatch, "nonsense", Rejected("No such id.", 422))

        assert jobs.fetch_differences() == 1

        refused.refresh_from_db()
        assert refused.status == "open"

    def test_wait_while_retell_is_away(
        self, difference: Difference, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ):
        def away(**_asked: object) -> None:
            raise Unavailable("Connection refused.")

        monkeypatch.setattr(jobs, "retell_gateway", lambda: rig.retell)
        monkeypatch.setattr(rig.retell, "retrieve_call", away)

        assert jobs.fetch_differences() == 0
        difference.refresh_from_db()
        assert difference.status == "fetching"
