"""Leads in the seed's field names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from rest_framework import serializers

from campaigns.models import Enrolment
from convomono.lib.words import without_controls
from leads.api.consents import ConsentSerializer
from leads.models import Lead
from leads.models.people import MOST_TAGS

if TYPE_CHECKING:
    from uuid import UUID


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    """A lead inside one campaign."""

    campaign_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = Enrolment
        fields = ["campaign_id", "status", "dynamic_vars", "last_attempted_at", "last_call_id"]
        read_only_fields = fields


class LeadSerializer(serializers.ModelSerializer[Lead]):
    """
    A lead with one enrolment flattened into it, and all of them in `enrolments`.

    That is the one in the campaign that was asked for, else the newest. `status` is its status, and the
    lead's own without one; `lead_status` is the lead's own in any case.
    """

    lead_id = serializers.UUIDField(source="pk", read_only=True)
    client_id = serializers.UUIDField(read_only=True)
    campaign_id = serializers.UUIDField(read_only=True, allow_null=True)
    status = serializers.CharField(read_only=True)
    lead_status = serializers.ChoiceField(Lead.Status.choices, source="status", read_only=True)
    dynamic_vars = serializers.DictField(read_only=True, default=dict)
    enrolments = EnrolmentSerializer(source="newest_enrolments", many=True, read_only=True)

    class Meta:
        model = Lead
        fields = [
            "lead_id",
            "client_id",
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
            "other_numbers",
            "line_type",
            "consent_status",
            "campaign_id",
            "status",
            "lead_status",
            "dynamic_vars",
            "last_outcome",
            "attempts_count",
            "last_attempted_at",
            "next_attempt_at",
            "last_call_id",
            "score",
            "tags",
            "created_at",
            "enrolments",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Lead) -> dict[str, Any]:
        shown = super().to_representation(instance)
        enrolments: list[dict[str, Any]] = shown["enrolments"]
        asked: UUID | None = self.context.get("campaign_id")
        newest = enrolments[0] if enrolments else {}
        flat = next((one for one in enrolments if one["campaign_id"] == str(asked)), newest)
        return {**shown, **flat}


def _without_braces(text: str) -> None:
    if "{{" in text or "}}" in text:
        raise serializers.ValidationError("Two braces may not stand here.", code="variable")


class SpokenField(serializers.CharField):
    """A text that the agent may say: nothing in it is taken for a variable, no control character stays."""

    default_validators = [_without_braces]

    def to_internal_value(self, data: Any) -> str:
        return without_controls(super().to_internal_value(data))


class _TagField(serializers.RegexField):
    """A tag, without control characters."""

    def to_internal_value(self, data: Any) -> str:
        return without_controls(super().to_internal_value(data))


class LeadChangeSerializer(serializers.Serializer[Any]):
    """What can be changed of a lead; what isn't sent stays. Another number is another lead."""

    first_name = SpokenField(max_length=120, allow_blank=True, default="")
    last_name = SpokenField(max_length=120, allow_blank=True, default="")
    email = serializers.EmailField(
        max_length=254, allow_blank=True, default="", validators=[_without_braces]
    )
    company = SpokenField(max_length=200, allow_blank=True, default="")
    region = SpokenField(max_length=64, allow_blank=True, default="")
    postal_code = SpokenField(max_length=16, allow_blank=True, default="")
    time_zone = serializers.CharField(max_length=64, allow_blank=True, default="")
    external_id = SpokenField(max_length=120, allow_blank=True, default="")
    tags = serializers.ListField(
        child=_TagField(r"^[^,#{}]+$", max_length=40),
        max_length=MOST_TAGS,
        default=list,
    )

    def validate_time_zone(self, zone: str) -> str:
        if zone and zone not in available_timezones():
            raise serializers.ValidationError("This is no IANA time zone.")
        return zone


class LeadWriteSerializer(LeadChangeSerializer):
    """One lead; with `campaign_id` it is enrolled too, and waits for that campaign's next launch."""

    phone_number = serializers.CharField(max_length=40)
    country = serializers.RegexField("^[A-Z]{2}$", default="US")
    campaign_id = serializers.UUIDField(required=False)
    dynamic_vars = serializers.DictField(
        child=serializers.RegexField(r"^(?!.*(\{\{|\}\})).*$", max_length=500), default=dict
    )
    consent = ConsentSerializer(required=False)
