"""How a lead agreed to be called, for programs: reading, recording, taking back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers
from rest_framework.response import Response

from accounts.access import get_or_404
from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace
from accounts.api.problems import Conflict
from convomono.lib import clock
from convomono.lib.days import FIRST
from leads.models import Consent, Lead
from leads.services.consents import revoke_consent
from leads.services.filling import ConsentTakenBack, keep_consent
from leads.services.people import ConsentStatement

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User


class LeadConsentSerializer(serializers.ModelSerializer[Consent]):
    """How a lead agreed to be called; `revoked_at` and `revoked_how` once that was taken back."""

    consent_id = serializers.UUIDField(source="pk", read_only=True)
    lead_id = serializers.UUIDField(read_only=True)
    import_id = serializers.UUIDField(source="lead_import_id", read_only=True, allow_null=True)

    class Meta:
        model = Consent
        fields = [
            *(
                "consent_id",
                "lead_id",
                "kind",
                "source",
                "wording",
                "seller",
                "given_from",
                "given_at",
            ),
            *("import_id", "proof_name", "revoked_at", "revoked_how", "created_at"),
        ]
        read_only_fields = fields


class ConsentSerializer(serializers.Serializer[Any]):
    """How a lead agreed: where somebody could look it up, and what they agreed to, word for word."""

    kind = serializers.ChoiceField(Consent.Kind.choices)
    source = serializers.CharField(max_length=200)  # type: ignore[assignment] # the field's name
    wording = serializers.CharField(max_length=2000, allow_blank=True, default="")
    seller = serializers.CharField(max_length=200, allow_blank=True, default="")
    given_from = serializers.IPAddressField(required=False, default="", allow_blank=True)
    given_at = serializers.DateTimeField()

    def validate_given_at(self, given_at: datetime) -> datetime:
        if given_at.date() < FIRST:
            raise serializers.ValidationError("It is before 2000.")
        if given_at > clock.now():
            raise serializers.ValidationError("It is in the future.")
        return given_at


class RevokeSerializer(serializers.Serializer[Any]):
    """How a lead took the consent back: when, and to whom."""

    how = serializers.CharField(max_length=200)


def _lead(request: Request, lead_id: UUID) -> Lead:
    mine = Lead.objects.visible_to(cast("User", request.user))
    return get_or_404(mine.filter(erased_at=None), lead_id)


class LeadConsentList(generics.ListAPIView[Consent]):
    """A lead's consents, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = LeadConsentSerializer
    pagination_class = NewestFirst
    queryset = Consent.objects.none()

    def get_queryset(self) -> QuerySet[Consent]:
        lead = _lead(self.request, self.kwargs["lead_id"])
        return Consent.objects.filter(client_id=lead.client_id, lead=lead)

    @extend_schema(
        request=ConsentSerializer,
        responses={201: LeadConsentSerializer, 200: LeadConsentSerializer},
    )
    def post(self, request: Request, lead_id: UUID) -> Response:
        """
        Record how the lead agreed; they may be called then.

        A second time changes nothing and answers 200. What was given before a consent was taken back answers 409
        with the code `consent_revoked`.
        """
        lead = _lead(request, lead_id)
        sent = ConsentSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        statement = ConsentStatement(**sent.validated_data)
        try:
            consent, is_new = keep_consent(
                lead=lead, consent=statement, actor=cast("User", request.user), now=clock.now()
            )
        except ConsentTakenBack:
            raise Conflict(
                "A consent was taken back after this one was given.", code="consent_revoked"
            ) from None
        if consent is None:
            raise Http404  # erased meanwhile
        return Response(LeadConsentSerializer(consent).data, status=201 if is_new else 200)


class LeadConsentRevoke(generics.GenericAPIView[Consent]):
    """A lead takes the consent back."""

    permission_classes = [ClientFace]
    serializer_class = RevokeSerializer
    queryset = Consent.objects.none()

    @extend_schema(request=RevokeSerializer, responses={204: None})
    def post(self, request: Request, lead_id: UUID) -> Response:
        """
        Note that the lead took the consent back: nobody calls them from now on; the proofs stay, marked.

        If there is none to take back it answers 409 with the code `no_consent`.
        """
        lead = _lead(request, lead_id)
        sent = RevokeSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        how, user = sent.validated_data["how"], cast("User", request.user)
        if not revoke_consent(lead=lead, how=how, actor=user, now=clock.now()):
            raise Conflict("There is no consent to take back.", code="no_consent")
        return Response(status=204)
