"""Reports for programs: the agency lists them and orders new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from rest_framework import generics

from accounts.access import get_or_404
from accounts.api.permissions import AgencyFace
from campaigns.models import Campaign
from convomono.lib import clock
from reporting.api.serializers import ReportSerializer
from reporting.models import Report
from reporting.services import request_report

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer

    from accounts.models import User


class AdminReportList(generics.ListCreateAPIView[Report]):
    """List reports of all clients, newest first, or order one of a campaign."""

    permission_classes = [AgencyFace]
    agency_permission = "view_finance"
    serializer_class = ReportSerializer
    queryset = Report.objects.order_by("-created_at", "pk")

    def perform_create(self, serializer: BaseSerializer[Report]) -> None:
        asked = serializer.validated_data
        campaign = get_or_404(Campaign.objects.all(), asked["campaign_id"])
        serializer.instance = request_report(
            campaign=campaign,
            kind=asked["kind"],
            actor=cast("User", self.request.user),
            now=clock.now(),
        )


class AdminReportDetail(generics.RetrieveAPIView[Report]):
    """Show one report with its metrics."""

    permission_classes = [AgencyFace]
    agency_permission = "view_finance"
    serializer_class = ReportSerializer
    queryset = Report.objects.all()
    lookup_url_kwarg = "report_id"
