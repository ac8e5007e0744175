"""An import after its upload: columns, dry run, verdicts, commit, receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_visible_or_404
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page
from leads.forms.imports import MappingForm, ReadingForm
from leads.imports.columns import guess_mapping
from leads.imports.origins import origin_note, origins
from leads.imports.packed import FileRefused
from leads.imports.receipt import chosen_options, meanings, said_consent, undo_lines
from leads.imports.screens import (
    import_progress,
    import_steps,
    import_sums,
    recent_imports,
    remembered,
    same_file_before,
    sample_rows,
    verdict_counts,
    zone_lines,
)
from leads.imports.targets import find_target
from leads.imports.warned import warning_counts
from leads.models import LeadImport
from leads.services.imports import (
    ImportMovedOn,
    Proof,
    cancel_import,
    check_import,
    commit_import,
    may_undo,
    read_import_again,
    undo_import,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest

Status = LeadImport.Status
_PAGES = {
    Status.UPLOADED: "leads/import_map.html",
    Status.CHECKING: "leads/import_progress.html",
    Status.COMMITTING: "leads/import_progress.html",
    Status.UNDOING: "leads/import_progress.html",
    Status.CHECKED: "leads/import_review.html",
}
_DECIDED = {Status.CHECKED, Status.COMMITTED}
_RECEIPT = "leads/import_receipt.html"


@client_viewer
@require_GET
def import_list(request: ClientRequest) -> HttpResponse:
    context = {
        "page": list_page(recent_imports(viewer=request.user), request.GET.get("page")),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(request, "leads/import_list.html", context, partial="import-table")


@client_viewer
@require_GET
def import_detail(request: ClientRequest, import_id: UUID) -> HttpResponse:
    """Show where the import stands; `?columns` goes back to the mapping of a checked one."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    wants_map = row.status == Status.CHECKED and "columns" in request.GET
    if row.status == Status.UPLOADED or wants_map:
        return _map_page(request, row, _mapping_form(request, row))
    return _stage(request, row)


def _stage(request: ClientRequest, row: LeadImport) -> HttpResponse:
    target = find_target(client_id=row.client_id, campaign_id=row.campaign_id)
    now = clock.now()
    context = {
        "row": row,
        "target": target,
        "steps": import_steps(row),
        "verdicts": verdict_counts(row),
        "progress": import_progress(row),
        "sums": import_sums(row),
        "warnings": warning_counts(row),
        "zones": zone_lines(row, target, now=now) if row.status in _DECIDED else [],
        "origin_note": _origin_of_refused(row) if row.status == Status.CHECKED else "",
        "may_undo": may_undo(row, now=now),
        "undone": undo_lines(row),
        "meanings": meanings(row),
        "choices": chosen_options(row) if row.mapping else [],
        "consent": said_consent(row, request.tenant.time_zone),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    template = _PAGES.get(Status(row.status), _RECEIPT)
    if request.htmx and template != "leads/import_progress.html":  # type: ignore[attr-defined]
        # The page that polled shows progress; what comes next is another page.
        response = render_page(request, template, context, partial="import-stage")
        response["HX-Redirect"] = request.path
        return response
    return render_page(request, template, context, partial="import-stage")


def _origin_of_refused(row: LeadImport) -> str:
    """Say where the numbers would be good, if the check refused most of them."""
    refused = sum(number for name, number in row.counts.items() if name.startswith("phone_"))
    if 2 * refused <= row.rows_total:
        return ""
    usual = row.options["country"]
    countries, _is_sure = origins(row.detected, row.mapping, usual)
    where = _("Change columns or options")
    return origin_note(countries, usual, is_chosen=False, where=where)


def _mapping_form(request: ClientRequest, row: LeadImport, *sent: Any) -> MappingForm:
    """Return the form, filled in with what was said before and is guessed, or with what is `sent`."""
    zone = request.tenant.time_zone
    target = find_target(client_id=row.client_id, campaign_id=row.campaign_id)
    variables = list(target.variables) if target else []
    memory = remembered(row)
    earlier = row if row.mapping else memory.same
    mapping = guess_mapping(
        row.detected,
        variables=variables,
        remembered=earlier.mapping if earlier else None,
        habits=memory.habits,
    )
    options = row.options
    if earlier is not None and earlier is not row:
        kept = ("country", "duplicates", "existing", "refused_lines", "defaults")
        options = options | {name: earlier.options.get(name, options[name]) for name in kept}
    usual = options["country"]
    countries, is_sure = origins(row.detected, mapping, usual)
    is_chosen = is_sure and earlier is None
    if is_chosen:
        options = options | {"country": countries[0]}
    return MappingForm(
        *sent,
        found=row.detected,
        variables=variables,
        asked=target.asked if target else None,
        mapping=mapping,
        options=options,
        was_asked=bool(row.mapping),
        origin_note=origin_note(countries, usual, is_chosen=is_chosen, where=_("Options")),
        zone=zone,
        today=clock.now().astimezone(ZoneInfo(zone)).date(),
    )


def _map_page(
    request: ClientRequest,
    row: LeadImport,
    form: MappingForm,
    *,
    reading: ReadingForm | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "row": row,
        "form": form,
        "reading": reading or ReadingForm(found=row.detected),
        "samples": sample_rows(row),
        "target": find_target(client_id=row.client_id, campaign_id=row.campaign_id),
        "steps": import_steps(row),
        "same_file": same_file_before(row),
        "can_manage": can_manage(request.user),
        "zone": request.tenant.time_zone,
    }
    return render_page(
        request, "leads/import_map.html", context, partial="import-stage", status=status
    )


@client_manager
@require_POST
def import_reading(request: ClientRequest, import_id: UUID) -> HttpResponse:
    """Read the file another way than was guessed: its characters, separator, sheet or header."""
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    form = ReadingForm(request.POST, found=row.detected)
    if not form.is_valid():
        return _map_page(request, row, _mapping_form(request, row), reading=form, status=INVALID)
    try:
        read_import_again(lead_import=row, reading=form.cleaned_data)
    except FileRefused as exc:
        form.add_error(None, str(exc))
        return _map_page(request, row, _mapping_form(request, row), reading=form, status=INVALID)
    except ImportMovedOn:
        messages.info(request, _("This import has moved on; here is where it stands."))
    return redirect("leads:import-detail", import_id=row.pk)


@client_manager
@require_POST
def import_check(request: ClientRequest, import_id: UUID) -> HttpResponse:
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    form = _mapping_form(request, row, request.POST, request.FILES)
    if not form.is_valid():
        return _map_page(request, row, form, status=INVALID)
    proof = form.cleaned_data["consent_proof"]
    try:
        check_import(
            lead_import=row,
            mapping=form.mapping(),
            options=form.import_options(),
            proof=Proof(proof.name or "", proof) if proof else None,
            now=clock.now(),
            real_now=clock.real_now(),
        )
    except ImportMovedOn:
        messages.info(request, _("This import has moved on; here is where it stands."))
    return redirect("leads:import-detail", import_id=row.pk)


@client_manager
@require_POST
def import_commit(request: ClientRequest, import_id: UUID) -> HttpResponse:
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    try:
        commit_import(
            lead_import=row, actor=request.user, now=clock.now(), real_now=clock.real_now()
        )
    except ImportMovedOn:
        messages.info(request, _("This import has moved on; here is where it stands."))
    return redirect("leads:import-detail", import_id=row.pk)


@client_manager
@require_POST
def import_cancel(request: ClientRequest, import_id: UUID) -> HttpResponse:
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    try:
        cancel_import(
            lead_import=row,
            keep=request.POST.get("then") != "revert",
            actor=request.user,
            now=clock.now(),
            real_now=clock.real_now(),
        )
    except ImportMovedOn:
        messages.info(request, _("This import has ended; there was nothing to cancel."))
    return redirect("leads:import-detail", import_id=row.pk)


@client_manager
@require_POST
def import_undo(request: ClientRequest, import_id: UUID) -> HttpResponse:
    row = get_visible_or_404(request, LeadImport.objects.all(), import_id)
    try:
        undo_import(lead_import=row, actor=request.user, now=clock.now(), real_now=clock.real_now())
    except ImportMovedOn:
        messages.info(request, _("This import can't be undone any more."))
    return redirect("leads:import-detail", import_id=row.pk)
