"""Trying a campaign before anybody is called: a talk with its published version, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.access import client_manager, get_visible_or_404
from campaigns import jobs
from campaigns.forms.chat import ChatForm, history_of
from campaigns.models import Campaign
from campaigns.queries.versions import find_version
from campaigns.queries.writing import speak_to
from campaigns.services.asking import Line, ask_agent
from campaigns.views.asking import asked_too_often
from campaigns.views.wizard import step_context
from convomono.lib.answers import INVALID
from telephony.provider import ProviderError
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_POST
def campaign_chat(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    form = ChatForm(request.POST)
    if not form.is_valid():
        return _answer(request, campaign, {"chat_form": form, "lines": []}, status=INVALID)
    lines = [*form.cleaned_data["history"], Line("user", form.cleaned_data["text"])]
    said: dict[str, Any] = {"lines": lines, "problem": "", "passages": ()}
    version = find_version(campaign, campaign.published_version or 0)
    if problem := asked_too_often(request):
        said |= {"lines": lines[:-1], "problem": problem}
    elif version is None:
        said |= {"lines": lines[:-1], "problem": _("Make it ready first: then it can talk.")}
    else:
        try:
            reply = ask_agent(
                agent_id=version.provider_agent_id,
                version=version.provider_agent_version,
                lines=lines,
                variables=speak_to(campaign, form.cleaned_data["lead"]),
                gateway=retell_gateway(),
            )
        except ProviderError as error:
            said |= {"lines": lines[:-1], "problem": jobs.what_to_do(error)}
        else:
            lines = [*lines, Line("agent", reply.text)]
            said |= {"lines": lines, "passages": reply.passages, "has_ended": reply.has_ended}
    fresh = ChatForm(
        initial={"history": history_of(said["lines"]), "lead": form.cleaned_data["lead"]}
    )
    return _answer(request, campaign, {"chat_form": fresh, **said})


def _answer(
    request: ClientRequest, campaign: Campaign, said: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    if request.headers.get("HX-Request"):
        context = {"campaign": campaign, **said}
        return render(request, "campaigns/campaign_chat.html", context, status=status)
    context = {**step_context(request, campaign, "test", None), **said}
    return render(request, "campaigns/campaign_step.html", context, status=status)
