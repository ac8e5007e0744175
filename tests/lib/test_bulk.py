"""Guarded updates by the driver's own statement: they do what the ORM's would, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from accounts.models import Client
from billing.models import Reservation
from campaigns.models import BatchCall, Enrolment
from convomono.lib import bulk
from convomono.lib.bulk import update_each, update_row
from convomono.lib.ids import uuid7
from telephony.models import Call
from tests.conftest import NOW
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready
from tests.factories.telephony import CallFactory

if TYPE_CHECKING:
    from accounts.models import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(acme: Client) -> BatchCall:
    open_wallet(acme, seconds=6000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 1)
    return launch(campaign, seconds=3000)


def test_writes_every_kind_of_column_as_the_orm_reads_it(batch: BatchCall) -> None:
    lead, key = batch.enrolments.get(), uuid7()
    written = {
        "lease": key,
        "lease_until": NOW + timedelta(seconds=5),
        "decision": {"verdict": "allow", "rules": ["a"]},
        "waiting_reason": "öffnet",
        "callback_at": None,
        "next_attempt_at": (NOW + timedelta(milliseconds=1)).astimezone(ZoneInfo("Asia/Tokyo")),
    }

    assert update_row(Enrolment, {"id": lead.pk, "status": "queued"}, written)

    lead.refresh_from_db()
    assert {name: getattr(lead, name) for name in written} == written


def test_writes_nothing_where_a_guard_does_not_hold(batch: BatchCall) -> None:
    lead = batch.enrolments.get()
    Enrolment.objects.filter(pk=lead.pk).update(held_at=NOW)
    wrong: list[dict[str, Any]] = [
        {"status": "done"},
        {"held_at": None},
        {"held_at": NOW + timedelta(seconds=1)},
    ]

    done = [update_row(Enrolment, {"id": lead.pk, **one}, {"attempt_number": 9}) for one in wrong]

    assert done == [False] * 3
    lead.refresh_from_db()
    assert lead.attempt_number == 0
    assert update_row(Enrolment, {"id": lead.pk, "held_at": NOW}, {"attempt_number": 9})


def test_takes_null_for_null(batch: BatchCall) -> None:
    lead = batch.enrolments.get()

    assert update_row(Enrolment, {"id": lead.pk, "held_at": None}, {"held_at": NOW})
    assert not update_row(Enrolment, {"id": lead.pk, "held_at": None}, {"held_at": NOW})


def test_adds_down_to_a_floor_and_no_further(batch: BatchCall) -> None:
    kept = Reservation.objects.get(batch_call_id=batch.pk)

    def take(seconds: int) -> bool:
        return update_row(
            Reservation,
            {"id": kept.pk, "status": "open"},
            {},
            add={"free_seconds": -seconds, "held_seconds": seconds},
            least={"free_seconds": seconds},
        )

    assert [take(2000), take(1001), take(1000), take(1)] == [True, False, True, False]
    kept.refresh_from_db()
    assert (kept.free_seconds, kept.held_seconds) == (0, 3000)


def test_writes_a_document_that_reads_as_the_orm_would_have_written_it(acme: Client) -> None:
    call = CallFactory.create(client=acme)
    document = {"said": "Grüße, 你好 \U0001f600", "at": 1.5, "none": None, "in": [{"deep": True}]}

    assert update_each(Call, [({"id": call.pk}, {"counted": document})]) == 1

    call.refresh_from_db()
    assert call.counted == document


@pytest.mark.parametrize(
    "value",
    [
        {"said": "Grüße, 你好 \U0001f600", "at": 1.5, "none": None, "in": [{"deep": True}]},
        {"beyond 64 bits": 2**70},
        {"half a pair": "\ud83d"},
        {1: "a number for a name"},
        ["one", "two"],
        [],
        {},
    ],
)
def test_writes_the_json_that_the_orm_reads(value: Any) -> None:
    assert json.loads(bulk.as_json(value)) == json.loads(json.dumps(value))


def test_remembers_what_it_converted_last_and_nothing_else() -> None:
    asked: list[int] = []

    def slowly(value: int) -> str:
        asked.append(value)
        return str(value)

    convert = bulk._remembered(slowly)

    assert [convert(value) for value in (1, 1, 2, 1)] == ["1", "1", "2", "1"]
    assert asked == [1, 2, 1]
