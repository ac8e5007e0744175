"""Who may call which part of the API; the same gates as in front of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.access import can_manage
from accounts.models import ApiKey

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from accounts.models import User


class ClientFace(BasePermission):
    """A client's people read; its managers and owners write, and so do keys that are made for it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        # A token outlives the moment in which its owner is kept out, so that is asked each time.
        if not (user.is_authenticated and user.is_active and user.client and user.client.is_active):
            return False
        if request.method in SAFE_METHODS:
            return True
        if isinstance(request.auth, ApiKey) and not request.auth.may_write:
            self.message = "This API key only reads."
            return False
        return can_manage(user)


class ClientLauncher(ClientFace):
    """A client's people who may spend its minutes."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = cast("User", request.user)
        return super().has_permission(request, view) and user.can_launch


class AgencyFace(BasePermission):
    """The agency's people; the view's `agency_permission` names what they need besides."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not (user.is_authenticated and user.is_active and user.is_agency_staff):
            return False
        name = getattr(view, "agency_permission", "")
        return not name or user.has_agency_permission(name)
