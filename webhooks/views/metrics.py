"""What Prometheus asks: figures to be alarmed by, for whoever knows the token."""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_GET

from convomono.lib import clock
from convomono.lib.gauges import CONTENT_TYPE, exposition
from reporting.queries.gauges import gauges
from webhooks.queries import inbox_gauges

if TYPE_CHECKING:
    from django.http import HttpRequest


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer 404 unless METRICS_TOKEN is set, and 401 to whoever doesn't send it."""
    if not settings.METRICS_TOKEN:
        raise Http404
    asked = request.headers.get("Authorization", "")
    if not constant_time_compare(asked, f"Bearer {settings.METRICS_TOKEN}"):
        answer = HttpResponse(status=HTTPStatus.UNAUTHORIZED)
        answer["WWW-Authenticate"] = "Bearer"
        return answer
    now, real_now = clock.now(), clock.real_now()
    found = chain(
        inbox_gauges(now=now, factor=clock.CLOCK.factor), gauges(now=now, real_now=real_now)
    )
    return HttpResponse(exposition(found), content_type=CONTENT_TYPE)
