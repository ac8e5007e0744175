"""Import and export of leads and do-not-call entries in the back office."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from import_export import fields, resources
from import_export.widgets import ForeignKeyWidget

from accounts.models import Client
from convomono.lib import clock
from convomono.lib.csvio import clean_cell, safe_cell
from convomono.lib.phone import NumberRefused, ParsedNumber, parse_number, time_zones
from leads.imports.verdicts import REASONS, Verdict
from leads.models import Lead, Suppression
from leads.services.suppressions import scope_key

if TYPE_CHECKING:
    from django.db.models import Model


class _SafeResource(resources.ModelResource):
    """Cells are untrusted both ways: safe when exported, cleaned when imported."""

    client = fields.Field("client", "client", ForeignKeyWidget(Client, "name"))

    def export_field(self, field: fields.Field, instance: Model, **kwargs: Any) -> Any:
        return safe_cell(super().export_field(field, instance, **kwargs))

    def before_import_row(self, row: dict[str, Any], **_kwargs: Any) -> None:
        for name, value in row.items():
            row[name] = clean_cell(value) if isinstance(value, str) else value


def _parsed(text: str, country: str) -> ParsedNumber:
    try:
        return parse_number(text, country or "US")
    except NumberRefused as exc:
        raise ValidationError({"phone_number": str(REASONS[Verdict(exc.reason)])}) from None


class LeadResource(_SafeResource):
    """Leads under the names of the API; a number stands once for each client."""

    lead_id = fields.Field("id", "lead_id", readonly=True)

    class Meta:
        model = Lead
        import_id_fields = ("client", "phone_number")
        fields = (
            "lead_id",
            "client",
            "phone_number",
            "first_name",
            "last_name",
            "email",
            "company",
            "country",
            "region",
            "postal_code",
            "time_zone",
            "external_id",
            "status",
            "consent_status",
        )
        skip_unchanged = True
        use_bulk = False

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        row["phone_number"] = _parsed(str(row.get("phone_number", "")), row.get("country", "")).e164
        for name in ("status", "consent_status"):  # what calls and statements say, not a table
            row.pop(name, None)

    def before_save_instance(self, instance: Lead, row: dict[str, Any], **_kwargs: Any) -> None:
        parsed = _parsed(instance.phone_number, instance.country)
        instance.country, instance.line_type = parsed.country, parsed.line_type
        instance.zone_candidates = list(time_zones(parsed.e164))
        instance.search_text = instance.searchable()
        instance.updated_at = clock.now()
        if getattr(instance, "created_at", None) is None:
            instance.created_at = instance.updated_at


class SuppressionResource(_SafeResource):
    """Do-not-call entries; without a client an entry is the agency's, for everybody."""

    class Meta:
        model = Suppression
        import_id_fields = ("scope_key",)
        fields = ("scope_key", "client", "phone_number", "reason")
        skip_unchanged = True
        use_bulk = False

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        super().before_import(dataset, **kwargs)
        if "scope_key" not in (dataset.headers or []):
            dataset.append_col([""] * len(dataset), header="scope_key")

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        number = _parsed(str(row.get("phone_number", "")), "").e164
        client = Client.objects.filter(name=row.get("client") or "").first()
        if row.get("client") and client is None:
            raise ValidationError({"client": "There is no client of this name."})
        row["phone_number"] = number
        row["scope_key"] = scope_key(
            level=_level(client),
            client_id=client.pk if client else None,
            campaign_id=None,
            phone_number=number,
        )

    def before_save_instance(
        self, instance: Suppression, row: dict[str, Any], **_kwargs: Any
    ) -> None:
        instance.level = _level(instance.client)
        instance.source = Suppression.Source.IMPORT
        if getattr(instance, "created_at", None) is None:
            instance.created_at = clock.now()


def _level(client: Client | None) -> Suppression.Level:
    return Suppression.Level.CLIENT if client else Suppression.Level.AGENCY
