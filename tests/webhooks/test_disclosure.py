"""What a call's opening came to: the same in any order, however often, and in every way of telling it."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.models import Attempt
from telephony.models import Call, CallDetail
from tests.webhooks.conftest import Ringing, deliver, tell
from webhooks.drain import step
from webhooks.replay import _put_back, rebuild_everything, rebuilt_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

pytestmark = pytest.mark.django_db

WHOLE = "Hi, this is Acme Dental, I'm an AI, and this call is recorded."
UNNAMED = "Hi, I'm an AI, and this call is recorded."


def turns(opening: str) -> list[dict[str, Any]]:
    return [{"role": "agent", "content": opening}, {"role": "user", "content": "Yes?"}]


@pytest.fixture
def call(launched: Callable[[int], list[Ringing]]) -> Ringing:
    return launched(1)[0]


@pytest.mark.parametrize(("opening", "kept"), [(WHOLE, "given"), (UNNAMED, "name")])
def test_comes_to_the_same_in_any_order_however_often(
    call: Ringing, now: datetime, opening: str, kept: str
) -> None:
    said = call.says("user_hangup", transcript_object=turns(opening))
    for order in permutations(said.values()):
        for body in (*order, *order):
            tell(body, now)
        found = Call.objects.get()
        assert (found.disclosure, found.outcome_class) == (kept, "human")
        _put_back(call.call_id)
        assert Call.objects.get().disclosure == ""


def test_goes_by_the_newest_transcript(call: Ringing, now: datetime) -> None:
    """The analysis comes with the whole of it; an older one that is late changes nothing."""
    early = call.says("user_hangup", transcript_object=turns(UNNAMED))["ended"]
    late = call.says("user_hangup", transcript_object=turns(WHOLE))["analyzed"]
    for order in ((early, late), (late, early)):
        for body in order:
            tell(body, now)
        assert Call.objects.get().disclosure == "given"
        _put_back(call.call_id)


def test_comes_to_the_same_together_and_when_it_is_told_again(
    launched: Callable[[int], list[Ringing]], now: datetime
) -> None:
    openings = (WHOLE, UNNAMED)
    for call, opening in zip(launched(2), openings, strict=True):
        for body in call.says("user_hangup", transcript_object=turns(opening)).values():
            deliver(body)
    while step(now=now):
        pass

    assert sorted(Call.objects.values_list("disclosure", flat=True)) == ["given", "name"]
    for found in Call.objects.all():
        assert rebuilt_call(provider_call_id=found.provider_call_id).differing_count == 0
    result = rebuild_everything(shuffle=3)
    assert (result.differing_count, result.failed_count) == (0, 0)
    assert result.stored_hash == result.rebuilt_hash


def test_judges_a_call_whose_event_overtook_the_answer_to_its_dial(
    call: Ringing, now: datetime
) -> None:
    kept = Call.objects.get().must_say
    CallDetail.objects.all().delete()
    Call.objects.all().delete()
    Attempt.objects.update(status="dialling", provider_call_id="", call_id=None)

    tell(call.says("user_hangup", transcript_object=turns(UNNAMED))["ended"], now)

    found = Call.objects.get()
    assert (found.must_say, found.disclosure) == (kept, "name")
    assert kept["business"] == "Acme Dental"


def test_asks_nothing_of_a_call_of_no_campaign(call: Ringing, now: datetime) -> None:
    Call.objects.update(must_say={})

    tell(call.says("user_hangup", transcript_object=turns(UNNAMED))["ended"], now)

    assert Call.objects.get().disclosure == ""
