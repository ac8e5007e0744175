"""Launches that somebody asked for, as their pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.models import User
from campaigns.models import Campaign, LaunchRequest
from campaigns.services.approving import is_asker, is_outdated

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

MOST_APPROVERS = 20


@dataclass(frozen=True)
class RequestPage:
    """One request, and what the person who looks may do about it."""

    request: LaunchRequest
    is_outdated: bool
    is_own: bool
    may_approve: bool
    may_decline: bool
    may_withdraw: bool
    approvers: list[str]


def request_page(row: LaunchRequest, user: User, *, may_manage: bool) -> RequestPage:
    """Return a request as this person sees it; ten queries at most."""
    outdated, own = False, is_asker(row, user)
    if row.is_waiting:
        campaign = Campaign.objects.select_related("retry_policy", "calling_window").get(
            pk=row.campaign_id
        )
        outdated = is_outdated(row, campaign)
    decides = row.is_waiting and may_manage and user.can_launch and not own
    return RequestPage(
        request=row,
        is_outdated=outdated,
        is_own=own,
        may_approve=decides and not outdated,
        may_decline=decides,
        may_withdraw=row.is_waiting and own,
        approvers=approvers(row.client_id, without=row.asked_by_id) if row.is_waiting else [],
    )


def approvers(client_id: UUID, *, without: UUID | None) -> list[str]:
    """Return the people of a client who may approve what somebody asks for."""
    rows = User.objects.filter(
        client_id=client_id,
        is_active=True,
        can_launch=True,
        client_role__in=[User.ClientRole.MANAGER, User.ClientRole.OWNER],
    )
    if without is not None:
        rows = rows.exclude(pk=without)
    return [str(user) for user in rows.order_by("email")[:MOST_APPROVERS]]


def requests_of(rows: QuerySet[LaunchRequest]) -> QuerySet[LaunchRequest]:
    """Return requests newest first, with their campaigns."""
    return rows.select_related("campaign").order_by("-asked_at", "-pk")


def waiting_request(campaign: Campaign) -> LaunchRequest | None:
    """Return the request that waits for this campaign."""
    return LaunchRequest.objects.filter(
        client_id=campaign.client_id, live_key=str(campaign.pk)
    ).first()


def waiting_requests(client_id: UUID) -> dict[UUID, LaunchRequest]:
    """Return the requests of a client that wait for somebody, by campaign: each has one at most. One query."""
    waiting = LaunchRequest.Status.WAITING
    rows = LaunchRequest.objects.filter(client_id=client_id, status=waiting)
    return {row.campaign_id: row for row in rows}
