"""What a campaign's calls came to so far, and how fast it dials: a part of its live page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.core.cache import cache
from django.utils.translation import gettext as _

from convomono.lib.charts import BarChart, Share, bar_chart
from reporting.funnel import Step, funnel
from reporting.metrics import Figures, ratio
from reporting.models import DailyStat
from reporting.queries.figures import people_figures
from reporting.queries.reports import OUTCOME_COUNTS, outcomes_chart
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from campaigns.models import Campaign

_COUNTS = ("dials_count", "connects_count", "humans_count", "conversions_count")
PACE_MINUTES = 30
MOST_CALLS = 5_000
_MINUTE = timedelta(minutes=1)
KEPT_SECONDS = 5
LONG_LIST = 10_000  # leads: counting more takes long enough to be done once a minute
LONG_KEPT_SECONDS = 60


@dataclass(frozen=True)
class CampaignResults:
    """
    Counts of all its calls, what they came to, its dials in each of the last minutes, and how far its leads came.

    The funnel is empty while there is no lead.
    """

    dials: int
    connects: int
    humans: int
    conversions: int
    outcomes: Share
    pace: BarChart
    dials_lately: int
    humans_lately: int
    funnel: list[Step]

    @property
    def connect_ratio(self) -> float | None:
        return ratio(self.connects, self.dials)

    @property
    def pick_up_ratio(self) -> float | None:
        return ratio(self.humans, self.dials)

    @property
    def conversion_ratio(self) -> float | None:
        """Conversions of the calls that a person answered."""
        return ratio(self.conversions, self.humans)

    @property
    def lately_ratio(self) -> float | None:
        return ratio(self.humans_lately, self.dials_lately)


def campaign_results(campaign: Campaign, *, zone: str, now: datetime) -> CampaignResults:
    """
    Return what a campaign's calls came to so far, from counters; five seconds old at most.

    Three queries: a row for each of its days, its calls of the last half hour, 5,000 at most, and how far its
    leads came: of more than 10,000 that is a minute old at most. Minutes are those of the clock in `zone`.
    """
    key = f"results:3:{campaign.pk}:{zone}"
    kept: CampaignResults | None = cache.get(key)
    if kept is not None:
        return kept
    results = _read(campaign, zone, now)
    cache.set(key, results, KEPT_SECONDS)
    return results


def _read(campaign: Campaign, zone: str, now: datetime) -> CampaignResults:
    rows = DailyStat.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    days = list(rows.values(*{*_COUNTS, *OUTCOME_COUNTS}))
    totals = {name: sum(day[name] for day in days) for name in _COUNTS}
    since = now.replace(second=0, microsecond=0) - (PACE_MINUTES - 1) * _MINUTE
    calls = Call.objects.filter(
        client_id=campaign.client_id, campaign_id=campaign.pk, created_at__gte=since
    ).order_by("-created_at", "-pk")
    lately = list(calls.values_list("created_at", "outcome_class")[:MOST_CALLS])
    return CampaignResults(
        dials=totals["dials_count"],
        connects=totals["connects_count"],
        humans=totals["humans_count"],
        conversions=totals["conversions_count"],
        outcomes=outcomes_chart(days),
        pace=_pace([at for at, _outcome in lately], since=since, zone=ZoneInfo(zone)),
        dials_lately=len(lately),
        humans_lately=sum(outcome == Call.OutcomeClass.HUMAN for _at, outcome in lately),
        funnel=_funnel(campaign),
    )


def _funnel(campaign: Campaign) -> list[Step]:
    key = f"results:people:1:{campaign.pk}"
    people: Figures | None = cache.get(key)
    if people is None:
        people = people_figures(client_id=campaign.client_id, campaign_id=campaign.pk)
        is_long = people.loaded > LONG_LIST
        cache.set(key, people, LONG_KEPT_SECONDS if is_long else KEPT_SECONDS)
    return funnel(people)


def _pace(dialled: Sequence[datetime], *, since: datetime, zone: ZoneInfo) -> BarChart:
    counted = Counter((at - since) // _MINUTE for at in dialled)
    first = 0
    if len(dialled) >= MOST_CALLS:
        # Of the minute that the oldest of them is in, only a part was read.
        first = (dialled[-1] - since) // _MINUTE + 1
    minutes = range(min(first, PACE_MINUTES - 1), PACE_MINUTES)
    return bar_chart(
        chart_id="dials-by-minute",
        title=_("Dials per minute"),
        category=_("Minute"),
        name=_("Dials"),
        points=[
            (f"{(since + minute * _MINUTE).astimezone(zone):%H:%M}", counted[minute])
            for minute in minutes
        ],
    )
