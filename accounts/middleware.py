"""Who a page is for: people at work as a client, the client's zone, closed accounts, the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csp import csp_override

from accounts.acting import SESSION_KEY, Acting, acting_user, find_acting
from accounts.models import User
from convomono.lib import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


class ActingMiddleware:
    """Shows the client's pages to somebody of the agency who works as that client, for its time."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User) or not user.is_agency_staff:
            return self.get_response(request)
        session_id = request.session.get(SESSION_KEY)
        if session_id is None or not request.path.startswith(reverse("reporting:home")):
            return self.get_response(request)
        session = find_acting(session_id=session_id, user=user, real_now=clock.real_now())
        if session is None:
            del request.session[SESSION_KEY]
            messages.warning(request, _("Your time as a client is over. Begin anew to go on."))
            return redirect("agency-reporting:home")
        request.acting = Acting(session, user)  # type: ignore[attr-defined]  # for the banner
        request.user = acting_user(user, session)
        return self.get_response(request)


class ClientMiddleware:
    """Runs after authentication, so that every page knows its client."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        client = getattr(request.user, "client", None)
        if client is None:
            return self.get_response(request)
        if not client.is_active:
            logout(request)
            messages.error(request, _("This account is closed. Ask your agency to open it again."))
            return redirect("account_login")
        with timezone.override(ZoneInfo(client.time_zone)):
            return self.get_response(request)


def back_office_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Give the pages below /admin/ the content security policy that their makers' scripts need."""
    relaxed = csp_override(settings.BACK_OFFICE_CSP)(get_response)

    def middleware(request: HttpRequest) -> HttpResponse:
        is_back_office = request.path.startswith(reverse("admin:index"))
        return relaxed(request) if is_back_office else get_response(request)

    return middleware
