"""Calls and leads for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from django.db.models import F, OuterRef, Prefetch, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.serializers import UUIDField

from accounts.access import get_or_404
from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace
from accounts.api.problems import Conflict
from campaigns.api.lead_fields import LeadChangeSerializer, LeadSerializer, LeadWriteSerializer
from campaigns.api.serializers import CallDetailSerializer, CallSerializer
from campaigns.models import Campaign, Enrolment
from campaigns.services.enrolment import enrol_lead
from campaigns.services.variables import variable_rules
from campaigns.variables import merged, problems
from convomono.lib import clock
from convomono.lib.phone import NumberRefused
from leads.imports.work import Pace
from leads.models import Lead
from leads.services import (
    ERASED,
    ConsentStatement,
    LeadExists,
    LeadFields,
    PersonErased,
    create_lead,
)
from leads.services.filling import fill_lead
from leads.services.operations import delete_lead
from leads.services.people import CHANGEABLE, change_lead
from leads.services.requests import MAX_KEY, KeyReused, find_answer, remember_answer
from telephony.models import Call

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import Client, User

_CAMPAIGN = OpenApiParameter("campaign_id", str, description="Only those of this campaign.")
_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A word of your own for this lead: sent again, it changes nothing.",
)
_STATUS = OpenApiParameter("status", str, description="Only those in this status.")
_LEAD_STATUS = OpenApiParameter("lead_status", str, description="Only those of this `lead_status`.")


def _asked_id(request: Request, name: str) -> Any:
    """Return the id in the query string; None without one."""
    value = request.query_params.get(name)
    return UUIDField().run_validation(value) if value else None


@extend_schema(parameters=[_CAMPAIGN, _STATUS])
class CallList(generics.ListAPIView[Call]):
    """Your calls, the newest first, without transcripts."""

    permission_classes = [ClientFace]
    serializer_class = CallSerializer
    pagination_class = NewestFirst
    queryset = Call.objects.all()

    def get_queryset(self) -> QuerySet[Call]:
        rows = Call.objects.visible_to(cast("User", self.request.user))
        if campaign_id := _asked_id(self.request, "campaign_id"):
            rows = rows.filter(campaign_id=campaign_id)
        if status := self.request.query_params.get("status"):
            rows = rows.filter(status=status)
        return rows


class CallDetail(generics.RetrieveAPIView[Call]):
    """One call with its transcript and analysis."""

    permission_classes = [ClientFace]
    serializer_class = CallDetailSerializer
    lookup_url_kwarg = "call_id"
    queryset = Call.objects.all()

    def get_queryset(self) -> QuerySet[Call]:
        return Call.objects.visible_to(cast("User", self.request.user)).select_related("detail")


_NEWEST = Enrolment.objects.order_by("-created_at", "-pk")
# What the serializer shows as `status` of a lead in no particular campaign.
_SHOWN_STATUS = Coalesce(
    Subquery(_NEWEST.filter(lead=OuterRef("pk")).values("status")[:1]), F("status")
)


def _leads(user: User) -> QuerySet[Lead]:
    return (
        Lead.objects.visible_to(user)
        .filter(erased_at=None)
        .prefetch_related(
            Prefetch("enrolments", queryset=_NEWEST.all(), to_attr="newest_enrolments")
        )
    )


class LeadList(generics.ListAPIView[Lead]):
    """Your leads, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = LeadSerializer
    pagination_class = NewestFirst
    queryset = Lead.objects.all()

    def get_queryset(self) -> QuerySet[Lead]:
        rows, asked = _leads(cast("User", self.request.user)), self.request.query_params
        status = asked.get("status")
        if campaign_id := _asked_id(self.request, "campaign_id"):
            # In one condition: the same enrolment is meant by both.
            its = {"enrolments__status": status} if status else {}
            rows = rows.filter(enrolments__campaign_id=campaign_id, **its)
        elif status:
            rows = rows.annotate(shown_status=_SHOWN_STATUS).filter(shown_status=status)
        if own := asked.get("lead_status"):
            rows = rows.filter(status=own)
        return rows

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        # While the schema is made nobody asks for a campaign.
        is_description = getattr(self, "swagger_fake_view", False)
        asked = None if is_description else _asked_id(self.request, "campaign_id")
        return {**context, "campaign_id": asked}

    @extend_schema(parameters=[_CAMPAIGN, _STATUS, _LEAD_STATUS])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request=LeadWriteSerializer,
        responses={201: LeadSerializer, 200: LeadSerializer},
        parameters=[_KEY],
    )
    def post(self, request: Request) -> Response:
        """
        Add a lead and, with a campaign, enrol it; 200 if the client has this number already.

        Of a lead that is there gaps are filled, tags added, and a consent that is news is recorded.

        Under the same `Idempotency-Key` the same body is answered as the first time, for a week.
        """
        user = cast("User", request.user)
        key, body = _asked_key(request), _canonical(request)
        if key and (answer := _first_answer(user, key, body, request.data)):
            return answer
        sent = LeadWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        data = sent.validated_data
        campaign = None
        if campaign_id := data.get("campaign_id"):
            campaign = get_or_404(Campaign.objects.visible_to(user), campaign_id)
            if campaign.status == Campaign.Status.ARCHIVED:
                raise Conflict("The campaign is archived: nobody is added to it.", code="archived")
            _check_variables(campaign, data)
        lead, is_new = _find_or_add(user, data)
        if campaign is not None:
            enrol_lead(
                campaign=campaign, lead=lead, dynamic_vars=data["dynamic_vars"], now=clock.now()
            )
        if key:
            is_new = _remember(user, key, body, lead, is_new=is_new)
        return _shown(user, lead.pk, is_new=is_new, campaign_id=campaign_id)


def _shown(
    user: User, lead_id: UUID, *, is_new: bool = False, campaign_id: UUID | None = None
) -> Response:
    lead = get_or_404(_leads(user), lead_id)
    shown = LeadSerializer(lead, context={"campaign_id": campaign_id})
    return Response(shown.data, status=201 if is_new else 200)


def _asked_key(request: Request) -> str:
    """
    Return the request's key, empty without one.

    :raises ValidationError: if it is too long or no plain text
    """
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
        sentence = f"At most {MAX_KEY} plain characters, a new key for each lead."
        raise ValidationError({"Idempotency-Key": [sentence]}, code="idempotency_key")
    return key


def _canonical(request: Request) -> str:
    return json.dumps(request.data, sort_keys=True, default=str)


def _first_answer(user: User, key: str, body: str, sent: Any) -> Response | None:
    try:
        there = find_answer(client_id=cast("UUID", user.client_id), key=key, body=body)
    except KeyReused:
        raise _reused() from None
    if there is None:
        return None
    # The body is the one that was valid the first time.
    campaign_id = UUIDField().run_validation(sent["campaign_id"]) if "campaign_id" in sent else None
    answer = _shown(user, there.lead_id, is_new=there.is_new, campaign_id=campaign_id)
    answer["Idempotency-Replayed"] = "true"
    return answer


def _remember(user: User, key: str, body: str, lead: Lead, *, is_new: bool) -> bool:
    """Keep the answer and return whether the lead counts as new: of two at once the first says."""
    client_id = cast("UUID", user.client_id)
    try:
        kept = remember_answer(
            client_id=client_id, key=key, body=body, lead_id=lead.pk, is_new=is_new, now=clock.now()
        )
    except KeyReused:
        raise _reused() from None
    return kept.is_new


def _reused() -> Conflict:
    return Conflict("This key came with another body before.", code="idempotency_key_reused")


def _check_variables(campaign: Campaign, data: dict[str, Any]) -> None:
    """
    Refuse values that the campaign's variables can't have, before anything is stored.

    :raises ValidationError: with the code of each, by name
    """
    own = {name: data[name] for name in ("first_name", "last_name", "company", "email")}
    own["full_name"] = f"{own['first_name']} {own['last_name']}".strip()
    own["phone_number"] = data["phone_number"]
    values = merged(own, data["dynamic_vars"])
    if wrong := problems(variable_rules(campaign.pk), values):
        raise ValidationError({"dynamic_vars": wrong}, code="variable")


def _find_or_add(user: User, data: dict[str, Any]) -> tuple[Lead, bool]:
    fields = LeadFields(**{name: data[name] for name in CHANGEABLE})
    consent = ConsentStatement(**data["consent"]) if data.get("consent") else None
    try:
        lead = create_lead(
            client=cast("Client", user.client),
            phone_number=data["phone_number"],
            country=data["country"],
            fields=fields,
            consent=consent,
            tags=data["tags"],
            actor=user,
            now=clock.now(),
        )
    except NumberRefused as refused:
        raise ValidationError({"phone_number": refused.reason}, code=refused.reason) from refused
    except PersonErased:
        raise Conflict(str(ERASED), code="person_erased") from None
    except LeadExists as there:
        fill_lead(
            lead=there.lead,
            fields=fields,
            tags=data["tags"],
            consent=consent,
            actor=user,
            now=clock.now(),
        )
        return there.lead, False
    return lead, True


class LeadDetail(generics.RetrieveAPIView[Lead]):
    """One lead with its campaigns: read, changed, deleted."""

    permission_classes = [ClientFace]
    serializer_class = LeadSerializer
    lookup_url_kwarg = "lead_id"
    queryset = Lead.objects.all()

    def get_queryset(self) -> QuerySet[Lead]:
        return _leads(cast("User", self.request.user))

    @extend_schema(request=LeadChangeSerializer, responses=LeadSerializer)
    def patch(self, request: Request, lead_id: UUID) -> Response:
        """Change what is sent; `tags` replace those that were there."""
        user = cast("User", request.user)
        lead = get_or_404(_leads(user), lead_id)
        sent = LeadChangeSerializer(data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        data = sent.validated_data
        names = tuple(name for name in CHANGEABLE if name in data)
        change_lead(
            lead=lead,
            fields=LeadFields(**{name: data[name] for name in names}),
            names=names,
            tags=data.get("tags", lead.tags),
            actor=user,
            now=clock.now(),
        )
        return _shown(user, lead.pk)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, lead_id: UUID) -> Response:
        """
        Delete a lead that nobody called; under Leads > Changes it can be brought back for 30 days.

        409 `lead_in_use` for one that was called or waits in a launch: its history stays. Erasing a
        person is done on the lead's page.
        """
        user = cast("User", request.user)
        lead = get_or_404(_leads(user), lead_id)
        if not delete_lead(
            lead=lead, actor=user, pace=Pace(real_now=clock.real_now), now=clock.now()
        ):
            raise Conflict("The lead was called, or waits in a launch.", code="lead_in_use")
        return Response(status=204)
