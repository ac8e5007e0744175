"""Beginning and ending the work as a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, agency_staff, get_or_404
from accounts.acting import SESSION_KEY, ActingRefused, find_acting, start_acting, stop_acting
from accounts.forms import ActingForm
from accounts.models import Client
from convomono.lib import clock
from convomono.lib.answers import INVALID

PAGE_SIZE = 50

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_campaigns")
@require_GET
def acting_list(request: UserRequest) -> HttpResponse:
    """Name the clients one may work for, to those too who may not manage clients."""
    rows = Client.objects.filter(status=Client.Status.ACTIVE).order_by("name", "pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    return render(request, "accounts/acting_list.html", {"page": page})


@agency_permission("manage_campaigns")
@require_http_methods(["GET", "POST"])
def acting_start(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = get_or_404(Client.objects.all(), client_id)
    form = ActingForm(request.POST or None, client=client)
    if request.method == "POST" and form.is_valid():
        try:
            session = start_acting(
                client=client,
                acted_for=form.cleaned_data["acted_for"],
                reason=form.cleaned_data["reason"],
                minutes=form.cleaned_data["minutes"],
                actor=request.user,
                now=clock.now(),
                real_now=clock.real_now(),
            )
        except ActingRefused:
            form.add_error(None, _("The account of this client is closed. Activate it first."))
        else:
            _stop(request)  # one at a time: nobody works as two clients
            request.session[SESSION_KEY] = str(session.pk)
            return redirect("reporting:home")
    status = INVALID if form.errors else 200
    may_add = request.user.has_agency_permission("manage_clients")
    context = {"form": form, "client": client, "may_add": may_add}
    return render(request, "accounts/acting_start.html", context, status=status)


@agency_staff
@require_POST
def acting_stop(request: UserRequest) -> HttpResponse:
    if client := _stop(request):
        messages.success(request, _("You no longer work as %s.") % client)
    return redirect("agency-reporting:home")


def _stop(request: UserRequest) -> Client | None:
    """End the time as a client that this session knows of; None if there was none going on."""
    session_id = request.session.pop(SESSION_KEY, None)
    if not session_id:
        return None
    session = find_acting(session_id=session_id, user=request.user, real_now=clock.real_now())
    if session is None:
        return None
    stopped = stop_acting(
        session=session, actor=request.user, now=clock.now(), real_now=clock.real_now()
    )
    return session.client if stopped else None
