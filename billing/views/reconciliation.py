"""The agency's pages that compare our books with Retell's, and what its calls earned."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import agency_permission, get_or_404
from billing import margins, services
from billing.books import still_apart
from billing.forms import DaysForm
from billing.jobs import reconcile
from billing.models import Difference, Reconciliation
from billing.views.agency import client_or_404, money_tabs
from billing.views.credit import is_large
from billing.views.ledger import csv_file
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.days import month_or_none
from convomono.lib.htmx import render_page
from convomono.lib.jobs import enqueue
from convomono.lib.pages import list_page
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import UserRequest


@agency_permission("manage_billing", "view_finance")
@require_http_methods(["GET", "POST"])
def reconciliation_list(request: UserRequest) -> HttpResponse:
    may_run = request.user.has_agency_permission("manage_billing")
    form = DaysForm(request.POST or None, today=clock.now().date())
    status = 200
    if request.method == "POST":
        if may_run and form.is_valid():
            return _start(request, form)
        status = INVALID if may_run else 403
    runs = Reconciliation.objects.order_by("-window_from", "-asked_at", "-pk")
    page = list_page(runs, request.GET.get("page"))
    apart = still_apart([run.pk for run in page.rows])
    context = {
        "form": form,
        "may_run": may_run,
        "tabs": money_tabs(request),
        "page": page,
        "runs": [(run, apart[run.pk]) for run in page.rows],
    }
    return render(request, "billing/reconciliation_list.html", context, status=status)


def _start(request: UserRequest, form: DaysForm) -> HttpResponse:
    now = clock.now()
    since, until = form.window(now)
    try:
        run = services.ask_reconciliation(since=since, until=until, actor=request.user, now=now)
    except services.WindowInvalid:
        messages.error(request, _("Choose days that have begun, a month at most."))
        return redirect("agency-billing:reconciliation-list")
    enqueue(reconcile, queue="reports", timeout_seconds=3600, run_id=str(run.pk))
    return redirect("agency-billing:reconciliation-detail", run.pk)


@agency_permission("manage_billing", "view_finance")
@require_GET
def reconciliation_detail(request: UserRequest, run_id: UUID) -> HttpResponse:
    run = get_or_404(Reconciliation.objects.all(), run_id)
    rows = Difference.objects.filter(reconciliation=run).select_related("client")
    context = {
        "run": run,
        "apart": still_apart([run.pk])[run.pk],
        "is_working": run.status in services.UNFINISHED,
        "page": list_page(rows.order_by("status", "kind", "pk"), request.GET.get("page")),
        "products": sorted(run.products.items(), key=lambda item: -item[1]),
        "may_resolve": request.user.has_agency_permission("manage_billing"),
    }
    return render_page(request, "billing/reconciliation_detail.html", context, partial="run-state")


@agency_permission("manage_billing")
@require_POST
def difference_resolve(request: UserRequest, difference_id: UUID) -> HttpResponse:
    row = get_or_404(Difference.objects.all(), difference_id)
    back = redirect("agency-billing:reconciliation-detail", row.reconciliation_id)
    moved = {"refund": row.refundable_seconds, "charge": row.missing_seconds}
    if is_large(moved.get(request.POST.get("step", ""), 0)):
        messages.error(
            request,
            _("That is more than one person may move. Ask for it from the client's wallet."),
        )
        return back
    try:
        services.resolve_difference(
            difference=row,
            step=request.POST.get("step", ""),
            reason=request.POST.get("reason", ""),
            actor=request.user,
            now=clock.now(),
        )
    except services.StepRefused:
        messages.error(
            request, _("That can't be done with it (any more). Leaving it needs a reason.")
        )
    else:
        messages.success(request, _("Done."))
    return back


@agency_permission("manage_billing", "view_finance")
@require_GET
def margin_list(request: UserRequest) -> HttpResponse:
    month = month_or_none(request.GET.get("month", "")) or clock.now().date().replace(day=1)
    rows = margins.clients_in(month)
    context = {
        "tabs": money_tabs(request),
        "rows": rows,
        "total": margins.total(rows),
        "month": month,
        **_around(month),
    }
    return render(request, "billing/margin_list.html", context)


def _around(month: date) -> dict[str, date | None]:
    """Return the months beside one; none after the present one."""
    later = (month + timedelta(days=31)).replace(day=1)
    return {
        "earlier": (month - timedelta(days=1)).replace(day=1),
        "later": later if later <= clock.now().date() else None,
    }


@agency_permission("manage_billing", "view_finance")
@require_GET
def margin_export(request: UserRequest) -> StreamingHttpResponse:
    """Stream a month's profit and loss, a line for each campaign of each client."""
    month = month_or_none(request.GET.get("month", "")) or clock.now().date().replace(day=1)
    rows = margins.margin_lines(margins.campaigns_in(month))
    return csv_file(rows, name=f"margins-{month:%Y-%m}.csv")


@agency_permission("manage_billing", "view_finance")
@require_GET
def margin_detail(request: UserRequest, client_id: UUID) -> HttpResponse:
    client = client_or_404(client_id)
    month = month_or_none(request.GET.get("month", "")) or clock.now().date().replace(day=1)
    since, until = margins.bounds_of(month)
    calls = Call.objects.filter(
        client=client, duration_ms__gt=0, created_at__gte=since, created_at__lt=until
    )
    page = list_page(calls.order_by("-created_at", "-pk"), request.GET.get("page"))
    context = {
        "client": client,
        "month": month,
        **_around(month),
        "campaigns": margins.campaigns_in(month, client=client),
        "page": page,
        "rows": margins.of_calls(client=client, calls=page.rows),
    }
    return render(request, "billing/margin_detail.html", context)
