"""Random histories of a wallet, beside an independent model that moves seconds between purses."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing import services
from billing.invariants import audit_ledger
from billing.models import Reservation
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, Dial, Launch, balances, open_wallet, sell

if TYPE_CHECKING:
    from uuid import UUID

FAR = NOW.replace(year=2027)
picks = st.integers(0, 10_000)
lengths = st.integers(0, 250)


class Purses:
    """The model: seconds lie in purses, and each event says from which to which they go."""

    def __init__(self):
        self.of: Counter[object] = Counter()
        self.is_open: dict[UUID, bool] = {}
        self.launch_of: dict[UUID, UUID] = {}
        self.billed: dict[UUID, int] = {}

    def move(self, source, target, seconds):
        self.of[source] -= seconds
        self.of[target] += seconds
        assert self.of[source] >= 0

    def add(self, seconds):
        self.of["available"] += seconds
        self.settle()

    def settle(self):
        paid = min(self.of["available"], self.of["debt"])
        self.of["available"] -= paid
        self.of["debt"] -= paid

    def drop(self, attempt):
        """What a hold has left goes back to its launch, or to the wallet if that is over."""
        launch, left = self.launch_of[attempt], self.of["held", attempt]
        self.move(("held", attempt), ("free", launch), left)
        owed = min(left, self.of["debt"])
        self.move(
            ("free", launch), "available", owed if self.is_open[launch] else self.of["free", launch]
        )
        self.settle()

    def bill(self, attempt, seconds):
        if attempt in self.billed:
            return
        self.billed[attempt] = seconds
        launch = self.launch_of[attempt]
        for purse in (("held", attempt), ("free", launch), "available"):
            taken = min(self.of[purse], seconds)
            self.move(purse, "consumed", taken)
            seconds -= taken
        self.of["consumed"] += seconds
        self.of["debt"] += seconds
        self.drop(attempt)

    def reserved(self):
        return sum(seconds for purse, seconds in self.of.items() if isinstance(purse, tuple))


class Histories(RuleBasedStateMachine):
    """One client; whatever happens, the services and the model agree, and the audit is silent."""

    @initialize(seconds=st.integers(0, 900))
    def begin(self, seconds):
        self.client = ClientFactory.create()
        self.model, self.launches, self.dials = Purses(), [], []
        open_wallet(self.client, seconds=seconds)
        self.model.add(seconds)

    def pick(self, things, number):
        return things[number % len(things)]

    @rule(seconds=st.integers(1, 600))
    def buys(self, seconds):
        sell(self.client, seconds=seconds)
        self.model.add(seconds)

    @rule(seconds=st.integers(-300, 300).filter(bool))
    def is_corrected(self, seconds):
        may = self.model.of["available"] + seconds >= 0
        try:
            services.adjust(
                client=self.client,
                seconds=seconds,
                reason="Test",
                key=str(uuid7()),
                actor=TESTS,
                now=NOW,
            )
        except services.InsufficientCredits:
            assert not may
        else:
            assert may
            self.model.add(seconds)

    @rule(seconds=st.integers(1, 500))
    def launches_one(self, seconds):
        may = self.model.of["available"] >= seconds and not self.model.of["debt"]
        try:
            launch = Launch(self.client, seconds)
        except services.InsufficientCredits:
            assert not may
        else:
            assert may
            self.launches.append(launch)
            self.model.is_open[launch.batch_call_id] = True
            self.model.move("available", ("free", launch.batch_call_id), seconds)

    @precondition(lambda self: self.launches)
    @rule(number=picks, length=st.integers(10, 200))
    def dials_one(self, number, length):
        launch = self.pick(self.launches, number)
        free = self.model.of["free", launch.batch_call_id]
        may = self.model.is_open[launch.batch_call_id] and not self.model.of["debt"] and free >= 60
        try:
            dial = launch.dial(length)
        except services.ReservationEmpty:
            assert not may
        else:
            assert may
            self.dials.append(dial)
            self.model.launch_of[dial.attempt_id] = launch.batch_call_id
            held = min(free, max(60, length))
            self.model.move(("free", launch.batch_call_id), ("held", dial.attempt_id), held)

    @precondition(lambda self: self.dials)
    @rule(number=picks, seconds=lengths, again=lengths)
    def ends_one(self, number, seconds, again):
        dial = self.pick(self.dials, number)
        before = self.model.billed.get(dial.attempt_id)
        charge = dial.end(seconds)
        assert charge.billed_seconds == (seconds if before is None else before)
        self.model.bill(dial.attempt_id, seconds)
        assert dial.end(again).billed_seconds == charge.billed_seconds

    @precondition(lambda self: self.dials)
    @rule(number=picks)
    def voids_one(self, number):
        dial: Dial = self.pick(self.dials, number)
        if dial.void():
            self.model.drop(dial.attempt_id)

    @rule()
    def lets_holds_expire(self):
        live = [dial for dial in self.dials if dial.hold.status == "held"]
        assert services.expire_holds(now=FAR) >= len(live)
        for dial in live:
            self.model.drop(dial.attempt_id)

    @precondition(lambda self: self.launches)
    @rule(number=picks)
    def stops_one(self, number):
        launch = self.pick(self.launches, number)
        launch.close()
        if self.model.is_open[launch.batch_call_id]:
            self.model.is_open[launch.batch_call_id] = False
            purse = ("free", launch.batch_call_id)
            self.model.move(purse, "available", self.model.of[purse])
            self.model.settle()

    @invariant()
    def agrees_with_the_model(self):
        of = self.model.of
        expected = (of["available"], self.model.reserved(), of["consumed"], of["debt"])
        assert balances(self.client) == expected
        for row in Reservation.objects.filter(client=self.client):
            assert row.free_seconds == of["free", row.batch_call_id]
            is_empty = not (row.free_seconds or row.held_seconds)
            is_open = self.model.is_open[row.batch_call_id]
            assert row.status == ("open" if is_open else "closed" if is_empty else "closing")

    def teardown(self):
        if hasattr(self, "client"):
            assert audit_ledger(client_id=self.client.pk) == []


def run(examples, steps):
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_agrees_with_an_independent_model():
    run(examples=20, steps=30)


@pytest.mark.load
@pytest.mark.django_db
def test_agrees_with_an_independent_model_for_long():
    run(examples=1000, steps=50)
