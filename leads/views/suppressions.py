"""The addresses of the client's do-not-call list; `do_not_call` does what both faces do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import can_manage, client_manager, client_viewer, get_or_404
from leads.views import do_not_call
from leads.views.do_not_call import Face

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse, StreamingHttpResponse

    from accounts.access import ClientRequest


def _face(request: ClientRequest) -> Face:
    return Face(client=request.tenant, may_change=can_manage(request.user))


@client_viewer
@require_GET
def suppression_list(request: ClientRequest) -> HttpResponse:
    return do_not_call.entry_list(request, _face(request))


@client_manager
@require_POST
def suppression_create(request: ClientRequest) -> HttpResponse:
    return do_not_call.entry_create(request, _face(request))


@client_manager
@require_http_methods(["GET", "POST"])
def suppression_import(request: ClientRequest) -> HttpResponse:
    return do_not_call.entry_import(request, _face(request))


@client_manager
@require_GET
def suppression_export(request: ClientRequest) -> StreamingHttpResponse:
    return do_not_call.entry_export(request, _face(request))


@client_manager
@require_http_methods(["GET", "POST"])
def suppression_lift(request: ClientRequest, suppression_id: UUID) -> HttpResponse:
    face = _face(request)
    return do_not_call.entry_lift(request, face, get_or_404(face.entries(), suppression_id))
