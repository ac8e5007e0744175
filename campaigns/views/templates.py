"""The agency's campaign templates: make, change, offer, withdraw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from accounts.models import Client
from campaigns import script
from campaigns.forms.dialling import DiallingForm, initial_of
from campaigns.forms.schedule import AttemptsForm, HoursForm
from campaigns.forms.templates import TemplateForm, TemplateSearchForm
from campaigns.models import Campaign, CampaignTemplate
from campaigns.queries.templates import (
    campaigns_to_start_from,
    dialling_facts,
    template_rows,
    versions_of,
)
from campaigns.services import templates
from campaigns.services.authoring import CampaignContent
from campaigns.settings_schema import languages, with_defaults
from campaigns.starters import BUSINESS
from campaigns.voices import voice_choices
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.pages import list_page
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_campaigns")
@require_GET
def template_list(request: UserRequest) -> HttpResponse:
    rows = CampaignTemplate.objects.select_related("only_for").order_by("name", "pk")
    page = list_page(rows, request.GET.get("page"), size=20)
    context = {"page": page, "rows": template_rows(page.rows)}
    return render(request, "campaigns/template_list.html", context)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def template_create(request: UserRequest) -> HttpResponse:
    """Write a template, from nothing or from a campaign that `campaign` names."""
    source = _source(request)
    content = (
        templates.content_from(source)
        if source
        else templates.TemplateContent(CampaignContent(name=""))
    )
    shown = {"title": content.campaign.name, "about": "", "only_for": ""}
    form = _form(request, content.campaign, shown)
    if request.method == "POST" and form.is_valid():
        template = templates.create_template(
            offer=_offer(form),
            content=replace(content, campaign=_written(form)),
            source=source,
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("Saved. No client sees it before you offer it."))
        return redirect("agency-campaigns:template-detail", template.pk)
    search = TemplateSearchForm(request.GET)
    asked = search.cleaned_data["q"] if search.is_valid() else ""
    context = {
        "form": form,
        "source": source,
        "search": search,
        "asked": asked,
        "found": campaigns_to_start_from(asked),
    }
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/template_create.html", context, status=status)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def template_detail(request: UserRequest, template_id: UUID) -> HttpResponse:
    template = _found(template_id)
    content = templates.template_content(template)
    shown = {
        "title": template.name,
        "about": template.about,
        "only_for": str(template.only_for_id or ""),
    }
    form = _form(request, content.campaign, shown)
    if request.method == "POST" and form.is_valid():
        return _change(request, template, _offer(form), replace(content, campaign=_written(form)))
    context = {
        "form": form,
        "template": template,
        "versions": versions_of(template),
        "used_count": template_rows([template])[0].used_count,
        "problems": script.check(
            script=content.campaign.script_raw,
            opening_line=content.campaign.opening_line,
            business=BUSINESS,
            languages=languages(with_defaults(content.campaign.settings)),
        ),
        "facts": dialling_facts(content),
    }
    status = INVALID if form.is_bound else 200
    return render(request, "campaigns/template_detail.html", context, status=status)


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def template_dialling(request: UserRequest, template_id: UUID) -> HttpResponse:
    """Set when campaigns made from it call, how they retry, and what stops them by themselves."""
    template = _found(template_id)
    content = templates.template_content(template)
    data = request.POST if request.method == "POST" else None
    hours = HoursForm(data, content=content.campaign, is_sandbox=False)
    attempts = AttemptsForm(data, content=content.campaign)
    form = DiallingForm(data, initial=initial_of(content.dialling))
    forms = (hours, attempts, form)
    # Each is asked, so that all that is wrong is said at once.
    if data is not None and not [one for one in forms if not one.is_valid()]:
        campaign = replace(content.campaign, **hours.changes(), **attempts.changes())
        edited = replace(content, campaign=campaign, dialling=form.dialling())
        offer = templates.Offer(template.name, template.about, template.only_for)
        return _change(request, template, offer, edited)
    context = {"template": template, "hours": hours, "attempts": attempts, "form": form}
    status = INVALID if data is not None else 200
    return render(request, "campaigns/template_dialling.html", context, status=status)


def _change(
    request: UserRequest,
    template: CampaignTemplate,
    offer: templates.Offer,
    content: templates.TemplateContent,
) -> HttpResponse:
    try:
        changed = templates.change_template(
            template=template,
            offer=offer,
            content=content,
            seen_number=request.POST.get("number", ""),
            actor=request.user,
            now=clock.now(),
        )
    except templates.TemplateChanged:
        messages.error(request, _("Somebody else has just changed it: look at it again."))
    else:
        said = _("Saved. New campaigns get it.") if changed else _("Nothing was different.")
        messages.success(request, said)
    return redirect("agency-campaigns:template-detail", template.pk)


@agency_permission("manage_campaigns")
@require_POST
def template_offer(request: UserRequest, template_id: UUID) -> HttpResponse:
    template = _found(template_id)
    if templates.offer_template(template=template, actor=request.user, now=clock.now()):
        messages.success(request, _("Offered. It stands in the first step of new campaigns."))
    return redirect("agency-campaigns:template-detail", template.pk)


@agency_permission("manage_campaigns")
@require_POST
def template_withdraw(request: UserRequest, template_id: UUID) -> HttpResponse:
    template = _found(template_id)
    if templates.withdraw_template(template=template, actor=request.user, now=clock.now()):
        messages.success(request, _("Withdrawn. Campaigns that were made from it stay."))
    return redirect("agency-campaigns:template-detail", template.pk)


def _found(template_id: UUID) -> CampaignTemplate:
    return get_or_404(CampaignTemplate.objects.select_related("only_for"), template_id)


def _source(request: UserRequest) -> Campaign | None:
    asked = request.POST.get("campaign") or request.GET.get("campaign", "")
    try:
        campaign_id = UUID(asked)
    except ValueError:
        return None
    rows = Campaign.objects.select_related("client", "retry_policy", "calling_window")
    return get_or_404(rows, campaign_id)


def _form(request: UserRequest, content: CampaignContent, shown: dict[str, str]) -> TemplateForm:
    active = Client.objects.filter(status=Client.Status.ACTIVE).order_by("name")
    clients = {str(key): name for key, name in active.values_list("pk", "name")[:1000]}
    if (own := shown["only_for"]) and own not in clients:
        # One that is closed now: without it the box would say that everybody gets the template.
        clients[own] = Client.objects.get(pk=own).name
    return TemplateForm(
        request.POST if request.method == "POST" else None,
        content=content,
        shown=shown,
        voices=voice_choices(retell_gateway()),
        clients=list(clients.items()),
    )


def _offer(form: TemplateForm) -> templates.Offer:
    only_for = form.cleaned_data["only_for"]
    return templates.Offer(
        name=form.cleaned_data["title"],
        about=form.cleaned_data["about"],
        only_for=Client.objects.get(pk=only_for) if only_for else None,
    )


def _written(form: TemplateForm) -> CampaignContent:
    return replace(form.content, **form.changes())
