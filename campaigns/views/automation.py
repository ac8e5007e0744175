"""Pages about rules on outcomes: write, test on past calls, switch on, see what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns.automation import OUTCOMES, condition_words
from campaigns.forms.automation import AutomationForm, initial_of
from campaigns.models import AutomationRule, AutomationRun, Campaign, TopUp
from campaigns.services.automating import RuleUntested, save_rule, switch_rule, try_rule
from convomono.lib import clock
from convomono.lib.answers import form_status

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest

MOST_RULES = 200
RUNS_SHOWN = 25


@client_viewer
@require_GET
def rule_list(request: ClientRequest) -> HttpResponse:
    rules = AutomationRule.objects.visible_to(request.user).select_related("campaign")
    context = {
        "rules": [
            (rule, _words(rule), condition_words(rule.conditions))
            for rule in rules.order_by("-created_at", "pk")[:MOST_RULES]
        ],
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/automation_list.html", context)


@client_manager
@require_http_methods(["GET", "POST"])
def rule_create(request: ClientRequest) -> HttpResponse:
    return _edit(request, None)


@client_manager
@require_http_methods(["GET", "POST"])
def rule_edit(request: ClientRequest, automation_id: UUID) -> HttpResponse:
    return _edit(request, get_visible_or_404(request, AutomationRule.objects.all(), automation_id))


@client_viewer
@require_GET
def rule_detail(request: ClientRequest, automation_id: UUID) -> HttpResponse:
    rule = get_visible_or_404(
        request, AutomationRule.objects.select_related("campaign"), automation_id
    )
    runs = AutomationRun.objects.filter(client_id=rule.client_id, rule=rule)
    # Those that wait for the first time are no news; one that failed is.
    done = runs.exclude(status=AutomationRun.Status.PENDING, tries_count=0).order_by(
        "-created_at", "-pk"
    )
    context = {
        **_shown(rule),
        "runs": done[:RUNS_SHOWN],
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/automation_detail.html", context)


@client_manager
@require_POST
def rule_test(request: ClientRequest, automation_id: UUID) -> HttpResponse:
    rule = get_visible_or_404(
        request, AutomationRule.objects.select_related("campaign"), automation_id
    )
    result = try_rule(rule=rule, now=clock.now())
    rule.refresh_from_db()
    context = {
        **_shown(rule),
        "result": result,
        "may_manage": True,
    }
    return render(request, "campaigns/automation_detail.html", context)


@client_manager
@require_POST
def rule_switch(request: ClientRequest, automation_id: UUID) -> HttpResponse:
    rule = get_visible_or_404(request, AutomationRule.objects.all(), automation_id)
    is_active = request.POST.get("to") == "on"
    try:
        switch_rule(rule=rule, is_active=is_active, actor=request.user, now=clock.now())
    except RuleUntested:
        messages.error(request, _("Test it on past calls first."))
    else:
        on, off = _("On: it holds for calls that end from now on."), _("Switched off.")
        messages.success(request, on if is_active else off)
    return redirect("campaigns:automation-detail", rule.pk)


def _edit(request: ClientRequest, rule: AutomationRule | None) -> HttpResponse:
    initial = initial_of(rule) if rule else None
    form = AutomationForm(request.POST or None, client=request.tenant, initial=initial)
    if request.method == "POST" and form.is_valid():
        saved = save_rule(
            client=request.tenant,
            content=form.content(),
            rule=rule,
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("Saved. Test it on past calls, then switch it on."))
        return redirect("campaigns:automation-detail", saved.pk)
    status = form_status(request)
    context = {"form": form, "rule": rule}
    return render(request, "campaigns/automation_edit.html", context, status=status)


def _words(rule: AutomationRule) -> list[str]:
    return [str(OUTCOMES.get(word, word)) for word in rule.outcomes]


def _shown(rule: AutomationRule) -> dict[str, object]:
    """Return what a rule says, in words."""
    return {
        "rule": rule,
        "words": _words(rule),
        "conditions": condition_words(rule.conditions),
        **_target(rule),
    }


def _target(rule: AutomationRule) -> dict[str, object]:
    """Return the campaign that a rule enrols in, and whether its new leads are launched by themselves."""
    if rule.action != AutomationRule.Action.ENROL:
        return {}
    rows = Campaign.objects.filter(client_id=rule.client_id, pk=rule.params["campaign_id"])
    target = rows.first()
    launches = TopUp.objects.filter(campaign=target, is_active=True).exists() if target else False
    return {"target": target, "launches_itself": launches}
