"""The rows of an import: by verdict, mended on the page, in the error file; what an undo left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import FileResponse, Http404
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.files import open_stored
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.imports.error_file import error_lines
from leads.imports.mending import (
    NotMendable,
    TooManyMended,
    mend_row,
    places_to_mend,
    row_to_mend,
)
from leads.imports.receipt import left_leads
from leads.imports.rows import MAX_VARIABLE
from leads.imports.screens import (
    first_rows,
    rows_with_verdict,
    shown_places,
    shown_row,
)
from leads.imports.verdicts import WARNINGS, Verdict
from leads.imports.warned import first_warned, rows_with_warning, warning_label
from leads.imports.work import ImportFailed
from leads.models import LeadImport
from leads.views.answers import csv_answer

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def import_rows(request: ClientRequest, import_id: UUID, verdict: str) -> HttpResponse:
    """List the rows with a verdict, or with a warning; `?in=` names the campaign that it is about."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    page, campaign = request.GET.get("page"), request.GET.get("in", "")
    is_checked = row.status == LeadImport.Status.CHECKED
    context: dict[str, Any] = {"row": row, "header": _header(row)}
    if verdict in WARNINGS:
        context |= {
            "title": warning_label(verdict, campaign),
            "is_warning": True,
            "page": rows_with_warning(
                lead_import=row, warning=verdict, campaign=campaign, page=page
            ),
            "first_rows": first_warned(row, verdict, campaign),
        }
    else:
        context |= {
            "title": _verdict(verdict).label,
            "can_mend": can_manage(request.user) and is_checked,
            "page": rows_with_verdict(lead_import=row, verdict=verdict, page=page),
            "first_rows": first_rows(row, verdict),
        }
    return render_page(request, "leads/import_rows.html", context, partial="row-table")


@client_manager
@require_http_methods(["GET", "POST"])
def import_row_mend(request: ClientRequest, import_id: UUID, row_number: int) -> HttpResponse:
    """Show a row's cells to type in (GET), or keep what was typed and judge the row again (POST)."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    if row.status != LeadImport.Status.CHECKED:
        raise Http404
    try:
        if request.method == "POST":
            return _mended(request, row, row_number)
        return _row_form(request, row, row_number, {})
    except NotMendable:
        raise Http404 from None


def _row_form(
    request: ClientRequest,
    row: LeadImport,
    row_number: int,
    typed: dict[int, str],
    *,
    error: str = "",
) -> HttpResponse:
    cells, verdict, column, reason = row_to_mend(lead_import=row, row_number=row_number)
    header = row.detected["header"]
    context: dict[str, Any] = {
        "row": row,
        "row_number": row_number,
        "verdict": Verdict(verdict),
        "column": column,
        "reason": reason,
        "error": error,
        "max_length": MAX_VARIABLE,
        "width": len(shown_places(row)),
        "cells": [
            (
                place,
                header[place] or _("Column %d") % (place + 1),
                typed.get(place, cells[place] if place < len(cells) else ""),
                is_wrong,
            )
            for place, is_wrong in places_to_mend(row, column).items()
        ],
    }
    return render_page(
        request,
        "leads/import_row_mend.html",
        context,
        partial="row-form",
        status=INVALID if error else 200,
    )


def _mended(request: ClientRequest, row: LeadImport, row_number: int) -> HttpResponse:
    _cells, before, column, _reason = row_to_mend(lead_import=row, row_number=row_number)
    typed = {
        place: request.POST[f"cell_{place}"][:1000]
        for place in places_to_mend(row, column)
        if f"cell_{place}" in request.POST
    }
    try:
        mended = mend_row(
            lead_import=row,
            row_number=row_number,
            cells=typed,
            actor=request.user,
            now=clock.now(),
        )
    except TooManyMended:
        error = _("500 rows were mended here. Mend the rest in the error file and upload that.")
        return _row_form(request, row, row_number, typed, error=error)
    except ImportFailed as exc:
        return _row_form(request, row, row_number, typed, error=str(exc))
    if not request.htmx:  # type: ignore[attr-defined]  # the middleware's
        return redirect("leads:import-rows", import_id=row.pk, verdict=before)
    context = {
        "row": row,
        "line": shown_row(mended, places=shown_places(row)),
        "can_mend": True,
    }
    return render_page(request, "leads/import_row_mended.html", context, partial="import-row")


@client_manager
@require_GET
def import_errors(request: ClientRequest, import_id: UUID) -> StreamingHttpResponse:
    """Stream the rows that can be mended, or those of `?verdict=`, with what is wrong."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    asked = request.GET.get("verdict", "")
    verdict = _verdict(asked).value if asked else ""
    record(
        actions.LEADS_ROWS_DOWNLOADED,
        resource=row,
        actor=request.user,
        now=clock.now(),
        details={"verdict": verdict},
    )
    return csv_answer(error_lines(lead_import=row, verdict=verdict), "rows-to-mend.csv")


@client_manager
@require_GET
def import_proof(request: ClientRequest, import_id: UUID) -> FileResponse:
    """Hand out the proof of consent that was uploaded with the import; never shown inline."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    name = row.options.get("consent_proof", "")
    if not name:
        raise Http404
    try:
        content = open_stored(name)
    except FileNotFoundError:
        raise Http404 from None
    record(actions.CONSENT_PROOF_DOWNLOADED, resource=row, actor=request.user, now=clock.now())
    return FileResponse(
        content,
        as_attachment=True,
        filename=row.options["consent_proof_name"] or _("proof"),
        content_type="application/octet-stream",
    )


@client_viewer
@require_GET
def import_left(request: ClientRequest, import_id: UUID) -> HttpResponse:
    """List the leads that an undo left as they are, with the reason of each."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    page = list_page(left_leads(lead_import=row), request.GET.get("page"))
    return render_page(
        request, "leads/import_left.html", {"row": row, "page": page}, partial="left-table"
    )


def _header(row: LeadImport) -> list[str]:
    header: list[str] = row.detected["header"]
    return [header[place] for place in shown_places(row)]


def _verdict(text: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise Http404 from None
