"""Imports for programs."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.api.parsers import read_json
from convomono.lib import clock
from convomono.lib.days import FIRST
from leads.forms.consent import COUNTRIES
from leads.imports.columns import FIELDS
from leads.imports.rows import MAX_VARIABLE
from leads.models import Consent, LeadImport

_KINDS = [*Consent.Kind.values, "columns", "none"]


class ImportSerializer(serializers.ModelSerializer[LeadImport]):
    """
    An import with where it stands.

    `counts` maps each verdict, and each warning, to its number of rows; `zones` maps
    "place|zones" to people who may be called there.
    """

    import_id = serializers.UUIDField(source="pk", read_only=True)
    client_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = LeadImport
        fields = [
            "import_id",
            "client_id",
            "campaign_id",
            "file_name",
            "sha256",
            "size_bytes",
            "status",
            "error",
            "rows_total",
            "rows_done",
            "rows_per_second",
            "counts",
            "zones",
            "undo_counts",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


class ImportDetailSerializer(ImportSerializer):
    """An import with its columns and options as well."""

    header = serializers.SerializerMethodField()
    options = serializers.SerializerMethodField()

    class Meta(ImportSerializer.Meta):
        fields = [*ImportSerializer.Meta.fields, "header", "mapping", "options"]
        read_only_fields = fields

    def get_header(self, row: LeadImport) -> list[str]:
        header: list[str] = row.detected["header"]
        return header

    def get_options(self, row: LeadImport) -> dict[str, Any]:
        # A proof of consent is for managers, on the import's page.
        return {
            name: value
            for name, value in row.options.items()
            if not name.startswith("consent_proof")
        }


def _read(data: Any) -> Any:
    """
    Return what was sent as JSON, or, in a form, as its text.

    :raises serializers.ValidationError: if the text is no JSON
    """
    if not isinstance(data, str):
        return data
    try:
        return read_json(data)
    except ValueError:
        raise serializers.ValidationError("This is no JSON.", code="invalid") from None


class _Meanings(serializers.JSONField):
    """A JSON object of columns (by name or number from 0) to fields or `{{variables}}`."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        found = _read(data)
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise serializers.ValidationError("An object of column names to fields.")
        return {str(name): meaning for name, meaning in found.items()}


def _is_object(found: Any) -> bool:
    return isinstance(found, dict)


def _is_long(text: str) -> bool:
    return len(text) > MAX_VARIABLE


class _Defaults(serializers.JSONField):
    """A JSON object of script variables to what is said where the cell is empty."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        found = _read(data)
        texts = [one for one in found.values() if isinstance(one, str)] if _is_object(found) else []
        if not _is_object(found) or len(texts) != len(found) or any(map(_is_long, texts)):
            raise serializers.ValidationError("An object of variables to short texts.")
        if any("{{" in one or "}}" in one for one in texts):
            raise serializers.ValidationError("Two braces may not stand here.")
        return {str(name): text for name, text in found.items()}


class ImportWriteSerializer(serializers.Serializer[Any]):
    """
    A spreadsheet to import: the file, or its rows as CSV text in `csv`.

    `dry_run` (the default) checks every row and waits for `commit/`; without it good rows are
    imported right after the check. `mapping` maps columns to fields or "{{variable}}"; what it leaves
    out is guessed as on the page, your earlier imports among what is looked at. `defaults` says what stands in for
    empty script variables; `lost_plus` reads 447911123456 as +447911123456 (guessed if you don't say it); `refused_lines` leaves out kinds of line. `consent_kind` "none" means that nobody agreed yet. With
    `consent_by_row` only those agreed of whom a column has the day; kind "columns" is "express" with that.
    """

    file = serializers.FileField(required=False)
    csv = serializers.CharField(required=False, max_length=2_000_000, trim_whitespace=False)
    file_name = serializers.CharField(required=False, max_length=200, default="API")
    campaign_id = serializers.UUIDField(required=False, allow_null=True)
    dry_run = serializers.BooleanField(default=True)
    mapping = _Meanings(required=False)
    country = serializers.ChoiceField(
        COUNTRIES,
        required=False,
        help_text=(
            "Whose numbers they are that have no country code. Left out: the country of your last import that was "
            "committed; before the first, that of your time zone, or US."
        ),
    )
    duplicates = serializers.ChoiceField(["first", "last", "merge"], default="first")
    existing = serializers.ChoiceField(["fill", "overwrite", "skip"], default="fill")
    lost_plus = serializers.BooleanField(default=None, allow_null=True)
    tags = serializers.CharField(required=False, default="", max_length=200, allow_blank=True)
    refused_lines = serializers.MultipleChoiceField(
        choices=["landline", "mobile", "voip"], default=set
    )
    defaults = _Defaults(default=dict)
    consent_kind = serializers.ChoiceField(_KINDS)
    consent_source = serializers.CharField(required=False, max_length=200, default="")
    consent_wording = serializers.CharField(required=False, max_length=2000, default="")
    consent_seller = serializers.CharField(required=False, max_length=200, default="")
    consent_given_at = serializers.DateTimeField(required=False)
    consent_by_row = serializers.BooleanField(default=False)

    def validate_mapping(self, mapping: dict[str, str]) -> dict[str, str]:
        for meaning in mapping.values():
            if meaning and meaning not in FIELDS and not meaning.startswith("{{"):
                raise serializers.ValidationError(f"{meaning!r} is no field.")
        return mapping

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("csv" in attrs):
            raise serializers.ValidationError({"file": "Send either a file or csv."})
        if attrs["consent_kind"] == "columns":
            attrs |= {"consent_kind": Consent.Kind.EXPRESS.value, "consent_by_row": True}
            attrs.pop("consent_given_at", None)
        if attrs["consent_kind"] == "none":
            attrs["consent_by_row"] = False
        elif attrs["consent_by_row"]:
            if "consent_given_at" in attrs:
                raise serializers.ValidationError({"consent_given_at": "Each row says its own."})
        else:
            for name in ("consent_source", "consent_given_at"):
                if not attrs.get(name):
                    raise serializers.ValidationError({name: "Say it for this kind of consent."})
            if attrs["consent_given_at"].date() < FIRST:
                raise serializers.ValidationError({"consent_given_at": "It is before 2000."})
            if attrs["consent_given_at"] > clock.now():
                raise serializers.ValidationError({"consent_given_at": "It is in the future."})
        return attrs


class ImportRowSerializer(serializers.Serializer[Any]):
    """A row of the file with its verdict."""

    row = serializers.IntegerField(source="number")
    verdict = serializers.CharField()
    column = serializers.CharField()
    reason = serializers.CharField()
    cells = serializers.ListField(child=serializers.CharField())


class ImportStopSerializer(serializers.Serializer[Any]):
    """Whether what was imported so far is kept."""

    keep = serializers.BooleanField(default=True)
