"""The numbers under the KPIs, from counters per day and from the enrolments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q, Sum

from campaigns.how_far import CONVERTED, DIALLED, ELIGIBLE, REACHED
from campaigns.models import Enrolment
from reporting.metrics import Figures
from reporting.models import DailyStat
from telephony.corrections import corrections_meaning
from telephony.disclosure import GIVEN, MISSES
from telephony.first_words import ABANDONED_AFTER_MS
from telephony.models import Call
from telephony.transfers import BRIDGED, BRIDGED_REASONS, REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from uuid import UUID

    from django.db.models import QuerySet

_SUMS = (
    "dials_count",
    "connects_count",
    "humans_count",
    "machines_count",
    "talk_ms",
    "human_talk_ms",
    "billed_seconds",
    "client_cost_micros",
    "retell_cost_micros",
)
# Retell says that a call was handed to somebody else by an event or by how it ended.
_TRANSFERRED = Q(transfer_status=BRIDGED) | Q(disconnection_reason__in=BRIDGED_REASONS)
_TRANSFER_TRIED = ~Q(transfer_status="") | Q(disconnection_reason__in=tuple(REASONS))
_Status = Enrolment.Status


def campaign_figures(*, client_id: UUID, campaign_id: UUID) -> Figures:
    """Return everything counted of one campaign since it began; two queries."""
    calls = _sums(DailyStat.objects.filter(client_id=client_id, campaign_id=campaign_id))
    return _figures(calls) + people_figures(client_id=client_id, campaign_id=campaign_id)


def people_figures(*, client_id: UUID, campaign_id: UUID) -> Figures:
    """Return how far the leads of one campaign came; one query, which looks at each of them."""
    people = Enrolment.objects.filter(client_id=client_id, campaign_id=campaign_id).aggregate(
        loaded=Count("pk"),
        eligible=Count("pk", filter=ELIGIBLE),
        dialled=Count("pk", filter=DIALLED),
        dialled_once=Count("pk", filter=Q(attempts_count=1)),
        dialled_twice=Count("pk", filter=Q(attempts_count=2)),
        dialled_thrice=Count("pk", filter=Q(attempts_count=3)),
        dialled_more=Count("pk", filter=Q(attempts_count__gt=3)),
        reached=Count("pk", filter=REACHED),
        converted=Count("pk", filter=CONVERTED),
        exhausted=Count("pk", filter=Q(status=_Status.EXHAUSTED)),
        opted_out=Count("pk", filter=Q(has_opted_out=True)),
    )
    return Figures(**people)


@dataclass(frozen=True)
class Talk:
    """
    A campaign's calls that a person answered: how many were how many seconds long, and what came of them.

    `timed` are those of which it is known when the agent spoke first, `abandoned` those of them in which
    that was too late or never. `checked` are those whose opening was checked, `disclosed` those of them that
    said all they must.
    """

    lengths: dict[int, int]
    transferred: int = 0
    transfers_tried: int = 0
    timed: int = 0
    abandoned: int = 0
    checked: int = 0
    disclosed: int = 0


def campaign_talk(*, client_id: UUID, campaign_id: UUID) -> Talk:
    """
    Return how long a campaign's calls with people were; one query, and a row for each second there is.

    Lengths are rounded up, as lists show them. A person's correction holds, tests don't count.
    """
    corrected = Q(corrected_outcome__in=corrections_meaning(Call.OutcomeClass.HUMAN))
    reported = Q(corrected_outcome="", outcome_class=Call.OutcomeClass.HUMAN)
    over = Call.objects.filter(client_id=client_id, campaign_id=campaign_id, status__in=Call.OVER)
    up = F("duration_ms") + 999
    rows = (
        over.filter(corrected | reported, is_test=False)
        .annotate(length_ms=up - up % 1000)
        .values("length_ms")
        .annotate(
            calls=Count("pk"),
            transferred=Count("pk", filter=_TRANSFERRED),
            transfers_tried=Count("pk", filter=_TRANSFER_TRIED),
            timed=Count("pk", filter=Q(agent_first_word_ms__isnull=False)),
            abandoned=Count("pk", filter=Q(agent_first_word_ms__gt=ABANDONED_AFTER_MS)),
            checked=Count("pk", filter=Q(disclosure__in=(GIVEN, *MISSES))),
            disclosed=Count("pk", filter=Q(disclosure=GIVEN)),
        )
        .order_by()
    )
    found = list(rows)
    lengths = {
        int(row["length_ms"]) // 1000: row["calls"] for row in found if row["length_ms"] is not None
    }
    return Talk(
        lengths,
        transferred=sum(row["transferred"] for row in found),
        transfers_tried=sum(row["transfers_tried"] for row in found),
        timed=sum(row["timed"] for row in found),
        abandoned=sum(row["abandoned"] for row in found),
        checked=sum(row["checked"] for row in found),
        disclosed=sum(row["disclosed"] for row in found),
    )


def daily_figures(*, client_id: UUID, first: date, last: date) -> dict[date, Figures]:
    """Return what a client's calls came to per day of its calendar, both days included."""
    rows = DailyStat.objects.filter(client_id=client_id, day__gte=first, day__lte=last)
    per_day: dict[date, Figures] = {}
    for row in rows.values("day", *_SUMS):
        day = row.pop("day")
        per_day[day] = per_day.get(day, Figures()) + _figures(row)
    return per_day


def client_totals(*, first: date, last: date) -> dict[UUID, Figures]:
    """Return what each client's calls came to over days of its own calendar; one query."""
    rows = (
        DailyStat.objects.filter(day__gte=first, day__lte=last)
        .values("client_id")
        .annotate(**{f"{name}_sum": Sum(name) for name in _SUMS})
    )
    return {row["client_id"]: _summed(row) for row in rows}


def client_days(*, first: date, last: date) -> dict[UUID, dict[date, Figures]]:
    """Return what each client's calls came to per day of its own calendar; one query."""
    rows = (
        DailyStat.objects.filter(day__gte=first, day__lte=last)
        .values("client_id", "day")
        .annotate(**{f"{name}_sum": Sum(name) for name in _SUMS})
    )
    found: dict[UUID, dict[date, Figures]] = {}
    for row in rows:
        found.setdefault(row["client_id"], {})[row["day"]] = _summed(row)
    return found


def agency_days(*, first: date, last: date) -> dict[date, Figures]:
    """Return what all clients' calls came to per day; one query."""
    rows = (
        DailyStat.objects.filter(day__gte=first, day__lte=last)
        .values("day")
        .annotate(**{f"{name}_sum": Sum(name) for name in _SUMS})
    )
    return {row["day"]: _summed(row) for row in rows}


def _sums(rows: QuerySet[DailyStat]) -> dict[str, int]:
    found = rows.aggregate(**{name: Sum(name) for name in _SUMS})
    return {name: value or 0 for name, value in found.items()}


def _summed(row: Mapping[str, Any]) -> Figures:
    return _figures({name: row[f"{name}_sum"] for name in _SUMS})


def _figures(sums: dict[str, int]) -> Figures:
    return Figures(
        dials=sums["dials_count"],
        connects=sums["connects_count"],
        humans=sums["humans_count"],
        machines=sums["machines_count"],
        talk_ms=sums["talk_ms"],
        human_talk_ms=sums["human_talk_ms"],
        billed_seconds=sums["billed_seconds"],
        client_cost_micros=sums["client_cost_micros"],
        retell_cost_micros=sums["retell_cost_micros"],
    )
