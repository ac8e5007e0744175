"""A client's own pages about its minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_launcher, client_manager, client_viewer
from billing.services import allow_extensions
from billing.views.documents import Face
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
    context["tabs"] = Face(request.tenant).tabs(request)
    context["may_extend"] = can_manage(request.user) and request.user.can_launch
    return render_page(request, "billing/wallet_detail.html", context, partial="ledger-table")


@client_manager
@require_GET
def ledger_export(request: ClientRequest) -> StreamingHttpResponse:
    return ledger_file(request, client=request.tenant, now=clock.now())


@client_launcher
@require_POST
def extensions_set(request: ClientRequest) -> HttpResponse:
    allowed = request.POST.get("allowed") == "yes"
    allow_extensions(client=request.tenant, allowed=allowed, actor=request.user, now=clock.now())
    if allowed:
        messages.success(request, _("Launches that run dry now take further minutes themselves."))
    else:
        messages.success(request, _("Launches that run dry now pause until you decide."))
    return redirect("billing:wallet")
