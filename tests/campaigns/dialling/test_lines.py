"""How many lines are busy: never fewer than really are, and not many more."""

from __future__ import annotations

import random
from collections import deque
from datetime import timedelta

import pytest

from campaigns.dialling.pacing import DOUBTED_ANSWERS, Lines
from telephony.provider import Concurrency
from tests.conftest import NOW

LIMIT = 50


class Platform:
    """Lines that are really busy, news of ends that comes late, and questions that take their time."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a test's dice
        self.lines = Lines()
        self.ringing: list[int] = []  # the step at which each call of ours ends
        self.on_the_way: deque[int] = deque()  # the step at which each sent call begins to ring
        self.unheard: deque[int] = deque()  # the step at which the news of each end comes
        self.inbound = self.rng.randrange(4)
        self.question: tuple[int, int] | None = None  # when it is answered, and what was seen
        self.busiest, self.busy_sum = 0, 0

    @property
    def live(self) -> int:
        return len(self.ringing) + self.inbound

    def own(self) -> int:
        return len(self.on_the_way) + len(self.ringing) + len(self.unheard)

    def step(self, at: int) -> None:
        while self.on_the_way and self.on_the_way[0] <= at:
            self.on_the_way.popleft()
            self.ringing.append(at + self.rng.randrange(20, 120))
        over = [one for one in self.ringing if one <= at]
        self.ringing = [one for one in self.ringing if one > at]
        self.unheard.extend(at + self.rng.randrange(1, 30) for _ in over)
        self.unheard = deque(one for one in self.unheard if one > at)
        self.ask(at)
        for _ in range(min(5, self.lines.free(own=self.own()))):
            self.lines.started()
            self.on_the_way.append(at + self.rng.randrange(4))
            self.on_the_way = deque(sorted(self.on_the_way))
        self.busiest = max(self.busiest, self.live)
        self.busy_sum += self.live

    def ask(self, at: int) -> None:
        """Ask every tenth step; the platform counts at some moment before it answers."""
        if self.question and self.question[0] <= at:
            seen, self.question = self.question[1], None
            answer = Concurrency(current=seen, limit=LIMIT, reserved_inbound=0)
            self.lines.learn(answer, own=self.own(), real_now=NOW + timedelta(seconds=at))
        if at % 10 == 0 and self.question is None:
            self.lines.ask(under_way=len(self.on_the_way))
            self.question = (at + self.rng.randrange(1, 5), self.live)


@pytest.mark.parametrize("seed", range(20))
def test_never_counts_too_few_and_fills_the_lines(seed: int) -> None:
    platform = Platform(seed)
    for at in range(2000):
        platform.step(at)

    assert platform.busiest <= LIMIT
    assert platform.busy_sum / 2000 / LIMIT > 0.8  # although ends are heard of 15 steps late


def test_believes_the_platform_about_ends_that_nobody_told_until_it_refuses() -> None:
    lines = Lines()
    lines.ask(under_way=2)
    lines.started()
    lines.learn(Concurrency(current=3, limit=10, reserved_inbound=1), own=8, real_now=NOW)

    assert lines.used(own=8) == 3 + 2 + 1
    assert lines.free(own=8) == 9 - 6
    lines.doubt()
    assert lines.free(own=8) == 9 - 8
    lines.ask(under_way=0)
    lines.learn(Concurrency(current=8, limit=10, reserved_inbound=0), own=5, real_now=NOW)
    assert lines.free(own=6) == 10 - (6 + 3)  # three are somebody else's
    for _ in range(DOUBTED_ANSWERS):
        lines.ask(under_way=0)
        lines.learn(Concurrency(current=0, limit=10, reserved_inbound=0), own=0, real_now=NOW)
    assert lines.free(own=8) == 10
