"""The wizard: one page for each part of a campaign, saved at each step, in any order, on any device."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import client_manager, get_visible_or_404
from campaigns import wizard
from campaigns.forms import campaign as parts, schedule, talking, voice
from campaigns.forms.analysis import AnalysisForm
from campaigns.forms.chat import ChatForm
from campaigns.models import Campaign
from campaigns.queries import writing
from campaigns.services import lifecycle
from campaigns.services.authoring import content_of
from campaigns.voices import filter_voices, voice_choices
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.display import phone
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.access import ClientRequest
    from campaigns.forms.step import StepForm
    from campaigns.services.authoring import CampaignContent

_PLAIN: dict[str, type[StepForm]] = {
    "goal": parts.GoalForm,
    "script": parts.ScriptForm,
    "conversation": talking.ConversationForm,
    "attempts": schedule.AttemptsForm,
    "analysis": AnalysisForm,
}


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_edit(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    """Go on where the campaign needs somebody next."""
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    slug = wizard.resume_at(campaign=campaign, has_leads=writing.has_leads(campaign))
    return redirect("campaigns:campaign-step", campaign.pk, slug)


@client_manager
@require_http_methods(["GET", "POST"])
def campaign_step(request: ClientRequest, campaign_id: UUID, step: str) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    if step not in wizard.SLUGS:
        raise Http404
    if campaign.status == Campaign.Status.ARCHIVED:
        messages.error(request, _("This campaign is archived and stays as it is."))
        return redirect("campaigns:campaign-detail", campaign.pk)
    form = _form(request, step, content_of(campaign))
    saved = False
    if request.method == "POST" and (form is None or form.is_valid()):
        if form is not None and not _save(request, campaign, form):
            return redirect("campaigns:campaign-detail", campaign.pk)
        if "autosave" not in request.POST:
            return _onward(request, campaign, step)
        saved = True
    elif form is not None and form.is_bound and _goes_elsewhere(request, form):
        return _onward(request, campaign, step)
    if "autosave" in request.POST:
        context = {"form": form, "saved": saved, "now": clock.now()}
        return render(request, "campaigns/campaign_saved.html", context)
    status = INVALID if form is not None and form.is_bound else 200
    return render(
        request,
        "campaigns/campaign_step.html",
        step_context(request, campaign, step, form),
        status=status,
    )


@client_manager
@require_POST
def script_check(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    view = writing.script_view(
        campaign=campaign,
        opening_line=request.POST.get("opening_line", ""),
        script_raw=request.POST.get("script_raw", ""),
        lead_id=request.POST.get("lead", ""),
    )
    return render(request, "campaigns/script_check.html", {"view": view})


def _form(request: ClientRequest, step: str, content: CampaignContent) -> StepForm | None:
    """Return the form of a step; None for those that only show."""
    sent: dict[str, Any] = {
        "data": request.POST if request.method == "POST" else None,
        "content": content,
    }
    if step in _PLAIN:
        return _PLAIN[step](**sent)
    if step == "voice":
        chosen = request.GET.get("voice_id", "")
        return voice.VoiceForm(**sent, voices=voice_choices(retell_gateway()), chosen=chosen)
    if step == "knowledge":
        return parts.KnowledgeForm(**sent, bases=writing.base_choices(content, request.tenant.pk))
    if step == "hours":
        return schedule.HoursForm(**sent, is_sandbox=settings.SANDBOX)
    if step == "numbers":
        rows = writing.number_choices(request.tenant.pk)
        choices = [(row.phone_number, phone(row.phone_number)) for row in rows]
        return schedule.NumbersForm(**sent, numbers=choices)
    return None


def _goes_elsewhere(request: HttpRequest, form: StepForm) -> bool:
    """Tell whether somebody leaves a step in which they changed nothing, so that no error is theirs."""
    return request.POST.get("go", "") in wizard.SLUGS and not form.has_changed()


def _save(request: ClientRequest, campaign: Campaign, form: StepForm) -> bool:
    try:
        lifecycle.update_campaign(
            campaign=campaign,
            content=replace(form.content, **form.changes()),
            actor=request.user,
            now=clock.now(),
        )
    except lifecycle.CampaignArchived:
        messages.error(request, _("This campaign is archived and stays as it is."))
        return False
    return True


def _onward(request: HttpRequest, campaign: Campaign, step: str) -> HttpResponse:
    """Go to the step that was asked for, else to the next one."""
    wanted = request.POST.get("go", "")
    if wanted == "leave":
        messages.success(request, _("Saved. Go on whenever you like, on any device."))
        return redirect("campaigns:campaign-detail", campaign.pk)
    following = wizard.neighbours(step)[1] or step
    slug = wanted if wanted in wizard.SLUGS else following
    address = reverse("campaigns:campaign-step", args=[campaign.pk, slug])
    if slug == step and (lead := request.POST.get("lead", "")):
        address += "?" + urlencode({"lead": lead})
    return redirect(address)


def step_context(
    request: ClientRequest, campaign: Campaign, step: str, form: StepForm | None
) -> dict[str, Any]:
    """Return what the page of a step shows."""
    urls = {
        slug: reverse("campaigns:campaign-step", args=[campaign.pk, slug]) for slug in wizard.SLUGS
    }
    before, after = wizard.neighbours(step)
    found = writing.has_leads(campaign)
    return {
        "campaign": campaign,
        "step": step,
        "title": next(one.label for one in wizard.STEPS if one.slug == step),
        "items": wizard.items(step, campaign=campaign, has_leads=found, urls=urls),
        "form": form,
        "body": f"campaigns/campaign_step_{step}.html",
        "before": before,
        "after": after,
        "may_launch": request.user.can_launch,
        **_more(request, campaign, step, form),
    }


def _more(
    request: ClientRequest, campaign: Campaign, step: str, form: StepForm | None
) -> dict[str, Any]:
    """Return what one step shows beside its form."""
    if step == "script" and form is not None:
        view = writing.script_view(
            campaign=campaign,
            opening_line=str(form["opening_line"].value() or ""),
            script_raw=str(form["script_raw"].value() or ""),
            lead_id=request.GET.get("lead", ""),
        )
        return {"view": view}
    if isinstance(form, voice.VoiceForm):
        return {"voices": filter_voices(form.voices, request.GET, str(form["voice_id"].value()))}
    if step == "leads":
        total, waiting = writing.lead_totals(campaign)
        return {"total": total, "waiting": waiting}
    if step == "test":
        return {"problems": lifecycle.script_problems(campaign), "chat_form": ChatForm()}
    return {}
