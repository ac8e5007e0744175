"""How far a campaign has come: its launches added up, its one status, the sentence that says why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, ngettext

from campaigns.dialling.waiting import DISPATCHER_AWAY
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.queries.launches import (
    ENDS,
    IN_PROGRESS,
    Totals,
)
from campaigns.rules import waiting_sentence
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime


Status = BatchCall.Status


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
    if shown := foremost({row.status for row in batch_calls}):
        return shown
    if campaign.status == Campaign.Status.READY and batch_calls:
        return batch_calls[-1].status
    return campaign.status


def foremost(statuses: Collection[str]) -> str:
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
    is_held: bool = False,
) -> str:
    """
    Return the one sentence that says what a campaign does or waits for; never empty.

    `nobody_dials` as the caller has just read it: the rows say so a moment later. `new_leads` says what
    leads in no launch wait for (`queries/new_leads.py`): it is added where they are all that waits, and where
    somebody holds them (`is_held`) before there are any.
    """
    said = _why(campaign, batch_calls, progress, nobody_dials=nobody_dials)
    if new_leads and (progress.waiting or is_held) and _is_idle(campaign, batch_calls):
        said = f"{said} {new_leads}"
    # Of a launch that dials its own sentence says it.
    halted = [row for row in batch_calls if row.status in {Status.PAUSED, Status.CANCELLED}]
    waits = at_retell(halted)
    return f"{said} {unrecalled(waits)}" if waits else said


def _is_idle(campaign: Campaign, batch_calls: Sequence[BatchCall]) -> bool:
    is_live = foremost({row.status for row in batch_calls})
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
        Campaign.Status.PREPARING: campaign.prepare_error
        or _("Its agent is being published at Retell: a moment, please."),
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
