"""Calls with a person who was erased: nothing of what was said comes back, and Retell's copy goes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from convomono.lib.ids import uuid7
from telephony.models import Call, CallDetail, CallLookup
from telephony.models.erasures import CallErasure
from telephony.provider import ProviderError, Rejected, Unavailable
from telephony.services import apply_event, forget_calls
from telephony.services.erasing import COMPARED_AFTER, PAUSE, TRIES, delete_erased_calls
from tests.factories.telephony import CallFactory
from tests.fakes import FakeRetell
from tests.telephony.test_services_calls import ANALYZED, ANALYZED_AGAIN, ENDED, STARTED

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from telephony.events import CallEvent


@pytest.fixture
def call(acme: Client, now: datetime) -> Call:
    return CallFactory.create(
        client=acme, provider_call_id="call_1", lead_id=uuid7(), created_at=now
    )


def forget(call: Call, now: datetime) -> None:
    assert call.lead_id is not None
    forget_calls(
        client_id=call.client_id,
        lead_id=call.lead_id,
        numbers=[call.to_number],
        phone_number="erased:1",
        now=now,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([STARTED, ENDED, ANALYZED], [STARTED, ENDED, ANALYZED]),  # a replay
        ([STARTED, ENDED, ANALYZED], [ANALYZED_AGAIN]),  # late news with a new stamp
        ([], [ENDED, ANALYZED]),
    ],
)
def test_nothing_of_what_was_said_comes_back(
    call: Call, now: datetime, before: list[CallEvent], after: list[CallEvent]
):
    for event in before:
        apply_event(event=event, now=now)
    forget(call, now)
    for event in after:
        change = apply_event(event=event, now=now)
        assert change is not None
        assert change.analysis_data == {}
    detail = CallDetail.objects.get()
    told = (
        detail.transcript, detail.call_summary, detail.recording_url, detail.knowledge_url,
        detail.transcript_object, detail.happenings, detail.call_analysis, detail.dynamic_variables,
    )  # fmt: skip
    assert not any(told), told
    call.refresh_from_db()
    assert (call.to_number, call.last_line) == ("erased:1", "")
    assert call.retell_cost_micros == 67_000  # what was billed stays
    assert not CallLookup.objects.exists()


def test_whoever_read_the_call_ahead_has_to_read_it_again(call: Call, now: datetime):
    forget(call, now)
    assert Call.objects.get().revision == call.revision + 1


class TestRetellsCopy:
    @pytest.fixture
    def retell(self, call: Call, now: datetime) -> FakeRetell:
        forget(call, now)
        return FakeRetell()

    def asked(self, retell: FakeRetell) -> int:
        return sum(method == "delete_call" for method, _ in retell.asked)

    def test_is_deleted_once_when_the_books_were_compared(self, retell: FakeRetell, now: datetime):
        at = now + COMPARED_AFTER
        assert delete_erased_calls(gateway=retell, now=at - timedelta(seconds=1)) == 0
        assert self.asked(retell) == 0
        assert delete_erased_calls(gateway=retell, now=at) == 1  # or Retell doesn't know it
        assert delete_erased_calls(gateway=retell, now=at + PAUSE) == 0
        assert self.asked(retell) == 1
        assert CallErasure.objects.get().status == "done"

    def test_is_asked_for_again_when_retell_is_away(self, retell: FakeRetell, now: datetime):
        retell.fail("delete_call", Unavailable("Away."))
        at = now + COMPARED_AFTER
        assert delete_erased_calls(gateway=retell, now=at) == 0
        assert CallErasure.objects.get().attempts == 0
        assert delete_erased_calls(gateway=retell, now=at + PAUSE) == 1

    def test_tells_the_agency_when_retell_refuses_for_days(self, retell: FakeRetell, now: datetime):
        at = now + COMPARED_AFTER
        for _ in range(TRIES):
            problem: ProviderError = Rejected("No.", 400)
            retell.fail("delete_call", problem)
            assert delete_erased_calls(gateway=retell, now=at) == 0
            at += PAUSE
        assert delete_erased_calls(gateway=retell, now=at) == 0
        assert CallErasure.objects.get().status == "failed"
        assert "call_1" in Notification.objects.get().body
