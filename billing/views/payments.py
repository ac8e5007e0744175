"""The agency's pages about what clients paid, and about movements that wait for a second person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_permission, get_or_404
from billing import services
from billing.models import CreditRequest, GrantRun, Payment
from billing.views.agency import money_tabs
from convomono.lib import clock
from convomono.lib.display import minutes
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest


MOST_GRANTS = 50


@agency_permission("manage_billing")
@require_POST
def payment_settle(request: UserRequest, client_id: UUID, payment_id: UUID) -> HttpResponse:
    payment = payment_or_404(client_id, payment_id)
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
    payment = payment_or_404(client_id, payment_id)
    try:
        services.fail_payment(payment=payment, actor=request.user, now=clock.now())
    except services.PaymentNotPending:
        messages.error(request, _("This payment was paid meanwhile."))
    else:
        messages.success(request, _("Noted that it failed. It brought no minutes."))
    return redirect("agency-billing:payment-list", client_id)


@agency_permission("manage_billing", "view_finance")
@require_GET
def request_list(request: UserRequest) -> HttpResponse:
    rows = CreditRequest.objects.select_related("client").order_by("-asked_at", "-pk")
    waiting = GrantRun.objects.filter(status=GrantRun.Status.WAITING)
    context = {
        "tabs": money_tabs(request),
        "page": list_page(rows, request.GET.get("page")),
        "grants": waiting.defer("client_ids").order_by("-asked_at", "-pk")[:MOST_GRANTS],
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
    except services.RepaymentTooLarge as refused:
        left = {"minutes": minutes(refused.unused_seconds)}
        sentence = _("Only %(minutes)s minutes of the payment are unused: it waits.")
        messages.error(request, sentence % left)
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


def payment_or_404(client_id: UUID, payment_id: UUID) -> Payment:
    mine = Payment.objects.filter(client_id=client_id).select_related("client__wallet")
    return get_or_404(mine, payment_id)
