"""What the news of a call tells the client's systems: once each, in whatever order it comes."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import ClientEvent
from accounts.outbox import publish_client_event
from campaigns.enrolments import finish_if_complete
from campaigns.models import Attempt, BatchCall
from convomono.lib.db import atomic
from tests.factories.accounts import ClientFactory
from tests.factories.billing import open_wallet, sell
from tests.factories.webhooks import EndpointFactory
from tests.webhooks.conftest import ANALYSIS, Ringing, tell
from webhooks import client_events, jobs
from webhooks.client_events import LISTENERS, tell_low_credits

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client

CONVERTED = {**ANALYSIS, "custom_analysis_data": {"converted": True}}


@pytest.fixture
def listening(acme: Client) -> None:
    EndpointFactory.create(client=acme)


def kinds() -> list[str]:
    """What was told of calls and leads; the only call of a launch finishes its campaign too."""
    found = ClientEvent.objects.exclude(kind="campaign.finished").values_list("kind", flat=True)
    return sorted(found)


def only(kind: str) -> dict[str, Any]:
    data: dict[str, Any] = ClientEvent.objects.get(kind=kind).data
    return data


class TestCalls:
    @pytest.mark.parametrize("order", list(permutations(["started", "ended", "analyzed"])))
    def test_tell_their_end_and_their_analysis_once_in_any_order(
        self, listening: None, ringing: Ringing, now: datetime, order: tuple[str, ...]
    ):
        said = ringing.says("user_hangup")
        for kind in order * 2:
            tell(said[kind], now)
        assert kinds() == ["call.analyzed", "call.ended"]

    def test_are_told_in_the_names_of_the_api(
        self, listening: None, ringing: Ringing, now: datetime
    ):
        said = ringing.says("user_hangup", seconds=30)
        tell(said["ended"], now)
        attempt = Attempt.objects.get()
        data = only("call.ended")
        assert data["lead_id"] == str(attempt.lead_id)
        assert (data["status"], data["outcome_class"]) == ("ended", "human")
        assert (data["duration_seconds"], data["billed_seconds"]) == (30, 30)
        assert data["client_cost"] == "0.1500"
        assert data["start_ts"].endswith("+00:00")
        assert "retell_cost" not in str(data)
        tell(said["analyzed"], now)
        assert only("call.analyzed")["analysis"] == {"in_voicemail": False, "is_successful": True}

    def test_tell_a_second_analysis_too(self, listening: None, ringing: Ringing, now: datetime):
        for summary in (True, False):
            said = ringing.says(
                "user_hangup", call_analysis={**ANALYSIS, "call_successful": summary}
            )
            tell(said["analyzed"].replace(b"446060002", b"446060%03d" % (3 + (not summary))), now)
        assert kinds() == ["call.analyzed", "call.analyzed", "call.ended"]

    def test_tell_a_conversion_once(self, listening: None, ringing: Ringing, now: datetime):
        said = ringing.says("user_hangup", call_analysis=CONVERTED)
        for _ in range(2):
            tell(said["analyzed"], now)
        assert kinds() == ["call.analyzed", "call.ended", "lead.converted"]
        assert only("lead.converted")["lead_id"] == str(Attempt.objects.get().lead_id)

    def test_tell_of_no_conversion_by_a_machine(
        self, listening: None, ringing: Ringing, now: datetime
    ):
        analysis = {**CONVERTED, "in_voicemail": True}
        tell(ringing.says("user_hangup", call_analysis=analysis)["analyzed"], now)
        assert "lead.converted" not in kinds()

    def test_cost_nothing_where_nobody_listens(
        self, rival: Client, ringing: Ringing, now: datetime, django_assert_num_queries: Any
    ):
        EndpointFactory.create(client=rival)
        EndpointFactory.create(client=ringing.attempt.client, kinds=["credits.low"])
        tell(ringing.says("user_hangup")["ended"], now)
        assert kinds() == []
        with django_assert_num_queries(0):
            assert not LISTENERS.want(ringing.attempt.client_id, "call.ended")

    def test_are_told_in_the_transaction_of_the_news(
        self, listening: None, ringing: Ringing, now: datetime
    ):
        class Undone(Exception):
            pass

        def told_and_undone() -> None:
            with atomic():
                tell(ringing.says("user_hangup")["ended"], now)
                raise Undone

        with pytest.raises(Undone):
            told_and_undone()
        assert kinds() == []


def test_a_finished_campaign_is_told_once(ringing: Ringing, now: datetime):
    tell(ringing.says("user_hangup")["ended"], now)
    batch_call = BatchCall.objects.get()
    for _ in range(2):
        finish_if_complete(batch_call_id=batch_call.pk, now=now)
    assert only("campaign.finished")["done"] == 1


class TestCredits:
    def test_are_told_when_they_run_low_and_again_after_a_purchase(
        self, acme: Client, now: datetime
    ):
        open_wallet(acme, seconds=1799)
        assert tell_low_credits(now=now) == 0  # nobody listens
        EndpointFactory.create(client=acme, kinds=["credits.low"])
        LISTENERS.forget()
        assert [tell_low_credits(now=now), tell_low_credits(now=now)] == [1, 0]
        assert only("credits.low") == {"available_minutes": "29.98", "reserved_minutes": "0.00"}
        sell(acme, seconds=2, now=now)
        assert tell_low_credits(now=now + timedelta(hours=1)) == 0

    def test_whoever_else_has_few(self, acme: Client, rival: Client, now: datetime, monkeypatch):
        """However many clients run low, whose systems don't ask."""
        monkeypatch.setattr(client_events, "_AT_ONCE", 1)
        for client in (rival, acme):
            open_wallet(client, seconds=60)
            EndpointFactory.create(client=client, kinds=["credits.low"])
        for _ in range(3):
            open_wallet(ClientFactory.create(), seconds=60)
        LISTENERS.forget()
        assert tell_low_credits(now=now) == 2

    def test_of_nobody_who_never_had_any(self, acme: Client, now: datetime):
        open_wallet(acme)
        assert jobs.watch_credits(of_a_later_version=1) == 0


def test_one_cause_is_one_event_inside_a_transaction_and_outside(acme: Client, now: datetime):
    def publish() -> bool:
        return publish_client_event(client_id=acme.pk, kind="call.ended", key="k", data={}, now=now)

    assert publish()
    with atomic():
        assert not publish()
    assert not publish()
