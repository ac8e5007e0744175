"""A client's price book: to read for whoever sees the money, to change for whoever sells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from billing import services
from billing.forms import RateForm
from billing.models import Rate
from billing.views.agency import client_or_404
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.display import usd

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import UserRequest
    from billing.forms import SellForm


@agency_permission("manage_billing", "view_finance")
@require_http_methods(["GET", "POST"])
def rate_change(request: UserRequest, client_id: UUID) -> HttpResponse:
    may_change = request.user.has_agency_permission("manage_billing")
    if request.method == "POST" and not may_change:
        raise PermissionDenied
    client, now = client_or_404(client_id), clock.now()
    in_force = services.current_rate(client=client, now=now)
    shown = {**RateForm.shown(in_force.terms), "in_force": in_force.pk}
    form = RateForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid() and not is_stale(form, in_force):
        try:
            rate = services.change_rate(
                client=client,
                terms=form.terms,
                starts_at=form.starts_at,
                actor=request.user,
                now=now,
            )
        except services.RateInPast:
            form.add_error("starts_on", _("That day has begun. Leave it empty for now."))
        except services.RateTaken:
            form.add_error("starts_on", _("Another price begins then. Take that one back first."))
        else:
            price = {"price": usd(rate.price_per_minute_micros)}
            messages.success(request, _("New launches cost %(price)s a minute.") % price)
            return redirect("agency-billing:wallet-detail", client.pk)
    context = {
        "form": form if may_change else None,
        "client": client,
        "book": services.price_book(client=client),
        "in_force": in_force,
        "now": now,
    }
    status = form_status(request)
    return render(request, "billing/rate_change.html", context, status=status)


@agency_permission("manage_billing")
@require_POST
def rate_withdraw(request: UserRequest, client_id: UUID, rate_id: UUID) -> HttpResponse:
    client = client_or_404(client_id)
    rate = get_or_404(Rate.objects.filter(client=client), rate_id)
    try:
        services.withdraw_rate(rate=rate, actor=request.user, now=clock.now())
    except services.RateInForce:
        messages.error(request, _("That price has begun, so it stays in the book."))
    else:
        messages.success(request, _("Took the price back."))
    return redirect("agency-billing:rate-change", client.pk)


def is_stale(form: RateForm | SellForm, in_force: Rate) -> bool:
    """Refuse what was typed at another price; sent again, it is meant for the one shown now."""
    shown = form.cleaned_data["in_force"]
    if shown in {None, in_force.pk}:
        return False
    form.data = {**form.data, "in_force": str(in_force.pk)}
    price = {"price": usd(in_force.price_per_minute_micros)}
    form.add_error(
        None,
        _("The price was changed meanwhile: it is %(price)s a minute now. Look again.") % price,
    )
    return True
