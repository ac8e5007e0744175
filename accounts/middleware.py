"""Puts the zone of the signed-in person's client in force, and ends sessions of inactive clients."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.contrib.auth import logout
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse


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
