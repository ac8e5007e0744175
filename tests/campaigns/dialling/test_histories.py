"""Random histories: pauses, kills, lost answers, late news, changing clocks; the never-true list holds."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

import campaigns.dispatcher
from billing.models import CallHold, Reservation, Wallet
from campaigns.dialling import placing
from campaigns.dialling.bookkeeping import check_launch
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services import steering
from leads.models import Suppression
from leads.services import suppress
from tests.campaigns.dialling.conftest import policy, statuses
from tests.factories.campaigns import TESTS
from tests.mongo import fewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db

HISTORIES = fewer(12, 4)  # quick ones; the rest runs with --long
# The evenings before clocks change in New York, so that hours close and open on both sides of it.
STARTS = (datetime(2026, 3, 7, 23, 0, tzinfo=UTC), datetime(2026, 10, 31, 22, 0, tzinfo=UTC))
NEW_YORK = ZoneInfo("America/New_York")
OPENS, CLOSES = 9, 20
GAP = timedelta(minutes=15)
REASONS = (
    "user_hangup",
    "dial_busy",
    "dial_no_answer",
    "voicemail_reached",
    "user_declined",
    "user_requested_dnc",
    "user_requested_callback",
    "error_retell",
    "concurrency_limit_reached",
)


class KilledError(BaseException):
    """kill -9: nothing after this line runs."""


class History:
    """One random history of a launch, with what really rang and when."""

    def __init__(self, rig: Rig, batch_call: BatchCall, seed: int) -> None:
        self.rig, self.batch_call = rig, batch_call
        self.rng = random.Random(seed)  # noqa: S311 - a test's dice
        self.dispatcher = rig.dispatcher()
        self.rang_at: dict[str, datetime] = {}
        self.unsaid: list[str] = []  # calls whose end Retell has not told
        self.opted_out: dict[str, datetime] = {}
        self.kill_next = False

    def step(self) -> None:
        self.rig.tick(self.rng.choice((0.3, 1, 5, 40)))
        try:
            self.dispatcher.step(now=self.rig.now)
            self.dispatcher.write_answers(now=self.rig.now)
        except KilledError:
            self.dispatcher = self.rig.dispatcher()
        self.listen()

    def listen(self) -> None:
        for call_id in self.rig.retell.placed:
            if call_id not in self.rang_at:
                self.rang_at[call_id] = self.rig.now
                self.unsaid.append(call_id)

    def kill(self) -> None:
        self.kill_next = True

    def long_pause(self) -> None:
        self.rig.tick(self.rng.choice((12, 61, 900, 4 * 3600)))

    def lose_answer(self) -> None:
        self.rig.retell.lose_answer(placed=self.rng.random() < 0.5)

    def refuse(self) -> None:
        if self.rng.random() < 0.5:
            self.rig.retell.rate_limit(self.rng.choice((None, 2.0)))
        else:
            self.rig.retell.be_unavailable()

    def news(self) -> None:
        """Let Retell tell the end of a call: late, in any order, often twice."""
        if not self.unsaid:
            return
        call_id = self.unsaid.pop(self.rng.randrange(len(self.unsaid)))
        attempt = Attempt.objects.get(pk=self.rig.retell.placed[call_id].metadata["attempt_id"])
        reason = self.rng.choice(REASONS)
        for _ in range(self.rng.choice((1, 1, 2))):
            self.rig.end(attempt, reason)
        if reason == "user_requested_dnc":
            self.opted_out.setdefault(attempt.phone_number, self.rig.now)

    def pause(self) -> None:
        self._steer(steering.pause_batch_call, steering.BatchCallNotRunning)

    def resume(self) -> None:
        self._steer(steering.resume_batch_call, steering.BatchCallNotPaused)

    def opt_out(self) -> None:
        enrolment = Enrolment.objects.order_by("?").first()
        assert enrolment is not None
        suppress(
            level=Suppression.Level.CLIENT,
            client_id=enrolment.client_id,
            campaign_id=None,
            phone_number=enrolment.phone_number,
            source=Suppression.Source.PERSON,
            reason="",
            actor=TESTS,
            now=self.rig.now,
        )
        self.opted_out.setdefault(enrolment.phone_number, self.rig.now)

    def _steer(self, change: Callable[..., None], refusal: type[Exception]) -> None:
        try:
            change(batch_call=self.batch_call, actor=TESTS, now=self.rig.now)
        except refusal:
            pass

    def act(self) -> None:
        others = (
            self.kill,
            self.long_pause,
            self.lose_answer,
            self.refuse,
            self.pause,
            self.resume,
        )
        dice = self.rng.random()
        if dice < 0.5:
            self.step()
        elif dice < 0.75:
            self.news()
        elif dice < 0.78:
            self.opt_out()
        else:
            self.rng.choice(others)()

    def come_to_an_end(self) -> None:
        """Let everything be told and done, without further mishaps."""
        self.kill_next = False
        self.rig.retell._script.clear()
        for _ in range(400):
            self.resume()
            self.step()
            while self.unsaid:
                self.news()
            self.batch_call.refresh_from_db()
            if self.batch_call.is_over:
                return
            waits = Enrolment.objects.filter(status="queued").order_by("next_attempt_at").first()
            if waits is not None and waits.next_attempt_at > self.rig.now:
                self.rig.tick((waits.next_attempt_at - self.rig.now).total_seconds())
            else:
                self.rig.tick(31)


def is_killed(history: History, share: float) -> bool:
    if history.kill_next and history.rng.random() < share:
        history.kill_next = False
        return True
    return False


@pytest.fixture
def history(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], History]:
    """Make a history whose dispatcher may die at each dangerous moment of a dial."""

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
        policy(batch_call.campaign, busy_delay_seconds=600, technical_delay_seconds=300)
        made = History(rig, batch_call, seed)
        send = rig.retell.create_phone_call

        def or_die(step):
            def done_or_die(*args, **kwargs):
                if is_killed(made, 0.4):
                    raise KilledError
                done = step(*args, **kwargs)
                if is_killed(made, 0.5):
                    raise KilledError
                return done

            return done_or_die

        def send_or_die(**kwargs):
            placed = send(**kwargs)
            if is_killed(made, 1):
                raise KilledError
            return placed

        for name in ("prepare_attempt", "arm"):
            monkeypatch.setattr(campaigns.dispatcher, name, or_die(getattr(placing, name)))
        monkeypatch.setattr(rig.retell, "create_phone_call", send_or_die)
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
    assert told.rig.retell.dials  # the mishaps met calls
    told.come_to_an_end()

    calls = told.rig.retell.placed
    # 1. Nobody is dialled twice for one attempt, …
    per_attempt = Counter(call.metadata["attempt_id"] for call in calls.values())
    assert max(per_attempt.values(), default=1) == 1
    # … within the gap, after opting out, or outside their hours.
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
    # 2. No balance below zero, no second that belongs nowhere.
    reservation = Reservation.objects.get(batch_call_id=told.batch_call.pk)
    assert min(reservation.free_seconds, reservation.held_seconds) >= 0
    assert reservation.held_seconds == 0
    assert not CallHold.objects.filter(status="held").exists()
    wallet = Wallet.objects.get(client=told.batch_call.client)
    assert min(wallet.available_seconds, wallet.reserved_seconds) >= 0
    # 5. A finished launch adds up.
    assert told.batch_call.status == "finished", statuses(told.batch_call)
    assert completeness(told.batch_call.pk).holds
    assert check_launch(batch_call=told.batch_call, now=told.rig.now)
    assert sum(statuses(told.batch_call).values()) == 6
    assert not Attempt.objects.filter(status__in=("dialling", "placed", "unknown")).exists()


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
        while told.unsaid:
            told.news()
        told.rig.tick(60)
        for key in list(steering.left_behind()):  # as `resume_campaigns` does each five seconds
            steering.cancel_slice(batch_call_id=key, now=told.rig.now)

    assert len(told.rig.retell.dials) == dialled
    per_attempt = Counter(call.metadata["attempt_id"] for call in told.rig.retell.placed.values())
    assert max(per_attempt.values(), default=1) == 1
    told.batch_call.refresh_from_db()
    assert told.batch_call.status in {"cancelled", "finished"}
    assert completeness(told.batch_call.pk).holds
    assert not statuses(told.batch_call).keys() & {"queued", "dialling", "in_call"}
    assert Reservation.objects.get(batch_call_id=told.batch_call.pk).status == "closed"
    assert not CallHold.objects.filter(status="held").exists()
