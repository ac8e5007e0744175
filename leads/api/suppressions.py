"""The do-not-call list for programs: reading, adding, lifting."""

from __future__ import annotations

import re
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
from leads.services.suppressions import hashed_numbers

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User

_NUMBER = OpenApiParameter(
    "phone_number", str, description="Only this number, however it is written; + is sent as %2B."
)
_COUNTRY = OpenApiParameter(
    "country", str, description="Whose number it is if it has no country code; US by default."
)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_NO_NUMBER = {"phone_missing", "phone_damaged", "phone_too_short", "phone_too_long"}


def _own(request: Request) -> QuerySet[Suppression]:
    return Suppression.objects.filter(client=cast("User", request.user).client)


def _asked_number(text: str, country: str) -> str:
    """
    Return the number in the query string in E.164.

    One that may not be called (a toll-free one, say) may be listed all the same: it called in.

    :raises ValidationError: with the reason, if it is no number
    """
    if text[:1] == " " and text[1:2].isdecimal():
        text = f"+{text[1:]}"  # a + that wasn't encoded arrives as a blank
    try:
        return parse_number(text, country).e164
    except NumberRefused as refused:
        if refused.reason not in _NO_NUMBER and _E164.match(text):
            return text
        raise ValidationError({"phone_number": [refused.reason]}, refused.reason) from refused


class SuppressionList(generics.ListAPIView[Suppression]):
    """Your do-not-call entries, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = SuppressionSerializer
    pagination_class = NewestFirst
    queryset = Suppression.objects.none()

    def get_queryset(self) -> QuerySet[Suppression]:
        rows, asked = _own(self.request), self.request.query_params
        if "phone_number" in asked:
            number = _asked_number(asked["phone_number"], asked.get("country", "US"))
            rows = rows.filter(phone_number__in=[number, *hashed_numbers(number)])
        return rows

    @extend_schema(parameters=[_NUMBER, _COUNTRY])
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
