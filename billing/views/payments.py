"""The agency's pages about what clients paid, and about movements that wait for a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from billing import services
from billing.forms import ReasonForm
from billing.models import CreditRequest, Payment
from billing.views.agency import money_tabs
from billing.views.credit import INVALID, SENT_BEFORE, asked, is_large
from convomono.lib import clock
from convomono.lib.display import minutes, usd
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_billing")
@require_POST
def payment_settle(request: UserRequest, client_id: UUID, payment_id: UUID) -> HttpResponse:
    payment = _payment(client_id, payment_id)
    try:
        line = services.settle_payment(payment=payment, actor=request.user, now=clock.now())
    except services.PaymentNotPending:
        messages.error(request, _("This payment has ended already."))
    else:
        messages.success(
            request, _("Paid: %(minutes)s minutes are there.") % {"minutes": minutes(line.seconds)}
        )
    return redirect("agency-billing:payment-list", client_id)


@agency_permission("manage_billing")
@require_POST
def payment_fail(request: UserRequest, client_id: UUID, payment_id: UUID) -> HttpResponse:
    payment = _payment(client_id, payment_id)
    try:
        services.fail_payment(payment=payment, actor=request.user, now=clock.now())
    except services.PaymentNotPending:
        messages.error(request, _("This payment was paid meanwhile."))
    else:
        messages.success(request, _("Noted that it failed. It brought no minutes."))
    return redirect("agency-billing:payment-list", client_id)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def payment_refund(request: UserRequest, client_id: UUID, payment_id: UUID) -> HttpResponse:
    payment = _payment(client_id, payment_id)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _refund(request, payment, form)
        except services.PaymentNotPaid:
            form.add_error(None, _("It was never paid, so there is nothing to pay back."))
        except services.PaymentExpired:
            form.add_error(None, _("Some of its minutes have expired, so it can't be taken back."))
        except services.KeyReused:
            form.add_error(None, _(SENT_BEFORE))
        except services.InsufficientCredits as refused:
            left = {"minutes": minutes(refused.available_seconds)}
            form.add_error(
                None,
                _(
                    "Only %(minutes)s minutes are available: some of this payment's are used or "
                    "reserved. Stop its launches, or refund its calls, first."
                )
                % left,
            )
    sold = {"minutes": minutes(payment.seconds), "amount": usd(payment.amount_micros)}
    context = {
        "form": form,
        "client": payment.client,
        "title": _("Pay back %(reference)s") % {"reference": payment.reference},
        "lead": _("%(minutes)s minutes are taken out again, for %(amount)s.") % sold,
        "submit": _("Pay back"),
        "back": reverse("agency-billing:payment-list", args=[client_id]),
    }
    status = INVALID if request.method == "POST" else 200
    return render(request, "billing/credit_form.html", context, status=status)


def _refund(request: UserRequest, payment: Payment, form: ReasonForm) -> HttpResponse:
    reason, now = form.cleaned_data["reason"], clock.now()
    if is_large(payment.seconds, payment.amount_micros):
        services.ask_credit(
            client=payment.client,
            kind=CreditRequest.Kind.REVERSE,
            seconds=-payment.seconds,
            amount_micros=payment.amount_micros,
            details={"payment_id": str(payment.pk), "reason": reason},
            key=form.once_key,
            actor=request.user,
            now=now,
        )
        return asked(request)
    services.refund_payment(payment=payment, reason=reason, actor=request.user, now=now)
    back = {"amount": usd(payment.amount_micros)}
    messages.success(request, _("Noted that %(amount)s was paid back.") % back)
    return redirect("agency-billing:payment-list", payment.client_id)


@agency_permission("manage_billing", "view_finance")
@require_GET
def request_list(request: UserRequest) -> HttpResponse:
    rows = CreditRequest.objects.select_related("client").order_by("-asked_at", "-pk")
    context = {
        "tabs": money_tabs(request),
        "page": list_page(rows, request.GET.get("page")),
        "may_decide": request.user.has_agency_permission("manage_billing"),
        "me": request.user.pk,
    }
    return render(request, "billing/request_list.html", context)


@agency_permission("manage_billing")
@require_POST
def request_approve(request: UserRequest, request_id: UUID) -> HttpResponse:
    row = get_or_404(CreditRequest.objects.all(), request_id)
    try:
        services.approve_credit(request_id=row.pk, actor=request.user, now=clock.now())
    except services.OwnRequest:
        messages.error(request, _("Somebody else has to approve what you asked for."))
    except services.RequestDecided:
        messages.error(request, _("It was refused before."))
    except services.InsufficientCredits as refused:
        left = {"minutes": minutes(refused.available_seconds)}
        messages.error(request, _("Only %(minutes)s minutes are available: it waits.") % left)
    except (
        services.KeyReused,
        services.RefundTooLarge,
        services.PaymentNotPaid,
        services.PaymentExpired,
    ):
        messages.error(request, _("It can't be made any more: something else was done since."))
    else:
        messages.success(request, _("Approved, and made."))
    return redirect("agency-billing:request-list")


@agency_permission("manage_billing")
@require_POST
def request_refuse(request: UserRequest, request_id: UUID) -> HttpResponse:
    row = get_or_404(CreditRequest.objects.all(), request_id)
    try:
        services.refuse_credit(request_id=row.pk, actor=request.user, now=clock.now())
    except services.RequestDecided:
        messages.error(request, _("It was approved before."))
    else:
        messages.success(request, _("Refused: nothing was moved."))
    return redirect("agency-billing:request-list")


def _payment(client_id: UUID, payment_id: UUID) -> Payment:
    mine = Payment.objects.filter(client_id=client_id).select_related("client__wallet")
    return get_or_404(mine, payment_id)
