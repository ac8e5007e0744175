"""Clients for programs: the agency lists, opens and changes accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from zoneinfo import available_timezones

from django.utils.translation import gettext_lazy as _
from rest_framework import generics, serializers
from rest_framework.exceptions import ValidationError

from accounts.api.permissions import AgencyFace
from accounts.models import CALLS_AT_ONCE, Client
from accounts.services import NameTaken, change_client
from billing.clients.forms import MAX_CALLS_AT_ONCE, MAX_PRICE_DOLLARS
from billing.clients.services import open_account
from convomono.lib import clock, money

if TYPE_CHECKING:
    from rest_framework.serializers import BaseSerializer

    from accounts.models import User

NAME_TAKEN = {"name": [_("Another client has this name.")]}


class ClientSerializer(serializers.ModelSerializer[Client]):
    """A client with its credits, in the seed's names; minutes have two decimals."""

    client_id = serializers.UUIDField(source="pk", read_only=True)
    concurrency_limit = serializers.IntegerField(
        min_value=1, max_value=MAX_CALLS_AT_ONCE, required=False
    )
    credits_total_minutes = serializers.DecimalField(14, 2, read_only=True)
    credits_available_minutes = serializers.DecimalField(14, 2, read_only=True)
    credits_reserved_minutes = serializers.DecimalField(14, 2, read_only=True)
    credits_consumed_minutes = serializers.DecimalField(14, 2, read_only=True)
    billing_rate = serializers.DecimalField(12, 4, read_only=True)

    class Meta:
        model = Client
        fields = [
            "client_id",
            "name",
            "status",
            "time_zone",
            "contact_email",
            "concurrency_limit",
            "credits_total_minutes",
            "credits_available_minutes",
            "credits_reserved_minutes",
            "credits_consumed_minutes",
            "billing_rate",
            "created_at",
        ]
        read_only_fields = ["status", "created_at"]

    def validate_time_zone(self, value: str) -> str:
        if value not in available_timezones():
            raise serializers.ValidationError(_("This is no time zone, such as America/New_York."))
        return value


class ClientOpenSerializer(ClientSerializer):
    """A new client, with its first price in US dollars per minute."""

    billing_rate = serializers.DecimalField(8, 4, min_value=0, max_value=MAX_PRICE_DOLLARS)


class AdminClientList(generics.ListCreateAPIView[Client]):
    """List clients by age, newest first, or open an account."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_clients"
    queryset = Client.objects.select_related("wallet")

    def get_serializer_class(self) -> type[BaseSerializer[Client]]:
        return ClientOpenSerializer if self.request.method == "POST" else ClientSerializer

    def perform_create(self, serializer: BaseSerializer[Client]) -> None:
        asked: dict[str, Any] = serializer.validated_data
        try:
            serializer.instance = open_account(
                name=asked["name"],
                time_zone=asked.get("time_zone", "UTC"),
                contact_email=asked.get("contact_email", ""),
                concurrency_limit=asked.get("concurrency_limit", CALLS_AT_ONCE),
                price_per_minute_micros=money.micros_from_dollars(asked["billing_rate"]),
                actor=cast("User", self.request.user),
                now=clock.now(),
            )
        except NameTaken:
            raise ValidationError(NAME_TAKEN) from None


class AdminClientDetail(generics.RetrieveUpdateAPIView[Client]):
    """Show a client, or change its particulars."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_clients"
    serializer_class = ClientSerializer
    queryset = Client.objects.select_related("wallet")
    lookup_url_kwarg = "client_id"
    http_method_names = ["get", "patch", "options"]

    def perform_update(self, serializer: BaseSerializer[Client]) -> None:
        client = cast("Client", serializer.instance)
        asked: dict[str, Any] = serializer.validated_data
        columns = {
            name: asked.get(name, getattr(client, name))
            for name in ("name", "time_zone", "contact_email", "concurrency_limit")
        }
        try:
            change_client(
                client=client, actor=cast("User", self.request.user), now=clock.now(), **columns
            )
        except NameTaken:
            raise ValidationError(NAME_TAKEN) from None
        client.refresh_from_db()
