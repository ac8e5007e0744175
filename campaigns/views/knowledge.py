"""Knowledge bases: the list, one version with its sources, asking it, and which version campaigns use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    can_manage,
    client_manager,
    client_viewer,
    get_or_404,
    get_visible_or_404,
)
from campaigns import jobs, knowledge_jobs
from campaigns.forms import knowledge as forms
from campaigns.models import KnowledgeBase
from campaigns.queries.knowledge import knowledge_page, knowledge_rows, shared_bases
from campaigns.services import knowledge
from campaigns.services.asking import AskedAlready, ask_knowledge
from campaigns.services.moving import use_version
from campaigns.views.asking import asked_too_often
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.jobs import enqueue
from telephony.provider import ProviderError
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest
    from campaigns.services.asking import Reply

_PAGE = "campaigns:knowledge-detail"


@client_viewer
@require_GET
def knowledge_list(request: ClientRequest) -> HttpResponse:
    context = {
        "rows": knowledge_rows(KnowledgeBase.objects.visible_to(request.user)),
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/knowledge_list.html", context)


@client_manager
@require_http_methods(["GET", "POST"])
def knowledge_create(request: ClientRequest) -> HttpResponse:
    form = forms.KnowledgeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        base = knowledge.create_knowledge(
            client=request.tenant,
            name=form.cleaned_data["name"],
            actor=request.user,
            now=clock.now(),
        )
        return redirect(_PAGE, base.pk)
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/knowledge_create.html", {"form": form}, status=status)


@client_viewer
@require_GET
def knowledge_detail(request: ClientRequest, base_id: UUID) -> HttpResponse:
    return _page(request, _base(request, base_id))


@client_manager
@require_POST
def source_add(request: ClientRequest, base_id: UUID, kind: str) -> HttpResponse:
    base = _base(request, base_id)
    sent = {"text": forms.TextSourceForm, "url": forms.UrlSourceForm}.get(kind)
    form = sent(request.POST) if sent else forms.FileSourceForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, base, bound={kind: form}, status=INVALID)
    try:
        _add(request, base, form)
    except knowledge.KnowledgeFixed:
        messages.error(request, _("This version is fixed: start the next one to change it."))
    except knowledge.KnowledgeFull as full:
        if isinstance(form, forms.UrlSourceForm):
            form.add_error("urls", _too_many(full.left, len(form.cleaned_data["urls"])))
            return _page(request, base, bound={kind: form}, status=INVALID)
        messages.error(request, _("No more of these fit: remove one, or use another base."))
    else:
        messages.success(request, _("Added. It is looked up once the version is indexed."))
    return redirect(_PAGE, base.pk)


@client_manager
@require_POST
def source_remove(request: ClientRequest, base_id: UUID, source_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    source = get_or_404(base.sources.all(), source_id)
    try:
        knowledge.remove_source(base=base, source=source, actor=request.user, now=clock.now())
    except knowledge.KnowledgeFixed:
        messages.error(request, _("This version is fixed: start the next one to change it."))
    return redirect(_PAGE, base.pk)


@client_manager
@require_POST
def knowledge_index(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    try:
        knowledge.request_index(
            base=base,
            auto_refresh=request.POST.get("auto_refresh") == "on",
            actor=request.user,
            now=clock.now(),
        )
    except knowledge.KnowledgeEmpty:
        messages.error(request, _("There is nothing to index yet: add a text, page or file."))
    else:
        enqueue(jobs.index_knowledge, queue="calls", base_id=str(base.pk))
    return redirect(_PAGE, base.pk)


@client_manager
@require_POST
def knowledge_revise(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    try:
        draft = knowledge.start_version(base=base, actor=request.user, now=clock.now())
    except knowledge.KnowledgeFixed:
        messages.error(request, _("It was put away meanwhile."))
        return redirect("campaigns:knowledge-list")
    return redirect(_PAGE, draft.pk)


@client_manager
@require_POST
def knowledge_refresh(request: ClientRequest, base_id: UUID) -> HttpResponse:
    """Have the pages of a version read again as they are now: its next version."""
    base = _base(request, base_id)
    try:
        made = knowledge.read_again(base=base, actor=request.user, now=clock.now())
    except knowledge.DraftWaits:
        messages.info(request, _("The next version is being written already: have that indexed."))
    except (knowledge.KnowledgeFixed, knowledge.KnowledgeEmpty):
        messages.error(request, _("It was put away meanwhile, or has nothing to read."))
    else:
        enqueue(jobs.index_knowledge, queue="calls", base_id=str(made.pk))
        messages.success(
            request, _("Its pages are being read again. Use the new version once it is ready.")
        )
        return redirect(_PAGE, made.pk)
    return redirect(_PAGE, base.pk)


@client_manager
@require_POST
def knowledge_use(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    try:
        moved = use_version(base=base, actor=request.user, now=clock.now())
    except knowledge.KnowledgeNotReady:
        messages.error(request, _("Have it indexed first: only then can campaigns use it."))
        return redirect(_PAGE, base.pk)
    for campaign in moved.campaigns:
        enqueue(jobs.prepare_agent, queue="calls", campaign_id=str(campaign.pk))
    if not moved.is_all:
        email = request.user.actor_email
        enqueue(
            knowledge_jobs.move_campaigns, queue="calls", base_id=str(base.pk), actor_email=email
        )
        messages.info(request, _("Other campaigns follow by themselves in a moment."))
    said = ngettext(
        "In use. %(n)d campaign gets its next version now.",
        "In use. %(n)d campaigns get their next versions now.",
        len(moved.campaigns),
    )
    offered = _("Campaigns that choose it from now on get this version.")
    messages.success(request, said % {"n": len(moved.campaigns)} if moved.campaigns else offered)
    return redirect(_PAGE, base.pk)


@client_manager
@require_POST
def knowledge_archive(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    try:
        knowledge.archive_knowledge(base=base, actor=request.user, now=clock.now())
    except knowledge.KnowledgeInUse:
        messages.error(request, _("Campaigns use it: choose another one there first."))
        return redirect(_PAGE, base.pk)
    messages.success(request, _("Put away. Past calls keep what they looked up."))
    return redirect("campaigns:knowledge-list")


@client_manager
@require_POST
def knowledge_ask(request: ClientRequest, base_id: UUID) -> HttpResponse:
    base = _base(request, base_id)
    form = forms.QuestionForm(request.POST)
    if not form.is_valid():
        return _page(request, base, bound={"question": form}, status=INVALID)
    if problem := asked_too_often(request):
        return _page(request, base, bound={"question": form}, problem=problem)
    reply = None
    try:
        reply = ask_knowledge(
            base=base,
            question=form.cleaned_data["question"],
            gateway=retell_gateway(),
            real_now=clock.real_now(),
        )
    except AskedAlready:
        problem = _("Another question is being answered first. Ask again in a moment.")
    except knowledge.KnowledgeNotReady:
        problem = _("Have it indexed first: only then can it be asked.")
    except ProviderError as error:
        problem = jobs.what_to_do(error)
    return _page(request, base, bound={"question": form}, reply=reply, problem=problem)


def _base(request: ClientRequest, base_id: UUID) -> KnowledgeBase:
    return get_visible_or_404(request, shared_bases(KnowledgeBase.objects.all()), base_id)


def _too_many(left: int, given: int) -> str:
    if not left:
        return _("No more addresses fit: remove some, or use another base.")
    said = ngettext(
        "%(left)d more address fits, and you gave %(given)d: none was added. Leave some out.",
        "%(left)d more addresses fit, and you gave %(given)d: none was added. Leave some out.",
        left,
    )
    return said % {"left": left, "given": given}


def _add(request: ClientRequest, base: KnowledgeBase, form: Any) -> None:
    said: dict[str, Any] = {"base": base, "actor": request.user, "now": clock.now()}
    data = form.cleaned_data
    if isinstance(form, forms.TextSourceForm):
        knowledge.add_text(title=data["title"], text=data["text"], **said)
    elif isinstance(form, forms.UrlSourceForm):
        knowledge.add_urls(urls=data["urls"], **said)
    else:
        file = data["file"]
        knowledge.add_file(
            name=file.name, suffix=form.suffix, content=file, size_bytes=file.size, **said
        )


def _page(
    request: ClientRequest,
    base: KnowledgeBase,
    *,
    bound: dict[str, Any] | None = None,
    reply: Reply | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    given = bound or {}
    context = {
        "page": knowledge_page(base, now=clock.now()),
        "text_form": given.get("text") or forms.TextSourceForm(),
        "url_form": given.get("url") or forms.UrlSourceForm(),
        "file_form": given.get("file") or forms.FileSourceForm(),
        "question_form": given.get("question") or forms.QuestionForm(),
        "refused": next(iter(given.values()), None) if status == INVALID else None,
        "reply": reply,
        "problem": problem,
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/knowledge_detail.html", context, status=status)
