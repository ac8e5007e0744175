"""Numbers for programs, in the seed's names."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import Client
from convomono.lib.phone import NumberRefused
from telephony.forms import caller_number
from telephony.models import PhoneNumber


class PhoneNumberSerializer(serializers.ModelSerializer[PhoneNumber]):
    """A number and the client it is lent to (null: in stock); `is_active` until it is released."""

    phone_number_id = serializers.UUIDField(source="pk", read_only=True)
    assigned_client_id = serializers.UUIDField(source="client_id", read_only=True, allow_null=True)
    is_active = serializers.BooleanField(read_only=True)
    phone_number = serializers.CharField(max_length=32)

    class Meta:
        model = PhoneNumber
        fields = [
            "phone_number_id",
            "phone_number",
            "provider",
            "assigned_client_id",
            "type",
            "imported",
            "is_active",
            "nickname",
            "created_at",
        ]
        read_only_fields = ["created_at"]

    def validate_phone_number(self, value: str) -> str:
        try:
            return caller_number(value)
        except NumberRefused:
            raise serializers.ValidationError(
                _("Write the number in E.164, such as +14155550100.")
            ) from None


class AssignmentSerializer(serializers.Serializer[PhoneNumber]):
    """The client that a number is lent to; null takes it back into stock."""

    assigned_client_id = serializers.PrimaryKeyRelatedField(
        queryset=Client.objects.filter(status=Client.Status.ACTIVE), allow_null=True
    )
