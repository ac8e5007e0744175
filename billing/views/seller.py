"""Who the agency is on its invoices: one form."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import agency_permission
from billing import services
from billing.forms import SellerForm
from billing.views.agency import money_tabs
from convomono.lib import clock
from convomono.lib.answers import form_status

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def seller(request: UserRequest) -> HttpResponse:
    form = SellerForm(request.POST or None, initial=_shown())
    if request.method == "POST" and form.is_valid():
        services.set_seller(**form.said, actor=request.user, now=clock.now())
        messages.success(request, _("Saved. It stands on invoices from now on."))
        return redirect("agency-billing:seller")
    context = {"form": form, "tabs": money_tabs(request)}
    status = form_status(request)
    return render(request, "billing/seller.html", context, status=status)


def _shown() -> dict[str, object]:
    row = services.find_seller()
    if row is None:
        return {}
    percent = Decimal(row.tax_basis_points) / 100 if row.tax_basis_points else None
    names = ("name", "address", "tax_number", "tax_name")
    return {"tax_percent": percent, **{name: getattr(row, name) for name in names}}
