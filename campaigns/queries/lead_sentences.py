"""The one sentence on what a lead in a campaign waits for, or what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, gettext_lazy

from campaigns.dialling.waiting import FOR_NOBODY_DUE
from campaigns.dialling.wording import reasons
from campaigns.models import BatchCall, Enrolment
from campaigns.rules import Verdict, waiting_sentence
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.functional import _StrPromise

_STATES: dict[str, _StrPromise] = {
    Enrolment.Status.DIALLING: gettext_lazy("Being dialled just now."),
    Enrolment.Status.IN_CALL: gettext_lazy("On the line just now."),
    Enrolment.Status.DONE: gettext_lazy("Reached: nothing is left to do."),
    Enrolment.Status.SUPPRESSED: gettext_lazy("Is never called: do not call, or no consent."),
    Enrolment.Status.EXHAUSTED: gettext_lazy("Not reached: no further attempt is made."),
    Enrolment.Status.INVALID: gettext_lazy("Can't be called: the number doesn't exist."),
    Enrolment.Status.CANCELLED: gettext_lazy("Taken out of the line when the launch was stopped."),
}
_AT_RETELL = gettext_lazy("In a list that the voice platform dials by itself.")
_BY_HAND = gettext_lazy("Taken out of the line by hand.")
_HELD = gettext_lazy("Held back by hand: not called until somebody releases it.")


def lead_sentence(row: Enrolment, *, now: datetime, new_leads: str = "") -> str:
    """
    Return the sentence that is true of a lead at `now`; never empty.

    The lead comes with its launch. What was written about a time that has come is over. `new_leads` says
    what leads in no launch wait for (`queries/new_leads.py`).
    """
    if row.status != Enrolment.Status.QUEUED:
        return _not_in_line(row)
    launch = row.batch_call
    if launch is None:
        return f"{_('Waits for the next launch.')} {new_leads}".rstrip()
    if row.held_at is not None:
        return str(_HELD)
    if launch.status != BatchCall.Status.RUNNING:
        return _not_running(launch)
    if row.next_attempt_at <= now:
        return _due(row, launch)
    until = brief_instant(row.next_attempt_at)
    said = waiting_sentence(row.waiting_reason, until=until, facts={})
    return said or _("Due at %(until)s.") % {"until": until}


def _not_running(launch: BatchCall) -> str:
    if launch.status == BatchCall.Status.PAUSED:
        return _("Waits: the launch is paused.")
    if launch.status == BatchCall.Status.SCHEDULED:
        at = brief_instant(launch.scheduled_at)
        return _("Waits: the launch starts at %(at)s.") % {"at": at}
    return _("Not called: the launch is over.")


def _not_in_line(row: Enrolment) -> str:
    if row.status == Enrolment.Status.CANCELLED and row.removed_at is not None:
        return str(_BY_HAND)
    if row.status == Enrolment.Status.INVALID:
        return _invalid(row)
    launch = row.batch_call
    is_batch = launch is not None and launch.mode == BatchCall.Mode.RETELL_BATCH
    is_at_retell = is_batch and row.status == Enrolment.Status.DIALLING
    return str(_AT_RETELL if is_at_retell else _STATES[row.status])


def _invalid(row: Enrolment) -> str:
    """Say why a lead can't be called; without a decision against it the platform said that there is no such number."""
    told = reasons(row.decision) if row.decision.get("verdict") == Verdict.DENY else []
    return " ".join(one.sentence for one in told) or str(_STATES[row.status])


def _due(row: Enrolment, launch: BatchCall) -> str:
    """Say of a lead whose time has come what holds up its launch, or how it stands in line."""
    # What a launch waits for while nobody is due doesn't hold up somebody who is.
    if launch.waiting_reason not in FOR_NOBODY_DUE:
        until = brief_instant(launch.waiting_until)
        held_up = waiting_sentence(launch.waiting_reason, until=until, facts=launch.waiting_facts)
        if held_up:
            return held_up
    if row.callback_at is not None:
        return _("Asked to be called back: goes first.")
    if row.moved_from is not None:
        return _("Moved to the front by hand.")
    return _("In line: called as soon as a line is free.")
