"""The agency's pages about replays: order one, watch it, read what came out otherwise."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from webhooks import replay
from webhooks.forms import ReplayForm
from webhooks.models import ReplayRun, WebhookEvent
from webhooks.replay_jobs import order_replay
from webhooks.services import ReplayUnderWay, ReplayWish, ask_replay

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def replay_list(request: UserRequest) -> HttpResponse:
    form = ReplayForm(request.POST or None, initial={"provider_call_id": request.GET.get("call")})
    if request.method == "POST" and form.is_valid():
        wish = ReplayWish(**form.cleaned_data)
        try:
            run = ask_replay(wish=wish, actor=request.user, now=clock.real_now())
        except ReplayUnderWay:
            form.add_error("kind", _("A rebuild is under way: wait until it is finished."))
        else:
            order_replay(run)
            return redirect("agency-webhooks:replay-detail", run.pk)
    runs = ReplayRun.objects.defer("differences").order_by("-created_at", "-pk")
    context = {"form": form, "page": list_page(runs, request.GET.get("page"))}
    status = form_status(request)
    return render_page(
        request, "webhooks/replay_list.html", context, partial="replay-table", status=status
    )


@agency_permission("manage_campaigns")
@require_GET
def replay_detail(request: UserRequest, replay_id: UUID) -> HttpResponse:
    run = get_or_404(ReplayRun.objects.all(), replay_id)
    context: dict[str, Any] = {"run": run, "differences": run.differences}
    return render_page(request, "webhooks/replay_detail.html", context, partial="replay-state")


@agency_permission("manage_campaigns")
@require_POST
def event_compare(request: UserRequest, event_id: UUID) -> HttpResponse:
    """Show what the call of an event comes to when its events tell it from the beginning."""
    event = get_or_404(WebhookEvent.objects.defer("body"), event_id)
    if not event.provider_call_id:
        messages.error(request, _("This event names no call."))
        return redirect("agency-webhooks:event-detail", event.pk)
    found = asdict(replay.rebuilt_call(provider_call_id=event.provider_call_id))
    context = {"event": event, "run": ReplayRun(**found), "differences": found["differences"]}
    return render(request, "webhooks/event_compare.html", context)
