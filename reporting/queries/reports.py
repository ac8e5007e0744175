"""A campaign's report: its KPIs, outcomes and days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns.queries.callbacks import callbacks_kept
from convomono.lib.charts import BarChart, Share, bar_chart, share_chart
from reporting.funnel import Step, funnel
from reporting.metrics import Figures, Kpi, kpis, talk_kpis
from reporting.models import DailyStat, Report
from reporting.queries.figures import campaign_figures, campaign_talk
from reporting.queries.versions import VersionFigures, version_figures
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from accounts.models import Client
    from campaigns.models import Campaign

OutcomeClass = Call.OutcomeClass
DAYS = 14
REPORTS = 10
OUTCOMES = (
    ("humans_count", OutcomeClass.HUMAN),
    ("machines_count", OutcomeClass.MACHINE),
    ("no_contacts_count", OutcomeClass.NO_CONTACT),
    ("number_troubles_count", OutcomeClass.NUMBER_TROUBLE),
    ("technicals_count", OutcomeClass.TECHNICAL),
)
OUTCOME_COUNTS = tuple(name for name, _outcome in OUTCOMES)


@dataclass(frozen=True)
class CampaignReport:
    """Everything the report page and its PDF show."""

    campaign: Campaign
    client: Client
    figures: Figures
    kpis: list[Kpi]
    outcomes: Share
    days: BarChart
    reports: list[Report]
    versions: list[VersionFigures]

    @property
    def is_making_files(self) -> bool:
        """True while a worker still has a file to make, so that the page asks again."""
        return is_making(self.reports)

    @property
    def funnel(self) -> list[Step]:
        """How far the leads came; none while there is no lead."""
        return funnel(self.figures)


@dataclass(frozen=True)
class ReportFiles:
    """The part of the report page that asks again while a file is made; nothing else is read for it."""

    campaign: Campaign
    reports: list[Report]

    @property
    def is_making_files(self) -> bool:
        return is_making(self.reports)


def is_making(reports: Iterable[Report]) -> bool:
    """Tell whether a worker still has a file to make."""
    unfinished = {Report.Status.QUEUED, Report.Status.WORKING}
    return any(report.status in unfinished for report in reports)


def report_files(*, campaign: Campaign) -> ReportFiles:
    """Return a campaign's newest files; one query."""
    rows = Report.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    return ReportFiles(campaign, list(rows.order_by("-created_at", "pk")[:REPORTS]))


def campaign_report(*, campaign: Campaign, client: Client, now: datetime) -> CampaignReport:
    """Gather a campaign's report; ten queries."""
    counted = _counted(campaign)
    talk = campaign_talk(client_id=client.pk, campaign_id=campaign.pk)
    callbacks = callbacks_kept(campaign, now=now)
    figures = campaign_figures(client_id=client.pk, campaign_id=campaign.pk) + Figures(
        transferred=talk.transferred,
        transfers_tried=talk.transfers_tried,
        timed=talk.timed,
        abandoned=talk.abandoned,
        checked=talk.checked,
        disclosed=talk.disclosed,
        callbacks_due=callbacks.due,
        callbacks_kept=callbacks.kept,
    )
    return CampaignReport(
        campaign=campaign,
        client=client,
        figures=figures,
        kpis=[*kpis(figures), *talk_kpis(talk.lengths)],
        outcomes=outcomes_chart(counted),
        days=_days(counted, now.astimezone(ZoneInfo(client.time_zone)).date()),
        reports=report_files(campaign=campaign).reports,
        versions=version_figures(client_id=client.pk, campaign_id=campaign.pk),
    )


def _counted(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the campaign's counts, a row for each of its days and outcomes; one query."""
    rows = DailyStat.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    return list(rows.values("day", "dials_count", *OUTCOME_COUNTS))


def outcomes_chart(counted: Iterable[dict[str, Any]]) -> Share:
    """Draw what dials came to, from rows with a count of each outcome."""
    totals = dict.fromkeys(OUTCOME_COUNTS, 0)
    for row in counted:
        for name in OUTCOME_COUNTS:
            totals[name] += row[name]
    return share_chart(
        chart_id="outcomes",
        title=_("Outcomes of all dials"),
        parts=[(str(outcome.label), totals[name], "") for name, outcome in OUTCOMES],
    )


def _days(counted: Iterable[dict[str, Any]], today: date) -> BarChart:
    """Draw the last two weeks; of a campaign that was over before, the two weeks up to its last dials."""
    dials: Counter[date] = Counter()
    for row in counted:
        dials[row["day"]] += row["dials_count"]
    latest = max((day for day, number in dials.items() if number), default=today)
    last = today if today - latest < timedelta(days=DAYS) else latest
    days = [last - timedelta(days=offset) for offset in reversed(range(DAYS))]
    return bar_chart(
        chart_id="dials-by-day",
        title=_("Dials per day"),
        category=_("Day"),
        name=_("Dials"),
        points=[(date_format(day, "j M"), dials[day]) for day in days],
    )
