"""Processes killed with SIGKILL between any two statements of a call's money; then the books are right."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from billing import services
from billing.invariants import audit_ledger
from billing.models import Transaction, Wallet
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory
from tests.factories.billing import NOW, TESTS, balances, open_wallet

if TYPE_CHECKING:
    from uuid import UUID

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("speaks SQL to the database"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]
FORK = multiprocessing.get_context("fork")
LATER = NOW + timedelta(days=2)
BY: dict[str, Any] = {"actor": TESTS, "now": NOW}


@dataclass
class Story:
    """Everything that can happen to a call's money, under keys that stay the same however often."""

    client_id: UUID
    keys: list[UUID] = field(default_factory=lambda: [uuid7() for _ in range(4)])

    def live(self) -> None:
        client = Wallet.objects.select_related("client").get(client_id=self.client_id).client
        payment, launch, attempt, call = self.keys
        services.purchase(
            client=client,
            seconds=120,
            amount_micros=5,
            method="card",
            reference=payment.hex,
            key=payment,
            valid_days=1,
            **BY,
        )
        services.reserve(
            client_id=client.pk, batch_call_id=launch, campaign_id=launch, seconds=90, **BY
        )
        if not Transaction.objects.filter(call_id=call).exists():  # a dial is claimed before
            self._hold(launch, attempt)
        services.consume(attempt_id=attempt, call_id=call, duration_ms=100_000, now=NOW)
        services.close_reservation(batch_call_id=launch, now=NOW)
        services.refund_call(client_id=client.pk, call_id=call, seconds=10, reason="Bad", **BY)
        services.adjust(client=client, seconds=-5, reason="Typo", key=str(payment), **BY)

    def _hold(self, launch: UUID, attempt: UUID) -> None:
        services.hold(attempt_id=attempt, batch_call_id=launch, max_call_seconds=60, now=NOW)


def statements_of(story: Story) -> int:
    """Live a story to its end, and tell how many statements it takes."""
    with CaptureQueriesContext(connection) as asked:
        story.live()
    return len(asked)


def killed_at(statement: int, story: Story) -> bool:
    """Live a story in a process that is killed before so many statements; tell whether it was."""
    connections.close_all()

    def run() -> None:
        seen = [0]

        def execute(run, sql, params, many, context):
            seen[0] += 1
            if seen[0] == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return run(sql, params, many, context)

        with connection.execute_wrapper(execute):
            story.live()
        connections.close_all()

    process = FORK.Process(target=run)
    process.start()
    process.join(60)
    return process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize("kills", [8, pytest.param(200, marks=pytest.mark.load)])
def test_leaves_the_books_right_wherever_a_process_is_killed(kills):
    client = ClientFactory.create()
    open_wallet(client)
    rng = random.Random(kills)  # noqa: S311  # which statement, not a secret
    whole = statements_of(Story(client.pk))
    died = 0
    for _ in range(kills):
        story = Story(client.pk)
        died += killed_at(rng.randrange(1, whole), story)
        # The audit of calls is about those that were told; these stories tell of none.
        assert [found for found in audit_ledger() if found.invariant != "L8"] == []
        story.live()  # whoever comes after does it again, under the same keys

    assert died >= kills * 3 // 4
    stories = kills + 1
    left = stories * (120 - 100 + 10 - 5)
    assert balances(client) == (left, 0, 90 * stories, 0)
    for kind in ("purchase", "reserve", "consume", "refund", "adjust"):
        assert Transaction.objects.filter(type=kind).count() == stories, kind
    services.expire_lots(now=LATER)
    assert [found for found in audit_ledger(now=LATER) if found.invariant != "L8"] == []
