"""The live page of a campaign: launches, minutes, calls in progress and just ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Max

from campaigns.models import BatchCall, Enrolment
from campaigns.queries import progress as progress_of
from campaigns.queries.approvals import waiting_request
from campaigns.queries.launches import MOVING, Minutes, Totals, minutes_of, totals_of
from campaigns.queries.line import NEXT_ROWS, Line, in_line, line
from campaigns.queries.new_leads import is_held, new_leads_sentence, recurs, top_up_of
from convomono.lib.live import last_lines
from leads.models import Lead
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import Campaign
    from campaigns.queries.progress import Progress

LIVE_ROWS = 20
_READ_CALLS = 200  # so many tell by themselves how long they have talked
RECENT_ROWS = 8
_MOST_TALKING = 2_000
SHOWN_LAUNCHES = 20
_LIVE_CALL = (Call.Status.REGISTERED, Call.Status.ONGOING)
_OVER = (Call.Status.ENDED, Call.Status.NOT_CONNECTED, Call.Status.ERROR)


@dataclass(frozen=True)
class Talk:
    """What is being talked at this moment and isn't consumed yet: calls, and seconds of all of them."""

    calls: int = 0
    seconds: int = 0


@dataclass(frozen=True)
class CallRow:
    """A call with the name of whom it reached."""

    call: Call
    name: str
    talk_seconds: int | None
    last_line: str = ""


@dataclass(frozen=True)
class LivePage:
    """All that the live page shows; at most eight queries, whatever the number of leads and calls, and two more for many launches."""

    status: str
    label: str
    sentence: str
    progress: Progress
    minutes: Minutes
    talk: Talk
    new_leads: str  # what leads that are in no launch wait for
    launches: list[BatchCall]
    live_calls: list[CallRow]
    recent_calls: list[CallRow]
    line: Line
    recurs: bool = False  # new leads are launched by themselves
    is_held: bool = False  # they were, until somebody paused it

    @property
    def is_live(self) -> bool:
        return self.status in {"running", "paused", "scheduled"}

    @property
    def may_pause(self) -> bool:
        """Whether something dials, or would by itself."""
        return self.status in {"running", "scheduled"} or self.recurs

    @property
    def may_resume(self) -> bool:
        return self.progress.has_paused or self.is_held

    @property
    def may_stop(self) -> bool:
        return self.is_live or self.recurs or self.is_held

    @property
    def is_moving(self) -> bool:
        """Whether the page has something to ask for again."""
        return self.is_live or self.status == "preparing" or bool(self.progress.live)


def live_page(
    campaign: Campaign,
    *,
    now: datetime,
    nobody_dials: bool = False,
    newest: Sequence[BatchCall] | None = None,
) -> LivePage:
    """
    Read what a campaign does at `now`; `nobody_dials` if no dispatcher is there.

    `newest` are its newest launches, where somebody has read them. While something dials, who asked for
    another launch isn't read: that is part of the outlook.
    """
    if newest is None:
        mine = BatchCall.objects.filter(client_id=campaign.client_id)
        newest = newest_launches(campaign.pk, mine)
    # Fewer are all there are.
    totals = totals_of([campaign]).get(campaign.pk) if len(newest) >= SHOWN_LAUNCHES else None
    launches = _with_earlier(newest, totals)
    waiting = Enrolment.objects.filter(
        client_id=campaign.client_id,
        campaign=campaign,
        status=Enrolment.Status.QUEUED,
        batch_call=None,
    ).aggregate(number=Count("pk"))["number"]
    progress = progress_of.add_up(launches, waiting=waiting, totals=totals)
    status = progress_of.shown_status(campaign, launches)
    on_line, recent = _live_calls(launches), _recent_calls(campaign)
    live = on_line[:LIVE_ROWS]
    said = last_lines([call.provider_call_id for call in live])
    names = _names([*live, *recent])
    live_ids = [row.pk for row in launches if not row.is_over]
    request = waiting_request(campaign) if progress.waiting and not live_ids else None
    top_up = top_up_of(campaign)
    new_leads = new_leads_sentence(top_up, request, now=now)
    return LivePage(
        status=status,
        label=progress_of.status_label(status),
        sentence=progress_of.why(
            campaign,
            launches,
            progress,
            nobody_dials=nobody_dials,
            new_leads=new_leads,
            is_held=is_held(top_up),
        ),
        recurs=recurs(top_up),
        is_held=is_held(top_up),
        progress=progress,
        minutes=totals.minutes if totals else minutes_of(launches),
        talk=_talk(launches, on_line, now),
        new_leads=new_leads,
        launches=launches[::-1],
        live_calls=[_row(call, names, now, said.get(call.provider_call_id, "")) for call in live],
        recent_calls=[_row(call, names, now) for call in recent],
        line=line(
            live_ids,
            now=now,
            rows=list(in_line(live_ids, now=now)[:NEXT_ROWS]),
            most_aside=NEXT_ROWS,
        ),
    )


def last_dialled_at(launches: Iterable[BatchCall]) -> datetime | None:
    """Return when somebody was dialled last for one of these launches, as it stands now; None for nobody."""
    rows = BatchCall.objects.filter(pk__in=[row.pk for row in launches])
    dialled: datetime | None = rows.aggregate(last=Max("last_dialled_at"))["last"]
    return dialled


def _live_calls(launches: Sequence[BatchCall]) -> list[Call]:
    ids = [row.pk for row in launches if row.dialling_count or row.in_call_count]
    calls = Call.objects.filter(batch_call_id__in=ids, status__in=_LIVE_CALL)
    # "ongoing" comes before "registered": who talks stands above who is being rung.
    return list(calls.order_by("status", "-created_at", "-pk")[:_READ_CALLS])


def _talk(launches: Sequence[BatchCall], live: Sequence[Call], now: datetime) -> Talk:
    """Add up how long the calls in progress have talked; a thousand lines are a thousand instants."""
    begun: Iterable[datetime | None]
    if len(live) < _READ_CALLS:
        begun = [call.started_at for call in live if call.status == Call.Status.ONGOING]
    else:
        ids = [row.pk for row in launches if row.dialling_count or row.in_call_count]
        talking = Call.objects.filter(batch_call_id__in=ids, status=Call.Status.ONGOING)
        begun = talking.values_list("started_at", flat=True)[:_MOST_TALKING]
    seconds = [max(0.0, (now - at).total_seconds()) for at in begun if at is not None]
    return Talk(calls=len(seconds), seconds=int(sum(seconds)))


def _recent_calls(campaign: Campaign) -> list[Call]:
    calls = Call.objects.filter(
        client_id=campaign.client_id, campaign_id=campaign.pk, status__in=_OVER
    )
    return list(calls.order_by("-created_at", "-pk")[:RECENT_ROWS])


def _names(calls: Iterable[Call]) -> dict[UUID, str]:
    """Return the names of the leads behind these calls; one query."""
    leads = Lead.objects.filter(pk__in={call.lead_id for call in calls if call.lead_id})
    return {row.pk: row.full_name for row in leads.only("first_name", "last_name")}


def _row(call: Call, names: dict[UUID, str], now: datetime, said: str = "") -> CallRow:
    seconds = call.duration_seconds
    if seconds is None and call.started_at and not call.is_over:
        seconds = max(0, int((now - call.started_at).total_seconds()))
    name = names.get(call.lead_id, "") if call.lead_id else ""
    return CallRow(call=call, name=name, talk_seconds=seconds, last_line=said or call.last_line)


def call_rows(calls: Sequence[Call], *, now: datetime) -> list[CallRow]:
    """Return calls with the names of their leads; one query."""
    names = _names(calls)
    return [_row(call, names, now) for call in calls]


def newest_launches(campaign_id: UUID, rows: QuerySet[BatchCall]) -> list[BatchCall]:
    """Return the newest launches of a campaign among these, the newest first, with their minutes; one query."""
    mine = rows.filter(campaign_id=campaign_id).select_related("reservation")
    return list(mine.order_by("-created_at", "-pk")[:SHOWN_LAUNCHES])


def _with_earlier(newest: Sequence[BatchCall], totals: Totals | None) -> list[BatchCall]:
    """Return these launches and earlier ones that go on, oldest first; one query if there are such."""
    shown = newest[::-1]
    if totals is None or totals.moving <= sum(map(_is_moving, newest)):
        return list(shown)
    rows = BatchCall.objects.filter(
        MOVING, client_id=newest[0].client_id, campaign_id=newest[0].campaign_id
    )
    known = {row.pk for row in newest}
    earlier = [row for row in rows.order_by("created_at", "pk") if row.pk not in known]
    return [*earlier, *shown]


def _is_moving(row: BatchCall) -> bool:
    return not row.is_over or row.dialling_count > 0 or row.in_call_count > 0
