"""A client's home page and its campaigns' reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404
from django.shortcuts import redirect
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import ClientRequest, can_manage, client_viewer, get_visible_or_404
from campaigns.models import Campaign
from convomono.lib import clock, files
from convomono.lib.answers import INVALID
from convomono.lib.charts import bar_chart
from convomono.lib.htmx import render_page, wants_fragment
from reporting.models import Report
from reporting.queries.homes import ClientHome, client_home
from reporting.queries.reports import campaign_report, report_files
from reporting.queries.results import campaign_results
from reporting.services import request_report

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse
    from django.http.response import HttpResponseBase

    from convomono.lib.charts import BarChart
    from reporting.queries.reports import CampaignReport, ReportFiles

CONTENT_TYPES = {Report.Kind.CSV: "text/csv; charset=utf-8", Report.Kind.PDF: "application/pdf"}


@client_viewer
@require_GET
def home(request: ClientRequest) -> HttpResponse:
    page = client_home(client=request.tenant, now=clock.now())
    may_manage = can_manage(request.user)
    context = {
        "page": page,
        "chart": _history_chart(page),
        "client": request.tenant,
        "may_manage": may_manage,
        "may_launch": may_manage and request.user.can_launch,
    }
    return render_page(request, "reporting/client_home.html", context, partial="home-figures")


def _history_chart(page: ClientHome) -> BarChart:
    return bar_chart(
        chart_id="dials",
        title=_("Dials in the last 30 days"),
        category=_("Day"),
        name=_("Dials"),
        points=[(date_format(day.day, "j M"), day.figures.dials) for day in page.history],
    )


@client_viewer
@require_GET
def campaign_report_page(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    return _report_page(request, campaign_id)


@client_viewer
@require_GET
def campaign_results_part(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    """What the calls came to so far; the campaign's live page asks for the inside by itself."""
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    results = campaign_results(campaign, zone=request.tenant.time_zone, now=clock.now())
    context = {"campaign": campaign, "results": results}
    return render_page(
        request, "reporting/campaign_results.html", context, partial="campaign-results"
    )


@client_viewer
@require_POST
def report_create(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    kind = request.POST.get("kind", "")
    if kind not in Report.Kind.values:
        return _report_page(request, campaign_id, error=_("Choose CSV or PDF."))
    _check_export(request, kind)
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    request_report(campaign=campaign, kind=kind, actor=request.user, now=clock.now())
    return redirect("reporting:campaign-report", campaign.pk)


def _check_export(request: ClientRequest, kind: str) -> None:
    """
    Let viewers have the figures, as a PDF, but no list of calls with their numbers.

    :raises PermissionDenied: if a viewer asks for the list
    """
    if kind == Report.Kind.CSV and not can_manage(request.user):
        raise PermissionDenied


def _report_page(request: ClientRequest, campaign_id: UUID, *, error: str = "") -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    page: CampaignReport | ReportFiles
    if wants_fragment(request):
        page = report_files(campaign=campaign)
    else:
        page = campaign_report(campaign=campaign, client=request.tenant, now=clock.now())
    context = {"page": page, "may_export": can_manage(request.user), "error": error}
    return render_page(
        request,
        "reporting/campaign_report.html",
        context,
        partial="report-files",
        status=INVALID if error else 200,
    )


@client_viewer
@require_GET
def report_download(request: ClientRequest, report_id: UUID) -> HttpResponseBase:
    report = get_visible_or_404(request, Report.objects.all(), report_id)
    _check_export(request, report.kind)
    if report.status != Report.Status.DONE:
        raise Http404
    try:
        content = files.open_stored(report.stored_name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(
        content,
        as_attachment=True,
        filename=f"convomono-{report.created_at:%Y-%m-%d}.{report.kind}",
        content_type=CONTENT_TYPES[Report.Kind(report.kind)],
    )
