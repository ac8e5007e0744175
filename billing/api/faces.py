"""Who may read money by program."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from accounts.api.permissions import AgencyFace

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from accounts.models import User


class FinanceFace(AgencyFace):
    """The agency's people who look after money, or may see it."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = cast("User", request.user)
        return super().has_permission(request, view) and (
            user.has_agency_permission("manage_billing")
            or user.has_agency_permission("view_finance")
        )
