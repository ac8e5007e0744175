"""One whole campaign from spreadsheet to ledger through the running processes, and what it came to."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Sum

from billing.invariants import audit_ledger
from billing.models import Reservation, Transaction, Wallet
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Campaign
from convomono.lib.display import minutes, usd
from telephony.models import Call
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from leads.models import LeadImport
    from webhooks.replay import Comparison

LONGEST_SECONDS = 240.0


class TookTooLong(Exception):
    """A step didn't end in time; the message says which."""


@dataclass(frozen=True)
class Result:
    """The figures of one run, and a sentence for each that doesn't add up."""

    lines: list[tuple[str, str]]
    problems: list[str]


def wait_until(ready: Callable[[], bool], what: str, *, seconds: float = LONGEST_SECONDS) -> None:
    """
    Ask every quarter of a second, in real time.

    :raises TookTooLong: if it isn't so within `seconds`
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what} took more than {seconds:.0f} seconds.")
        time.sleep(0.25)


def is_over(batch_call_id: UUID) -> bool:
    """Tell whether a launch has ended and its minutes are given back, which is a second transaction."""
    closed = Reservation.objects.filter(
        batch_call_id=batch_call_id, status=Reservation.Status.CLOSED
    )
    return BatchCall.objects.get(pk=batch_call_id).is_over and closed.exists()


def is_settled(campaign_id: UUID) -> bool:
    """Tell whether each call of the campaign was analysed and each event applied."""
    waiting = (WebhookEvent.Status.PENDING, WebhookEvent.Status.PARKED)
    calls = Call.objects.filter(campaign_id=campaign_id)
    return (
        not WebhookEvent.objects.filter(status__in=waiting).exists()
        and not calls.filter(analyzed_at=None).exists()
    )


def sandbox_state() -> dict[str, int]:
    """Return the sandbox's own counters."""
    request = urllib.request.Request(  # noqa: S310 - the sandbox's address is ours
        f"{settings.RETELL_BASE_URL}/_sandbox/state",
        headers={"Authorization": f"Bearer {settings.RETELL_API_KEY}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 # nosec B310
        state: dict[str, int] = json.load(answer)
    return state


def summarise(
    *, campaign: Campaign, batch: BatchCall, receipt: LeadImport, before_seconds: int
) -> Result:
    """Add everything up, from our rows and from the sandbox's counters."""
    wallet = Wallet.objects.get(client_id=campaign.client_id)
    sums = Call.objects.filter(campaign_id=campaign.pk).aggregate(
        billed=Sum("billed_seconds"),
        charge=Sum("client_cost_micros"),
        cost=Sum("retell_cost_micros"),
    )
    billed, charge, cost = (sums[name] or 0 for name in ("billed", "charge", "cost"))
    ledger = _ledger(campaign)
    state = sandbox_state()
    calls = Call.objects.filter(campaign_id=campaign.pk)
    humans = calls.filter(outcome_class=Call.OutcomeClass.HUMAN).count()
    violations = list(audit_ledger())
    counts = completeness(batch.pk)
    problems = [
        *(f"Ledger: {violation}" for violation in violations),
        *_differences(
            {
                "Consumed minutes and billed calls differ": (ledger["consume"], billed),
                "Reserved is not consumed and released": (
                    ledger["reserve"],
                    ledger["consume"] + ledger["release"],
                ),
                "The balance moved by something else": (
                    before_seconds - wallet.available_seconds,
                    billed,
                ),
                "Something is still reserved": (wallet.reserved_seconds, 0),
                "Double dials": (state["double_dials"], 0),
                "Calls at the sandbox and here differ": (state["calls_placed"], calls.count()),
            }
        ),
        *([] if counts.holds else [f"Completeness is broken: {counts}"]),
    ]
    lines = [
        ("rows in the file", str(receipt.rows_total)),
        ("leads imported", str(receipt.counts.get("new", 0))),
        ("rows refused", str(receipt.rows_total - receipt.counts.get("new", 0))),
        ("attempts", str(Attempt.objects.filter(batch_call_id=batch.pk).count())),
        ("calls", str(calls.count())),
        ("pick-ups", str(humans)),
        ("minutes reserved", minutes(ledger["reserve"])),
        ("minutes consumed", minutes(ledger["consume"])),
        ("minutes released", minutes(ledger["release"])),
        ("charged", usd(charge)),
        ("Retell's cost", usd(cost)),
        ("margin", usd(charge - cost)),
        ("balance before", minutes(before_seconds)),
        ("balance after", minutes(wallet.available_seconds)),
        ("ledger", "not clean" if violations else "clean"),
        ("completeness", "holds" if counts.holds else "broken"),
        ("double dials", str(state["double_dials"])),
    ]
    return Result(lines, problems)


def note_replay(result: Result, found: Comparison) -> None:
    """Add what a full replay came to: every call, told anew from its events, is what is stored."""
    is_equal = found.stored_hash == found.rebuilt_hash and not found.differing_count
    result.lines.append(("replayed events", str(found.events_count)))
    result.lines.append(("replay", "equal" if is_equal else "differs"))
    result.problems.extend(
        f"Replay: {one.call} {one.column}: {one.stored} is {one.rebuilt} by its events"
        for one in found.differences
    )
    if found.failed_count or not found.events_count:
        result.problems.append(f"Replay: {found.failed_count} of {found.events_count} failed")


def _ledger(campaign: Campaign) -> dict[str, int]:
    rows = (
        Transaction.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
        .values("type")
        .annotate(total=Sum("seconds"))
    )
    found = {row["type"]: row["total"] for row in rows}
    return {kind: found.get(kind, 0) for kind in ("reserve", "consume", "release")}


def _differences(pairs: dict[str, tuple[int, int]]) -> list[str]:
    return [f"{what}: {one} and {other}" for what, (one, other) in pairs.items() if one != other]
