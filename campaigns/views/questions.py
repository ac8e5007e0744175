"""Questions that are kept with a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import client_manager, get_or_404, get_visible_or_404
from campaigns import jobs
from campaigns.forms.knowledge import QuestionForm
from campaigns.models import KnowledgeBase, KnowledgeQuestion
from campaigns.queries.knowledge import kept_questions, shared_bases
from campaigns.services.answers import order_answers
from campaigns.services.knowledge import KnowledgeNotReady
from campaigns.services.questions import TooManyQuestions, drop_question, keep_question
from campaigns.views.asking import asked_too_often
from convomono.lib import clock
from convomono.lib.jobs import enqueue_once

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_POST
def question_keep(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = get_visible_or_404(request, shared_bases(KnowledgeBase.objects.all()), base_id)
    form = QuestionForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write the question first."))
        return redirect("campaigns:knowledge-detail", base.pk)
    try:
        keep_question(
            base=base, text=form.cleaned_data["question"], actor=request.user, now=clock.now()
        )
    except TooManyQuestions:
        messages.error(request, _("Thirty questions are kept already: remove one first."))
    else:
        messages.success(request, _("Kept: each version is asked it once it is indexed."))
    return redirect("campaigns:knowledge-detail", base.pk)


@client_manager
@require_POST
def questions_ask(request: ClientRequest, base_id: UUID) -> HttpResponse:
    """Have a version asked all kept questions again."""
    base = get_visible_or_404(request, shared_bases(KnowledgeBase.objects.all()), base_id)
    back = redirect("campaigns:knowledge-detail", base.pk)
    kept = kept_questions(base)
    if kept and (problem := asked_too_often(request, questions=len(kept))):
        messages.error(request, problem)
        return back
    try:
        ordered = order_answers(base=base, actor=request.user, now=clock.now())
    except KnowledgeNotReady:
        messages.error(request, _("Have it indexed first: only then can it be asked."))
        return back
    if ordered:
        enqueue_once(jobs.ask_kept_questions, queue="calls", base_id=str(base.pk))
    return back


@client_manager
@require_POST
def question_drop(request: ClientRequest, base_id: UUID, question_id: UUID) -> HttpResponse:
    base = get_visible_or_404(request, shared_bases(KnowledgeBase.objects.all()), base_id)
    rows = KnowledgeQuestion.objects.filter(client_id=base.client_id, family_id=base.family_id)
    question = get_or_404(rows, question_id)
    drop_question(base=base, question=question, actor=request.user, now=clock.now())
    return redirect("campaigns:knowledge-detail", base.pk)
