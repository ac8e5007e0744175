"""The line of leads as it will be called: who is next, for what the others wait, who is held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.enrolments import LIVE
from campaigns.models import BatchCall, Enrolment
from campaigns.models.dialling import EVER, LINE_ORDER
from campaigns.queries.lead_sentences import lead_sentence
from convomono.lib.pages import capped_count

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign

NEXT_ROWS = 5  # on the live page
ASIDE_ROWS = 20  # of each list beside the line, where all are shown
READ_TOGETHER = 60  # who stand apart: of more each list is read by itself


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
        .order_by(*LINE_ORDER)
    )


def asked_back(batch_call_ids: list[UUID], *, now: datetime) -> QuerySet[Enrolment]:
    """Return who asked to be called back by now, the longest awaited first: they go before the line."""
    return _rows(_asked(batch_call_ids, now)).order_by("callback_at", "pk")


def held_back(batch_call_ids: list[UUID]) -> QuerySet[Enrolment]:
    """Return whom a person held back, the newest first."""
    return _rows(_held(batch_call_ids)).order_by("-held_at", "pk")


def taken_out(batch_call_ids: list[UUID]) -> QuerySet[Enrolment]:
    """Return whom a person took out of the line, the newest first."""
    return _rows(_removed(batch_call_ids)).order_by("-removed_at", "pk")


def _asked(batch_call_ids: list[UUID], now: datetime) -> Q:
    queued = Enrolment.Status.QUEUED
    return Q(batch_call_id__in=batch_call_ids, status=queued, held_at=None, callback_at__lte=now)


# "Later than ever" instead of "not empty": both engines find that by an index of those rows alone.


def _held(batch_call_ids: list[UUID]) -> Q:
    queued = Enrolment.Status.QUEUED
    return Q(batch_call_id__in=batch_call_ids, status=queued, held_at__gt=EVER)


def _removed(batch_call_ids: list[UUID]) -> Q:
    cancelled = Enrolment.Status.CANCELLED
    return Q(batch_call_id__in=batch_call_ids, status=cancelled, removed_at__gt=EVER)


def _rows(which: Q) -> QuerySet[Enrolment]:
    return Enrolment.objects.filter(which).select_related("lead", "batch_call")


def line(
    batch_call_ids: list[UUID],
    *,
    rows: list[Enrolment],
    now: datetime,
    start: int = 1,
    most_aside: int = ASIDE_ROWS,
) -> Line:
    """
    Return these leads of the line, the first at position `start`, and who stands apart.

    One query, and where more than 60 stand apart three to six further ones.
    """
    asked, held, removed = _asides(batch_call_ids, most_aside, now=now)
    return Line(
        rows=[
            LineRow(one, start + index, lead_sentence(one, now=now), one.next_attempt_at <= now)
            for index, one in enumerate(rows)
        ],
        asked=asked,
        held=held,
        removed=removed,
    )


def apart(rows: list[Enrolment], *, now: datetime) -> list[LineRow]:
    """Return leads that stand apart from the line as it is shown; who asked for a call has a sentence."""
    return [
        LineRow(one, None, lead_sentence(one, now=now) if _is_asked(one) else "", is_due=False)
        for one in rows
    ]


def _asides(batch_call_ids: list[UUID], most: int, *, now: datetime) -> list[Aside]:
    """Return the first who asked, who are held back and who were taken out, in this order."""
    anyhow = _asked(batch_call_ids, now) | _held(batch_call_ids) | _removed(batch_call_ids)
    few = list(_rows(anyhow).order_by("pk")[: READ_TOGETHER + 1])
    if len(few) > READ_TOGETHER:
        lists = (
            asked_back(batch_call_ids, now=now),
            held_back(batch_call_ids),
            taken_out(batch_call_ids),
        )
        return [_first_of(found, most, now=now) for found in lists]
    asked = [one for one in few if _is_asked(one)]
    held = [one for one in few if one.status == Enrolment.Status.QUEUED and not _is_asked(one)]
    removed = [one for one in few if one.status == Enrolment.Status.CANCELLED]
    asked.sort(key=lambda one: one.callback_at or EVER)
    held.sort(key=lambda one: one.held_at or EVER, reverse=True)
    removed.sort(key=lambda one: one.removed_at or EVER, reverse=True)
    return [
        Aside(apart(rows[:most], now=now), str(len(rows)), has_more=len(rows) > most)
        for rows in (asked, held, removed)
    ]


def _first_of(found: QuerySet[Enrolment], most: int, *, now: datetime) -> Aside:
    rows = list(found[: most + 1])
    has_more = len(rows) > most
    total = capped_count(found) if has_more else str(len(rows))
    return Aside(apart(rows[:most], now=now), total, has_more)


def _is_asked(enrolment: Enrolment) -> bool:
    return enrolment.status == Enrolment.Status.QUEUED and enrolment.held_at is None
