"""How far our books and Retell's are apart still: sums over the differences that nobody has resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import BigIntegerField, Case, Count, F, Q, Sum, Value, When
from django.db.models.functions import Abs, Coalesce, Greatest

from billing.models import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from django.db.models.expressions import Combinable

Kind = Difference.Kind
WHOLE = BigIntegerField()
ZERO = Value(0, output_field=WHOLE)
LISTED_TWICE = Q(kind=Kind.BILLED_TWICE, charged_seconds=None)
"""One call too many in Retell's books; two charges in ours say what was billed instead."""
OF_LENGTH = Q(kind__in=(Kind.MISSING_HERE, Kind.MISSING_THERE, Kind.SECONDS_DIFFER))
OF_COST = Q(kind__in=(Kind.MISSING_HERE, Kind.MISSING_THERE, Kind.COST_DIFFERS))
OF_BILLING = Q(kind__in=(Kind.MISSING_THERE, Kind.SECONDS_DIFFER))


@dataclass(frozen=True)
class StillApart:
    """
    What is unresolved of a comparison, never one difference against another.

    `ms` of connected time, `billed_seconds` too many or too few, `micros` of Retell's cost.
    """

    count: int = 0
    ms: int = 0
    billed_seconds: int = 0
    micros: int = 0

    @property
    def seconds(self) -> float:
        return self.ms / 1000


def still_apart(run_ids: Sequence[UUID]) -> dict[UUID, StillApart]:
    """
    Return for each of these comparisons what nobody has resolved of it; one query.

    A call that has several differences counts once in each sum.
    """
    left = Difference.objects.filter(reconciliation_id__in=run_ids).exclude(
        status=Difference.Status.RESOLVED
    )
    sums = left.order_by().values_list("reconciliation_id")
    told = sums.annotate(
        count=Count("pk"),
        ms=Sum(_apart("their_ms", "our_ms", where=OF_LENGTH)),
        billed_seconds=Sum(_billed_apart()),
        micros=Sum(_apart("their_micros", "our_micros", where=OF_COST)),
    )
    found = {run_id: StillApart(*figures) for run_id, *figures in told}
    return {run_id: found.get(run_id, StillApart()) for run_id in run_ids}


def _apart(theirs: str, ours: str, *, where: Q) -> Case:
    return Case(
        When(where, then=Abs(_number(theirs) - _number(ours))),
        When(LISTED_TWICE, then=_number(theirs)),
        default=ZERO,
        output_field=WHOLE,
    )


def _billed_apart() -> Case:
    """What is billed beyond what is due, or was never charged of it: what was given back on purpose is neither."""
    too_much = Greatest(
        _number("billed_seconds") - _number("due_seconds"), ZERO, output_field=WHOLE
    )
    too_little = Greatest(
        _number("due_seconds") - _number("charged_seconds"), ZERO, output_field=WHOLE
    )
    return Case(When(OF_BILLING, then=too_much + too_little), default=ZERO, output_field=WHOLE)


def _number(name: str) -> Combinable:
    return Coalesce(F(name), ZERO, output_field=WHOLE)
