"""The demonstration's past, told anew from its events: what is stored is what they tell."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.invariants import audit_ledger
from convomono.demo import agency, history, writing
from convomono.demo.agency import make_agency
from telephony.first_words import ABANDONED_AFTER_MS, NEVER_SPOKE_MS
from telephony.models import Call, CallDetail
from tests.fakes import FakeRetell
from webhooks.models import WebhookEvent
from webhooks.replay import rebuild_everything

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def past(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign of two weeks ago, with a trial: the real dispatcher, intake, drain and sandbox's outcomes."""
    monkeypatch.setattr(history, "LAUNCHES", ((14, 12),))
    monkeypatch.setattr(history, "_NAMES", (history.TRIED,))
    retell = FakeRetell()
    for module in (agency, history, writing):
        monkeypatch.setattr(module, "retell_gateway", lambda: retell)
    for _name in history.write_history(
        agency=make_agency(now=now - timedelta(days=31), minutes=3000), now=now
    ):
        pass


def counted(result: Any) -> tuple[int, int, int, int]:
    return (result.calls_count, result.left_out_count, result.failed_count, result.unknown_count)


def test_a_full_replay_of_the_demonstration_compares_equal(past: None):
    calls = Call.objects.count()
    kinds = Counter(WebhookEvent.objects.values_list("event_type", flat=True))
    assert calls >= 12
    assert len(set(Call.objects.values_list("disconnection_reason", flat=True))) >= 3
    assert kinds["call_analyzed"] == kinds["call_ended"] == calls
    assert set(WebhookEvent.objects.values_list("status", flat=True)) == {"applied"}

    in_order, shuffled = rebuild_everything(), rebuild_everything(shuffle=7)

    for result in (in_order, shuffled):
        assert result.differences == []
        assert result.stored_hash == result.rebuilt_hash
        assert counted(result) == (calls, 0, 0, 0)
    assert in_order.rebuilt_hash == shuffled.rebuilt_hash
    assert list(audit_ledger()) == []

    talked = list(Call.objects.filter(duration_ms__gt=0).values_list("pk", flat=True))
    CallDetail.objects.filter(call_id__in=talked).update(transcript="Agent: Forged.")
    assert rebuild_everything().stored_hash != in_order.stored_hash


def test_the_demonstrations_people_hear_the_agent_at_once(past: None):
    talked = Call.objects.filter(outcome_class="human", agent_first_word_ms__isnull=False)
    assert talked.exists()
    # Who hangs up within seconds may have heard nobody.
    late = talked.filter(agent_first_word_ms__gt=ABANDONED_AFTER_MS)
    assert not late.exclude(agent_first_word_ms=NEVER_SPOKE_MS).exists()


def test_the_demonstrations_openings_say_what_they_must(past: None):
    kept = Counter(Call.objects.filter(outcome_class="human").values_list("disclosure", flat=True))
    assert kept["given"] > sum(kept.values()) / 2
    assert set(kept) <= {"given", "cut", ""}  # some hang up before it is said
