"""Taking a file in: the upload page, with a cap that holds while the body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.files.uploadhandler import (
    FileUploadHandler,
    StopUpload,
    TemporaryFileUploadHandler,
)
from django.http import Http404
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from accounts.access import client_manager
from convomono.lib import clock
from leads.forms.imports import UploadForm, too_large
from leads.imports.source import FileRefused
from leads.imports.targets import find_target
from leads.services.imports import start_import

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    from accounts.access import ClientRequest
    from leads.imports.targets import ImportTarget


class CappedUpload(FileUploadHandler):
    """Stops a body that grows above the cap, before it fills the disk."""

    def __init__(self, request: HttpRequest, max_bytes: int) -> None:
        super().__init__(request)
        self.max_bytes, self.received = max_bytes, 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > self.max_bytes:
            self.request.upload_was_stopped = True  # type: ignore[union-attr]  # for the view
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


@csrf_exempt  # the handlers must be set before the token is read from the body; then it is checked
@require_http_methods(["GET", "POST"])
def import_create(request: HttpRequest) -> HttpResponseBase:
    request.upload_handlers = [
        CappedUpload(request, settings.LEAD_UPLOAD_MAX_BYTES),
        TemporaryFileUploadHandler(request),
    ]
    return _import_create(request)


@csrf_protect
@client_manager
def _import_create(request: ClientRequest) -> HttpResponse:
    target = _target(request)
    now, zone = clock.now(), request.tenant.time_zone
    known: dict[str, Any] = {
        "zone": zone,
        "today": now.astimezone(ZoneInfo(zone)).date(),
        "max_bytes": settings.LEAD_UPLOAD_MAX_BYTES,
    }
    if request.method != "POST":
        return _page(request, UploadForm(**known), target)
    form = UploadForm(request.POST, request.FILES, **known)
    if getattr(request, "upload_was_stopped", False):
        form.errors.pop("file", None)
        form.add_error("file", too_large(settings.LEAD_UPLOAD_MAX_BYTES))
    if not form.is_valid():
        return _page(request, form, target, status=422)
    upload = form.cleaned_data["file"]
    try:
        row = start_import(
            client=request.tenant,
            campaign_id=target.campaign_id if target else None,
            file_name=upload.name,
            stream=upload,
            consent=form.consent(),
            actor=request.user,
            now=now,
        )
    except FileRefused as exc:
        form.add_error("file", str(exc))
        return _page(request, form, target, status=422)
    return redirect("leads:import-detail", import_id=row.pk)


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
