"""Counts outcomes per day and campaign, and takes orders for reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from accounts.models import Client
from audit import actions
from audit.services import record
from convomono.lib.bulk import update_row
from convomono.lib.db import atomic
from convomono.lib.jobs import enqueue
from reporting.jobs import REPORT_SECONDS, make_report
from reporting.models import NO_CAMPAIGN, DailyStat, Report
from telephony.corrections import as_corrected
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User
    from campaigns.models import Campaign
    from telephony.events import CallChange, CallState

_Class = Call.OutcomeClass


@dataclass(frozen=True)
class Counted:
    """What one call adds to its day: the columns of DailyStat."""

    dials_count: int = 0
    connects_count: int = 0
    humans_count: int = 0
    machines_count: int = 0
    no_contacts_count: int = 0
    number_troubles_count: int = 0
    technicals_count: int = 0
    not_placed_count: int = 0
    conversions_count: int = 0
    opt_outs_count: int = 0
    talk_ms: int = 0
    human_talk_ms: int = 0
    billed_seconds: int = 0
    client_cost_micros: int = 0
    retell_cost_micros: int = 0

    @property
    def paid_alone(self) -> Counted:
        """The money in it and no call."""
        return Counted(
            billed_seconds=self.billed_seconds,
            client_cost_micros=self.client_cost_micros,
            retell_cost_micros=self.retell_cost_micros,
        )


def contribution(call: Call | CallState) -> Counted:
    """
    Return what the call adds to its day as it is now; nothing while it isn't over.

    A person's correction counts in place of what was reported. Of a test call only the charge counts.
    """
    if not call.is_over:
        return Counted()
    paid = {
        "billed_seconds": call.billed_seconds,
        "client_cost_micros": call.client_cost_micros,
        "retell_cost_micros": call.retell_cost_micros,
    }
    if call.is_test:
        return Counted(**paid)
    outcome, reached_goal = as_corrected(
        call.outcome_class, call.is_successful, call.corrected_outcome
    )
    talk_ms = call.duration_ms or 0
    is_human = outcome == _Class.HUMAN
    return Counted(
        dials_count=int(outcome != _Class.NOT_PLACED),
        connects_count=int(talk_ms > 0 and outcome != _Class.NOT_PLACED),
        humans_count=int(is_human),
        machines_count=int(outcome == _Class.MACHINE),
        no_contacts_count=int(outcome == _Class.NO_CONTACT),
        number_troubles_count=int(outcome == _Class.NUMBER_TROUBLE),
        technicals_count=int(outcome == _Class.TECHNICAL),
        not_placed_count=int(outcome == _Class.NOT_PLACED),
        conversions_count=int(is_human and reached_goal),
        opt_outs_count=int(call.disconnection_reason == "user_requested_dnc"),
        talk_ms=talk_ms,
        human_talk_ms=talk_ms if is_human else 0,
        **paid,
    )


def count_outcome(*, change: CallChange) -> dict[str, Any] | None:
    """
    Bring the counters of the call's day up to what the call says now.

    Returns what the call has added to which day; the caller keeps it on the call (`counted`), so
    that a repeated event adds nothing and a changed outcome moves from one column to the other,
    on the same day even if the client has moved to another time zone. None: nothing was added.
    Runs inside the caller's transaction.
    """
    tally = Tally()
    counted = tally.count(change, after=contribution(change.after))
    tally.write()
    return counted


def recount_call(*, call: Call) -> dict[str, Any] | None:
    """Do the same for a call whose outcome or charge was corrected; the caller keeps what it returns."""
    tally = Tally()
    counted = tally.count(call, after=contribution(call))
    tally.write()
    return counted


class Tally:
    """What settled calls add to their days' counters, summed up before it is written."""

    def __init__(self) -> None:
        self._zones: dict[UUID, ZoneInfo] = {}
        self._deltas: dict[tuple[UUID, UUID, date], Counter[str]] = defaultdict(Counter)

    def count(self, call: Call | CallChange, *, after: Counted) -> dict[str, Any] | None:
        """Note what brings the call's day up to `after`; returns what `count_outcome` does."""
        campaign_id = call.campaign_id
        if campaign_id is None:  # nobody's figures, but what it costs is real
            campaign_id, after = NO_CAMPAIGN, after.paid_alone
        kept = dict(call.counted)
        day = kept.pop("day", None)
        before = Counted(**kept)
        if after == before:
            return None
        on = date.fromisoformat(day) if day else self._day_of(call)
        delta = self._deltas[call.client_id, campaign_id, on]
        for name, value in vars(after).items():
            delta[name] += value - getattr(before, name)
        return {
            "day": on.isoformat(),
            **{name: value for name, value in vars(after).items() if value},
        }

    def write(self) -> None:
        """Add what was noted to the days, inside the caller's transaction."""
        for (client_id, campaign_id, day), delta in self._deltas.items():
            _add(client_id, campaign_id, day=day, delta=delta)

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        self._deltas.clear()

    def _day_of(self, call: Call | CallChange) -> date:
        zone = self._zones.get(call.client_id)
        if zone is None:
            zones = Client.objects.values_list("time_zone", flat=True)
            zone = self._zones[call.client_id] = ZoneInfo(zones.get(pk=call.client_id))
        return call.created_at.astimezone(zone).date()


def uncount(*, client_id: UUID, campaign_id: UUID, counted: Mapping[str, Any]) -> dict[str, Any]:
    """
    Take what a call has added out of its day again, for a rebuild from its events.

    Returns what is then counted of it: nothing, on the same day. Inside the caller's transaction.
    """
    _move(client_id, campaign_id, counted, sign=-1)
    return {"day": counted["day"]} if "day" in counted else {}


def recount_days() -> None:
    """
    Make all counters anew from what each call says that it added.

    For a scratch copy alone: it empties the table first, and takes its time.
    """
    DailyStat.objects.all().delete()
    calls = Call.objects.exclude(campaign_id=None).order_by("pk")
    columns = calls.values_list("client_id", "campaign_id", "counted")
    for client_id, campaign_id, counted in columns.iterator(chunk_size=500):
        if campaign_id is not None:
            _move(client_id, campaign_id, counted, sign=1)


def _move(client_id: UUID, campaign_id: UUID, counted: Mapping[str, Any], *, sign: int) -> None:
    kept = dict(counted)
    day = kept.pop("day", None)
    if day is not None and kept:
        delta = {name: sign * value for name, value in kept.items()}
        _add(client_id, campaign_id, day=date.fromisoformat(day), delta=delta)


def _add(client_id: UUID, campaign_id: UUID, *, day: date, delta: Mapping[str, int]) -> None:
    added = {name: value for name, value in delta.items() if value}
    if not added:
        return
    same = {"client_id": client_id, "campaign_id": campaign_id, "day": day}
    if not update_row(DailyStat, same, {}, add=added):
        # Two drains may both come here; the unique key lets one through and the other retries.
        DailyStat.objects.create(client_id=client_id, campaign_id=campaign_id, day=day, **delta)


@atomic
def request_report(*, campaign: Campaign, kind: str, actor: User, now: datetime) -> Report:
    """Order a report of a campaign; a worker makes it and the row says when it is done."""
    report = Report.objects.create(
        client_id=campaign.client_id,
        campaign_id=campaign.pk,
        kind=kind,
        requested_by_email=actor.email,
        created_at=now,
    )
    record(actions.REPORT_REQUESTED, resource=report, actor=actor, now=now, details={"kind": kind})
    enqueue(make_report, queue="reports", timeout_seconds=REPORT_SECONDS, report_id=str(report.pk))
    return report
