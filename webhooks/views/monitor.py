"""The agency's page about webhooks: how the inbox does, and what failed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_permission, agency_staff, get_or_404
from convomono.lib import clock
from convomono.lib.htmx import render_page, wants_fragment
from convomono.lib.pages import list_page
from webhooks import queries
from webhooks.forms import EventFilterForm
from webhooks.models import WebhookEvent
from webhooks.services import EventNotDead, replay_event, set_aside

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest

WINDOW = timedelta(minutes=15)


@agency_staff
@require_GET
def monitor(request: UserRequest) -> HttpResponse:
    form = EventFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = queries.events(search=chosen.get("q", ""), status=chosen.get("status", ""))
    context = {
        "form": form,
        "is_filtered": any(chosen.values()),
        "page": list_page(rows, request.GET.get("page")),
        # The table asks for itself alone, again and again.
        "figures": None if wants_fragment(request) else _figures(),
        "may_replay": request.user.has_agency_permission("manage_campaigns"),
        "updates": request.GET.get("updates") != "off",
    }
    return render_page(request, "webhooks/monitor.html", context, partial="event-table")


@agency_staff
@require_GET
def monitor_figures(request: UserRequest) -> HttpResponse:
    """The figures alone, which a monitor that doesn't hold still asks for again."""
    context = {"figures": _figures(), "updates": True}
    return render(request, "webhooks/monitor.html#webhook-figures", context)


@agency_staff
@require_GET
def event_detail(request: UserRequest, event_id: UUID) -> HttpResponse:
    event = get_or_404(WebhookEvent.objects.all(), event_id)
    others = queries.events(search=event.provider_call_id) if event.provider_call_id else None
    context: dict[str, Any] = {
        "event": event,
        "body": queries.redacted_body(event),
        "siblings": others.exclude(pk=event.pk)[:20] if others is not None else [],
        "may_replay": request.user.has_agency_permission("manage_campaigns"),
    }
    return render(request, "webhooks/event_detail.html", context)


@agency_permission("manage_campaigns")
@require_POST
def event_replay(request: UserRequest, event_id: UUID) -> HttpResponse:
    event = get_or_404(WebhookEvent.objects.all(), event_id)
    try:
        replay_event(event=event, actor=request.user, now=clock.now())
    except EventNotDead:
        messages.error(request, _("This event isn't waiting for a replay any more."))
    else:
        messages.success(request, _("The event is in line again. Look in a moment."))
    return redirect("agency-webhooks:event-detail", event.pk)


@agency_permission("manage_campaigns")
@require_POST
def event_set_aside(request: UserRequest, event_id: UUID) -> HttpResponse:
    event = get_or_404(WebhookEvent.objects.all(), event_id)
    try:
        set_aside(event=event, actor=request.user, now=clock.now())
    except EventNotDead:
        messages.error(request, _("This event isn't failed any more."))
    else:
        messages.success(request, _("Set aside. It counts as failed no more."))
    return redirect("agency-webhooks:event-detail", event.pk)


def _figures() -> queries.Figures:
    return queries.figures(
        now=clock.now(),
        real_now=clock.real_now(),
        window=WINDOW,
        factor=clock.CLOCK.factor,
    )
