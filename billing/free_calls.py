"""The calls of a month that cost nothing: no line of the ledger names them, so statements list them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from billing.models import Transaction
from billing.usage import campaign_labels
from convomono.lib.keys import beside
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterator

    from billing.models import Statement

CHUNK = 500
PREFIX = "free:"
"""What stands in a statement's totals before the outcome of calls that cost nothing."""


@dataclass(frozen=True)
class FreeCall:
    """One call that was placed in the month and never billed; `at` is in the client's zone."""

    call: Call
    at: datetime
    campaign: str


@dataclass(frozen=True)
class FreeCalls:
    """How many calls of one outcome cost nothing; `outcome` is empty where nobody learned it."""

    outcome: str
    label: str
    calls: int


def list_free_calls(statement: Statement) -> Iterator[FreeCall]:
    """
    Yield the calls placed in a statement's month that were never billed, in order.

    In bounded memory: three queries per 500 of them. A call that was billed and given back has lines
    of its own, and isn't among them.
    """
    zone, month = ZoneInfo(statement.time_zone), statement.month
    following = (month + timedelta(days=31)).replace(day=1)
    since, until = (datetime(day.year, day.month, 1, tzinfo=zone) for day in (month, following))
    calls = Call.objects.filter(
        client_id=statement.client_id,
        created_at__gte=since,
        created_at__lt=until,
        status__in=sorted(Call.OVER),
        billed_seconds=0,
    ).order_by("created_at", "pk")
    wanted = calls.only("created_at", "outcome_class", "campaign_id", "duration_ms")
    for some in batched(wanted.iterator(chunk_size=CHUNK), CHUNK):
        billed = set(
            Transaction.objects.filter(
                beside(type=Transaction.Type.CONSUME),
                client_id=statement.client_id,
                call_id__in=[call.pk for call in some],
            ).values_list("call_id", flat=True)
        )
        labels = campaign_labels({call.campaign_id for call in some if call.campaign_id})
        for call in some:
            if call.pk not in billed:
                at = call.created_at.astimezone(zone)
                yield FreeCall(call=call, at=at, campaign=labels.get(call.campaign_id, ""))


def free_calls_of(statement: Statement) -> list[FreeCalls]:
    """Return what a statement counted when it was issued; nothing on those issued before it did."""
    labels = {"": _("Not known"), **dict(Call.OutcomeClass.choices)}
    return [
        FreeCalls(
            outcome=(name := key.removeprefix(PREFIX)),
            label=str(labels.get(name, name)),
            calls=sums["lines"],
        )
        for key, sums in statement.totals.items()
        if key.startswith(PREFIX)
    ]
