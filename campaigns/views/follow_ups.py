"""Follow-ups that are due, made, moved, done; and the rules that make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from campaigns.forms.follow_ups import FollowUpForm, RuleForm, zone_of
from campaigns.models import FollowUp, FollowUpRule
from campaigns.services.follow_ups import (
    add_rule,
    change_follow_up,
    close_follow_up,
    create_follow_up,
    remove_rule,
)
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.htmx import render_page
from convomono.lib.pages import keyset_page
from leads.models import Lead

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse

    from accounts.access import ClientRequest

_TABS = ("due", "mine", "open", "closed")


@client_viewer
@require_GET
def follow_up_list(request: ClientRequest) -> HttpResponse:
    shown = request.GET.get("show", "due")
    if shown not in _TABS:
        shown = "due"
    order = ("-due_at", "-pk") if shown == "closed" else ("due_at", "pk")
    page = keyset_page(_asked(request, shown), order=order, token=request.GET.get("page"))
    ids = [row.pk for row in page.rows]
    rows = FollowUp.objects.filter(pk__in=ids).select_related("lead", "assignee")
    by_id = {row.pk: row for row in rows}
    context = {
        "page": page,
        "rows": [by_id[key] for key in ids if key in by_id],
        "tabs": _tabs(shown),
        "shown": shown,
        "now": clock.now(),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(request, "campaigns/follow_up_list.html", context, partial="follow-up-table")


def _asked(request: ClientRequest, shown: str) -> QuerySet[FollowUp]:
    rows = FollowUp.objects.visible_to(request.user)
    if shown == "closed":
        return rows.exclude(status=FollowUp.Status.OPEN)
    rows = rows.filter(status=FollowUp.Status.OPEN)
    if shown == "due":
        return rows.filter(due_at__lte=clock.now())
    return rows.filter(assignee_id=request.user.pk) if shown == "mine" else rows


def _tabs(shown: str) -> list[dict[str, Any]]:
    labels = (_("Due"), _("Mine"), _("All open"), _("Closed"))
    url = reverse("campaigns:follow-up-list")
    return [
        {"label": label, "url": f"{url}?show={name}", "current": name == shown}
        for name, label in zip(_TABS, labels, strict=True)
    ]


@client_manager
@require_http_methods(["GET", "POST"])
def follow_up_create(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = get_visible_or_404(request, Lead.objects.filter(erased_at=None), lead_id)
    form = FollowUpForm(request.POST or None, lead=lead, client=request.tenant)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        create_follow_up(
            lead=lead,
            due_at=data["due_at"],
            note=data["note"],
            assignee=data["assignee"],
            key=data["key"],
            actor=request.user,
            now=clock.now(),
        )
        messages.success(request, _("You are reminded when it is due."))
        return redirect(_back(request, lead))
    context = {
        "lead": lead,
        "form": form,
        "title": _("Follow up"),
        "text": _("Call back, send something, ask a colleague: whoever does it is reminded."),
        "submit": _("Remind me"),
        "back_url": _back(request, lead),
    }
    status = INVALID if form.errors else 200
    return render(request, "leads/lead_form.html", context, status=status)


def _back(request: ClientRequest, lead: Lead) -> str:
    """Return the page of the call that somebody comes from, or else of the lead."""
    try:
        call_id = UUID(request.GET.get("call", ""))
    except ValueError:
        return reverse("campaigns:lead-detail", args=[lead.pk])
    return reverse("campaigns:call-detail", args=[call_id])


@client_manager
@require_http_methods(["GET", "POST"])
def follow_up_change(request: ClientRequest, follow_up_id: UUID) -> HttpResponse:
    row = _find(request, follow_up_id)
    zone = ZoneInfo(zone_of(row.lead, request.tenant))
    form = FollowUpForm(
        request.POST or None,
        lead=row.lead,
        client=request.tenant,
        initial={
            "due_at": row.due_at.astimezone(zone).strftime("%Y-%m-%dT%H:%M"),
            "note": row.note,
            "assignee": row.assignee_id,
        },
    )
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        change_follow_up(
            follow_up=row,
            due_at=data["due_at"],
            note=data["note"],
            assignee=data["assignee"],
            actor=request.user,
            now=clock.now(),
        )
        return redirect("campaigns:follow-up-list")
    context = {
        "lead": row.lead,
        "form": form,
        "title": _("Change the follow-up"),
        "text": "",
        "submit": _("Save"),
    }
    status = INVALID if form.errors else 200
    return render(request, "leads/lead_form.html", context, status=status)


def _find(request: ClientRequest, follow_up_id: UUID) -> FollowUp:
    return get_visible_or_404(request, FollowUp.objects.select_related("lead"), follow_up_id)


@client_manager
@require_POST
def follow_up_close(request: ClientRequest, follow_up_id: UUID) -> HttpResponse:
    row = _find(request, follow_up_id)
    status = request.POST.get("status", FollowUp.Status.DONE)
    if status not in {FollowUp.Status.DONE, FollowUp.Status.CANCELLED}:
        raise Http404
    if close_follow_up(follow_up=row, status=status, actor=request.user, now=clock.now()):
        messages.success(request, _("“%s” is closed.") % row)
    return redirect("campaigns:follow-up-list")


@client_manager
@require_http_methods(["GET", "POST"])
def follow_up_rules(request: ClientRequest) -> HttpResponse:
    form = RuleForm(request.POST or None, client=request.tenant)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        add_rule(
            client=request.tenant,
            campaign=data["campaign"],
            outcome=data["outcome"],
            delay=form.delay(),
            note=data["note"],
            assignee=data["assignee"],
            actor=request.user,
            now=clock.now(),
        )
        return redirect("campaigns:follow-up-rules")
    rules = FollowUpRule.objects.visible_to(request.user).filter(is_active=True)
    context = {
        "form": form,
        "rules": list(rules.select_related("campaign", "assignee").order_by("created_at")[:100]),
    }
    status = INVALID if form.errors else 200
    return render(request, "campaigns/follow_up_rules.html", context, status=status)


@client_manager
@require_POST
def follow_up_rule_remove(request: ClientRequest, follow_up_rule_id: UUID) -> HttpResponse:
    rule = get_visible_or_404(request, FollowUpRule.objects.all(), follow_up_rule_id)
    remove_rule(rule=rule, actor=request.user, now=clock.now())
    return redirect("campaigns:follow-up-rules")
