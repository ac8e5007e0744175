"""Counters and reports in the back office."""

from __future__ import annotations

from django.contrib import admin

from convomono.lib.back_office import ReadOnlyAdmin
from reporting.models import DailyStat, Report


@admin.register(DailyStat)
class DailyStatAdmin(ReadOnlyAdmin):
    """What each campaign's calls came to per day."""

    list_display = [
        "day",
        "client",
        "campaign_id",
        "dials_count",
        "humans_count",
        "billed_seconds",
        "client_cost_micros",
        "retell_cost_micros",
    ]
    list_filter = ["day"]
    list_select_related = ["client"]
    ordering = ["-day", "pk"]


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Reports people asked for."""

    list_display = ["created_at", "client", "kind", "status", "requested_by_email"]
    list_filter = ["kind", "status"]
    list_select_related = ["client"]
    search_fields = ["requested_by_email"]
    ordering = ["-created_at", "pk"]
