"""The calls that somebody filtered, as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from django.views.decorators.http import require_GET

from accounts.access import client_manager
from audit import actions
from audit.services import record
from campaigns.forms.lists import CallFilterForm
from campaigns.queries.calls import call_list
from convomono.lib import clock
from reporting.exports import calls_as_csv
from telephony.models import Call

if TYPE_CHECKING:
    from accounts.access import ClientRequest


@client_manager
@require_GET
def call_export(request: ClientRequest) -> StreamingHttpResponse:
    zone = ZoneInfo(request.tenant.time_zone)
    form = CallFilterForm(request.GET, campaigns=[])
    wanted = form.wanted()
    calls = call_list(Call.objects.visible_to(request.user), wanted, zone=zone)
    now = clock.now()
    record(
        actions.CALLS_EXPORTED,
        resource=request.tenant,
        actor=request.user,
        now=now,
        # Without the number: a trail of who was looked for doesn't belong there.
        details={"outcome": wanted.outcome, "campaign_id": str(wanted.campaign_id or "")},
    )
    response = StreamingHttpResponse(calls_as_csv(calls, zone), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="calls-{now:%Y-%m-%d}.csv"'
    response["Cache-Control"] = "private, no-store"
    return response
