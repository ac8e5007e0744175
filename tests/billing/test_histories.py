"""Random histories of a wallet, beside an independent model that moves seconds between purses."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, seed, settings, strategies as st
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
from billing.models import Payment, Reservation, Transaction
from billing.rules import Terms
from convomono.lib.db import run_atomic
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, Dial, Launch, balances, open_wallet, sell

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

FAR = NOW.replace(year=2027)
picks = st.integers(0, 10_000)
lengths = st.integers(0, 250)


class Crashed(Exception):
    """The process died between two statements."""


@dataclass
class Price:
    """What the model knows of a launch's terms; its arithmetic is its own."""

    step: int
    least: int
    voicemail: bool

    def billed(self, seconds: int, *, is_machine: bool = False) -> int:
        if seconds == 0 or (is_machine and not self.voicemail):
            return 0
        billed = 0
        while billed < max(seconds, self.least):
            billed += self.step
        return billed

    def held(self, wanted: int, free: int) -> int:
        most = min(self.billed(max(60, wanted)), free - free % self.step)
        return most if most >= self.billed(60) else 0


class Purses:
    """The model: seconds lie in purses, and each event says from which to which they go."""

    def __init__(self):
        self.of: Counter[object] = Counter()
        self.is_open: dict[UUID, bool] = {}
        self.price: dict[UUID, Price] = {}
        self.launch_of: dict[UUID, UUID] = {}
        self.billed: dict[UUID, int] = {}
        self.refunded: Counter[UUID] = Counter()

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

    def refund(self, attempt, seconds):
        self.refunded[attempt] += seconds
        self.of["consumed"] -= seconds
        self.add(seconds)

    def left(self, attempt):
        return self.billed.get(attempt, 0) - self.refunded[attempt]

    def reserved(self):
        return sum(seconds for purse, seconds in self.of.items() if isinstance(purse, tuple))


class Histories(RuleBasedStateMachine):
    """One client; whatever happens, the services and the model agree, and the audit is silent."""

    @initialize(seconds=st.integers(0, 900))
    def begin(self, seconds):
        self.client = ClientFactory.create()
        self.model, self.launches, self.dials = Purses(), [], []
        self.price, self.now = Price(1, 0, voicemail=True), NOW
        self.awaited: list[Payment] = []
        open_wallet(self.client, seconds=seconds)
        self.model.add(seconds)

    def pick(self, things, number):
        return things[number % len(things)]

    def tick(self) -> datetime:
        self.now = self.now.replace(microsecond=self.now.microsecond + 1000)
        return self.now

    @rule(seconds=st.integers(1, 600))
    def buys(self, seconds):
        sell(self.client, seconds=seconds)
        self.model.add(seconds)

    @rule(seconds=st.integers(1, 600))
    def will_pay(self, seconds):
        self.awaited.append(
            services.await_payment(
                client=self.client,
                seconds=seconds,
                amount_micros=seconds,
                method="bank",
                reference=uuid7().hex,
                actor=TESTS,
                now=NOW,
            )
        )

    @precondition(lambda self: self.awaited)
    @rule(number=picks, comes=st.booleans())
    def pays_or_not(self, number, comes):
        payment = self.pick(self.awaited, number)
        do = services.settle_payment if comes else services.fail_payment
        status = Payment.objects.get(pk=payment.pk).status
        try:
            do(payment=payment, actor=TESTS, now=NOW)
        except services.PaymentNotPending:
            assert status == ("failed" if comes else "paid")
        else:
            assert status in {"pending", "paid" if comes else "failed"}
            self.model.add(payment.seconds if comes and status == "pending" else 0)

    @rule(number=picks)
    def is_paid_back(self, number):
        paid = list(Payment.objects.filter(client=self.client, status="paid").order_by("pk"))
        if not paid:
            return
        payment = self.pick(paid, number)
        may = self.model.of["available"] >= payment.seconds
        try:
            services.refund_payment(payment=payment, reason="Test", actor=TESTS, now=NOW)
        except services.InsufficientCredits:
            assert not may
        else:
            assert may
            self.model.add(-payment.seconds)

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

    @rule(
        step=st.sampled_from([1, 6, 30, 60]), least=st.sampled_from([0, 15, 90]), mail=st.booleans()
    )
    def gets_another_price(self, step: int, least: int, mail: bool):
        self.price = Price(step, least, mail)
        terms = Terms(300_000, step, least, bills_voicemail=mail)
        services.change_rate(client=self.client, terms=terms, actor=TESTS, now=self.tick())

    @rule(seconds=st.integers(1, 500))
    def launches_one(self, seconds):
        may = self.model.of["available"] >= seconds and not self.model.of["debt"]
        try:
            launch = Launch(self.client, seconds, now=self.tick())
        except services.InsufficientCredits:
            assert not may
        else:
            assert may
            self.launches.append(launch)
            self.model.is_open[launch.batch_call_id] = True
            self.model.price[launch.batch_call_id] = self.price
            self.model.move("available", ("free", launch.batch_call_id), seconds)

    @precondition(lambda self: self.launches)
    @rule(number=picks, seconds=st.integers(1, 300))
    def extends_one(self, number, seconds):
        launch = self.pick(self.launches, number)
        key, of = launch.batch_call_id, self.model.of
        least = self.model.price[key].billed(60)
        given = min(max(seconds, least), of["available"])
        may = given >= least and of["free", key] < least and not of["debt"]
        try:
            got = services.extend_reservation(
                batch_call_id=key, seconds=seconds, actor=TESTS, now=NOW
            )
        except services.ReservationEnded:
            assert not self.model.is_open[key]
        else:
            assert got == (given if may else 0)
            self.model.move("available", ("free", key), got)

    @precondition(lambda self: self.launches)
    @rule(number=picks, length=st.integers(10, 200))
    def dials_one(self, number, length):
        launch = self.pick(self.launches, number)
        key = launch.batch_call_id
        held = self.model.price[key].held(length, self.model.of["free", key])
        may = self.model.is_open[key] and not self.model.of["debt"] and held
        try:
            dial = launch.dial(length)
        except services.ReservationEmpty:
            assert not may
        else:
            assert may
            self.dials.append(dial)
            self.model.launch_of[dial.attempt_id] = key
            self.model.move(("free", key), ("held", dial.attempt_id), held)

    @precondition(lambda self: self.dials)
    @rule(number=picks, seconds=lengths, again=lengths, is_machine=st.booleans())
    def ends_one(self, number, seconds, again, is_machine):
        dial = self.pick(self.dials, number)
        before = self.model.billed.get(dial.attempt_id)
        price = self.model.price[self.model.launch_of[dial.attempt_id]]
        due = price.billed(seconds, is_machine=is_machine)

        def end(length):
            return services.consume(
                attempt_id=dial.attempt_id,
                call_id=dial.call_id,
                duration_ms=length * 1000,
                is_machine=is_machine,
                now=NOW,
            )

        charge = end(seconds)
        assert charge.billed_seconds == (due if before is None else before)
        assert charge.client_cost_micros == -(-charge.billed_seconds * 300_000 // 60)
        self.model.bill(dial.attempt_id, due)
        assert end(again).billed_seconds == charge.billed_seconds

    @precondition(lambda self: self.dials)
    @rule(number=picks)
    def turns_out_to_be_a_machine(self, number):
        dial = self.pick(self.dials, number)
        free = not self.model.price[self.model.launch_of[dial.attempt_id]].voicemail
        for _ in range(2):
            services.forgive_machine(attempt_id=dial.attempt_id, call_id=dial.call_id, now=NOW)
        if free:
            self.model.refund(dial.attempt_id, self.model.left(dial.attempt_id))

    @precondition(lambda self: self.dials)
    @rule(number=picks, seconds=st.integers(1, 120), reason=st.sampled_from(["a", "b", "c"]))
    def is_refunded(self, number, seconds, reason):
        dial: Dial = self.pick(self.dials, number)
        asked: dict[str, Any] = {
            "client_id": self.client.pk,
            "call_id": dial.call_id,
            "actor": TESTS,
            "now": NOW,
        }
        mine = Transaction.objects.filter(call_id=dial.call_id, type="refund", reason=reason)
        earlier = mine.values_list("seconds", flat=True).first()
        try:
            services.refund_call(seconds=seconds, reason=reason, **asked)
        except services.NotCharged:
            assert not self.model.billed.get(dial.attempt_id)
        except services.RefundTooLarge:
            assert seconds > self.model.left(dial.attempt_id)
        except services.KeyReused:
            assert earlier not in {None, seconds}
        else:
            assert earlier in {None, seconds}
            self.model.refund(dial.attempt_id, 0 if earlier else seconds)

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

    @precondition(lambda self: self.launches and connection.vendor == "sqlite")
    @rule(number=picks, statement=st.integers(1, 12), seconds=lengths)
    def crashes_between_two_statements(self, number, statement, seconds):
        """Whatever was begun leaves nothing, wherever it died."""
        launch = self.pick(self.launches, number)
        doings = (
            lambda: sell(self.client, seconds=60),
            launch.close,
            lambda: launch.dial(60),
            *((lambda: self.dials[-1].end(seconds), self.dials[-1].void) if self.dials else ()),
        )
        with connection.execute_wrapper(dying_at(statement)):
            try:
                run_atomic(undone(self.pick(doings, number + statement)))
            except (Crashed, services.ReservationEmpty, services.KeyReused):
                pass

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


def dying_at(statement):
    """Return a wrapper that lets so many writes pass and then dies."""
    writes: Counter[str] = Counter()

    def execute(run, sql, params, many, context):
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            writes["seen"] += 1
            if writes["seen"] == statement:
                raise Crashed
        return run(sql, params, many, context)

    return execute


def undone(do):
    """Return the same, dying at the latest when everything is written but the commit."""

    def block():
        do()
        raise Crashed

    return block


def run(examples, steps, part=0):
    machine = seed(part)(type("Part", (Histories,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("part", range(10))
@pytest.mark.django_db
def test_agrees_with_an_independent_model(part):
    run(examples=100, steps=8, part=part)  # a thousand histories


@pytest.mark.load
@pytest.mark.parametrize("part", range(10, 20))
@pytest.mark.django_db
def test_agrees_with_an_independent_model_for_long(part):
    run(examples=1000, steps=50, part=part)  # ten thousand
