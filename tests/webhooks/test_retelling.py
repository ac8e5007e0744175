"""A call told again in memory comes to what its events come to in the database, and holds nobody up."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.models import Reservation
from campaigns.models import Attempt
from convomono.lib.ids import uuid7
from telephony.models import Call, CallDetail
from telephony.rules import OUTCOMES
from tests.factories.telephony import PhoneNumberFactory
from tests.factories.webhooks import WebhookEventFactory, delivery
from tests.webhooks.conftest import ANALYSIS, Ringing, deliver
from tests.webhooks.test_together import lives
from webhooks import replay
from webhooks.deliveries import read_delivery
from webhooks.drain import step
from webhooks.models import WebhookEvent
from webhooks.pictures import call_picture
from webhooks.replay import Comparison, Range, apply_again, rebuilt_call
from webhooks.retelling import RetoldCall, undone

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client
    from webhooks.pictures import Picture

REASONS = tuple(sorted(OUTCOMES))


def keep(body: bytes, now: datetime) -> WebhookEvent:
    """Put a body into the inbox that was given up, also one that is there already."""
    read = read_delivery(body)
    return WebhookEventFactory.create(
        key=uuid7().hex,
        event_type=read.event_type,
        provider_call_id=read.provider_call_id,
        body=read.body,
        status="dead",
        created_at=now,
    )


def events_of(call_id: str) -> list[WebhookEvent]:
    rows = WebhookEvent.objects.filter(provider_call_id=call_id)
    return list(rows.order_by("created_at", "pk"))


def in_the_database(call_id: str, *, is_rebuild: bool, now: datetime) -> tuple[Picture, Comparison]:
    """Return what the handler itself makes of a call's events, and undo it."""
    result = Comparison()

    def work() -> Picture:
        if is_rebuild:
            replay._rebuild(call_id, events_of(call_id), result)
        else:
            replay._apply(events_of(call_id), result, now)
        return call_picture(call_id)

    return undone(work), result


def in_memory(call_id: str, *, is_rebuild: bool, now: datetime) -> tuple[Picture, Comparison]:
    result = Comparison()
    told = RetoldCall(call_id, put_back=replay._put_back if is_rebuild else None)
    replay._hear(told, events_of(call_id), result, None if is_rebuild else now)
    return told.picture(), result


def counts(result: Comparison) -> tuple[int, int, int]:
    return result.events_count, result.unknown_count, result.failed_count


def assert_alike(call_id: str, *, is_rebuild: bool, now: datetime) -> Picture:
    real, real_result = in_the_database(call_id, is_rebuild=is_rebuild, now=now)
    told, told_result = in_memory(call_id, is_rebuild=is_rebuild, now=now)
    assert told == real
    assert counts(told_result) == counts(real_result)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("bills_voicemail", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_comes_to_what_the_handler_comes_to(
    launched: Callable[[int], list[Ringing]], now: datetime, seed: int, bills_voicemail: bool
) -> None:
    """Every reason, any order, events twice, analyses that know better: before they are applied and after."""
    rng = random.Random(seed)  # noqa: S311 - the same seed has to tell the same story
    reasons = REASONS[seed * 13 % len(REASONS) :] + REASONS
    calls = launched(8)
    Reservation.objects.update(bills_voicemail=bills_voicemail)
    for body in lives(calls, rng, (*reasons[:6], "user_hangup", "voicemail_reached")):
        keep(body, now)
    for call in calls:
        assert_alike(call.call_id, is_rebuild=False, now=now)
    WebhookEvent.objects.update(status="received")
    while step(now=now):
        pass
    for call in calls:
        told = assert_alike(call.call_id, is_rebuild=True, now=now)
        assert told["call"]["status"] != "registered"
        assert_alike(call.call_id, is_rebuild=False, now=now)


def test_forgives_a_machine_whose_call_was_billed_a_moment_before(
    ringing: Ringing, now: datetime
) -> None:
    """Both are told in memory: what the first was charged is undone before the second comes."""
    Reservation.objects.update(bills_voicemail=False)
    said = ringing.says("user_hangup", call_analysis={**ANALYSIS, "in_voicemail": True})
    for name in ("ended", "analyzed"):
        body = orjson.loads(said[name])
        if name == "ended":
            body["call"].pop("call_analysis", None)
        keep(orjson.dumps(body), now)

    told = assert_alike(ringing.call_id, is_rebuild=False, now=now)

    assert told["call"]["outcome_class"] == "machine"
    assert told["call"]["billed_seconds"] == 0


def test_tells_a_call_that_came_to_us_from_its_first_event(acme: Client, now: datetime) -> None:
    PhoneNumberFactory.create(client=acme, phone_number="+14155550199")
    inbound: dict[str, Any] = {
        "direction": "inbound",
        "from_number": "+12125550101",
        "to_number": "+14155550199",
        "call_status": "ended",
        "disconnection_reason": "user_hangup",
        "duration_ms": 9000,
    }
    for name in ("call_ended", "call_analyzed"):
        keep(delivery(name, call_id="call_inbound", **inbound), now)
    assert assert_alike("call_inbound", is_rebuild=False, now=now)["call"]["duration_ms"] == 9000
    assert not Call.objects.exists()
    apply_again(chosen=Range(), is_dry_run=False, now=now)
    assert rebuilt_call(provider_call_id="call_inbound").differences == []
    assert_alike("call_inbound", is_rebuild=True, now=now)


def test_finds_whose_a_call_is_that_overtook_the_answer_to_its_dial(
    ringing: Ringing, now: datetime
) -> None:
    CallDetail.objects.all().delete()
    Call.objects.all().delete()
    Attempt.objects.update(status="unknown", provider_call_id="", call_id=None)
    for body in ringing.says("user_hangup").values():
        keep(body, now)

    told = assert_alike(ringing.call_id, is_rebuild=False, now=now)

    assert told["attempt"]["status"] == "ended"
    assert told["attempt"]["provider_call_id"] == ringing.call_id


def test_knows_again_an_attempt_that_was_given_up_for_lost(ringing: Ringing, now: datetime) -> None:
    Attempt.objects.update(status="not_placed", outcome_class="", provider_call_id="")
    keep(ringing.says("user_hangup")["started"], now)

    told = assert_alike(ringing.call_id, is_rebuild=False, now=now)

    assert told["attempt"]["status"] == "placed"


def test_counts_what_nobody_knows_and_what_fails(ringing: Ringing, now: datetime) -> None:
    keep(delivery("call_ended", call_id="call_x"), now)
    assert counts(in_memory("call_x", is_rebuild=False, now=now)[1]) == (1, 1, 0)
    said = ringing.says("user_hangup")
    poison = keep(said["analyzed"], now)
    WebhookEvent.objects.filter(pk=poison.pk).update(body=b"[]", error="before")
    keep(said["ended"], now)

    found = apply_again(chosen=Range(), is_dry_run=True, now=now)

    assert found.failed_count == 1
    assert "call.status" in {one.column for one in found.differences}
    assert WebhookEvent.objects.get(pk=poison.pk).error == "before"  # a dry run leaves no note


def test_leaves_a_call_as_it_was_where_an_event_fails(
    ringing: Ringing, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ringing.says("user_hangup")
    for name in ("started", "ended"):
        keep(said[name], now)
    told = RetoldCall(ringing.call_id)
    before = told.picture()

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise ValueError("no antidote")

    monkeypatch.setattr("webhooks.retelling._end", fail)
    result = Comparison()
    replay._hear(told, events_of(ringing.call_id), result, now)

    assert result.failed_count == 2
    assert told.picture() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite_only("SQLite has one lock for all writers")
def test_holds_the_write_lock_no_longer_for_hundreds_of_events(
    ringing: Ringing, now: datetime
) -> None:
    """What is done between a BEGIN and its end doesn't grow with what Retell has told of the call."""
    longest: list[list[int]] = []
    for number in (3, 300):
        WebhookEvent.objects.all().delete()
        said = ringing.says("user_hangup")
        deliver(said["ended"], created_at=now)
        for news in range(number):
            body = orjson.loads(said["analyzed"])
            body["event_timestamp"] = body.get("event_timestamp", 0) + news
            body["call"]["call_analysis"] = {**ANALYSIS, "call_summary": f"They talked {news}."}
            deliver(orjson.dumps(body), created_at=now)
        WebhookEvent.objects.update(status="dead")
        spans = [written_between(lambda: apply_again(chosen=Range(), is_dry_run=True, now=now))]
        apply_again(chosen=Range(), is_dry_run=False, now=now)
        spans.append(written_between(lambda: rebuilt_call(provider_call_id=ringing.call_id)))
        longest.append(spans)
    few, many = longest
    assert many <= few
    assert max(many) <= 40


def written_between(work: Callable[[], object]) -> int:
    """Return how many statements the longest transaction of some work has."""
    with CaptureQueriesContext(connection) as asked:
        work()
    longest = here = 0
    for one in asked:
        begins = one["sql"].startswith("BEGIN")
        here = 0 if begins else here + 1
        if one["sql"].startswith(("ROLLBACK", "COMMIT")):
            longest = max(longest, here)
    return longest
