"""The client's pages about its own webhooks: addresses, their secrets, the log of what was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID, form_status
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from webhooks import outgoing, queries
from webhooks.forms import DeliveryFilterForm, EndpointForm
from webhooks.jobs import send_soon
from webhooks.models import Endpoint, EndpointDelivery
from webhooks.services import (
    DeliveryNotOver,
    EndpointOff,
    SecretIsFresh,
    TooManyEndpoints,
    add_endpoint,
    change_endpoint,
    remove_endpoint,
    replay_delivery,
    resend_failed,
    rotate_secret,
    send_test,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest
    from accounts.models import ClientOwnedQuerySet


@client_viewer
@require_GET
def endpoint_list(request: ClientRequest) -> HttpResponse:
    context = {
        "endpoints": queries.endpoints(client=request.tenant),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render(request, "webhooks/endpoint_list.html", context)


@client_manager
@require_http_methods(["GET", "POST"])
def endpoint_create(request: ClientRequest) -> HttpResponse:
    form = EndpointForm(request.POST or None, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            endpoint = add_endpoint(
                client=request.tenant,
                **form.cleaned_data,
                actor=request.user,
                now=clock.real_now(),
            )
        except TooManyEndpoints:
            form.add_error(None, _("You have ten addresses already. Remove one first."))
        else:
            messages.success(
                request, _("Added. Put its secret into your system, then send a test.")
            )
            return redirect("webhooks:endpoint-detail", endpoint.pk)
    status = form_status(request)
    return render(request, "webhooks/endpoint_create.html", {"form": form}, status=status)


@client_viewer
@require_GET
def endpoint_detail(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    return _detail(request, endpoint, _filled(endpoint))


def _filled(endpoint: Endpoint) -> EndpointForm:
    names = ("url", "description", "kinds", "is_active")
    return EndpointForm(initial={name: getattr(endpoint, name) for name in names})


def _detail(
    request: ClientRequest, endpoint: Endpoint, form: EndpointForm, *, status: int = 200
) -> HttpResponse:
    narrowed = DeliveryFilterForm(request.GET)
    chosen = narrowed.cleaned_data if narrowed.is_valid() else {}
    rows = queries.endpoint_deliveries(
        endpoint=endpoint, kind=chosen.get("kind", ""), status=chosen.get("status", "")
    )
    context: dict[str, Any] = {
        "endpoint": endpoint,
        "form": form,
        "narrowed": narrowed,
        "is_filtered": any(chosen.values()),
        "page": list_page(rows, request.GET.get("page")),
        "failed": queries.failed_deliveries(endpoint),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(
        request, "webhooks/endpoint_detail.html", context, partial="delivery-table", status=status
    )


@client_manager
@require_POST
def endpoint_change(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    form = EndpointForm(request.POST)
    if not form.is_valid():
        return _detail(request, endpoint, form, status=INVALID)
    change_endpoint(
        endpoint=endpoint, **form.cleaned_data, actor=request.user, now=clock.real_now()
    )
    messages.success(request, _("Saved."))
    return redirect("webhooks:endpoint-detail", endpoint.pk)


@client_manager
@require_POST
def endpoint_remove(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    remove_endpoint(endpoint=endpoint, actor=request.user, now=clock.real_now())
    messages.success(request, _("Removed. Nothing more is sent there."))
    return redirect("webhooks:endpoint-list")


@client_manager
@require_POST
def endpoint_rotate(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    try:
        rotate_secret(endpoint=endpoint, actor=request.user, now=clock.real_now())
    except SecretIsFresh:
        text = _(
            "This secret is less than a day old and the one before still signs. Make the next one "
            "when that is over; if this one leaked, remove the address and add it anew."
        )
        messages.error(request, text)
    else:
        text = _("There is a new secret. The old one signs too for one more day.")
        messages.success(request, text)
    return redirect("webhooks:endpoint-detail", endpoint.pk)


@client_manager
@require_POST
def endpoint_resend(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    try:
        resend_failed(endpoint=endpoint, actor=request.user, now=clock.real_now())
    except EndpointOff:
        messages.error(request, _("This address is off. Switch it on first."))
    else:
        messages.success(request, _("All that failed is put in line again. Look in a moment."))
    return redirect("webhooks:endpoint-detail", endpoint.pk)


@client_manager
@require_POST
def endpoint_test(request: ClientRequest, endpoint_id: UUID) -> HttpResponse:
    endpoint = get_visible_or_404(request, Endpoint.objects.kept(), endpoint_id)
    delivery = send_test(endpoint=endpoint, actor=request.user, now=clock.real_now())
    send_soon(endpoint.pk)
    return redirect("webhooks:delivery-detail", delivery.pk)


def _kept_deliveries() -> ClientOwnedQuerySet[EndpointDelivery]:
    """Return what was sent to addresses that weren't removed."""
    rows = EndpointDelivery.objects.select_related("endpoint", "event")
    return rows.filter(endpoint__removed_at=None)


@client_viewer
@require_GET
def delivery_detail(request: ClientRequest, delivery_id: UUID) -> HttpResponse:
    delivery = get_visible_or_404(request, _kept_deliveries(), delivery_id)
    context = {
        "delivery": delivery,
        "tries": queries.shown_tries(delivery),
        "body": outgoing.event_body(delivery.event).decode(),
        "is_waiting": delivery.status == EndpointDelivery.Status.PENDING,
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(request, "webhooks/delivery_detail.html", context, partial="delivery-state")


@client_manager
@require_POST
def delivery_replay(request: ClientRequest, delivery_id: UUID) -> HttpResponse:
    delivery = get_visible_or_404(request, _kept_deliveries(), delivery_id)
    try:
        replay_delivery(delivery=delivery, actor=request.user, now=clock.real_now())
    except DeliveryNotOver:
        messages.error(request, _("This event is still being tried."))
    else:
        send_soon(delivery.endpoint_id)
        messages.success(request, _("The event is in line again. Look in a moment."))
    return redirect("webhooks:delivery-detail", delivery.pk)
