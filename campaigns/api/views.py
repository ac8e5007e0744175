"""Campaigns for programs: the same services as the pages, in the seed's field names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import get_or_404
from accounts.api.pagination import NewestFirst
from accounts.api.permissions import ClientFace, ClientLauncher
from accounts.api.problems import Conflict
from billing.services import InsufficientCredits
from campaigns.api.serializers import (
    BatchCallSerializer,
    CampaignDetailSerializer,
    CampaignSerializer,
    CampaignWriteSerializer,
    LaunchSerializer,
)
from campaigns.models import BatchCall, Campaign
from campaigns.services import lifecycle
from campaigns.services.authoring import content_of
from convomono.lib import clock, money

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from rest_framework.request import Request

    from accounts.models import Client, User

REFUSALS: dict[type[Exception], tuple[str, str]] = {
    lifecycle.CampaignArchived: ("archived", "The campaign is archived."),
    lifecycle.CampaignNotDraft: ("not_draft", "The campaign is ready already, or archived."),
    lifecycle.CampaignNotReady: ("not_ready", "The campaign was edited: prepare it again."),
    lifecycle.ApprovalNeeded: ("approval_needed", "A launch of this size needs a second person."),
    lifecycle.LaunchInProgress: ("launch_in_progress", "Another launch is under way."),
    lifecycle.LaunchKeyUsed: ("key_used", "This key has launched another campaign."),
    lifecycle.NobodyWaits: ("no_leads", "No lead waits for a launch."),
    lifecycle.BatchCallNotRunning: ("not_running", "No launch of the campaign is dialling."),
    lifecycle.BatchCallNotPaused: ("not_paused", "No launch of the campaign is paused."),
    lifecycle.BatchCallOver: ("over", "Every launch of the campaign is over."),
    InsufficientCredits: ("no_credits", "The wallet has fewer minutes than that."),
}


REFUSED: tuple[type[Exception], ...] = (
    lifecycle.LaunchRefused,
    lifecycle.ScriptRefused,
    *REFUSALS,
)


def _as_conflict(error: Exception) -> Conflict:
    if isinstance(error, lifecycle.LaunchRefused):
        sentences = " ".join(finding.sentence for finding in error.findings)
        return Conflict(sentences, code=error.findings[0].code)
    if isinstance(error, lifecycle.ScriptRefused):
        sentences = " ".join(problem.sentence for problem in error.problems)
        return Conflict(sentences, code=error.problems[0].code)
    code, sentence = REFUSALS[type(error)]
    return Conflict(sentence, code=code)


def attempt[T](change: Callable[[], T]) -> T:
    """
    Make a change, and answer 409 with its code where the state of things forbids it.

    :raises Conflict: in place of the service's own refusal
    """
    try:
        return change()
    except REFUSED as error:
        raise _as_conflict(error) from error


class CampaignList(generics.ListAPIView[Campaign]):
    """Your campaigns, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = CampaignSerializer
    pagination_class = NewestFirst
    queryset = Campaign.objects.all()

    def get_queryset(self) -> Any:
        return Campaign.objects.visible_to(cast("User", self.request.user))

    @extend_schema(request=CampaignWriteSerializer, responses={201: CampaignDetailSerializer})
    def post(self, request: Request) -> Response:
        """Write a campaign; it is a draft until it is prepared."""
        sent = CampaignWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        user = cast("User", request.user)
        campaign = lifecycle.create_campaign(
            client=cast("Client", user.client),
            content=sent.content(),
            actor=user,
            now=clock.now(),
        )
        return Response(CampaignDetailSerializer(campaign).data, status=201)


class CampaignView(APIView):
    """What the routes of one campaign share."""

    permission_classes = [ClientFace]

    def campaign(self, request: Request, campaign_id: UUID) -> Campaign:
        """
        Fetch the caller's campaign.

        :raises Http404: if it isn't the caller's
        """
        rows = Campaign.objects.select_related("client", "retry_policy", "calling_window")
        return get_or_404(rows.visible_to(cast("User", request.user)), campaign_id)


class CampaignDetail(CampaignView):
    """One campaign."""

    @extend_schema(responses=CampaignDetailSerializer)
    def get(self, request: Request, campaign_id: UUID) -> Response:
        """Read a campaign whole."""
        return Response(CampaignDetailSerializer(self.campaign(request, campaign_id)).data)

    @extend_schema(request=CampaignWriteSerializer, responses=CampaignDetailSerializer)
    def patch(self, request: Request, campaign_id: UUID) -> Response:
        """Change some of a campaign; a change of what is said makes it a draft again."""
        campaign = self.campaign(request, campaign_id)
        sent = CampaignWriteSerializer(content_of(campaign), data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        attempt(
            lambda: lifecycle.update_campaign(
                campaign=campaign,
                content=sent.content(),
                actor=cast("User", request.user),
                now=clock.now(),
            )
        )
        return Response(CampaignDetailSerializer(campaign).data)


class CampaignPrepare(CampaignView):
    """Making a campaign ready."""

    @extend_schema(request=None, responses={202: CampaignDetailSerializer})
    def post(self, request: Request, campaign_id: UUID) -> Response:
        """Publish the campaign's agent; read the campaign again to see when it is ready."""
        campaign = self.campaign(request, campaign_id)
        attempt(
            lambda: lifecycle.prepare_campaign(
                campaign=campaign, actor=cast("User", request.user), now=clock.now()
            )
        )
        return Response(CampaignDetailSerializer(campaign).data, status=202)


class CampaignLaunch(CampaignView):
    """Launching."""

    permission_classes = [ClientLauncher]

    @extend_schema(request=LaunchSerializer, responses={201: BatchCallSerializer})
    def post(self, request: Request, campaign_id: UUID) -> Response:
        """Launch the leads that wait; 409 with the code of what stands in the way."""
        campaign = self.campaign(request, campaign_id)
        sent = LaunchSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        minutes = sent.validated_data.get("minutes")
        batch_call = attempt(
            lambda: lifecycle.launch_campaign(
                campaign=campaign,
                launch_key=sent.validated_data["launch_key"],
                seconds=None if minutes is None else money.seconds_from_minutes(minutes),
                mode=sent.validated_data.get("mode", BatchCall.Mode.DISPATCHER),
                actor=cast("User", request.user),
                now=clock.now(),
                is_sandbox=settings.SANDBOX,
            )
        )
        return Response(BatchCallSerializer(batch_call).data, status=201)


class Steering(CampaignView):
    """A change of every live launch of a campaign; subclasses say which."""

    def answer(
        self, request: Request, campaign_id: UUID, change: Callable[..., list[BatchCall]]
    ) -> Response:
        campaign = self.campaign(request, campaign_id)
        actor = cast("User", request.user)
        changed = attempt(lambda: change(campaign=campaign, actor=actor, now=clock.now()))
        rows = BatchCall.objects.filter(pk__in=[row.pk for row in changed]).order_by("created_at")
        return Response(BatchCallSerializer(rows, many=True).data)


class CampaignPause(Steering):
    """Pausing."""

    @extend_schema(request=None, responses=BatchCallSerializer(many=True))
    def post(self, request: Request, campaign_id: UUID) -> Response:
        """Place no new call; calls in progress go on."""
        return self.answer(request, campaign_id, lifecycle.pause_campaign)


class CampaignResume(Steering):
    """Resuming."""

    permission_classes = [ClientLauncher]

    @extend_schema(request=None, responses=BatchCallSerializer(many=True))
    def post(self, request: Request, campaign_id: UUID) -> Response:
        """Go on where it stopped."""
        return self.answer(request, campaign_id, lifecycle.resume_campaign)


class CampaignStop(Steering):
    """Stopping."""

    @extend_schema(request=None, responses=BatchCallSerializer(many=True))
    def post(self, request: Request, campaign_id: UUID) -> Response:
        """End the launches for good; calls in progress go on."""
        return self.answer(request, campaign_id, lifecycle.stop_campaign)
