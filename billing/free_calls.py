"""The calls of a month that cost nothing: no line of the ledger names them, so statements count them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from billing.models import Transaction
from telephony.models import Call

if TYPE_CHECKING:
    from billing.models import Statement

CHUNK = 500
PREFIX = "free:"
"""What stands in a statement's totals before the outcome of calls that cost nothing."""


@dataclass(frozen=True)
class FreeCalls:
    """How many calls of one outcome cost nothing; `outcome` is empty where nobody learned it."""

    outcome: str
    label: str
    calls: int


def count_free_calls(statement: Statement) -> dict[str, dict[str, int]]:
    """
    Count the calls placed in a statement's month that were never billed, as its totals keep them.

    In bounded memory: two queries per 500 of them. A call that was billed and given back has lines
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
    ).values_list("pk", "outcome_class")
    found: Counter[str] = Counter()
    for some in batched(calls.iterator(chunk_size=CHUNK), CHUNK):
        billed = set(
            Transaction.objects.filter(
                client_id=statement.client_id,
                call_id__in=[pk for pk, _outcome in some],
                type=Transaction.Type.CONSUME,
            ).values_list("call_id", flat=True)
        )
        found.update(outcome for pk, outcome in some if pk not in billed)
    return {
        f"{PREFIX}{outcome}": {"lines": calls_, "seconds": 0, "amount_micros": 0}
        for outcome, calls_ in sorted(found.items())
    }


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
