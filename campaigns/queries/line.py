"""The line of leads as it will be called: who is next, for what the others wait, who is held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.enrolments import LIVE
from campaigns.models import BatchCall, Enrolment
from campaigns.queries.lead_sentences import lead_sentence
from convomono.lib.pages import capped_count

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign

NEXT_ROWS = 5  # on the live page
ASIDE_ROWS = 20  # of each list beside the line, where all are shown


@dataclass(frozen=True)
class LineRow:
    """A lead in line, or set aside; `position` counts from 1 and is None for who is set aside."""

    enrolment: Enrolment
    position: int | None
    reason: str
    is_due: bool

    @property
    def name(self) -> str:
        return self.enrolment.lead.full_name


@dataclass(frozen=True)
class Aside:
    """The first of those who stand apart from the line, and how many they are ("1,000+" above the limit)."""

    rows: list[LineRow]
    total: str
    has_more: bool

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def is_one(self) -> bool:
        return self.total == "1"


@dataclass(frozen=True)
class Line:
    """A stretch of a line, and who stands apart: each list by itself, so that none hides another."""

    rows: list[LineRow]
    asked: Aside  # asked to be called back by now: they go first
    held: Aside
    removed: Aside


def live_launches(campaign: Campaign) -> list[UUID]:
    """Return the ids of the campaign's launches that aren't over; one query."""
    rows = BatchCall.objects.filter(
        client_id=campaign.client_id, campaign=campaign, status__in=LIVE
    )
    return list(rows.values_list("pk", flat=True))


def in_line(batch_call_ids: list[UUID], *, now: datetime) -> QuerySet[Enrolment]:
    """Return who waits in these launches, in the order of calling; promised callbacks stand apart."""
    return (
        Enrolment.objects.filter(
            batch_call_id__in=batch_call_ids, status=Enrolment.Status.QUEUED, held_at=None
        )
        .exclude(callback_at__lte=now)
        .select_related("lead", "batch_call")
        .order_by("next_attempt_at", "-priority", "pk")  # as the dispatcher reads them
    )


def asked_back(batch_call_ids: list[UUID], *, now: datetime) -> QuerySet[Enrolment]:
    """Return who asked to be called back by now, the longest awaited first: they go before the line."""
    rows = Enrolment.objects.filter(
        batch_call_id__in=batch_call_ids,
        status=Enrolment.Status.QUEUED,
        held_at=None,
        callback_at__lte=now,
    )
    return rows.select_related("lead", "batch_call").order_by("callback_at", "pk")


def held_back(batch_call_ids: list[UUID]) -> QuerySet[Enrolment]:
    """Return whom a person held back, the newest first."""
    rows = Enrolment.objects.filter(
        batch_call_id__in=batch_call_ids, status=Enrolment.Status.QUEUED, held_at__isnull=False
    )
    return rows.select_related("lead", "batch_call").order_by("-held_at", "pk")


def taken_out(batch_call_ids: list[UUID]) -> QuerySet[Enrolment]:
    """Return whom a person took out of the line, the newest first."""
    rows = Enrolment.objects.filter(
        batch_call_id__in=batch_call_ids,
        status=Enrolment.Status.CANCELLED,
        removed_at__isnull=False,
    )
    return rows.select_related("lead", "batch_call").order_by("-removed_at", "pk")


def line(
    batch_call_ids: list[UUID],
    *,
    rows: list[Enrolment],
    now: datetime,
    start: int = 1,
    most_aside: int = ASIDE_ROWS,
) -> Line:
    """Return these leads of the line, the first at position `start`, and who stands apart; three to six queries."""
    return Line(
        rows=[
            LineRow(one, start + index, lead_sentence(one, now=now), one.next_attempt_at <= now)
            for index, one in enumerate(rows)
        ],
        asked=_aside(asked_back(batch_call_ids, now=now), most_aside, now=now),
        held=_aside(held_back(batch_call_ids), most_aside, now=now),
        removed=_aside(taken_out(batch_call_ids), most_aside, now=now),
    )


def apart(rows: list[Enrolment], *, now: datetime) -> list[LineRow]:
    """Return leads that stand apart from the line as it is shown; who asked for a call has a sentence."""
    return [
        LineRow(one, None, lead_sentence(one, now=now) if _is_asked(one) else "", is_due=False)
        for one in rows
    ]


def _aside(found: QuerySet[Enrolment], most: int, *, now: datetime) -> Aside:
    rows = list(found[: most + 1])
    has_more = len(rows) > most
    total = capped_count(found) if has_more else str(len(rows))
    return Aside(apart(rows[:most], now=now), total, has_more)


def _is_asked(enrolment: Enrolment) -> bool:
    return enrolment.status == Enrolment.Status.QUEUED and enrolment.held_at is None
