"""The agency's forms that move a client's minutes: sales, corrections, refunds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import agency_permission
from billing import services
from billing.forms import AdjustForm, RefundForm, SellForm
from billing.models import CreditRequest
from billing.queries import expiring_lots, explained
from billing.rules import needs_second_person
from billing.views.agency import client_or_404
from billing.views.prices import is_stale
from convomono.lib import clock, money
from convomono.lib.answers import form_status
from convomono.lib.display import minutes, usd

if TYPE_CHECKING:
    from uuid import UUID

    from django import forms
    from django.http import HttpResponse

    from accounts.access import UserRequest
    from accounts.models import Client

Kind = CreditRequest.Kind
SENT_BEFORE = "This form was sent before. Open it again to do more."


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def wallet_credit(request: UserRequest, client_id: UUID) -> HttpResponse:
    client, now = client_or_404(client_id), clock.now()
    in_force = services.current_rate(client=client, now=now)
    form = SellForm(request.POST or None, terms=in_force.terms, initial={"in_force": in_force.pk})
    is_valid = request.method == "POST" and form.is_valid()
    if is_valid and form.cleaned_data["amount_usd"] is None:
        is_valid = not is_stale(form, in_force)
    if is_valid:
        try:
            return _sell(request, client, form)
        except services.KeyReused:
            form.add_error("reference", _("Another payment of this client has this reference."))
    available = minutes(client.wallet.available_seconds)
    lead = _("%(available)s minutes are available now. The new ones are there at once.")
    return _form_page(
        request,
        form,
        client,
        title=_("Sell minutes to %(client)s"),
        lead=lead % {"available": available},
        submit=_("Sell minutes"),
        expiring=expiring_lots(client_id=client.pk),
    )


def _sell(request: UserRequest, client: Client, form: SellForm) -> HttpResponse:
    sale: dict[str, Any] = {
        "client": client,
        "seconds": form.seconds,
        "amount_micros": form.amount_micros,
        "key": form.once_key,
        "actor": request.user,
        "now": clock.now(),
    }
    paid = {name: form.cleaned_data[name] for name in ("method", "reference", "valid_days")}
    if is_large(form.seconds, form.amount_micros):
        still_to_come = {"is_pending": bool(form.cleaned_data["is_pending"])}
        services.ask_credit(kind=Kind.SELL, details=paid | still_to_come, **sale)
        return asked(request)
    sold = {"minutes": minutes(form.seconds), "amount": usd(form.amount_micros)}
    if form.cleaned_data["is_pending"]:
        services.await_payment(**sale, **paid)
        said = _("Noted. The %(minutes)s minutes are there once %(amount)s was paid.")
        messages.success(request, said % sold)
        return redirect("agency-billing:payment-list", client.pk)
    services.purchase(**sale, **paid)
    messages.success(request, _("Sold %(minutes)s minutes for %(amount)s.") % sold)
    return redirect("agency-billing:wallet-detail", client.pk)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def wallet_adjust(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = client_or_404(client_id)
    asked_for = {"corrects": request.GET.get("line", "")}
    form = AdjustForm(request.POST or None, client=client, initial=asked_for)
    if request.method == "POST" and form.is_valid():
        try:
            return _adjust(request, client, form)
        except services.InsufficientCredits as refused:
            left = {"minutes": minutes(refused.available_seconds)}
            form.add_error("minutes", _("Only %(minutes)s minutes are available.") % left)
        except services.KeyReused:
            form.add_error(None, _(SENT_BEFORE))
    available = minutes(client.wallet.available_seconds)
    lead = _("%(available)s minutes are available now. A correction is a line of its own.")
    return _form_page(
        request,
        form,
        client,
        title=_("Adjust the minutes of %(client)s"),
        lead=lead % {"available": available},
        submit=_("Adjust"),
    )


def _adjust(request: UserRequest, client: Client, form: AdjustForm) -> HttpResponse:
    reason, line, now = form.cleaned_data["reason"], form.corrected, clock.now()
    if is_large(form.seconds):
        services.ask_credit(
            client=client,
            kind=Kind.ADJUST,
            seconds=form.seconds,
            details={"reason": reason} | ({"corrects_number": line.seq} if line else {}),
            key=form.once_key,
            actor=request.user,
            now=now,
        )
        return asked(request)
    line = services.adjust(
        client=client,
        seconds=form.seconds,
        reason=reason,
        corrects=line,
        key=str(form.once_key),
        actor=request.user,
        now=now,
    )
    said = _("Added %(minutes)s minutes.") if line.seconds > 0 else _("Took %(minutes)s minutes.")
    messages.success(request, said % {"minutes": minutes(abs(line.seconds))})
    return redirect("agency-billing:wallet-detail", client.pk)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def call_refund(request: UserRequest, client_id: UUID, call_id: UUID) -> HttpResponse:
    client = client_or_404(client_id)
    try:
        left = services.charge_left(client_id=client.pk, call_id=call_id)
    except services.NotCharged:
        messages.info(request, _("This client was not billed for that call."))
        return redirect("agency-billing:wallet-detail", client.pk)
    form = RefundForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _refund(request, client, left, form)
        except services.RefundTooLarge as refused:
            said = {"minutes": minutes(refused.left_seconds)}
            form.add_error("minutes", _("Only %(minutes)s minutes are left of it.") % said)
        except services.KeyReused:
            form.add_error("reason", _("This reason has refunded this call before."))
    lead = _("The call cost %(minutes)s minutes, %(amount)s. %(left)s minutes are left of it.")
    charge = {
        "minutes": minutes(left.charged_seconds),
        "amount": usd(left.charged_micros),
        "left": minutes(left.seconds),
    }
    return _form_page(
        request,
        form,
        client,
        title=_("Refund a call of %(client)s"),
        lead=lead % charge,
        submit=_("Refund"),
        charges=explained(left.charges, client=client),
        refunds=left.refunds,
    )


def _refund(
    request: UserRequest, client: Client, left: services.ChargeLeft, form: RefundForm
) -> HttpResponse:
    assert left.line.call_id is not None  # a charge names its call
    reason, now = form.cleaned_data["reason"], clock.now()
    seconds = left.seconds if form.seconds is None else form.seconds
    if is_large(seconds):
        services.ask_credit(
            client=client,
            kind=Kind.REFUND,
            seconds=seconds,
            details={"call_id": str(left.line.call_id), "reason": reason},
            key=form.once_key,
            actor=request.user,
            now=now,
        )
        return asked(request)
    line = services.refund_call(
        client_id=client.pk,
        call_id=left.line.call_id,
        seconds=form.seconds,
        reason=reason,
        actor=request.user,
        now=now,
    )
    given = {"minutes": minutes(line.seconds), "amount": usd(line.amount_micros)}
    messages.success(request, _("Gave back %(minutes)s minutes, %(amount)s.") % given)
    return redirect("agency-billing:wallet-detail", client.pk)


def is_large(seconds: int, amount_micros: int = 0) -> bool:
    """Tell whether a second person has to approve so many seconds, or so much money."""
    minutes_, dollars = settings.CREDIT_APPROVAL_MINUTES, settings.CREDIT_APPROVAL_DOLLARS
    return needs_second_person(amount=seconds, limit=minutes_ * 60) or needs_second_person(
        amount=amount_micros, limit=dollars * money.MICROS
    )


def asked(request: UserRequest) -> HttpResponse:
    """Say that a second person decides, and show where."""
    messages.info(request, _("That is more than one person may move: a second one approves it."))
    return redirect("agency-billing:request-list")


def _form_page(
    request: UserRequest,
    form: forms.Form,
    client: Client,
    *,
    title: str,
    lead: str,
    submit: str,
    **more: object,
) -> HttpResponse:
    context = {
        "form": form,
        "client": client,
        "title": title % {"client": client},
        "lead": lead,
        "submit": submit,
        "back": reverse("agency-billing:wallet-detail", args=[client.pk]),
        **more,
    }
    status = form_status(request)
    return render(request, "billing/credit_form.html", context, status=status)
