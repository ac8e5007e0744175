"""Random histories: pauses, kills, lost answers, late news, changing clocks; the never-true list holds."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from billing.invariants import audit_ledger
from billing.models import CallHold, Reservation, Wallet
from campaigns import enrolments
from campaigns.dialling.bookkeeping import check_launch
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services import steering
from reporting.models import DailyStat
from reporting.services import Counted, contribution
from telephony.models import Call
from tests.campaigns.dialling.conftest import policy, statuses
from tests.campaigns.dialling.histories import CLOSES, OPENS, STARTS, History
from tests.mongo import fewer
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db

NEW_YORK = ZoneInfo("America/New_York")
GAP = timedelta(minutes=15)
RESULTS_WITHIN = timedelta(minutes=2)
HISTORIES = fewer(12, 4)  # quick ones; the rest runs with --long


@pytest.fixture
def history(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], History]:
    """Make a history whose dispatcher and drain may die before any write, and around any request."""

    def make(seed: int) -> History:
        rig.now = rig.real = STARTS[seed % 2]
        batch_call = ready(
            leads=6,
            reserve=50_000,
            at=rig.now,
            is_any_hour=False,
            opens_minute=OPENS * 60,
            closes_minute=CLOSES * 60,
        )
        monkeypatch.setattr(enrolments, "RESULTS_WITHIN", RESULTS_WITHIN)
        policy(batch_call.campaign, busy_delay_seconds=600, technical_delay_seconds=300)
        made = History(rig, batch_call, seed)
        for name in ("create_phone_call", "list_calls"):
            monkeypatch.setattr(rig.retell, name, made.asks(getattr(rig.retell, name)))
        return made

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed",
    [
        *range(HISTORIES),
        *(pytest.param(seed, marks=pytest.mark.load) for seed in range(HISTORIES, 300)),
    ],
)
def test_holds_the_never_true_list(history: Callable[[int], History], seed: int) -> None:
    told = history(seed)
    for _ in range(90):
        told.act()
    for _ in range(6):
        if told.rig.retell.dials:
            break  # the mishaps met calls
        told.wait()  # hours closed before the first one
        told.resume()
        told.step()
        for _ in range(15):
            told.act()
    assert told.rig.retell.dials
    told.come_to_an_end()

    rang_once(told)
    is_paid_for_once(told)
    took_effect_once()
    adds_up(told.batch_call, told.rig.now)
    assert sum(statuses(told.batch_call).values()) == 6


@pytest.mark.parametrize(
    "seed",
    [99, *(pytest.param(seed, marks=pytest.mark.load) for seed in range(300, 380))],
)
def test_stops_for_good_whatever_happens(history: Callable[[int], History], seed: int) -> None:
    told = history(seed)
    # A stop at any moment: before the first dial, in the middle of one that dies, after a pause.
    for _ in range(told.rng.randrange(60)):
        told.act()
    told._steer(steering.stop_batch_call, steering.BatchCallOver)
    dialled = len(told.rig.retell.dials)
    while not steering.cancel_slice(batch_call_id=told.batch_call.pk, now=told.rig.now):
        pass
    for _ in range(60):
        told.act()
    told.kill_next = False
    for _ in range(80):
        told.step()
        told.hear()
        told.rig.tick(60)
        told.sweep()

    assert len(told.rig.retell.dials) == dialled
    per_attempt = Counter(call.metadata["attempt_id"] for call in told.rig.retell.placed.values())
    assert max(per_attempt.values(), default=1) == 1
    told.batch_call.refresh_from_db()
    assert told.batch_call.status in {"cancelled", "finished"}
    assert completeness(told.batch_call.pk).holds
    assert not statuses(told.batch_call).keys() & {"queued", "dialling", "in_call"}
    assert Reservation.objects.get(batch_call_id=told.batch_call.pk).status == "closed"
    assert not CallHold.objects.filter(status="held").exists()
    took_effect_once()


def rang_once(told: History) -> None:
    """Nobody is dialled twice for one attempt, within the gap, after opting out, or outside their hours."""
    calls = told.rig.retell.placed
    per_attempt = Counter(call.metadata["attempt_id"] for call in calls.values())
    assert max(per_attempt.values(), default=1) == 1
    times = defaultdict(list)
    never_rang = {
        str(key) for key in Attempt.objects.filter(status="not_placed").values_list("pk", flat=True)
    }
    for call_id, call in calls.items():
        if call.metadata["attempt_id"] not in never_rang:
            times[call.payload["to_number"]].append(told.rang_at[call_id])
    for number, rang in times.items():
        rang.sort()
        gaps = [later - at for at, later in pairwise(rang)]
        assert min(gaps, default=GAP) >= GAP, (number, rang)
        if number in told.opted_out:
            assert rang[-1] <= told.opted_out[number]
    for at in told.rang_at.values():
        assert OPENS <= at.astimezone(NEW_YORK).hour < CLOSES


def is_paid_for_once(told: History) -> None:
    """No balance is below zero, and no second belongs nowhere."""
    for batch_call in BatchCall.objects.all():
        reservation = Reservation.objects.get(batch_call_id=batch_call.pk)
        assert min(reservation.free_seconds, reservation.held_seconds) >= 0
        assert reservation.held_seconds == 0
        assert reservation.status == "closed"
    assert not CallHold.objects.filter(status="held").exists()
    wallet = Wallet.objects.get(client=told.batch_call.client)
    assert min(wallet.available_seconds, wallet.reserved_seconds) >= 0
    assert audit_ledger(now=told.rig.now) == []


def took_effect_once() -> None:
    """All that Retell told was applied, and counted once: on the lead, and in the day's figures."""
    assert not WebhookEvent.objects.exclude(status="applied").exists()
    calls, days = list(Call.objects.all()), list(DailyStat.objects.all())
    assert {call.status for call in calls} <= set(Call.OVER)
    for name in vars(Counted()):
        counted = sum(getattr(contribution(call), name) for call in calls)
        assert sum(getattr(day, name) for day in days) == counted, name
    for enrolment in Enrolment.objects.all():
        ended = Attempt.objects.filter(enrolment=enrolment, status="ended").count()
        assert enrolment.attempts_count == ended


def adds_up(batch_call: BatchCall, now: datetime, *, ended: str = "finished") -> None:
    """The leads of a launch that is over are each somewhere, once."""
    batch_call.refresh_from_db()
    assert batch_call.status == ended, statuses(batch_call)
    assert completeness(batch_call.pk).holds
    assert check_launch(batch_call=batch_call, now=now)
    assert sum(statuses(batch_call).values()) == batch_call.tasks_count
    assert not Attempt.objects.filter(status__in=("dialling", "placed", "unknown")).exists()
