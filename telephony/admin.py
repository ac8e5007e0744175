"""Numbers, agents and calls in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin
from telephony.models import (
    Call,
    CallDetail,
    CallLookup,
    NumberDay,
    NumberLease,
    NumberOrder,
    PhoneNumber,
    Recording,
    VoiceAgent,
)
from telephony.models.erasures import CallErasure

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User


class CallRecordsAdmin(ReadOnlyAdmin):
    """
    Calls of every client: for who manages campaigns, not for who only looks after numbers.

    Retell's cost is for who sees finances.
    """

    costs: tuple[str, ...] = ()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return cast("User", request.user).has_agency_permission("manage_campaigns")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        sees_costs = cast("User", request.user).has_agency_permission("view_finance")
        return () if sees_costs else self.costs


@admin.register(PhoneNumber)
class PhoneNumberAdmin(ReadOnlyAdmin):
    """Numbers in a table; they are bought, lent, limited and released on the agency's pages."""

    list_display = [
        "phone_number",
        "client",
        "provider",
        "type",
        "last_used_at",
        "resting_until",
        "active",
    ]
    list_filter = ["provider", "type"]
    list_select_related = ["client"]
    search_fields = ["phone_number", "nickname", "client__name"]
    fields = [
        "phone_number",
        "client",
        "provider",
        "type",
        "imported",
        "nickname",
        "rent_micros",
        "daily_cap",
        "resting_until",
        "resting_reason",
        "created_at",
        "released_at",
        "given_back_at",
    ]
    ordering = ["phone_number"]

    @admin.display(description=_("in use"), boolean=True)
    def active(self, number: PhoneNumber) -> bool:
        return number.is_active


@admin.register(NumberOrder)
class NumberOrderAdmin(ReadOnlyAdmin):
    """What was bought at Retell or Twilio, and what became of it."""

    list_display = [
        "created_at",
        "carrier",
        "status",
        "area_code",
        "phone_number",
        "ordered_by_email",
    ]
    list_filter = ["carrier", "status"]
    search_fields = ["phone_number", "ordered_by_email"]
    ordering = ["-created_at", "pk"]


@admin.register(VoiceAgent)
class VoiceAgentAdmin(ReadOnlyAdmin):
    """The agents as they exist at Retell."""

    list_display = ["provider_agent_id", "client", "published_version", "published_at"]
    list_select_related = ["client"]
    search_fields = ["provider_agent_id", "provider_llm_id", "client__name"]
    ordering = ["-created_at", "pk"]


@admin.register(Call)
class CallAdmin(CallRecordsAdmin):
    """Every call; its transcript stands under call details."""

    costs = ("retell_cost_micros",)

    list_display = [
        "created_at",
        "client",
        "to_number",
        "status",
        "outcome_class",
        "disconnection_reason",
        "duration_seconds",
        "provider_call_id",
    ]
    list_filter = ["status", "outcome_class", "direction"]
    list_select_related = ["client"]
    search_fields = ["provider_call_id", "to_number"]
    date_hierarchy = None
    ordering = ["-created_at", "pk"]
    show_full_result_count = False
    list_per_page = 50


@admin.register(CallDetail)
class CallDetailAdmin(CallRecordsAdmin):
    """The large parts of a call; the list leaves them where they are."""

    costs = ("call_cost", "product_costs")

    list_display = ["provider_call_id", "client"]
    list_select_related = ["call__client"]
    search_fields = ["call__provider_call_id"]
    ordering = ["-pk"]
    show_full_result_count = False
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[CallDetail]:
        rows: QuerySet[CallDetail] = super().get_queryset(request)
        if request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist"):
            return rows.only("pk", "call__provider_call_id", "call__client__name")
        return rows

    @admin.display(description=_("call"))
    def provider_call_id(self, detail: CallDetail) -> str:
        return detail.call.provider_call_id

    @admin.display(description=_("client"))
    def client(self, detail: CallDetail) -> str:
        return detail.call.client.name


@admin.register(CallErasure)
class CallErasureAdmin(ReadOnlyAdmin):
    """Calls of people who were erased, and whether Retell has deleted its copy."""

    list_display = ["provider_call_id", "status", "next_try_at", "done_at", "error"]
    list_filter = ["status"]
    search_fields = ["provider_call_id"]
    ordering = ["-created_at", "pk"]


@admin.register(Recording)
class RecordingAdmin(CallRecordsAdmin):
    """Our copies of recordings, and those that could not be had."""

    list_display = [
        "created_at",
        "call",
        "client",
        "status",
        "size_bytes",
        "attempts",
        "error",
        "stored_at",
    ]
    list_filter = ["status"]
    list_select_related = ["call", "client"]
    search_fields = ["call__provider_call_id", "client__name"]
    ordering = ["-pk"]
    show_full_result_count = False


@admin.register(CallLookup)
class CallLookupAdmin(CallRecordsAdmin):
    """What agents looked up during calls."""

    list_display = ["created_at", "call", "client", "status", "attempts", "error"]
    list_filter = ["status"]
    list_select_related = ["call", "client"]
    search_fields = ["call__provider_call_id", "client__name"]
    ordering = ["-pk"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[CallLookup]:
        rows: QuerySet[CallLookup] = super().get_queryset(request)
        return rows.defer("passages")


@admin.register(NumberDay)
class NumberDayAdmin(RecordAdmin):
    """What calls from each number came to by the day."""

    list_display = ["day", "phone_number", "dials", "picked", "machines", "short", "trouble"]
    search_fields = ["phone_number"]
    ordering = ["-day", "pk"]


@admin.register(NumberLease)
class NumberLeaseAdmin(RecordAdmin):
    """Which client had which number when."""

    list_display = ["number", "client", "from_at", "until_at"]
    list_select_related = ["number", "client"]
    search_fields = ["number__phone_number", "client__name"]
