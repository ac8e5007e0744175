"""Questions kept with a knowledge base, to ask its next versions again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.models import KnowledgeQuestion
from campaigns.queries.knowledge import MOST_QUESTIONS
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from campaigns.models import KnowledgeBase


class TooManyQuestions(Exception):
    """The knowledge base keeps thirty questions already."""


@atomic
def keep_question(
    *, base: KnowledgeBase, text: str, actor: Actor, now: datetime
) -> KnowledgeQuestion:
    """
    Keep a question with all versions of a knowledge base; the same one again is the same.

    :raises TooManyQuestions: if it keeps thirty already
    """
    mine = KnowledgeQuestion.objects.filter(client_id=base.client_id, family_id=base.family_id)
    if known := mine.filter(text=text).first():
        return known
    if mine.count() >= MOST_QUESTIONS:
        raise TooManyQuestions
    row = KnowledgeQuestion.objects.create(
        client_id=base.client_id,
        family_id=base.family_id,
        text=text,
        created_by_email=actor.actor_email,
        created_at=now,
    )
    record(actions.QUESTION_KEPT, resource=base, actor=actor, now=now)
    return row


@atomic
def drop_question(
    *, base: KnowledgeBase, question: KnowledgeQuestion, actor: Actor, now: datetime
) -> None:
    """Keep a question no longer; gone already is as well."""
    if KnowledgeQuestion.objects.filter(pk=question.pk).delete()[0]:
        record(actions.QUESTION_DROPPED, resource=base, actor=actor, now=now)
