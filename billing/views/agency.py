"""The agency's pages about money: wallets, sales, corrections, prices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import agency_permission, get_or_404
from accounts.models import Client
from billing import queries
from billing.forms import AdjustForm, RateForm, SellForm, WalletFilterForm
from billing.services import (
    InsufficientCredits,
    KeyReused,
    adjust,
    change_rate,
    current_rate,
    purchase,
)
from billing.views.ledger import ledger_file, wallet_context
from convomono.lib import clock
from convomono.lib.display import minutes, usd
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from uuid import UUID

    from django import forms
    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest

PAGE_SIZE = 50
INVALID = 422


@agency_permission("manage_billing", "view_finance")
@require_GET
def wallet_list(request: UserRequest) -> HttpResponse:
    form = WalletFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    rows = queries.wallets(search=asked.get("q", ""), sort=asked.get("sort") or "low")
    paginator = Paginator(rows, PAGE_SIZE)
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "form": form,
        "is_filtered": any(asked.values()),
        "page": page,
        "rows": queries.with_use(page.object_list, now=clock.now()),
        "total": paginator.count,
        "may_sell": request.user.has_agency_permission("manage_billing"),
    }
    return render_page(request, "billing/wallet_list.html", context, partial="wallet-table")


@agency_permission("manage_billing", "view_finance")
@require_GET
def wallet_detail(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = _client_or_404(client_id)
    context = wallet_context(request, client=client, now=clock.now())
    context["client"] = client
    context["may_sell"] = request.user.has_agency_permission("manage_billing")
    return render_page(request, "billing/wallet_manage.html", context, partial="ledger-table")


@agency_permission("manage_billing", "view_finance")
@require_GET
def ledger_export(request: UserRequest, client_id: UUID) -> StreamingHttpResponse:
    return ledger_file(request, client=_client_or_404(client_id), now=clock.now())


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def wallet_credit(request: UserRequest, client_id: UUID) -> HttpResponse:
    client, now = _client_or_404(client_id), clock.now()
    form = SellForm(request.POST or None, terms=current_rate(client=client, now=now).terms)
    if request.method == "POST" and form.is_valid():
        try:
            line = purchase(
                client=client,
                seconds=form.seconds,
                amount_micros=form.amount_micros,
                method=form.cleaned_data["method"],
                reference=form.cleaned_data["reference"],
                actor=request.user,
                now=now,
                key=form.once_key,
            )
        except KeyReused:
            form.add_error("reference", _("Another payment of this client has this reference."))
        else:
            sold = {"minutes": minutes(line.seconds), "amount": usd(line.amount_micros)}
            messages.success(request, _("Sold %(minutes)s minutes for %(amount)s.") % sold)
            return redirect("agency-billing:wallet-detail", client.pk)
    return _form_page(request, "billing/wallet_credit.html", form, client)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def wallet_adjust(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = _client_or_404(client_id)
    form = AdjustForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            line = adjust(
                client=client,
                seconds=form.seconds,
                reason=form.cleaned_data["reason"],
                key=str(form.once_key),
                actor=request.user,
                now=clock.now(),
            )
        except InsufficientCredits as refused:
            left = {"minutes": minutes(refused.available_seconds)}
            form.add_error("minutes", _("Only %(minutes)s minutes are available.") % left)
        except KeyReused:
            form.add_error(None, _("This form was sent before. Open it again to correct more."))
        else:
            moved = {"minutes": minutes(abs(line.seconds))}
            said = (
                _("Added %(minutes)s minutes.")
                if line.seconds > 0
                else _("Took %(minutes)s minutes.")
            )
            messages.success(request, said % moved)
            return redirect("agency-billing:wallet-detail", client.pk)
    return _form_page(request, "billing/wallet_adjust.html", form, client)


@agency_permission("manage_billing")
@require_http_methods(["GET", "POST"])
def rate_change(request: UserRequest, client_id: UUID) -> HttpResponse:
    client, now = _client_or_404(client_id), clock.now()
    shown = RateForm.shown(current_rate(client=client, now=now).terms)
    form = RateForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        rate = change_rate(client=client, terms=form.terms, actor=request.user, now=now)
        price = {"price": usd(rate.price_per_minute_micros)}
        messages.success(request, _("New launches cost %(price)s a minute.") % price)
        return redirect("agency-billing:wallet-detail", client.pk)
    return _form_page(request, "billing/rate_change.html", form, client)


def _client_or_404(client_id: UUID) -> Client:
    return get_or_404(
        Client.objects.filter(wallet__isnull=False).select_related("wallet"), client_id
    )


def _form_page(
    request: UserRequest, template: str, form: forms.Form, client: Client
) -> HttpResponse:
    status = INVALID if request.method == "POST" else 200
    return render(request, template, {"form": form, "client": client}, status=status)
