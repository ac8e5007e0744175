"""Knowledge bases as their pages show them: current version, sources, who uses them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from campaigns.knowledge_limits import Room, room_left
from campaigns.models import (
    Campaign,
    KnowledgeAnswer,
    KnowledgeBase,
    KnowledgeQuestion,
    KnowledgeSource,
)
from telephony.models import CallLookup

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

MOST_FAMILIES = 200
MOST_SOURCES = 600
MOST_QUESTIONS = 30
RECENT_CALLS = 200
MOST_USED = 10
# So soon after a version was indexed its kept questions are asked; a page that waits for that looks again.
ASKED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True)
class KnowledgeRow:
    """One line of the list: the version that campaigns get, and what else there is."""

    base: KnowledgeBase
    newest: KnowledgeBase
    sources: int
    campaigns: int


@dataclass(frozen=True)
class KeptQuestion:
    """A kept question, what this version answered, and what the newest one before it did."""

    question: KnowledgeQuestion
    answer: KnowledgeAnswer | None
    earlier: KnowledgeAnswer | None
    earlier_number: int

    @property
    def has_changed(self) -> bool:
        """Whether it looked up other passages than before; an agent's words differ each time."""
        if self.answer is None or self.earlier is None:
            return False
        return set(self.answer.passages) != set(self.earlier.passages)


@dataclass(frozen=True)
class KnowledgePage:
    """One version with its sources, its sisters and its users."""

    base: KnowledgeBase
    sources: list[KnowledgeSource]
    versions: list[KnowledgeBase]
    campaigns: list[Campaign]
    room: Room
    bytes: int
    questions: list[KeptQuestion]
    is_asking: bool  # kept questions are being asked of it, or will be in a moment
    used: list[tuple[str, int]]  # passages that calls looked up lately, with how many calls did

    @property
    def is_draft(self) -> bool:
        return self.base.status == KnowledgeBase.Status.DRAFT

    @property
    def may_be_read_again(self) -> bool:
        """Whether it was indexed from web pages, which may have changed since."""
        is_ready = self.base.status == KnowledgeBase.Status.COMPLETE
        return is_ready and any(one.kind == KnowledgeSource.Kind.URL for one in self.sources)

    @property
    def is_moving(self) -> bool:
        return self.base.status == KnowledgeBase.Status.INDEXING

    @property
    def is_used(self) -> bool:
        return any(campaign.shared_base_id == self.base.pk for campaign in self.campaigns)

    @property
    def users_elsewhere(self) -> int:
        """How many campaigns use another version of it."""
        return sum(campaign.shared_base_id != self.base.pk for campaign in self.campaigns)


def shared_bases[Rows: QuerySet[KnowledgeBase]](rows: Rows) -> Rows:
    """Return the versions of knowledge bases that campaigns may share and that aren't put away."""
    return rows.filter(is_shared=True, archived_at=None)


def knowledge_rows(visible: QuerySet[KnowledgeBase]) -> list[KnowledgeRow]:
    """Return a client's knowledge bases by name; three queries."""
    bases = list(shared_bases(visible).order_by("name", "number")[: MOST_FAMILIES * 5])
    families: dict[UUID, list[KnowledgeBase]] = defaultdict(list)
    for base in bases:
        families[base.family_id].append(base)
    shown = [
        (next((one for one in rows if one.is_current), rows[-1]), rows[-1])
        for rows in families.values()
    ][:MOST_FAMILIES]
    sources = _count_sources(newest.pk for _base, newest in shown)
    users = _users(base.pk for base in bases)
    return [
        KnowledgeRow(
            base,
            newest,
            sources.get(newest.pk, 0),
            sum(users.get(one.pk, 0) for one in families[base.family_id]),
        )
        for base, newest in shown
    ]


def _count_sources(ids: Iterable[UUID]) -> dict[UUID, int]:
    rows = KnowledgeSource.objects.filter(knowledge_base_id__in=list(ids))
    found: dict[UUID, int] = defaultdict(int)
    for base_id in rows.values_list("knowledge_base_id", flat=True):
        found[base_id] += 1
    return found


def _users(ids: Iterable[UUID]) -> dict[UUID, int]:
    rows = Campaign.objects.filter(shared_base_id__in=list(ids))
    found: dict[UUID, int] = defaultdict(int)
    for base_id in rows.exclude(status=Campaign.Status.ARCHIVED).values_list(
        "shared_base_id", flat=True
    ):
        found[base_id] += 1
    return found


def knowledge_page(base: KnowledgeBase, *, now: datetime) -> KnowledgePage:
    """Return all that the page of one version shows; six queries."""
    family = KnowledgeBase.objects.filter(client_id=base.client_id, family_id=base.family_id)
    versions = list(family.order_by("-number")[:100])
    users = Campaign.objects.filter(
        client_id=base.client_id, shared_base_id__in=[one.pk for one in versions]
    )
    campaigns = list(users.exclude(status=Campaign.Status.ARCHIVED).order_by("name", "pk")[:200])
    questions = _with_answers(base, versions)
    sources = list(base.sources.defer("text").order_by("created_at", "pk")[:MOST_SOURCES])
    return KnowledgePage(
        base=base,
        sources=sources,
        versions=versions,
        campaigns=campaigns,
        room=room_left(sources),
        bytes=sum(source.size_bytes for source in sources),
        questions=questions,
        is_asking=any(_is_asked(base, one, now) for one in questions),
        used=_used(base.client_id, [campaign.pk for campaign in campaigns]),
    )


def kept_questions(base: KnowledgeBase) -> list[KnowledgeQuestion]:
    """Return what is kept for all versions of a knowledge base, the oldest first."""
    kept = KnowledgeQuestion.objects.filter(client_id=base.client_id, family_id=base.family_id)
    return list(kept.order_by("created_at", "pk")[:MOST_QUESTIONS])


def _with_answers(base: KnowledgeBase, versions: list[KnowledgeBase]) -> list[KeptQuestion]:
    """Return the kept questions with this version's answers beside those of the newest one before it."""
    questions = kept_questions(base)
    numbers = {one.pk: one.number for one in versions if one.number <= base.number}
    given = KnowledgeAnswer.objects.filter(
        client_id=base.client_id, question_id__in=[one.pk for one in questions]
    )
    mine: dict[UUID, KnowledgeAnswer] = {}
    before: dict[UUID, KnowledgeAnswer] = {}
    for answer in given:
        number = numbers.get(answer.knowledge_base_id, 0)
        if answer.knowledge_base_id == base.pk:
            mine[answer.question_id] = answer
        elif number and answer.status == KnowledgeAnswer.Status.ANSWERED:
            best = before.get(answer.question_id)
            if best is None or numbers[best.knowledge_base_id] < number:
                before[answer.question_id] = answer
    return [
        KeptQuestion(
            one,
            mine.get(one.pk),
            earlier := before.get(one.pk),
            numbers[earlier.knowledge_base_id] if earlier else 0,
        )
        for one in questions
    ]


def _is_asked(base: KnowledgeBase, kept: KeptQuestion, now: datetime) -> bool:
    if kept.answer is not None:
        return kept.answer.status == KnowledgeAnswer.Status.WAITING
    at = base.indexed_at if base.status == KnowledgeBase.Status.COMPLETE else None
    return at is not None and kept.question.created_at <= at > now - ASKED_WITHIN


def _used(client_id: UUID, campaign_ids: list[UUID]) -> list[tuple[str, int]]:
    """Return what the last 200 calls of these campaigns looked up, the most used first."""
    rows = CallLookup.objects.filter(
        client_id=client_id, campaign_id__in=campaign_ids, status=CallLookup.Status.STORED
    ).order_by("-created_at", "-pk")
    counted: Counter[str] = Counter()
    for passages in rows.values_list("passages", flat=True)[:RECENT_CALLS]:
        counted.update({one["text"] for one in passages})
    return counted.most_common(MOST_USED)


def usable_bases(client_id: UUID) -> list[KnowledgeBase]:
    """Return the versions that a campaign may choose: the current one of each, indexed."""
    rows = shared_bases(KnowledgeBase.objects.filter(client_id=client_id, is_current=True))
    return list(rows.filter(status=KnowledgeBase.Status.COMPLETE).order_by("name", "pk")[:200])
