"""May we call this number: on a page, and as a sheet of paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import can_manage, client_manager, client_viewer
from campaigns.forms.numbers import NumberForm
from campaigns.queries.number_check import check_number
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.pdf import PdfUnavailable, render_pdf

if TYPE_CHECKING:
    from accounts.access import ClientRequest
    from campaigns.queries.number_check import NumberCheck


@client_viewer
@require_GET
def number_check(request: ClientRequest) -> HttpResponse:
    form = NumberForm(request.GET or None)
    is_valid = form.is_valid()
    context = {
        "form": form,
        "check": _check(request, form) if is_valid else None,
        "query": request.GET.urlencode(),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render(
        request, "campaigns/number_check.html", context, status=INVALID if form.errors else 200
    )


@client_manager
@require_GET
def number_sheet(request: ClientRequest) -> HttpResponse:
    """Answer with the same as a PDF of one page, for whoever asks why they were called."""
    form = NumberForm(request.GET)
    if not form.is_valid():
        return redirect("campaigns:number-check")
    context = {
        "check": _check(request, form),
        "client": request.tenant,
        "now": clock.now(),
        "zone": request.tenant.time_zone,
    }
    try:
        content = render_pdf("campaigns/pdf/number_check.html", context)
    except PdfUnavailable as exc:
        messages.error(request, _("The PDF can't be made here. %s") % exc)
        return redirect(f"{request.path.removesuffix('pdf/')}?{request.GET.urlencode()}")
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = 'attachment; filename="may-we-call.pdf"'
    return response


def _check(request: ClientRequest, form: NumberForm) -> NumberCheck:
    return check_number(
        client=request.tenant,
        number=form.cleaned_data["parsed"],
        is_sandbox=settings.SANDBOX,
        now=clock.now(),
    )
