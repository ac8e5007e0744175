"""Numbers for programs: the agency lists, adds, assigns and releases them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.status import HTTP_204_NO_CONTENT

from accounts.api.permissions import AgencyFace
from accounts.api.problems import Conflict
from convomono.lib import clock
from telephony.api.serializers import AssignmentSerializer, PhoneNumberSerializer
from telephony.models import PhoneNumber
from telephony.services import (
    NumberExists,
    NumberIsReleased,
    add_number,
    assign_number,
    release_number,
)

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from accounts.models import User


class AdminPhoneNumberList(generics.ListCreateAPIView[PhoneNumber]):
    """List numbers, or add one that exists at Retell."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_phone_numbers"
    serializer_class = PhoneNumberSerializer
    queryset = PhoneNumber.objects.order_by("phone_number", "pk")

    def perform_create(self, serializer: BaseSerializer[PhoneNumber]) -> None:
        try:
            serializer.instance = add_number(
                **serializer.validated_data,
                actor=cast("User", self.request.user),
                now=clock.now(),
            )
        except NumberExists:
            raise ValidationError({"phone_number": [_("This number exists already.")]}) from None


class AdminPhoneNumberDetail(generics.GenericAPIView[PhoneNumber]):
    """Read a number, lend it to a client, or release it."""

    permission_classes = [AgencyFace]
    agency_permission = "manage_phone_numbers"
    serializer_class = PhoneNumberSerializer
    queryset = PhoneNumber.objects.all()
    lookup_url_kwarg = "number_id"

    def get(self, _request: Request, number_id: UUID) -> Response:
        """Read a number."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(request=AssignmentSerializer)
    def patch(self, request: Request, number_id: UUID) -> Response:
        """Lend the number to a client, or take it back into stock."""
        number = self.get_object()
        asked = AssignmentSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            assign_number(
                number=number,
                client=asked.validated_data["assigned_client_id"],
                actor=cast("User", request.user),
                now=clock.now(),
            )
        except NumberIsReleased:
            raise Conflict(_("The number was released, or changed meanwhile.")) from None
        return Response(self.get_serializer(number).data)

    def delete(self, request: Request, number_id: UUID) -> Response:
        """Release the number: nobody calls from it any more, and one bought at Twilio goes back."""
        release_number(number=self.get_object(), actor=cast("User", request.user), now=clock.now())
        return Response(status=HTTP_204_NO_CONTENT)
