"""Questions that are kept with a knowledge base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import client_manager, get_or_404, get_visible_or_404
from campaigns.forms.knowledge import QuestionForm
from campaigns.models import KnowledgeBase, KnowledgeQuestion
from campaigns.queries.knowledge import shared_bases
from campaigns.services.questions import TooManyQuestions, drop_question, keep_question
from convomono.lib import clock

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
        messages.success(request, _("Kept: ask the next version the same."))
    return redirect("campaigns:knowledge-detail", base.pk)


@client_manager
@require_POST
def question_drop(request: ClientRequest, base_id: UUID, question_id: UUID) -> HttpResponse:
    base = get_visible_or_404(request, shared_bases(KnowledgeBase.objects.all()), base_id)
    rows = KnowledgeQuestion.objects.filter(client_id=base.client_id, family_id=base.family_id)
    question = get_or_404(rows, question_id)
    drop_question(base=base, question=question, actor=request.user, now=clock.now())
    return redirect("campaigns:knowledge-detail", base.pk)
