"""How far a campaign has come: its launches added up, its one status, the sentence that says why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.translation import gettext as _, ngettext

from campaigns.dialling.waiting import DISPATCHER_AWAY
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.queries.launches import (
    ENDS,
    IN_PROGRESS,
    LIVE,
    Totals,
    launches_of,
    totals_of,
)
from campaigns.queries.new_leads import new_leads_sentence, top_up_of
from campaigns.rules import waiting_sentence
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.models import LaunchRequest

Status = BatchCall.Status
MOST_FOUND = 1000


@dataclass(frozen=True)
class Part:
    """The leads in one status."""

    status: str
    label: str
    count: int


@dataclass(frozen=True)
class Progress:
    """The leads of all launches of a campaign, by status; `waiting` are in no launch yet."""

    enrolled: int
    by_status: dict[str, int]
    waiting: int = 0
    checked_at: datetime | None = None  # when the rows behind these counters were last counted
    is_off: bool = False  # they didn't add up then
    has_paused: bool = False  # a launch is paused, maybe beside one that runs
    at_retell: int = 0  # of those who are being dialled: in lists that Retell dials by itself

    @property
    def ended(self) -> int:
        return sum(self.by_status[name] for name in ENDS)

    @property
    def in_progress(self) -> int:
        return sum(self.by_status[name] for name in IN_PROGRESS)

    @property
    def percent(self) -> int:
        return self.ended * 100 // self.enrolled if self.enrolled else 0

    @property
    def live(self) -> int:
        return self.by_status["dialling"] - self.at_retell + self.by_status["in_call"]

    @property
    def adds_up(self) -> bool:
        """The completeness equation: everybody enrolled is somewhere, once."""
        return not self.is_off and self.enrolled == self.ended + self.in_progress

    @property
    def parts(self) -> list[Part]:
        """The right side of the equation, in the order in which it is written."""
        names = (*ENDS, *IN_PROGRESS)
        labels = dict(Enrolment.Status.choices)
        return [Part(name, str(labels[name]), self.by_status[name]) for name in names]


def add_up(
    batch_calls: Iterable[BatchCall], *, waiting: int = 0, totals: Totals | None = None
) -> Progress:
    """
    Add the counters of a campaign's launches; each lead is in one launch at most.

    `totals` are those of all its launches, where only the newest and those that aren't over are given.
    """
    rows = list(batch_calls)
    checked = [row.checked_at for row in rows if row.checked_at]
    counted = totals or Totals(
        enrolled=sum(row.tasks_count for row in rows),
        by_status={
            name: sum(getattr(row, f"{name}_count") for row in rows)
            for name in (*ENDS, *IN_PROGRESS)
        },
    )
    return Progress(
        enrolled=counted.enrolled,
        by_status=counted.by_status,
        waiting=waiting,
        checked_at=max(checked, default=None),
        is_off=any(row.mismatch for row in rows),
        has_paused=any(row.status == Status.PAUSED for row in rows),
        at_retell=at_retell(rows),
    )


def at_retell(batch_calls: Iterable[BatchCall]) -> int:
    """Count who waits in lists that the voice platform dials by itself, as the rows say."""
    return sum(row.dialling_count for row in batch_calls if _is_batch(row))


def unrecalled(number: int) -> str:
    """Say that so many people are dialled all the same, whatever is paused or stopped."""
    sentence = ngettext(
        "%(n)d person waits in a list at the voice platform that can't be recalled, and is still called.",
        "%(n)d people wait in a list at the voice platform that can't be recalled, and are still called.",
        number,
    )
    return sentence % {"n": number}


def _is_batch(row: BatchCall) -> bool:
    return row.mode == BatchCall.Mode.RETELL_BATCH


def shown_status(campaign: Campaign, batch_calls: Sequence[BatchCall]) -> str:
    """Return the one word a campaign's badge shows: what its launches do, else where its text is."""
    if foremost := _foremost({row.status for row in batch_calls}):
        return foremost
    if campaign.status == Campaign.Status.READY and batch_calls:
        return batch_calls[-1].status
    return campaign.status


def _foremost(statuses: Collection[str]) -> str:
    """Return which of several launches' states stands for all; empty if all are over."""
    order = (Status.RUNNING, Status.PAUSED, Status.SCHEDULED)
    return next((one for one in order if one in statuses), "")


def status_label(status: str) -> str:
    """Return the word people read for any status of a campaign or a launch."""
    labels = {**dict(Campaign.Status.choices), **dict(Status.choices)}
    return str(labels.get(status, status))


# -- Why -------------------------------------------------------------------------------------------


def why(
    campaign: Campaign,
    batch_calls: Sequence[BatchCall],
    progress: Progress,
    *,
    nobody_dials: bool = False,
    new_leads: str = "",
) -> str:
    """
    Return the one sentence that says what a campaign does or waits for; never empty.

    `nobody_dials` as the caller has just read it: the rows say so a moment later. `new_leads` says what
    leads in no launch wait for (`queries/new_leads.py`): it is added where they are all that waits.
    """
    said = _why(campaign, batch_calls, progress, nobody_dials=nobody_dials)
    if new_leads and progress.waiting and _is_idle(campaign, batch_calls):
        said = f"{said} {new_leads}"
    # Of a launch that dials its own sentence says it.
    halted = [row for row in batch_calls if row.status in {Status.PAUSED, Status.CANCELLED}]
    waits = at_retell(halted)
    return f"{said} {unrecalled(waits)}" if waits else said


def _is_idle(campaign: Campaign, batch_calls: Sequence[BatchCall]) -> bool:
    is_live = _foremost({row.status for row in batch_calls})
    return not is_live and campaign.status != Campaign.Status.ARCHIVED


def _why(
    campaign: Campaign,
    batch_calls: Sequence[BatchCall],
    progress: Progress,
    *,
    nobody_dials: bool,
) -> str:
    newest = {row.status: row for row in batch_calls}
    if running := [row for row in batch_calls if row.status == Status.RUNNING]:
        said = _running(running, nobody_dials=nobody_dials)
        paused = newest.get(Status.PAUSED)
        return f"{said} {_beside(paused)}" if paused else said
    if (paused := newest.get(Status.PAUSED)) is not None:
        return _paused(paused)
    if (scheduled := newest.get(Status.SCHEDULED)) is not None:
        return _scheduled(scheduled)
    if campaign.status == Campaign.Status.READY:
        return _ready(batch_calls, progress)
    return {
        Campaign.Status.DRAFT: campaign.prepare_error
        or _("A draft: make it ready, and its agent is published at Retell."),
        Campaign.Status.PREPARING: _("Its agent is being published at Retell: a moment, please."),
        Campaign.Status.ARCHIVED: _("Archived: kept for its calls and reports."),
    }[Campaign.Status(campaign.status)]


def _running(rows: Sequence[BatchCall], *, nobody_dials: bool) -> str:
    """Say what launches that run do: the calls of all, and what the newest waits for that has leads in line."""
    in_line = [row for row in rows if row.queued_count]
    reason = _sentence((in_line or rows)[-1])
    if nobody_dials:
        reason = waiting_sentence(DISPATCHER_AWAY, facts={})
    # Who waits in a list at Retell is in no call yet.
    live = sum(row.in_call_count + (0 if _is_batch(row) else row.dialling_count) for row in rows)
    if live:
        calls = ngettext("%(n)d call in progress.", "%(n)d calls in progress.", live)
        return f"{calls % {'n': live}} {reason}".strip()
    return reason or _("The next calls are about to start.")


def _paused(row: BatchCall) -> str:
    if not row.paused_by_email:
        why = waiting_sentence(row.pause_reason, facts=row.waiting_facts)
        return why or _("Paused. Resume it to go on.")
    said = {"who": row.paused_by_email, "when": brief_instant(row.paused_at)}
    if at_retell([row]):
        return _("Paused by %(who)s at %(when)s. Calls in progress go on.") % said
    return _("Paused by %(who)s at %(when)s. Calls in progress go on; no new one starts.") % said


def _beside(row: BatchCall) -> str:
    """Say of a paused launch beside one that runs that it is, and why."""
    return _("An earlier launch is paused: %(why)s") % {"why": _paused(row)}


def _scheduled(row: BatchCall) -> str:
    code = "attaching" if row.attached_at is None else "scheduled"
    return waiting_sentence(code, until=brief_instant(row.scheduled_at), facts={})


def _ready(batch_calls: Sequence[BatchCall], progress: Progress) -> str:
    if progress.waiting:
        return ngettext(
            "%(n)d lead waits for a launch.", "%(n)d leads wait for a launch.", progress.waiting
        ) % {"n": progress.waiting}
    if not batch_calls:
        return _("Ready to launch. Upload leads first: nobody is enrolled yet.")
    last = batch_calls[-1]
    said = {"when": brief_instant(last.finished_at), "done": progress.by_status["done"]}
    if last.status == Status.CANCELLED:
        return _("Stopped at %(when)s. %(done)d people were reached.") % said
    return _("Finished at %(when)s. %(done)d people were reached.") % said


def _sentence(row: BatchCall) -> str:
    return waiting_sentence(
        row.waiting_reason, until=brief_instant(row.waiting_until), facts=row.waiting_facts
    )


# -- The list --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CampaignRow:
    """One line of the campaign list."""

    campaign: Campaign
    status: str
    label: str
    progress: Progress
    sentence: str
    last_dialled_at: datetime | None
    spent_micros: int  # what its calls cost the client so far
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
        shown = {key: _foremost(found) for key, found in live.items()}
        return [key for key, one in shown.items() if one == status][:MOST_FOUND]
    newest = dict(rows.order_by("created_at", "pk").values_list("campaign_id", "status"))
    ready = Campaign.objects.filter(client_id=client_id, status=Campaign.Status.READY)
    over = [key for key, one in newest.items() if one == status and key not in live]
    return list(ready.filter(pk__in=over[-MOST_FOUND:]).values_list("pk", flat=True))


def campaign_rows(
    campaigns: Sequence[Campaign],
    *,
    now: datetime,
    requests: Mapping[UUID, LaunchRequest],
    nobody_dials: bool = False,
) -> list[CampaignRow]:
    """
    Return a page of campaigns with what their launches do; three queries whatever the number.

    `requests` are those of the client that wait for approval, by campaign.
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
                        top_up_of(campaign), requests.get(campaign.pk), now=now
                    ),
                ),
                last_dialled_at=sums.last_dialled_at,
                spent_micros=sums.minutes.cost_micros,
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
