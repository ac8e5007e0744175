"""The agency's pages about numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID, form_status
from convomono.lib.htmx import render_page
from telephony import queries
from telephony.forms import (
    NumberAddForm,
    NumberAssignForm,
    NumberFilterForm,
    NumberLimitsForm,
)
from telephony.models import PhoneNumber
from telephony.services import (
    NumberExists,
    NumberIsReleased,
    add_number,
    assign_number,
    release_number,
)
from telephony.services.health import set_number_limits, wake_number
from telephony.twilio import missing_settings

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.access import UserRequest

PAGE_SIZE = 50


@agency_permission("manage_phone_numbers")
@require_GET
def number_list(request: UserRequest) -> HttpResponse:
    now = clock.now()
    form = NumberFilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    found = queries.numbers(now=now, search=chosen.get("q", ""), state=chosen.get("state", ""))
    paginator = Paginator(found, PAGE_SIZE)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "form": form,
        "is_filtered": any(chosen.values()),
        "page": page,
        "rows": queries.number_rows(page.object_list, now=now),
        "total": paginator.count,
        "orders": queries.open_orders(now=now),
        "returns": queries.open_returns(),
        "has_twilio": not missing_settings(),
    }
    return render_page(request, "telephony/number_list.html", context, partial="number-table")


@agency_permission("manage_phone_numbers")
@require_http_methods(["GET", "POST"])
def number_add(request: UserRequest) -> HttpResponse:
    form = NumberAddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            number = add_number(**form.cleaned_data, actor=request.user, now=clock.now())
        except NumberExists:
            form.add_error("phone_number", _("This number is in the list already."))
        else:
            messages.success(request, _("Added. Now choose the client who calls from it."))
            return redirect("agency-telephony:number-detail", number.pk)
    status = form_status(request)
    return render(request, "telephony/number_add.html", {"form": form}, status=status)


@agency_permission("manage_phone_numbers")
@require_GET
def number_detail(request: UserRequest, number_id: UUID) -> HttpResponse:
    number = get_or_404(PhoneNumber.objects.select_related("client"), number_id)
    return _detail(request, number, NumberAssignForm(initial={"client": number.client_id}))


@agency_permission("manage_phone_numbers")
@require_POST
def number_assign(request: UserRequest, number_id: UUID) -> HttpResponse:
    number = get_or_404(PhoneNumber.objects.select_related("client"), number_id)
    form = NumberAssignForm(request.POST)
    if not form.is_valid():
        return _detail(request, number, form, status=INVALID)
    client = form.cleaned_data["client"]
    try:
        assign_number(number=number, client=client, actor=request.user, now=clock.now())
    except NumberIsReleased:
        messages.error(request, _("Somebody changed this number meanwhile. Look again."))
        return redirect("agency-telephony:number-detail", number.pk)
    said = (
        _("%(client)s calls from it now.") % {"client": client} if client else _("In stock again.")
    )
    messages.success(request, said)
    return redirect("agency-telephony:number-list")


@agency_permission("manage_phone_numbers")
@require_POST
def number_release(request: UserRequest, number_id: UUID) -> HttpResponse:
    number = get_or_404(PhoneNumber.objects.all(), number_id)
    release_number(number=number, actor=request.user, now=clock.now())
    if number.provider_number_id and missing_settings():
        said = _("Released. It is given back at Twilio once that is set up again.")
    elif number.provider_number_id:
        said = _("Released. It is given back at Twilio within minutes; its page says when it was.")
    elif number.provider == PhoneNumber.Provider.TWILIO:
        said = _("Released. Take it out of Retell and give it back in Twilio's console.")
    else:
        said = _("Released. Cancel its rent in Retell's dashboard.")
    messages.success(request, said)
    return redirect("agency-telephony:number-list")


@agency_permission("manage_phone_numbers")
@require_POST
def number_limits(request: UserRequest, number_id: UUID) -> HttpResponse:
    number = get_or_404(PhoneNumber.objects.select_related("client"), number_id)
    form = NumberLimitsForm(request.POST)
    if not form.is_valid():
        assign = NumberAssignForm(initial={"client": number.client_id})
        return _detail(request, number, assign, limits=form, status=INVALID)
    set_number_limits(number=number, **form.cleaned_data, actor=request.user, now=clock.now())
    messages.success(request, _("Saved. It holds from the next call on."))
    return redirect("agency-telephony:number-detail", number.pk)


@agency_permission("manage_phone_numbers")
@require_POST
def number_wake(request: UserRequest, number_id: UUID) -> HttpResponse:
    number = get_or_404(PhoneNumber.objects.all(), number_id)
    if wake_number(number=number, actor=request.user, now=clock.now()):
        messages.success(request, _("It is used again, and judged by what it does from now on."))
    else:
        messages.info(request, _("It doesn't rest."))
    return redirect("agency-telephony:number-detail", number.pk)


def _detail(
    request: HttpRequest,
    number: PhoneNumber,
    form: NumberAssignForm,
    *,
    limits: NumberLimitsForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "row": queries.number_row(number, now=clock.now()),
        "number": number,
        "form": form,
        "limits": limits or NumberLimitsForm.of(number),
        "days": queries.number_days(number),
    }
    return render(request, "telephony/number_detail.html", context, status=status)
