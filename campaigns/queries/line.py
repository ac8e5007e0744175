"""The line of leads as it will be called: who is next, for what the others wait, who is held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.enrolments import LIVE
from campaigns.models import BatchCall, Enrolment
from campaigns.queries.lead_sentences import lead_sentence

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign

NEXT_ROWS = 5  # on the live page
MOST_ASIDE = 100


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
class Line:
    """The front of a line, and whom people held back or took out of it by hand."""

    asked: list[LineRow]  # asked to be called back by now: they go first
    rows: list[LineRow]
    held: list[LineRow]
    removed: list[LineRow]


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


def line(
    batch_call_ids: list[UUID], *, rows: list[Enrolment], now: datetime, start: int = 1
) -> Line:
    """Return these leads of the line, the first at position `start`, and who stands apart; one query."""
    queued, cancelled = Enrolment.Status.QUEUED, Enrolment.Status.CANCELLED
    held = Q(status=queued, held_at__isnull=False)
    removed = Q(status=cancelled, removed_at__isnull=False)
    asked = Q(status=queued, held_at=None, callback_at__lte=now)
    apart = Enrolment.objects.filter(held | removed | asked, batch_call_id__in=batch_call_ids)
    found = list(
        apart.select_related("lead", "batch_call").order_by("callback_at", "pk")[:MOST_ASIDE]
    )
    return Line(
        asked=[
            LineRow(one, None, lead_sentence(one, now=now), is_due=False)
            for one in found
            if one.status == queued and one.held_at is None
        ],
        rows=[
            LineRow(one, start + index, lead_sentence(one, now=now), one.next_attempt_at <= now)
            for index, one in enumerate(rows)
        ],
        held=[_aside(one) for one in found if one.status == queued and one.held_at],
        removed=[_aside(one) for one in found if one.status == cancelled],
    )


def _aside(enrolment: Enrolment) -> LineRow:
    return LineRow(enrolment, None, "", is_due=False)
