"""The agency's pages about money: wallets, and the addresses under them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.core.paginator import Paginator
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import agency_permission, get_or_404
from accounts.models import Client
from billing import queries
from billing.balances import Balance
from billing.forms import WalletFilterForm
from billing.models import Wallet
from billing.views.documents import Face
from billing.views.ledger import csv_file, ledger_file, wallet_context
from convomono.lib import clock
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest
    from accounts.models import User

PAGE_SIZE = 50


def money_tabs(request: HttpRequest) -> list[dict[str, object]]:
    """Return the parts of the agency's money pages, as `components/tabs.html` takes them."""
    parts = (
        ("agency-billing:wallet-list", _("Wallets")),
        ("agency-billing:request-list", _("Approvals")),
        ("agency-billing:grant", _("Grants")),
        ("agency-billing:reconciliation-list", _("Reconciliation")),
        ("agency-billing:margin-list", _("Margins")),
        ("agency-billing:seller", _("Seller")),
    )
    may_sell = cast("User", request.user).has_agency_permission("manage_billing")
    found = [
        (reverse(name), label)
        for name, label in parts
        if may_sell or name not in {"agency-billing:grant", "agency-billing:seller"}
    ]
    return [{"url": url, "label": label, "current": request.path == url} for url, label in found]


@agency_permission("manage_billing", "view_finance")
@require_GET
def wallet_list(request: UserRequest) -> HttpResponse:
    form = WalletFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    sort, now = asked.get("sort") or "low", clock.now()
    wallets = queries.wallets(search=asked.get("q", ""), sort=sort)
    is_ranked = sort in queries.USE_SORTS
    ordered: Any = queries.ranked(wallets, sort=sort, now=now) if is_ranked else wallets
    paginator = Paginator(ordered, PAGE_SIZE)
    page = paginator.get_page(request.GET.get("page"))
    rows = page.object_list if is_ranked else queries.with_use(page.object_list, now=now)
    context = {
        "form": form,
        "tabs": money_tabs(request),
        "is_filtered": any(asked.values()),
        "page": page,
        "rows": rows,
        "total": paginator.count,
        "may_sell": request.user.has_agency_permission("manage_billing"),
    }
    return render_page(request, "billing/wallet_list.html", context, partial="wallet-table")


@agency_permission("manage_billing", "view_finance")
@require_GET
def wallet_export(request: UserRequest) -> StreamingHttpResponse:
    """Stream the wallets that the query string asks for as CSV, under the seed's names."""
    form = WalletFilterForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    rows = queries.wallets(search=asked.get("q", ""), sort=asked.get("sort") or "low")
    return csv_file(queries.wallet_table(rows), name=f"wallets-{clock.now():%Y-%m-%d}.csv")


@agency_permission("manage_billing", "view_finance")
@require_GET
def wallet_detail(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = client_or_404(client_id)
    context = wallet_context(request, client=client, now=clock.now())
    context["client"] = client
    # It holds still: nothing tells this page of a call's end.
    context["balance"] = Balance(Wallet.of(client))
    context["tabs"] = Face(client, is_agency=True).tabs(request)
    context["may_sell"] = request.user.has_agency_permission("manage_billing")
    return render_page(request, "billing/wallet_manage.html", context, partial="ledger-table")


@agency_permission("manage_billing", "view_finance")
@require_GET
def ledger_export(request: UserRequest, client_id: UUID) -> StreamingHttpResponse:
    return ledger_file(request, client=client_or_404(client_id), now=clock.now())


def client_or_404(client_id: UUID) -> Client:
    return get_or_404(
        Client.objects.filter(wallet__isnull=False).select_related("wallet"), client_id
    )
