"""The do-not-call list for programs: reading, adding, lifting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from accounts.access import get_or_404
from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace
from convomono.lib import clock
from convomono.lib.phone import NumberRefused, parse_number
from leads.api.suppression_fields import (
    LiftSerializer,
    SuppressionSerializer,
    SuppressionWriteSerializer,
)
from leads.doors import campaigns
from leads.models import Suppression
from leads.services import lift_suppression, suppress

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User

_NUMBER = OpenApiParameter("phone_number", str, description="Only this number, in E.164.")


def _own(request: Request) -> QuerySet[Suppression]:
    return Suppression.objects.filter(client=cast("User", request.user).client)


class SuppressionList(generics.ListAPIView[Suppression]):
    """Your do-not-call entries, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = SuppressionSerializer
    pagination_class = NewestFirst
    queryset = Suppression.objects.none()

    def get_queryset(self) -> QuerySet[Suppression]:
        rows = _own(self.request)
        if number := self.request.query_params.get("phone_number"):
            rows = rows.filter(phone_number=number)
        return rows

    @extend_schema(parameters=[_NUMBER])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(request=SuppressionWriteSerializer, responses={201: SuppressionSerializer})
    def post(self, request: Request) -> Response:
        """Put a number on your list; it works at once. A second time changes nothing."""
        sent = SuppressionWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        user, data = cast("User", request.user), sent.validated_data
        campaign_id = data.get("campaign_id")
        if campaign_id and str(campaign_id) not in dict(campaigns().choices(_client_id(user))):
            raise Http404
        try:
            number = parse_number(data["phone_number"], data["country"]).e164
        except NumberRefused as refused:
            raise ValidationError({"phone_number": refused.reason}, refused.reason) from refused
        row = suppress(
            level=Suppression.Level.CAMPAIGN if campaign_id else Suppression.Level.CLIENT,
            client_id=user.client_id,
            campaign_id=campaign_id,
            phone_number=number,
            source=Suppression.Source.API,
            reason=data["reason"],
            actor=user,
            now=clock.now(),
        )
        return Response(SuppressionSerializer(row).data, status=201)


def _client_id(user: User) -> UUID:
    assert user.client_id is not None  # the permission asks for a client's person
    return user.client_id


class SuppressionDetail(generics.GenericAPIView[Suppression]):
    """One entry."""

    permission_classes = [ClientFace]
    serializer_class = SuppressionSerializer
    queryset = Suppression.objects.none()

    @extend_schema(responses=SuppressionSerializer)
    def get(self, request: Request, suppression_id: UUID) -> Response:
        """Read one entry."""
        return Response(SuppressionSerializer(get_or_404(_own(request), suppression_id)).data)

    @extend_schema(request=LiftSerializer, responses={204: None})
    def delete(self, request: Request, suppression_id: UUID) -> Response:
        """Take the number off, with the reason; it may be called again."""
        row = get_or_404(_own(request), suppression_id)
        sent = LiftSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        lift_suppression(
            suppression=row,
            reason=sent.validated_data["reason"],
            actor=cast("User", request.user),
            now=clock.now(),
        )
        return Response(status=204)
