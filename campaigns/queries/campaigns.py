"""The list of campaigns: which of them, and what each does, how far it is, why it waits and what it took."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count

from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.queries.launches import LIVE, Minutes, Totals, launches_of, totals_of
from campaigns.queries.new_leads import is_held, new_leads_sentence, top_up_of
from campaigns.queries.progress import (
    Progress,
    add_up,
    foremost,
    shown_status,
    status_label,
    why,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import LaunchRequest

Status = BatchCall.Status
MOST_FOUND = 1000


@dataclass(frozen=True)
class CampaignRow:
    """One line of the campaign list."""

    campaign: Campaign
    status: str
    label: str
    progress: Progress
    sentence: str
    last_dialled_at: datetime | None
    minutes: Minutes  # what it took from the balance so far, and what its launches keep from it
    converted: int = 0  # a minute old at most

    @property
    def conversion_ratio(self) -> float | None:
        """Conversions per person reached; None before anybody was."""
        reached = self.progress.by_status["done"]
        return self.converted / reached if reached else None


def campaign_list(
    campaigns: QuerySet[Campaign],
    *,
    search: str = "",
    status: str = "",
    among: Iterable[UUID] | None = None,
) -> QuerySet[Campaign]:
    """
    Return campaigns newest first, with how their new leads are launched by themselves.

    `status` is their own, or what their launches do: `among` those then.
    """
    rows = campaigns.select_related("top_up").defer("script_raw", "settings")
    if search:
        rows = rows.filter(name__icontains=search)
    if among is not None:
        rows = rows.filter(pk__in=list(among))
    elif status:
        rows = rows.filter(status=status)
    else:
        rows = rows.exclude(status=Campaign.Status.ARCHIVED)
    return rows.order_by("-created_at", "-pk")


def campaigns_that(client_id: UUID, status: str) -> list[UUID] | None:
    """
    Return the campaigns whose badge says what is filtered by; None for a status of their own text.

    "live" are those with a launch that isn't over. One query, two for launches that are.
    """
    if status not in {"live", *Status.values}:
        return None
    rows = BatchCall.objects.filter(client_id=client_id)
    live: dict[UUID, set[str]] = defaultdict(set)
    for campaign_id, one in rows.filter(status__in=LIVE).values_list("campaign_id", "status"):
        live[campaign_id].add(one)
    if status == "live":
        return list(live)[:MOST_FOUND]
    if status in LIVE:
        shown = {key: foremost(found) for key, found in live.items()}
        return [key for key, one in shown.items() if one == status][:MOST_FOUND]
    newest = dict(rows.order_by("created_at", "pk").values_list("campaign_id", "status"))
    ready = Campaign.objects.filter(client_id=client_id, status=Campaign.Status.READY)
    over = [key for key, one in newest.items() if one == status and key not in live]
    return list(ready.filter(pk__in=over[-MOST_FOUND:]).values_list("pk", flat=True))


def campaign_rows(
    campaigns: Sequence[Campaign],
    *,
    now: datetime,
    asked: Mapping[UUID, LaunchRequest],
    nobody_dials: bool = False,
) -> list[CampaignRow]:
    """
    Return a page of campaigns with what their launches do; three queries whatever the number.

    `asked` are the requests of the client that wait for approval, by campaign.
    """
    totals = totals_of(campaigns)
    launches = launches_of(campaigns, totals)
    waiting = _waiting(campaigns)
    rows = []
    for campaign in campaigns:
        batch_calls = launches.get(campaign.pk, [])
        sums = totals.get(campaign.pk, Totals())
        progress = add_up(batch_calls, waiting=waiting.get(campaign.pk, 0), totals=sums)
        status = shown_status(campaign, batch_calls)
        rows.append(
            CampaignRow(
                campaign=campaign,
                status=status,
                label=status_label(status),
                progress=progress,
                sentence=why(
                    campaign,
                    batch_calls,
                    progress,
                    nobody_dials=nobody_dials,
                    new_leads=new_leads_sentence(
                        top_up_of(campaign), asked.get(campaign.pk), now=now
                    ),
                    is_held=is_held(top_up_of(campaign)),
                ),
                last_dialled_at=sums.last_dialled_at,
                minutes=sums.minutes,
                converted=sums.converted,
            )
        )
    return rows


def _waiting(campaigns: Sequence[Campaign]) -> dict[UUID, int]:
    rows = Enrolment.objects.filter(
        client_id__in={row.client_id for row in campaigns},
        campaign_id__in=[row.pk for row in campaigns],
        status=Enrolment.Status.QUEUED,
        batch_call=None,
    )
    counted = rows.order_by().values_list("campaign_id").annotate(number=Count("pk"))
    return dict(counted)
