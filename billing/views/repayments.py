"""The agency's page that pays a client back: a payment as a whole, or the minutes of it that nobody used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import agency_permission
from billing import services
from billing.forms import RepayForm
from billing.models import CreditRequest
from billing.views.credit import SENT_BEFORE, asked, is_large
from billing.views.payments import payment_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.display import minutes, usd

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest

type Refusal = tuple[str | None, str]
REFUSALS = (
    services.PaymentNotPaid,
    services.PaymentExpired,
    services.KeyReused,
    services.RepaymentTooLarge,
)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def payment_refund(request: UserRequest, client_id: UUID, payment_id: UUID) -> HttpResponse:
    payment = payment_or_404(client_id, payment_id)
    left = services.repayable(payment_id=payment.pk, now=clock.now())
    form = RepayForm(request.POST or None, is_preview="preview" in request.POST)
    is_valid = request.method == "POST" and form.is_valid()
    if is_valid and not form.is_preview:
        try:
            return _repay(request, left, form)
        except REFUSALS as refused:
            form.add_error(*_sentence(refused))
    elif is_valid and _comes_to(left, form)[0] > left.unused_seconds:
        too_large = services.RepaymentTooLarge(unused_seconds=left.unused_seconds)
        form.add_error(*_sentence(too_large))
    context = {
        "form": form,
        "client": payment.client,
        "payment": payment,
        "left": left,
        "worth_micros": left.worth_micros(left.unused_seconds),
        "parts": services.repayments_of(payment),
        "comes_to": _comes_to(left, form) if is_valid and not form.errors else None,
        "back": reverse("agency-billing:payment-list", args=[client_id]),
    }
    status = INVALID if form.errors else 200
    return render(request, "billing/repay.html", context, status=status)


def _repay(request: UserRequest, left: services.Repayable, form: RepayForm) -> HttpResponse:
    """Pay back a part, or all at once; the rest after a part of it is a part too."""
    payment, reason, now = left.payment, form.cleaned_data["reason"], clock.now()
    is_part = bool(form.seconds or payment.repaid_seconds)
    seconds, amount_micros = _comes_to(left, form)
    if not seconds:
        raise services.PaymentNotPaid  # all of it was paid back meanwhile, perhaps by this very form
    # With what was paid back of it before: many small parts are a large one.
    if is_large(payment.repaid_seconds + seconds, payment.repaid_micros + amount_micros):
        services.ask_credit(
            client=payment.client,
            kind=CreditRequest.Kind.REVERSE,
            seconds=-seconds,
            amount_micros=amount_micros,
            details={"payment_id": str(payment.pk), "reason": reason, "is_part": is_part},
            key=form.once_key,
            actor=request.user,
            now=now,
        )
        return asked(request)
    if is_part:
        part = {"seconds": seconds, "reason": reason, "key": form.once_key}
        line = services.repay(payment=payment, actor=request.user, now=now, **part)
    else:
        line = services.refund_payment(payment=payment, reason=reason, actor=request.user, now=now)
    said = {"amount": usd(line.amount_micros), "minutes": minutes(line.seconds)}
    sentence = _("Noted that %(amount)s was paid back, for %(minutes)s minutes.")
    messages.success(request, sentence % said)
    return redirect("agency-billing:payment-list", payment.client_id)


def _comes_to(left: services.Repayable, form: RepayForm) -> tuple[int, int]:
    """Return the seconds that the form pays back and what they cost, in micros."""
    seconds = form.seconds or left.left_seconds
    return seconds, left.worth_micros(min(seconds, left.left_seconds))


def _sentence(refused: Exception) -> Refusal:
    """Say to a person why nothing was paid back, and at which field."""
    if isinstance(refused, services.PaymentPartlyRepaid):
        return None, _("A part of it was paid back meanwhile. Look again.")
    if isinstance(refused, services.PaymentNotPaid):
        return None, _("It was never paid, or all of it was paid back: nothing is left of it.")
    if isinstance(refused, services.PaymentExpired):
        return None, _("Some of its minutes have expired: pay back what is unused of it.")
    if isinstance(refused, services.RepaymentTooLarge):
        unused = {"minutes": minutes(refused.unused_seconds)}
        sentence = _(
            "Only %(minutes)s minutes of it are unused: the others are used or reserved. "
            "Pay back at most what is unused."
        )
        return "minutes", sentence % unused
    return None, _(SENT_BEFORE)
