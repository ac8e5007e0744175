"""Changes to many leads: choosing, confirming, watching, taking back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import FileResponse, Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock, files
from convomono.lib.answers import INVALID
from convomono.lib.htmx import render_page
from convomono.lib.pages import keyset_page
from leads.forms.operations import OperationForm
from leads.lead_table import leads_named, leads_to_show
from leads.models import LeadOperation, LeadOperationRow
from leads.operations.kinds import NO_NUMBER
from leads.operations.wording import note_sentence, question
from leads.services.operations import (
    UndoRefused,
    cancel_operation,
    may_undo,
    start_operation,
    undo_operation,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, HttpResponseBase

    from accounts.access import ClientRequest

_MOST_LEFT = 100  # rows shown of what was left alone


@client_manager
@require_POST
def operation_create(request: ClientRequest) -> HttpResponse:
    """Ask with the number of leads in the question; begin once it was answered."""
    is_confirmed = "confirmed" in request.POST
    form = OperationForm(request.POST, client=request.tenant, is_confirmed=is_confirmed)
    is_valid = form.is_valid()
    if "kind" in form.errors:
        raise BadRequest("kind")
    if "query" in form.errors:  # without it everybody would be meant
        messages.error(request, str(form.errors["query"][0]))
        return redirect("leads:lead-list")
    if form.is_for_everybody():
        total = leads_to_show(viewer=request.user, filters=form.filters()).count()
    else:
        chosen = leads_named(viewer=request.user, keys=form.lead_ids(), filters={})
        total = chosen.count()
    if not total:
        messages.warning(request, _("Tick the leads first, then choose what to do with them."))
        return redirect("leads:lead-list")
    if is_confirmed and is_valid:
        operation = start_operation(
            client=request.tenant,
            kind=form.cleaned_data["kind"],
            params=form.params(),
            total=total,
            actor=request.user,
            now=clock.now(),
            real_now=clock.real_now(),
        )
        return redirect("leads:operation-detail", operation.pk)
    context = {
        "form": form,
        "total": total,
        "lead_ids": form.lead_ids(),
        "question": question(form.asked, total),
        "is_danger": form.asked in {LeadOperation.Kind.DELETE, LeadOperation.Kind.SUPPRESS},
        "errors": is_confirmed,
    }
    status = INVALID if is_confirmed else 200
    return render(request, "leads/operation_create.html", context, status=status)


@client_viewer
@require_GET
def operation_list(request: ClientRequest) -> HttpResponse:
    page = keyset_page(
        LeadOperation.objects.visible_to(request.user),
        order=("-created_at", "-pk"),
        token=request.GET.get("page"),
    )
    context = {"page": page, "zone": request.tenant.time_zone}
    return render_page(request, "leads/operation_list.html", context, partial="operation-table")


@client_viewer
@require_GET
def operation_detail(request: ClientRequest, operation_id: UUID) -> HttpResponse:
    operation = get_visible_or_404(request, LeadOperation.objects.all(), operation_id)
    rows = LeadOperationRow.objects.filter(client_id=operation.client_id, operation=operation)
    left = list(rows.exclude(note="").order_by("pk")[:_MOST_LEFT])
    if operation.params.get("refused_count"):  # what isn't listed comes before what was already
        unlisted = list(rows.filter(note=NO_NUMBER).order_by("pk")[:_MOST_LEFT])
        left = [*unlisted, *(row for row in left if row.note != NO_NUMBER)][:_MOST_LEFT]
    context = {
        "operation": operation,
        "left": [(row, note_sentence(row.note)) for row in left],
        "may_undo": can_manage(request.user) and may_undo(operation, now=clock.now()),
        "may_cancel": can_manage(request.user)
        and operation.status in {LeadOperation.Status.QUEUED, LeadOperation.Status.RUNNING},
        "may_download": can_manage(request.user) and _has_file(operation),
        "zone": request.tenant.time_zone,
    }
    return render_page(
        request, "leads/operation_detail.html", context, partial="operation-progress"
    )


@client_manager
@require_POST
def operation_cancel(request: ClientRequest, operation_id: UUID) -> HttpResponse:
    operation = get_visible_or_404(request, LeadOperation.objects.all(), operation_id)
    if not cancel_operation(operation=operation, actor=request.user, now=clock.now()):
        messages.info(request, _("It had ended already."))
    return redirect("leads:operation-detail", operation.pk)


@client_manager
@require_POST
def operation_undo(request: ClientRequest, operation_id: UUID) -> HttpResponse:
    operation = get_visible_or_404(request, LeadOperation.objects.all(), operation_id)
    try:
        undo_operation(
            operation=operation,
            actor=request.user,
            now=clock.now(),
            real_now=clock.real_now(),
        )
    except UndoRefused:
        messages.error(request, _("This change can't be undone (any more)."))
    return redirect("leads:operation-detail", operation.pk)


@client_manager
@require_GET
def operation_file(request: ClientRequest, operation_id: UUID) -> HttpResponseBase:
    """Hand out the file of an export, or what of a do-not-call list was no number, always as a download."""
    operation = get_visible_or_404(request, LeadOperation.objects.all(), operation_id)
    if not _has_file(operation):
        raise Http404
    is_list = operation.kind == LeadOperation.Kind.LIST
    ending = "xlsx" if operation.params.get("format") == "xlsx" else "csv"
    name = "not-listed.csv" if is_list else f"leads.{ending}"
    try:
        content = files.open_stored(operation.stored_name)
    except FileNotFoundError:
        raise Http404 from None
    details = (
        {"lines": operation.params["refused_count"]}
        if is_list
        else {"leads": operation.changed_count}
    )
    record(
        actions.LEADS_ROWS_DOWNLOADED,
        resource=operation,
        actor=request.user,
        now=clock.now(),
        details=details,
    )
    return FileResponse(content, as_attachment=True, filename=name)


def _has_file(operation: LeadOperation) -> bool:
    """Tell whether there is something to hand out: a list that is still being read isn't."""
    if operation.kind == LeadOperation.Kind.LIST and operation.is_working:
        return False
    kinds = {LeadOperation.Kind.EXPORT, LeadOperation.Kind.LIST}
    return operation.kind in kinds and bool(operation.stored_name)
