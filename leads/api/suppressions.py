"""The do-not-call lists, a client's and the agency's, for programs: reading, adding, lifting."""

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
from accounts.api.permissions import AgencyFace, ClientFace
from convomono.lib import clock
from convomono.lib.keys import beside
from convomono.lib.phone import NumberRefused
from convomono.lib.phone_listed import listed_number
from leads.api.suppression_fields import (
    AgencyEntryWriteSerializer,
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


def _asked_number(text: str, country: str) -> str:
    """
    Return the number in the query string in E.164.

    :raises ValidationError: with the reason, if it is no number
    """
    if text[:1] == " " and text[1:2].isdecimal():
        text = f"+{text[1:]}"  # a + that wasn't encoded arrives as a blank
    try:
        return listed_number(text, country)
    except NumberRefused as refused:
        if refused.reason not in _NO_NUMBER and _E164.match(text):
            return text  # one that no plan has may be listed all the same: it called in
        raise ValidationError({"phone_number": [refused.reason]}, refused.reason) from refused


def _e164(data: dict[str, Any]) -> str:
    try:
        return listed_number(data["phone_number"], data["country"])
    except NumberRefused as refused:
        raise ValidationError({"phone_number": [refused.reason]}, refused.reason) from refused


def _client_id(request: Request) -> UUID:
    client_id = cast("User", request.user).client_id
    assert client_id is not None  # the permission asks for a client's person
    return client_id


def _clients_entries(request: Request) -> QuerySet[Suppression]:
    return Suppression.objects.filter(client_id=_client_id(request))


def _agencys_entries() -> QuerySet[Suppression]:
    return Suppression.objects.filter(level=Suppression.Level.AGENCY)


class _EntryList(generics.ListAPIView[Suppression]):
    """Entries, the newest first; one number's if it is asked for."""

    serializer_class = SuppressionSerializer
    pagination_class = NewestFirst
    queryset = Suppression.objects.none()

    def scope(self) -> dict[str, Any]:
        """Return the columns by which an entry is the caller's."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Suppression]:
        asked = self.request.query_params
        if "phone_number" not in asked:
            return Suppression.objects.filter(**self.scope())
        number = _asked_number(asked["phone_number"], asked.get("country", "US"))
        words = [number, *hashed_numbers(number)]
        return Suppression.objects.filter(beside(**self.scope()), phone_number__in=words)

    @extend_schema(parameters=[_NUMBER, _COUNTRY])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class SuppressionList(_EntryList):
    """Your do-not-call entries, the newest first."""

    permission_classes = [ClientFace]

    def scope(self) -> dict[str, Any]:
        return {"client_id": _client_id(self.request)}

    @extend_schema(request=SuppressionWriteSerializer, responses={201: SuppressionSerializer})
    def post(self, request: Request) -> Response:
        """Put a number on your list; it works at once. A second time changes nothing."""
        sent = SuppressionWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        data, client_id = sent.validated_data, _client_id(request)
        campaign_id = data.get("campaign_id")
        if campaign_id and not campaigns().has(client_id=client_id, campaign_id=campaign_id):
            raise Http404
        level = Suppression.Level.CAMPAIGN if campaign_id else Suppression.Level.CLIENT
        return _put(request, data, level=level, client_id=client_id, campaign_id=campaign_id)


class AgencyEntryList(_EntryList):
    """The agency's do-not-call entries, the newest first."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_campaigns"

    def scope(self) -> dict[str, Any]:
        return {"level": Suppression.Level.AGENCY}

    @extend_schema(request=AgencyEntryWriteSerializer, responses={201: SuppressionSerializer})
    def post(self, request: Request) -> Response:
        """Put a number on the agency's list; nobody calls it for any client. A second time changes nothing."""
        sent = AgencyEntryWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        level = Suppression.Level.AGENCY
        return _put(request, sent.validated_data, level=level, client_id=None, campaign_id=None)


def _put(
    request: Request,
    data: dict[str, Any],
    *,
    level: Suppression.Level,
    client_id: UUID | None,
    campaign_id: UUID | None,
) -> Response:
    row = suppress(
        level=level,
        client_id=client_id,
        campaign_id=campaign_id,
        phone_number=_e164(data),
        source=Suppression.Source.API,
        reason=data["reason"],
        actor=cast("User", request.user),
        now=clock.now(),
    )
    return Response(SuppressionSerializer(row).data, status=201)


class _EntryDetail(generics.GenericAPIView[Suppression]):
    """One entry."""

    serializer_class = SuppressionSerializer
    queryset = Suppression.objects.none()

    def entries(self) -> QuerySet[Suppression]:
        raise NotImplementedError

    @extend_schema(responses=SuppressionSerializer)
    def get(self, request: Request, suppression_id: UUID) -> Response:
        """Read one entry."""
        return Response(SuppressionSerializer(get_or_404(self.entries(), suppression_id)).data)

    @extend_schema(request=LiftSerializer, responses={204: None})
    def delete(self, request: Request, suppression_id: UUID) -> Response:
        """Take the number off, with the reason; it may be called again."""
        row = get_or_404(self.entries(), suppression_id)
        sent = LiftSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        lift_suppression(
            suppression=row,
            reason=sent.validated_data["reason"],
            actor=cast("User", request.user),
            now=clock.now(),
        )
        return Response(status=204)


class SuppressionDetail(_EntryDetail):
    """One entry of yours."""

    permission_classes = [ClientFace]

    def entries(self) -> QuerySet[Suppression]:
        return _clients_entries(self.request)


class AgencyEntryDetail(_EntryDetail):
    """One entry of the agency's list."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_campaigns"

    def entries(self) -> QuerySet[Suppression]:
        return _agencys_entries()
