"""What transfers and the agent's first word come to: the same in any order, and in every way of telling it."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from campaigns.models import FollowUp
from telephony.first_words import NEVER_SPOKE_MS
from telephony.models import Call
from tests.factories.webhooks import delivery
from tests.webhooks.conftest import STARTED_MS, Ringing, deliver, tell
from webhooks.deliveries import read_delivery
from webhooks.drain import step
from webhooks.models import WebhookEvent
from webhooks.payloads import call_event
from webhooks.pictures import call_picture
from webhooks.replay import _put_back, rebuild_everything, rebuilt_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

DESK, BACK_OFFICE = "+14155550199", "sip:back@example.com"
SAID: list[dict[str, Any]] = [
    {"role": "user", "content": "Yes?", "words": [{"word": "Yes?", "start": 0.5, "end": 1.0}]},
    {"role": "agent", "content": "Hi.", "words": [{"word": "Hi.", "start": 1.75, "end": 2.0}]},
]


def transfer(call: Ringing, word: str, to: str = "", *, after_ms: int = 0, **more: Any) -> bytes:
    """Return an event of a transfer; `call_status` and a reason in it must tell nothing of the call."""
    about: dict[str, Any] = {"call_status": "ended", "disconnection_reason": "user_hangup", **more}
    if to:
        about["transfer_destination"] = to
    return delivery(
        f"transfer_{word}",
        call_id=call.call_id,
        attempt_id=call.attempt.pk,
        event_ms=STARTED_MS + after_ms,
        **about,
    )


def told() -> tuple[str, str]:
    return Call.objects.values_list("transfer_status", "transfer_destination").get()


def put_back(call: Ringing) -> None:
    """Let the call be as it was when it was placed, for another history."""
    _put_back(call.call_id)
    assert told() == ("", "")


class TestTransfers:
    @pytest.mark.parametrize(
        ("history", "found"),
        [
            ([("started", DESK)], ("started", DESK)),
            ([("ended", "")], ("started", "")),
            ([("started", DESK), ("cancelled", "")], ("cancelled", DESK)),
            ([("started", DESK), ("bridged", ""), ("ended", "")], ("bridged", DESK)),
            (
                [("started", DESK), ("cancelled", DESK), ("started", BACK_OFFICE), ("bridged", "")],
                ("bridged", DESK),  # the furthest event that says whom: the bridge didn't
            ),
            (
                [("cancelled", DESK), ("started", BACK_OFFICE), ("bridged", BACK_OFFICE)],
                ("bridged", BACK_OFFICE),
            ),
            ([("cancelled", DESK), ("cancelled", BACK_OFFICE)], ("cancelled", BACK_OFFICE)),
        ],
    )
    def test_add_up_in_any_order_and_doubled(
        self,
        ringing: Ringing,
        now: datetime,
        history: list[tuple[str, str]],
        found: tuple[str, str],
    ):
        bodies = [
            transfer(ringing, word, to, after_ms=number)
            for number, (word, to) in enumerate(history)
        ]
        for order in permutations(bodies):
            put_back(ringing)
            for body in (*order, order[0]):
                tell(body, now)
            assert told() == found

    def test_leave_the_call_itself_as_it_stands(self, ringing: Ringing, now: datetime):
        said = ringing.says("agent_hangup")
        events = [*said.values(), transfer(ringing, "bridged", DESK, duration_ms=1)]
        outcomes = []
        for order in permutations(events):
            put_back(ringing)
            for body in order:
                tell(body, now)
            outcomes.append(call_picture(ringing.call_id))
        assert all(outcome == outcomes[0] for outcome in outcomes)
        call = Call.objects.get()
        assert (call.status, call.disconnection_reason) == ("ended", "agent_hangup")
        assert (call.duration_ms, call.transfer_status) == (30_000, "bridged")

    def test_alone_say_that_the_call_goes_on(self, ringing: Ringing, now: datetime):
        tell(transfer(ringing, "started", DESK), now)
        call = Call.objects.get()
        assert (call.status, call.disconnection_reason, call.ended_at) == ("ongoing", "", None)

    @pytest.mark.parametrize(
        ("reason", "status"),
        [
            ("call_transfer", "bridged"),
            ("transfer_bridged", "bridged"),
            ("transfer_cancelled", "cancelled"),
            ("user_hangup", ""),
        ],
    )
    def test_are_told_by_how_a_call_ended(
        self, ringing: Ringing, now: datetime, reason: str, status: str
    ):
        tell(ringing.says(reason)["ended"], now)
        assert told() == (status, "")

    def test_are_stored_to_be_applied(self, ringing: Ringing):
        read = read_delivery(transfer(ringing, "started"))
        assert (read.status, read.provider_call_id) == ("pending", ringing.call_id)
        assert read_delivery(b'{"event":"transfer_started","call":{}}').status == "dead"

    def test_name_whom_beside_the_call_or_in_it(self):
        beside = {"event": "transfer_started", "call": {"call_id": "c"}}
        assert call_event(orjson.dumps(beside)).transfer_destination == ""
        assert (
            call_event(orjson.dumps({**beside, "transfer_destination": DESK})).transfer_destination
            == DESK
        )
        inside = {**beside, "call": {"call_id": "c", "transfer_destination": DESK}}
        assert call_event(orjson.dumps(inside)).transfer_destination == DESK


class TestFailedTransfers:
    def test_are_followed_once(self, ringing: Ringing, now: datetime):
        said = ringing.says("transfer_cancelled")
        for body in (*said.values(), *said.values()):
            tell(body, now)
        row = FollowUp.objects.get()
        assert (row.lead_id, row.call_id) == (ringing.attempt.lead_id, Call.objects.get().pk)
        assert "transfer failed" in row.note

    def test_are_not_where_the_call_went_on(self, ringing: Ringing, now: datetime):
        tell(transfer(ringing, "cancelled", DESK), now)
        for body in ringing.says("agent_hangup").values():
            tell(body, now)
        assert not FollowUp.objects.exists()


class TestFirstWords:
    @pytest.mark.parametrize(
        ("turns", "first_ms"),
        [(SAID, 750), (SAID[:1], NEVER_SPOKE_MS), ([{"role": "agent", "content": "Hi."}], None)],
    )
    def test_come_with_the_transcript(
        self, ringing: Ringing, now: datetime, turns: list[Any], first_ms: int | None
    ):
        said = ringing.says("user_hangup", transcript_object=turns)
        for order in permutations([*said.values(), said["ended"]]):
            put_back(ringing)
            for body in order:
                tell(body, now)
            assert Call.objects.get().agent_first_word_ms == first_ms

    def test_of_a_later_transcript_replace_those_of_an_earlier(
        self, ringing: Ringing, now: datetime
    ):
        early = ringing.says("user_hangup", transcript_object=SAID[:1])["ended"]
        late = ringing.says("user_hangup", transcript_object=SAID)["analyzed"]
        for order in permutations([early, late]):
            put_back(ringing)
            for body in order:
                tell(body, now)
            assert Call.objects.get().agent_first_word_ms == 750


@pytest.mark.parametrize("shuffle", [None, 1, 2])
def test_a_replay_comes_to_the_same(
    launched: Callable[[int], list[Ringing]], now: datetime, shuffle: int | None
):
    for call, reason in zip(
        launched(3), ("call_transfer", "user_hangup", "dial_busy"), strict=True
    ):
        bodies = [*call.says(reason, transcript_object=SAID).values()]
        if reason != "dial_busy":
            bodies += [
                transfer(call, "started", DESK),
                transfer(call, "cancelled", DESK, after_ms=1),
            ]
        for body in bodies:
            deliver(body, created_at=now)
    while step(now=now):
        pass
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}
    for row in Call.objects.exclude(status="not_connected"):
        assert (row.transfer_destination, row.agent_first_word_ms) == (DESK, 750)
        assert rebuilt_call(provider_call_id=row.provider_call_id).differences == []
    found = rebuild_everything(shuffle=shuffle)
    assert (found.differences, found.stored_hash) == ([], found.rebuilt_hash)


def test_a_comparison_tells_nobody_whom_it_was_to(ringing: Ringing, now: datetime):
    deliver(transfer(ringing, "started", DESK), created_at=now)
    step(now=now)
    Call.objects.update(transfer_destination="+12125550177")
    (found,) = rebuilt_call(provider_call_id=ringing.call_id).differences
    assert found.column == "call.transfer_destination"
    assert "+1" not in found.stored + found.rebuilt
