"""The agency's pages that give clients minutes for nothing: a few at once, many by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from billing import services
from billing.forms import GrantForm
from billing.jobs import grant_minutes
from billing.models import GrantRun
from billing.views.agency import money_tabs
from billing.views.credit import SENT_BEFORE, asked, is_large
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.display import minutes
from convomono.lib.htmx import render_page
from convomono.lib.jobs import enqueue

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest
    from accounts.models import Client

MOST_AT_ONCE = 50
LATEST = 5


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def grant(request: UserRequest) -> HttpResponse:
    form = GrantForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            chosen = form.chosen_clients
            is_above_limit = is_large(form.seconds * len(chosen))
            if is_above_limit or len(chosen) > MOST_AT_ONCE:
                run = _ask(request, form, chosen, needs_approval=is_above_limit)
                return asked(request) if is_above_limit else _give_later(run)
            return _grant(request, form, chosen)
        except services.KeyReused:
            form.add_error(None, _(SENT_BEFORE))
    runs = GrantRun.objects.defer("client_ids").order_by("-asked_at", "-pk")
    context = {"form": form, "tabs": money_tabs(request), "runs": runs[:LATEST]}
    status = form_status(request)
    return render(request, "billing/grant.html", context, status=status)


def _ask(
    request: UserRequest, form: GrantForm, chosen: list[Client], *, needs_approval: bool
) -> GrantRun:
    return services.ask_grant(
        client_ids=[client.pk for client in chosen],
        needs_approval=needs_approval,
        key=form.once_key,
        actor=request.user,
        now=clock.now(),
        **form.said,
    )


def _give_later(run: GrantRun) -> HttpResponse:
    enqueue(grant_minutes, queue="reports", run_id=str(run.pk))
    return redirect("agency-billing:grant-detail", run.pk)


def _grant(request: UserRequest, form: GrantForm, chosen: list[Client]) -> HttpResponse:
    key, now = form.once_key, clock.now()
    services.grant(clients=chosen, key=key, actor=request.user, now=now, **form.said)
    said = ngettext(
        "Gave %(minutes)s minutes to %(n)d client.",
        "Gave %(minutes)s minutes to each of %(n)d clients.",
        len(chosen),
    )
    messages.success(request, said % {"minutes": minutes(form.seconds), "n": len(chosen)})
    return redirect("agency-billing:wallet-list")


@agency_permission("manage_billing", "view_finance")
@require_GET
def grant_detail(request: UserRequest, grant_id: UUID) -> HttpResponse:
    run = get_or_404(GrantRun.objects.defer("client_ids"), grant_id)
    context = {
        "run": run,
        "is_working": run.status == GrantRun.Status.QUEUED,
        "may_grant": request.user.has_agency_permission("manage_billing"),
        "me": request.user.pk,
    }
    return render_page(request, "billing/grant_detail.html", context, partial="grant-state")


@agency_permission("manage_billing")
@require_POST
def grant_approve(request: UserRequest, grant_id: UUID) -> HttpResponse:
    run = get_or_404(GrantRun.objects.defer("client_ids"), grant_id)
    try:
        services.approve_grant(run_id=run.pk, actor=request.user, now=clock.now())
    except services.OwnRequest:
        messages.error(request, _("Somebody else has to approve what you asked for."))
    except services.RequestDecided:
        messages.error(request, _("It was refused before."))
    else:
        return _give_later(run)
    return redirect("agency-billing:request-list")


@agency_permission("manage_billing")
@require_POST
def grant_refuse(request: UserRequest, grant_id: UUID) -> HttpResponse:
    run = get_or_404(GrantRun.objects.defer("client_ids"), grant_id)
    try:
        services.refuse_grant(run_id=run.pk, actor=request.user, now=clock.now())
    except services.RequestDecided:
        messages.error(request, _("It was approved before."))
    else:
        messages.success(request, _("Refused: nothing was moved."))
    return redirect("agency-billing:request-list")
