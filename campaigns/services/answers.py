"""The kept questions of a knowledge base, asked of one of its versions: ordered at once, answered by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.models import KnowledgeAnswer, KnowledgeBase
from campaigns.queries.knowledge import kept_questions
from campaigns.services.asking import ask_knowledge
from campaigns.services.knowledge import KnowledgeNotReady
from convomono.lib.db import atomic, insert_once

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from telephony.retell import RetellGateway

Status = KnowledgeAnswer.Status
ANSWER_CHARS = 4000


def order_answers(*, base: KnowledgeBase, actor: Actor, now: datetime) -> int:
    """
    Have a version asked all kept questions, also those it answered before; return how many there are.

    A question that waits already is asked once. Must not run inside a transaction.

    :raises KnowledgeNotReady: if Retell hasn't indexed the version
    """
    if base.status != KnowledgeBase.Status.COMPLETE:
        raise KnowledgeNotReady
    wanted = kept_questions(base)
    for question in wanted:
        row = KnowledgeAnswer(
            client_id=base.client_id, knowledge_base=base, question=question, ordered_at=now
        )
        insert_once(row, "knowledge_base_id", "question_id")
    if wanted:
        _begin(base, actor=actor, now=now)
    return len(wanted)


@atomic
def _begin(base: KnowledgeBase, *, actor: Actor, now: datetime) -> None:
    KnowledgeAnswer.objects.filter(knowledge_base_id=base.pk).update(
        status=Status.WAITING, error="", ordered_at=now
    )
    record(actions.QUESTIONS_ASKED, resource=base, actor=actor, now=now)


def answer_waiting(
    *, base: KnowledgeBase, gateway: RetellGateway, now: datetime, real_now: datetime
) -> int:
    """
    Ask a version what waits, one after the other, and keep what it says; return how many it answered.

    Safe to run twice and to be killed anywhere: what isn't answered goes on waiting.

    :raises KnowledgeNotReady: if Retell hasn't indexed the version any more
    :raises AskedAlready: if somebody's first question is making the agent that answers
    :raises ProviderError: if Retell refused or can't be reached; the rest waits
    """
    waiting = KnowledgeAnswer.objects.filter(knowledge_base_id=base.pk, status=Status.WAITING)
    answered = 0
    for row in waiting.select_related("question").order_by("question__created_at", "pk"):
        reply = ask_knowledge(
            base=base, question=row.question.text, gateway=gateway, real_now=real_now
        )
        answered += KnowledgeAnswer.objects.filter(pk=row.pk, status=Status.WAITING).update(
            status=Status.ANSWERED,
            text=reply.text[:ANSWER_CHARS],
            passages=list(reply.passages),
            answered_at=now,
        )
    return answered


def give_up_waiting(*, base: KnowledgeBase, sentence: str) -> None:
    """Say of all that still waits why it isn't answered; the page lets people ask again."""
    KnowledgeAnswer.objects.filter(knowledge_base_id=base.pk, status=Status.WAITING).update(
        status=Status.FAILED, error=sentence[:400]
    )


def left_behind(*, since: datetime, most: int) -> list[KnowledgeBase]:
    """Return versions with questions that have waited since then: their worker was killed."""
    waiting = KnowledgeAnswer.objects.filter(status=Status.WAITING, ordered_at__lte=since)
    ids = set(waiting.values_list("knowledge_base_id", flat=True)[:most])
    return list(KnowledgeBase.objects.filter(pk__in=ids))
