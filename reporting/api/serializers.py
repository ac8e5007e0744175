"""Reports for programs, in the seed's names."""

from __future__ import annotations

from rest_framework import serializers

from reporting.models import Report


class ReportSerializer(serializers.ModelSerializer[Report]):
    """A report somebody asked for."""

    report_id = serializers.UUIDField(source="pk", read_only=True)
    client_id = serializers.UUIDField(read_only=True)
    campaign_id = serializers.UUIDField()

    class Meta:
        model = Report
        fields = [
            "report_id",
            "campaign_id",
            "client_id",
            "kind",
            "status",
            "metrics",
            "error",
            "created_at",
            "generated_at",
        ]
        read_only_fields = ["status", "metrics", "error", "created_at", "generated_at"]
