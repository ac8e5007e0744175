"""The agency's client pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from accounts.models import Client, User
from accounts.services import (
    EmailTaken,
    NameTaken,
    activate_client,
    add_client_user,
    change_client_user,
    deactivate_client,
)
from billing.clients import queries
from billing.clients.forms import (
    ClientChangeForm,
    ClientFilterForm,
    ClientOpenForm,
    UserForm,
)
from billing.clients.services import change_account, open_account
from billing.models import Wallet
from billing.services import current_rate
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest

PAGE_SIZE = 25


@agency_permission("manage_clients")
@require_GET
def client_list(request: UserRequest) -> HttpResponse:
    form = ClientFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    rows = queries.clients(search=chosen.get("q", ""), status=chosen.get("status", ""))
    paginator = Paginator(rows, PAGE_SIZE)
    context = {
        "form": form,
        "is_filtered": any(chosen.values()),
        "page": paginator.get_page(request.GET.get("page")),
        "total": paginator.count,
    }
    return render_page(request, "clients/client_list.html", context, partial="client-table")


@agency_permission("manage_clients")
@require_http_methods(["GET", "POST"])
def client_create(request: UserRequest) -> HttpResponse:
    form = ClientOpenForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            client = open_account(
                name=form.cleaned_data["name"],
                time_zone=form.cleaned_data["time_zone"],
                contact_email=form.cleaned_data["contact_email"],
                price_per_minute_micros=form.price_micros(),
                actor=request.user,
                now=clock.now(),
            )
        except NameTaken:
            form.add_error("name", _("Another client has this name."))
        else:
            messages.success(request, _("%(name)s is open. Add a person next.") % {"name": client})
            return redirect("agency-clients:client-detail", client.pk)
    status = form_status(request)
    return render(request, "clients/client_create.html", {"form": form}, status=status)


@agency_permission("manage_clients")
@require_GET
def client_detail(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(queries.clients(), client_id)
    context = {
        "client": client,
        "people": queries.people(client),
        "rate": current_rate(client=client, now=clock.now()),
        "may_act": request.user.has_agency_permission("manage_campaigns"),
        "may_sell": request.user.has_agency_permission("manage_billing"),
    }
    return render(request, "clients/client_detail.html", context)


@agency_permission("manage_clients")
@require_http_methods(["GET", "POST"])
def client_change(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    shown = {
        name: getattr(client, name)
        for name in ("name", "contact_email", "time_zone", "concurrency_limit")
    }
    wallet = Wallet.objects.filter(client=client).first()
    shown["billing_address"] = wallet.billing_address if wallet else ""
    form = ClientChangeForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            change_account(client=client, actor=request.user, now=clock.now(), **form.cleaned_data)
        except NameTaken:
            form.add_error("name", _("Another client has this name."))
        else:
            messages.success(request, _("Saved."))
            return redirect("agency-clients:client-detail", client.pk)
    status = form_status(request)
    context = {"form": form, "client": client}
    return render(request, "clients/client_change.html", context, status=status)


@agency_permission("manage_clients")
@require_POST
def client_activate(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    if activate_client(client=client, actor=request.user, now=clock.now()):
        messages.success(request, _("%(name)s may sign in and dial again.") % {"name": client})
    return redirect("agency-clients:client-detail", client.pk)


@agency_permission("manage_clients")
@require_POST
def client_deactivate(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    if deactivate_client(client=client, actor=request.user, now=clock.now()):
        messages.success(
            request,
            _("%(name)s is inactive: nobody signs in, no new call is placed.") % {"name": client},
        )
    return redirect("agency-clients:client-detail", client.pk)


@agency_permission("manage_clients")
@require_http_methods(["GET", "POST"])
def user_create(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    form = UserForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = add_client_user(
                client=client,
                email=form.cleaned_data["email"],
                name=form.cleaned_data["name"],
                rights=form.rights(),
                actor=request.user,
                now=clock.now(),
            )
        except EmailTaken:
            form.add_error("email", _("Somebody signs in with this address already."))
        else:
            messages.success(request, _("%(person)s may sign in now.") % {"person": user.email})
            return redirect("agency-clients:client-detail", client.pk)
    status = form_status(request)
    context = {"form": form, "client": client}
    return render(request, "clients/user_create.html", context, status=status)


@agency_permission("manage_clients")
@require_POST
def user_change(request: UserRequest, client_id: UUID, user_id: UUID) -> HttpResponse:
    """Let a person in again, or keep them out; their role stays."""
    user = get_or_404(User.objects.filter(client_id=client_id), user_id)
    is_active = request.POST.get("is_active") == "yes"
    rights = UserForm.rights_of(user)
    change_client_user(
        user=user, rights=rights, is_active=is_active, actor=request.user, now=clock.now()
    )
    said = _("%(person)s may sign in again.") if is_active else _("%(person)s is kept out now.")
    messages.success(request, said % {"person": user.email})
    return redirect("agency-clients:client-detail", client_id)
