"""What a campaign calls with: its numbers and how they do, the version that speaks, and the trial beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.models import BatchCall, CampaignVersion, Experiment
from campaigns.pace import numbers_of
from campaigns.queries.experiments import ExperimentPage, experiment_page
from campaigns.queries.launches import LIVE
from telephony.queries import NumberRow, number_rows

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign

SHOWN_NUMBERS = 5


@dataclass(frozen=True)
class Equipment:
    """The numbers it may call from, those used last first; the versions that speak in its launches."""

    numbers: list[NumberRow]
    more_numbers: int
    published: CampaignVersion | None
    speaking: list[
        int
    ]  # the numbers of the versions in launches that aren't over, the newest first
    experiment: ExperimentPage | None

    @property
    def older(self) -> list[int]:
        """Versions that still speak although another one is published."""
        return [one for one in self.speaking if self.published and one != self.published.number]


def equipment(campaign: Campaign, *, now: datetime) -> Equipment:
    """Return what a campaign calls with; four queries."""
    numbers, chosen = numbers_of(campaign)
    used = sorted(
        chosen or numbers,
        key=lambda one: (
            one.last_used_at is None,
            one.last_used_at and -one.last_used_at.timestamp(),
        ),
    )
    versions = CampaignVersion.objects.filter(campaign=campaign, client_id=campaign.client_id)
    live = BatchCall.objects.filter(
        client_id=campaign.client_id, campaign=campaign, status__in=LIVE
    )
    trial = Experiment.objects.filter(live_key=str(campaign.pk))
    experiment = trial.select_related("control", "variant").first()
    return Equipment(
        numbers=number_rows(used[:SHOWN_NUMBERS], now=now),
        more_numbers=len(used[SHOWN_NUMBERS:]),
        published=versions.filter(number=campaign.published_version or 0)
        .defer("script_raw", "settings")
        .first(),
        speaking=sorted(set(live.values_list("version__number", flat=True)), reverse=True),
        experiment=experiment_page(experiment) if experiment else None,
    )
