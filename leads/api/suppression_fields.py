"""Do-not-call entries in the API's names."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from leads.models import Suppression


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    """A number on one of your lists; of an erased person the number is null."""

    suppression_id = serializers.UUIDField(source="pk", read_only=True)
    phone_number = serializers.SerializerMethodField()

    class Meta:
        model = Suppression
        fields = ["suppression_id", "phone_number", "level", "campaign_id", "source", "reason"]
        fields += ["call_id", "created_at"]
        read_only_fields = fields

    def get_phone_number(self, entry: Suppression) -> str | None:
        return None if entry.is_erased else entry.phone_number


class AgencyEntryWriteSerializer(serializers.Serializer[Any]):
    """A number that must not be called any more, for any client."""

    phone_number = serializers.CharField(max_length=40)
    country = serializers.RegexField("^[A-Z]{2}$", default="US")
    reason = serializers.CharField(max_length=200)


class SuppressionWriteSerializer(AgencyEntryWriteSerializer):
    """A number that must not be called any more; with `campaign_id`, for that campaign alone."""

    campaign_id = serializers.UUIDField(required=False)


class LiftSerializer(serializers.Serializer[Any]):
    """Why a number may be called again."""

    reason = serializers.CharField(max_length=200)
