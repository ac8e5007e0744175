"""Leads, consent, do-not-call and imports in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from import_export.admin import ImportExportModelAdmin
from unfold.admin import ModelAdmin
from unfold.contrib.import_export.forms import ExportForm, ImportForm

from audit import actions
from audit.services import record
from convomono.lib import clock
from convomono.lib.back_office import ReadOnlyAdmin, RecordAdmin
from convomono.lib.phone import NumberRefused, parse_number
from leads.imports.verdicts import REASONS, Verdict
from leads.models import (
    AgencyListing,
    Consent,
    Erasure,
    Lead,
    LeadImport,
    LeadNote,
    LeadOperation,
    LeadRequest,
    LeadStatusChange,
    SavedView,
    ScoreWeights,
    Suppression,
)
from leads.resources import LeadResource, SuppressionResource
from leads.services.suppressions import lift_suppression, suppress

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.functional import _StrPromise

    from accounts.models import User


MOST_EXPORTED = 10_000  # the file is made in memory, while somebody waits


class _ExchangeAdmin(ModelAdmin, ImportExportModelAdmin):
    """Rows that go out and come in as files: what goes out fits into memory, and is on record."""

    recorded_as: ClassVar[str]
    too_many: ClassVar[_StrPromise]

    def get_export_data(
        self, file_format: Any, request: HttpRequest, queryset: QuerySet[Any], **kwargs: Any
    ) -> Any:
        """
        Return the file.

        :raises ValueError: with a sentence, which the library shows, if there are too many rows for it
        """
        count = queryset.order_by()[: MOST_EXPORTED + 1].count()
        if count > MOST_EXPORTED:
            raise ValueError(self.too_many % {"most": f"{MOST_EXPORTED:,}"})
        data = super().get_export_data(file_format, request, queryset, **kwargs)
        record(
            self.recorded_as,
            resource=cast("User", request.user),
            actor=cast("User", request.user),
            now=clock.now(),
            details={"back_office": count},
        )
        return data


@admin.register(Lead)
class LeadAdmin(_ExchangeAdmin):
    """Every client's leads; numbers and what calls said of them aren't edited."""

    recorded_as = actions.LEADS_EXPORTED
    too_many = _(
        "These are more than %(most)s leads. Narrow the list down, or view the portal as the client "
        "and export there, under Leads: that takes any number."
    )

    resource_classes = [LeadResource]
    import_form_class = ImportForm
    export_form_class = ExportForm
    list_display = [
        "phone_number",
        "full_name",
        "line_type",
        "client",
        "status",
        "consent_status",
        "attempts_count",
        "created_at",
    ]
    list_filter = ["status", "consent_status", "client"]
    list_select_related = ["client"]
    search_fields = ["search_text"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    fields = [
        "client",
        "phone_number",
        ("first_name", "last_name"),
        ("email", "company"),
        ("country", "region", "postal_code"),
        "line_type",
        ("time_zone", "zone_candidates"),
        "external_id",
        "tags",
        "status",
        "consent_status",
        ("attempts_count", "last_outcome"),
        ("last_attempted_at", "next_attempt_at"),
        ("created_at", "updated_at"),
    ]
    readonly_fields = [
        "client",
        "phone_number",
        "country",
        "line_type",
        "zone_candidates",
        "status",
        "consent_status",
        "attempts_count",
        "last_outcome",
        "last_attempted_at",
        "next_attempt_at",
        "created_at",
        "updated_at",
    ]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # the lead's own page checks, records and scores what is changed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Lead], search_term: str
    ) -> tuple[QuerySet[Lead], bool]:
        found: tuple[QuerySet[Lead], bool] = super().get_search_results(
            request, queryset, search_term.casefold()
        )
        return found


@admin.register(Suppression)
class SuppressionAdmin(_ExchangeAdmin):
    """The three do-not-call lists; an entry is added or lifted, never changed."""

    recorded_as = actions.SUPPRESSIONS_EXPORTED
    too_many = _(
        "These are more than %(most)s entries. Narrow the list down, or export the agency's list under "
        "Do not call and a client's in its portal: that takes any number."
    )

    resource_classes = [SuppressionResource]
    import_form_class = ImportForm
    export_form_class = ExportForm
    list_display = ["phone_number", "level", "client", "source", "reason", "created_at"]
    list_filter = ["level", "source", "client"]
    list_select_related = ["client"]
    search_fields = ["phone_number", "reason"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    fields = ["client", "phone_number", "reason"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: Any = False, **kw: Any
    ) -> Any:
        form = super().get_form(request, obj, change, **kw)
        if "phone_number" in form.base_fields:
            form.base_fields["phone_number"].help_text = _("With + and the country code.")
            form.base_fields["phone_number"].validators.append(_is_number)
        return form

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: Any) -> None:
        """Add through the service; without a client the number is on the agency's list."""
        row = suppress(
            level=Suppression.Level.CLIENT if obj.client_id else Suppression.Level.AGENCY,
            client_id=obj.client_id,
            campaign_id=None,
            phone_number=parse_number(obj.phone_number).e164,
            source=Suppression.Source.PERSON,
            reason=obj.reason,
            actor=cast("User", request.user),
            now=clock.now(),
        )
        obj.pk = row.pk

    def delete_model(self, request: HttpRequest, obj: Suppression) -> None:
        lift_suppression(
            suppression=obj,
            reason=str(_("Lifted in the back office")),
            actor=cast("User", request.user),
            now=clock.now(),
        )

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        for row in queryset:
            self.delete_model(request, row)


def _is_number(text: str) -> None:
    try:
        parse_number(text)
    except NumberRefused as exc:
        raise ValidationError(REASONS[Verdict(exc.reason)]) from None


@admin.register(Consent)
class ConsentAdmin(ReadOnlyAdmin):
    """Proofs of consent, to look up."""

    list_display = ["lead", "client", "kind", "source", "given_at", "revoked_at"]
    list_filter = ["kind", "client"]
    list_select_related = ["lead", "client"]
    search_fields = ["source", "lead__phone_number"]
    ordering = ["-given_at", "-pk"]
    show_full_result_count = False


@admin.register(LeadImport)
class LeadImportAdmin(ReadOnlyAdmin):
    """Receipts of uploads."""

    list_display = ["file_name", "client", "status", "rows_total", "created_by_email", "created_at"]
    list_filter = ["status", "client"]
    list_select_related = ["client"]
    search_fields = ["file_name", "sha256", "created_by_email"]
    ordering = ["-created_at", "-pk"]
    exclude = ["stored_name"]


@admin.register(LeadOperation)
class LeadOperationAdmin(RecordAdmin):
    """Changes to many leads at once, and their undoing."""

    list_display = [
        "created_at",
        "client",
        "kind",
        "status",
        "total_count",
        "changed_count",
        "skipped_count",
        "created_by_email",
    ]
    list_filter = ["kind", "status"]
    list_select_related = ["client"]
    search_fields = ["client__name", "created_by_email"]
    exclude = ["stored_name"]


@admin.register(LeadStatusChange)
class LeadStatusChangeAdmin(RecordAdmin):
    """How each lead"s status came to be."""

    list_display = ["created_at", "client", "lead", "before", "after", "why", "changed_by_email"]
    list_filter = ["after"]
    list_select_related = ["client", "lead"]
    search_fields = ["lead__phone_number", "changed_by_email"]


@admin.register(LeadNote)
class LeadNoteAdmin(RecordAdmin):
    """What people wrote about leads."""

    list_display = ["created_at", "client", "lead", "author_email"]
    list_select_related = ["client", "lead"]
    search_fields = ["lead__phone_number", "author_email"]


@admin.register(Erasure)
class ErasureAdmin(RecordAdmin):
    """People who were erased: that it was done, and nothing of who they were."""

    list_display = ["created_at", "client", "lead_id", "done_at"]
    list_select_related = ["client"]
    search_fields = ["client__name"]
    exclude = ["number_hash"]


@admin.register(LeadRequest)
class LeadRequestAdmin(RecordAdmin):
    """Leads that programs sent under a key."""

    list_display = ["created_at", "client", "key", "lead_id", "is_new"]
    list_select_related = ["client"]
    search_fields = ["key", "client__name"]
    exclude = ["body_hash"]


@admin.register(AgencyListing)
class AgencyListingAdmin(RecordAdmin):
    """Lists for the agency"s do-not-call list."""

    list_display = [
        "created_at",
        "status",
        "country",
        "lines_total",
        "added_count",
        "refused_count",
        "created_by_email",
    ]
    list_filter = ["status"]
    search_fields = ["reason", "created_by_email"]
    exclude = ["stored_name"]


@admin.register(SavedView)
class SavedViewAdmin(RecordAdmin):
    """Filters that people kept."""

    list_display = ["name", "client", "user", "of_list", "created_at"]
    list_filter = ["of_list"]
    list_select_related = ["client", "user"]
    search_fields = ["name", "client__name", "user__email"]


@admin.register(ScoreWeights)
class ScoreWeightsAdmin(RecordAdmin):
    """How clients weigh what they know of a lead."""

    plural = "score weights"
    list_display = ["client", "changed_by_email", "changed_at", "scored_at"]
    list_select_related = ["client"]
    search_fields = ["client__name"]
