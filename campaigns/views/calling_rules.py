"""Pages about calling rules: what binds a client, and what the agency has reviewed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    agency_permission,
    agency_staff,
    can_manage,
    client_manager,
    client_viewer,
)
from campaigns.calling_rules import find_rule, rules_version
from campaigns.forms.calling_rules import LimitsForm, ReviewForm, RuleFilterForm, initial_of
from campaigns.queries import calling_rules as queries
from campaigns.queries.rule_words import weekday_names
from campaigns.services.limits import (
    RuleReviewed,
    RuleUnknown,
    client_limits,
    review_rule,
    set_client_limits,
)
from convomono.lib import clock
from convomono.lib.answers import INVALID, form_status
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import ClientRequest, UserRequest


@client_viewer
@require_GET
def calling_rules(request: ClientRequest) -> HttpResponse:
    limits = client_limits(request.tenant.pk)
    context = {
        "places": queries.place_rows(on=clock.now().date(), limits=limits),
        "version": rules_version(),
        "can_change": can_manage(request.user),
        "limits": initial_of(limits),
        "days": weekday_names(limits.weekdays),
    }
    return render(request, "campaigns/calling_rules.html", context)


@client_manager
@require_http_methods(["GET", "POST"])
def limits_edit(request: ClientRequest) -> HttpResponse:
    form = LimitsForm(request.POST or None, initial=initial_of(client_limits(request.tenant.pk)))
    if request.method == "POST" and form.is_valid():
        set_client_limits(
            client=request.tenant, limits=form.limits(), actor=request.user, now=clock.now()
        )
        messages.success(request, _("Saved. It holds from the next call on."))
        return redirect("campaigns:calling-rules")
    status = form_status(request)
    return render(request, "campaigns/limits_edit.html", {"form": form}, status=status)


@agency_staff
@require_GET
def rule_list(request: UserRequest) -> HttpResponse:
    form = RuleFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = queries.rule_rows(**chosen)
    context = {
        "form": form,
        "is_filtered": any(chosen.values()),
        "rows": rows,
        "version": rules_version(),
        "unreviewed": sum(not row.is_reviewed for row in rows),
    }
    return render_page(request, "campaigns/rule_list.html", context, partial="rule-table")


@agency_staff
@require_GET
def rule_detail(request: UserRequest, rule_id: str) -> HttpResponse:
    return _detail(request, rule_id)


@agency_permission("manage_campaigns")
@require_POST
def rule_review(request: UserRequest, rule_id: str) -> HttpResponse:
    now = clock.now()
    form = ReviewForm(request.POST, today=now.date())
    if not form.is_valid():
        return _detail(request, rule_id, form, status=INVALID)
    try:
        review_rule(
            rule_id=rule_id,
            version=form.cleaned_data["version"],
            reviewer=request.user,
            on=form.cleaned_data["reviewed_on"],
            note=form.cleaned_data["note"],
            now=now,
        )
    except RuleUnknown:
        raise Http404 from None
    except RuleReviewed:
        messages.error(request, _("Somebody has reviewed this version before."))
    else:
        messages.success(request, _("Marked as reviewed, with your name and the date."))
    return redirect("agency-campaigns:rule-detail", rule_id)


def _detail(
    request: UserRequest, rule_id: str, form: ReviewForm | None = None, *, status: int = 200
) -> HttpResponse:
    rule = find_rule(rule_id)
    if rule is None:
        raise Http404
    today = clock.now().date()
    context = {
        "row": queries.rule_row(rule),
        "form": form
        or ReviewForm(initial={"version": rule.version, "reviewed_on": today}, today=today),
        "may_review": request.user.has_agency_permission("manage_campaigns"),
    }
    return render(request, "campaigns/rule_detail.html", context, status=status)
