"""A client's own pages about its minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_GET

from accounts.access import can_manage, client_manager, client_viewer
from billing.views.ledger import ledger_file, wallet_context
from convomono.lib import clock
from convomono.lib.htmx import render_page

if TYPE_CHECKING:
    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def wallet(request: ClientRequest) -> HttpResponse:
    context = wallet_context(request, client=request.tenant, now=clock.now())
    context["may_export"] = can_manage(request.user)
    return render_page(request, "billing/wallet_detail.html", context, partial="ledger-table")


@client_manager
@require_GET
def ledger_export(request: ClientRequest) -> StreamingHttpResponse:
    return ledger_file(request, client=request.tenant, now=clock.now())
