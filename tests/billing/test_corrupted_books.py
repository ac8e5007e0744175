"""Five corruptions at the local Retell, each named by the reconciliation through the real SDK."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing import services
from billing.books import still_apart
from billing.invariants import audit_ledger
from billing.models import Difference
from convomono.lib.ids import uuid7
from telephony.models import Call
from telephony.retell import RetellGateway
from telephony.services import PlacedAttempt, record_placed_call
from tests.factories.billing import NOW, TESTS, Launch, open_wallet
from tests.telephony.sandbox.harness import Served, furnish, receiving, visit, wait_for
from webhooks.deliveries import read_delivery
from webhooks.drain import Drain
from webhooks.inbox import store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Client
    from tests.telephony.sandbox.harness import Receiver, Sandbox

ALONE = {"missing_here", "missing_there", "billed_twice"}
CLEAN = "+14155550001"
SPOILT = {
    "books_lost": "+12125550001",
    "books_extra": "+13125550001",
    "books_longer": "+12135550001",
    "books_cost": "+13055550001",
    "books_double": "+14045550001",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    yield from receiving()


@pytest.fixture
def sandbox(receiver: Receiver) -> Iterator[Sandbox]:
    served = Served()
    for visited in visit(served.url):
        yield furnish(visited, receiver.url)
    served.stop()


def call(sandbox: Sandbox, launch: Launch, number: str) -> str:
    """Dial as the dispatcher does: hold, ask Retell, record what it gave."""
    dial = launch.dial(600)
    placed = sandbox.dial(number, metadata={"attempt_id": str(dial.attempt_id)})
    attempt = PlacedAttempt(
        client_id=launch.client.pk,
        campaign_id=launch.campaign_id,
        batch_call_id=launch.batch_call_id,
        enrolment_id=uuid7(),
        attempt_id=dial.attempt_id,
        lead_id=uuid7(),
        agent_id=sandbox.agent_id,
        agent_version=0,
        from_number="+14155550100",
        to_number=number,
    )
    record_placed_call(provider_call_id=placed.call_id, attempt=attempt, now=NOW)
    return str(placed.call_id)


@pytest.mark.django_db(transaction=True)  # the inbox has a connection of its own
def test_names_five_corruptions_line_by_line(
    acme: Client, sandbox: Sandbox, receiver: Receiver
) -> None:
    open_wallet(acme, seconds=100_000)
    launch = Launch(acme, 50_000)
    sandbox.faults(**{kind: {"numbers": [number]} for kind, number in SPOILT.items()})
    numbers = [CLEAN, *SPOILT.values()]
    calls = {number: call(sandbox, launch, number) for number in numbers}
    wait_for(lambda: all("call_analyzed" in receiver.events(one) for one in calls.values()))
    wait_for(lambda: len({body["call"]["call_id"] for body, _r, _s in receiver.deliveries}) == 7)
    for _body, raw, _signature in receiver.deliveries:
        store(read_delivery(raw), now=NOW)
    while Drain().step(now=NOW):
        pass
    started = [row.started_at for row in Call.objects.all() if row.started_at]
    Call.objects.update(created_at=min(started))  # the sandbox's clock runs ahead of the test's
    gateway = RetellGateway(api_key="sandbox", base_url=sandbox.url)
    until = max(started) + timedelta(minutes=1)
    run = services.ask_reconciliation(
        since=min(started) - timedelta(minutes=1), until=until, actor=TESTS, now=until
    )

    while not services.compare_slice(run_id=run.pk, gateway=gateway, now=until):
        pass
    gateway.close()

    names = {one: number for number, one in calls.items()}
    rows = list(Difference.objects.all())
    named = {(row.kind, names.get(row.provider_call_id, "")) for row in rows}
    assert named == {
        ("missing_there", SPOILT["books_lost"]),
        ("missing_here", ""),  # nobody placed it
        ("seconds_differ", SPOILT["books_longer"]),
        ("cost_differs", SPOILT["books_longer"]),  # it costs more because it is longer
        ("cost_differs", SPOILT["books_cost"]),
        ("billed_twice", ""),  # told again under an id of its own
    }
    assert len(rows) == len(named)
    by_kind = {row.kind: row for row in rows}
    assert by_kind["missing_here"].is_foreign
    longer, doubled = by_kind["seconds_differ"], by_kind["billed_twice"]
    assert (longer.their_ms or 0) - (longer.our_ms or 0) == 30_000
    assert calls[SPOILT["books_double"]] in doubled.sentence
    run.refresh_from_db()
    assert run.status == "done"
    apart = still_apart([run.pk])[run.pk]
    each = [row.their_ms or row.our_ms or 0 for row in rows if row.kind in ALONE]
    assert (apart.count, apart.ms) == (6, sum(each) + 30_000)
    assert apart.micros >= sum(
        row.their_micros or row.our_micros or 0 for row in rows if row.kind in ALONE
    )
    assert audit_ledger() == []
