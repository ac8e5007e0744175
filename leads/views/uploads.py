"""Taking a file in: the upload page, with a cap that holds while the body is read."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods

from accounts.access import client_manager
from convomono.lib import clock
from convomono.lib.answers import INVALID
from convomono.lib.csvio import csv_lines
from convomono.lib.files import can_append, delete_stored, open_stored
from leads.forms.uploads import UploadForm, too_large
from leads.imports.packed import FileRefused
from leads.imports.sample import sample_table
from leads.imports.targets import find_target
from leads.services.imports import start_import
from leads.upload_cap import cap_upload, was_stopped
from leads.views.answers import csv_answer
from leads.views.parts import part_name

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

    from accounts.access import ClientRequest
    from leads.imports.targets import ImportTarget
    from leads.models import LeadImport

_ANY_UPLOAD = UUID(int=0)
_SAMPLE_PEOPLE = 10


@csrf_exempt  # the handlers must be set before the token is read from the body; then it is checked
@require_http_methods(["GET", "POST"])
def import_create(request: HttpRequest) -> HttpResponseBase:
    cap_upload(request)
    return _import_create(request)


@csrf_protect
@client_manager
def _import_create(request: ClientRequest) -> HttpResponse:
    target = _target(request)
    if request.method != "POST":
        return _page(request, UploadForm(**_known()), target)
    form = UploadForm(request.POST, request.FILES, **_known())
    if was_stopped(request):
        form.errors.pop("file", None)
        form.add_error("file", too_large(settings.LEAD_UPLOAD_MAX_BYTES))
    if not form.is_valid():
        return _page(request, form, target, status=INVALID)
    try:
        row = _start(request, form, target)
    except FileRefused as exc:
        form.add_error("pasted" if form.cleaned_data["pasted"] else "file", str(exc))
        _forget_parts(request, form)
        return _page(request, form, target, status=INVALID)
    return redirect("leads:import-detail", import_id=row.pk)


def _forget_parts(request: ClientRequest, form: UploadForm) -> None:
    """Let go of a file that came in parts and is no table: another one, or pasted rows, may follow."""
    if upload := form.cleaned_data["upload"]:
        delete_stored(part_name(request.tenant.pk, upload))
        form.data = {**form.data.dict(), "upload": ""}  # type: ignore[attr-defined]  # the request's own


def _known() -> dict[str, Any]:
    parts = reverse("leads:import-part", args=[_ANY_UPLOAD]) if can_append() else ""
    return {
        "max_bytes": settings.LEAD_UPLOAD_MAX_BYTES,
        "parts_url": parts.removesuffix(f"{_ANY_UPLOAD}/"),
    }


def _start(request: ClientRequest, form: UploadForm, target: ImportTarget | None) -> LeadImport:
    data = form.cleaned_data
    file_name, stream = _content(request, data)
    with stream:
        row = start_import(
            client=request.tenant,
            campaign_id=target.campaign_id if target else None,
            file_name=file_name,
            stream=stream,
            max_bytes=settings.LEAD_UPLOAD_MAX_BYTES,
            actor=request.user,
            now=clock.now(),
        )
    if data["upload"]:
        delete_stored(part_name(request.tenant.pk, data["upload"]))
    return row


def _content(request: ClientRequest, data: dict[str, Any]) -> tuple[str, IO[bytes]]:
    """Return the file's name and bytes: as it came, pasted, or sent in parts before."""
    if data["pasted"]:
        return _("Pasted rows"), io.BytesIO(data["pasted"].encode())
    if data["upload"]:
        try:
            stream = open_stored(part_name(request.tenant.pk, data["upload"]))
        except FileNotFoundError:
            raise FileRefused(_("The upload is gone. Choose the file again.")) from None
        return data["upload_name"] or _("Upload"), stream
    return data["file"].name, data["file"]


@client_manager
@require_GET
def import_template(request: ClientRequest) -> StreamingHttpResponse:
    """Hand out a spreadsheet with the columns that help, or with `?sample` made-up people to try it with."""
    target, is_sample = _target(request), "sample" in request.GET
    variables = target.variables if target else ()
    table = sample_table(variables, people=_SAMPLE_PEOPLE if is_sample else 1)
    return csv_answer(csv_lines(table), f"leads-{'sample' if is_sample else 'template'}.csv")


def _target(request: ClientRequest) -> ImportTarget | None:
    """Return the campaign that the address names; another client's answers 404."""
    asked = request.GET.get("campaign")
    if not asked:
        return None
    try:
        campaign_id = UUID(asked)
    except ValueError:
        raise Http404 from None
    target = find_target(client_id=request.tenant.pk, campaign_id=campaign_id)
    if target is None:
        raise Http404
    return target


def _page(
    request: ClientRequest, form: UploadForm, target: ImportTarget | None, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "target": target}
    return render(request, "leads/import_create.html", context, status=status)
