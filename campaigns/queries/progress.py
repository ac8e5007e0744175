"""How far a campaign has come: its launches added up, its one status, the sentence that says why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count
from django.utils.translation import gettext as _, ngettext

from billing.models import Reservation
from billing.rules import price_micros
from campaigns.dialling.waiting import DISPATCHER_AWAY
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.rules import waiting_sentence
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

Status = BatchCall.Status
_ENDS = ("done", "exhausted", "suppressed", "invalid", "cancelled")
_IN_PROGRESS = ("queued", "dialling", "in_call")


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
    at_retell: int = 0  # of those who are being dialled: in lists that Retell dials by itself

    @property
    def ended(self) -> int:
        return sum(self.by_status[name] for name in _ENDS)

    @property
    def in_progress(self) -> int:
        return sum(self.by_status[name] for name in _IN_PROGRESS)

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
        names = (*_ENDS, *_IN_PROGRESS)
        labels = dict(Enrolment.Status.choices)
        return [Part(name, str(labels[name]), self.by_status[name]) for name in names]


def add_up(batch_calls: Iterable[BatchCall], *, waiting: int = 0) -> Progress:
    """Add the counters of a campaign's launches; each lead is in one launch at most."""
    rows = list(batch_calls)
    checked = [row.checked_at for row in rows if row.checked_at]
    by_status = {
        name: sum(getattr(row, f"{name}_count") for row in rows) for name in (*_ENDS, *_IN_PROGRESS)
    }
    return Progress(
        enrolled=sum(row.tasks_count for row in rows),
        by_status=by_status,
        waiting=waiting,
        checked_at=max(checked, default=None),
        is_off=any(row.mismatch for row in rows),
        at_retell=sum(row.dialling_count for row in rows if _is_batch(row)),
    )


def _is_batch(row: BatchCall) -> bool:
    return row.mode == BatchCall.Mode.RETELL_BATCH


def shown_status(campaign: Campaign, batch_calls: Sequence[BatchCall]) -> str:
    """Return the one word a campaign's badge shows: what its launches do, else where its text is."""
    found = {row.status for row in batch_calls}
    for status in (Status.RUNNING, Status.PAUSED, Status.SCHEDULED):
        if status in found:
            return status
    if campaign.status == Campaign.Status.READY and batch_calls:
        return batch_calls[-1].status
    return campaign.status


def status_label(status: str) -> str:
    """Return the word people read for any status of a campaign or a launch."""
    labels = {**dict(Campaign.Status.choices), **dict(Status.choices)}
    return str(labels.get(status, status))


def launches_of(campaigns: Iterable[Campaign]) -> dict[UUID, list[BatchCall]]:
    """Return the launches of these campaigns, oldest first; one query."""
    found: dict[UUID, list[BatchCall]] = defaultdict(list)
    rows = BatchCall.objects.filter(campaign_id__in=[row.pk for row in campaigns])
    for row in rows.order_by("created_at", "pk"):
        found[row.campaign_id].append(row)
    return found


# -- Why -------------------------------------------------------------------------------------------


def why(
    campaign: Campaign,
    batch_calls: Sequence[BatchCall],
    progress: Progress,
    *,
    nobody_dials: bool = False,
) -> str:
    """
    Return the one sentence that says what a campaign does or waits for; never empty.

    `nobody_dials` as the caller has just read it: the rows say so a moment later.
    """
    newest = {row.status: row for row in batch_calls}
    if (running := newest.get(Status.RUNNING)) is not None:
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


def _running(row: BatchCall, *, nobody_dials: bool) -> str:
    reason = _sentence(row)
    if nobody_dials:
        reason = waiting_sentence(DISPATCHER_AWAY, facts={})
    # Who waits in a list at Retell is in no call yet.
    waits = 0 if _is_batch(row) else row.dialling_count
    live = waits + row.in_call_count
    if live:
        calls = ngettext("%(n)d call in progress.", "%(n)d calls in progress.", live)
        return f"{calls % {'n': live}} {reason}".strip()
    return reason or _("The next calls are about to start.")


def _paused(row: BatchCall) -> str:
    if not row.paused_by_email:
        why = waiting_sentence(row.pause_reason, facts=row.waiting_facts)
        return why or _("Paused. Resume it to go on.")
    said = {"who": row.paused_by_email, "when": brief_instant(row.paused_at)}
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
    live_ids: Iterable[UUID] = (),
) -> QuerySet[Campaign]:
    """Return campaigns newest first; `status` is their own, or "live" for those of `live_ids`."""
    rows = campaigns.defer("script_raw", "settings")
    if search:
        rows = rows.filter(name__icontains=search)
    if status == "live":
        rows = rows.filter(pk__in=list(live_ids))
    elif status:
        rows = rows.filter(status=status)
    else:
        rows = rows.exclude(status=Campaign.Status.ARCHIVED)
    return rows.order_by("-created_at", "-pk")


def live_campaign_ids(client_id: UUID) -> list[UUID]:
    """Return the client's campaigns that have a launch which isn't over."""
    live = BatchCall.objects.filter(
        client_id=client_id, status__in=(Status.SCHEDULED, Status.RUNNING, Status.PAUSED)
    )
    return list(live.values_list("campaign_id", flat=True)[:1000])


def campaign_rows(
    campaigns: Sequence[Campaign], *, nobody_dials: bool = False
) -> list[CampaignRow]:
    """Return a page of campaigns with what their launches do; three queries whatever the number."""
    launches = launches_of(campaigns)
    waiting = _waiting(campaigns)
    spent = _spent(launches.values())
    rows = []
    for campaign in campaigns:
        batch_calls = launches.get(campaign.pk, [])
        progress = add_up(batch_calls, waiting=waiting.get(campaign.pk, 0))
        status = shown_status(campaign, batch_calls)
        dialled = [row.last_dialled_at for row in batch_calls if row.last_dialled_at]
        rows.append(
            CampaignRow(
                campaign=campaign,
                status=status,
                label=status_label(status),
                progress=progress,
                sentence=why(campaign, batch_calls, progress, nobody_dials=nobody_dials),
                last_dialled_at=max(dialled, default=None),
                spent_micros=spent.get(campaign.pk, 0),
                converted=sum(row.converted_count for row in batch_calls),
            )
        )
    return rows


def _spent(launches: Iterable[Sequence[BatchCall]]) -> dict[UUID, int]:
    """Return what the calls of each campaign cost the client, from its reservations; one query."""
    campaign_of = {row.pk: row.campaign_id for rows in launches for row in rows}
    found: dict[UUID, int] = defaultdict(int)
    for row in Reservation.objects.filter(batch_call_id__in=list(campaign_of)):
        price = price_micros(seconds=row.posted_seconds, terms=row.terms)
        found[campaign_of[row.batch_call_id]] += price
    return found


def _waiting(campaigns: Sequence[Campaign]) -> dict[UUID, int]:
    rows = Enrolment.objects.filter(
        client_id__in={row.client_id for row in campaigns},
        campaign_id__in=[row.pk for row in campaigns],
        status=Enrolment.Status.QUEUED,
        batch_call=None,
    )
    counted = rows.order_by().values_list("campaign_id").annotate(number=Count("pk"))
    return dict(counted)
