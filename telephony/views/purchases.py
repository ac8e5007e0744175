"""The agency's pages that buy numbers, at Retell or at Twilio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID, form_status
from convomono.lib.phone import display_number
from telephony.forms import NumberBuyForm, TwilioBuyForm, TwilioSearchForm
from telephony.models import NumberOrder
from telephony.provider import AvailableNumber, NotFound, ProviderError
from telephony.refusals import explained
from telephony.retell import retell_gateway
from telephony.services import buy_number
from telephony.services.twilio_orders import (
    Choice,
    OrderNotPaid,
    buy_twilio_number,
    give_up_order,
)
from telephony.twilio import find_twilio_gateway, missing_settings

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse

    from accounts.access import UserRequest
    from telephony.twilio import TwilioGateway


@dataclass(frozen=True)
class Offer:
    """What Twilio would sell; rent_micros a month is None where it names none."""

    numbers: tuple[AvailableNumber, ...] = ()
    rent_micros: int | None = None
    problem: str = ""


@agency_permission("manage_phone_numbers")
@require_http_methods(["GET", "POST"])
def number_buy(request: UserRequest) -> HttpResponse:
    form = NumberBuyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        order = buy_number(
            gateway=retell_gateway(),
            key=form.cleaned_data["key"],
            area_code=form.cleaned_data["area_code"],
            toll_free=form.cleaned_data["toll_free"],
            nickname=form.cleaned_data["nickname"],
            actor=request.user,
            now=clock.now(),
        )
        if order.status == NumberOrder.Status.REFUSED:
            form = NumberBuyForm(initial=form.cleaned_data | {"key": form.fields["key"].initial()})
            messages.error(request, _("Retell sold no number: %(why)s") % {"why": order.error})
        else:
            _tell_of(request, order)
            return redirect("agency-telephony:number-list")
    missing = missing_settings()
    context = {"form": form, "missing": missing, "tabs": [] if missing else _tabs("number-buy")}
    status = form_status(request)
    return render(request, "telephony/number_buy.html", context, status=status)


@agency_permission("manage_phone_numbers")
@require_http_methods(["GET", "POST"])
def number_buy_twilio(request: UserRequest) -> HttpResponse:
    carrier = find_twilio_gateway()
    if carrier is None:
        return redirect("agency-telephony:number-buy")  # where it stands what is missing
    search = TwilioSearchForm(request.GET or None)
    form = TwilioBuyForm(request.POST or None)
    if request.method == "POST" and search.is_valid() and form.is_valid():
        order = _buy(request, carrier, search.cleaned_data, form.cleaned_data)
        if order.status != NumberOrder.Status.REFUSED:
            _tell_of(request, order)
            return redirect("agency-telephony:number-list")
        form = TwilioBuyForm(initial=form.cleaned_data | {"key": form.fields["key"].initial()})
        messages.error(request, _("Twilio sold no number: %(why)s") % {"why": order.error})
    context = {
        "search": search,
        "offer": _offer(carrier, search.cleaned_data) if search.is_valid() else None,
        "form": form,
        "tabs": _tabs("number-buy-twilio"),
    }
    status = INVALID if request.method == "POST" or search.errors else 200
    return render(request, "telephony/number_buy_twilio.html", context, status=status)


@agency_permission("manage_phone_numbers")
@require_POST
def order_give_up(request: UserRequest, order_id: UUID) -> HttpResponse:
    order = get_or_404(NumberOrder.objects.all(), order_id)
    try:
        give_up_order(order=order, actor=request.user, now=clock.now())
    except OrderNotPaid:
        messages.error(request, _("This order changed meanwhile. Look again."))
    else:
        messages.success(request, _("It is given back at Twilio within minutes."))
    return redirect("agency-telephony:number-list")


def _buy(
    request: UserRequest, carrier: TwilioGateway, wanted: dict[str, Any], chosen: dict[str, Any]
) -> NumberOrder:
    choice = Choice(
        phone_number=chosen["phone_number"],
        type=wanted["type"],
        rent_micros=_rent(carrier, wanted),
        nickname=chosen["nickname"],
    )
    return buy_twilio_number(
        carrier=carrier,
        gateway=retell_gateway(),
        key=chosen["key"],
        choice=choice,
        actor=request.user,
        now=clock.now(),
    )


def _offer(carrier: TwilioGateway, wanted: dict[str, Any]) -> Offer:
    try:
        numbers = carrier.search_numbers(
            country=wanted["country"], kind=wanted["type"], area_code=wanted["area_code"]
        )
    except NotFound:
        return Offer()  # no such numbers in that country
    except ProviderError as error:
        return Offer(problem=explained(error, who="Twilio"))
    return Offer(numbers, _rent(carrier, wanted) if numbers else None)


def _rent(carrier: TwilioGateway, wanted: dict[str, Any]) -> int | None:
    """Ask for the price; not knowing it hinders no purchase."""
    try:
        return carrier.monthly_price(country=wanted["country"], kind=wanted["type"])
    except ProviderError:
        return None


def _tabs(current: str) -> list[dict[str, object]]:
    labels = {"number-buy": _("From Retell"), "number-buy-twilio": _("From Twilio")}
    return [
        {"label": label, "url": reverse(f"agency-telephony:{name}"), "current": name == current}
        for name, label in labels.items()
    ]


def _tell_of(request: HttpRequest, order: NumberOrder) -> None:
    names = {
        "number": display_number(order.phone_number),
        "carrier": order.get_carrier_display(),
        "why": order.error,
    }
    if order.status == NumberOrder.Status.BOUGHT:
        messages.success(request, _("%(number)s is bought and in stock.") % names)
    elif order.status == NumberOrder.Status.PAID:
        text = _(
            "%(number)s is bought at Twilio, but not connected to Retell yet. It is tried again each"
            " minute. %(why)s"
        )
        messages.warning(request, text % names)
    else:
        text = _(
            "%(carrier)s's answer was lost, so a number may have been bought. Within half an hour it is"
            " either in stock here or the order is closed: wait for that before you buy another."
        )
        messages.warning(request, text % names)
