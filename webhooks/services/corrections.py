"""A person's word against a report's: what a call really came to, counted at once and undone as easily."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from audit import actions
from audit.services import record
from campaigns.services.results import settle_result
from convomono.lib import live
from convomono.lib.db import compare_and_set, run_atomic
from reporting.services import recount_call
from telephony.models import Call
from telephony.services.calls import CallMovedOn
from webhooks.client_events import tell_conversion

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor

_TRIES: Final = 3


class NotCorrectable(Exception):
    """The call isn't settled yet, or was never placed: there is nothing to correct."""


def correct_outcome(*, call: Call, correction: str, actor: Actor, now: datetime) -> bool:
    """
    Let a correction count in place of what was reported; an empty one takes it back.

    Lists, counters and the lead's result change; the charge and what is dialled next don't. Later
    events go on being reported and don't undo it. The same correction twice is once: False.

    :raises NotCorrectable: if the call isn't settled, or was never placed
    :raises CallMovedOn: if events kept coming in between
    """
    for attempt in range(_TRIES):
        try:
            return run_atomic(lambda: _correct(call, correction, actor, now))
        except CallMovedOn:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


def _correct(call: Call, correction: str, actor: Actor, now: datetime) -> bool:
    row = Call.objects.get(pk=call.pk)
    if row.outcome_class in ("", Call.OutcomeClass.NOT_PLACED) or row.is_test:
        raise NotCorrectable
    before = row.corrected_outcome
    if before == correction:
        return False
    columns = {
        "corrected_outcome": correction,
        "corrected_by_email": actor.actor_email if correction else "",
        "corrected_at": now if correction else None,
    }
    # Counters are moved by what was read, and a drain may have read it too.
    if not compare_and_set(row, "revision", **columns, revision=row.revision + 1):
        raise CallMovedOn(row.provider_call_id)
    row.corrected_outcome = correction
    counted = recount_call(call=row)
    if counted is not None:
        Call.objects.filter(pk=row.pk).update(counted=counted)
    if settle_result(call=row, actor=actor, now=now):
        tell_conversion(call=row, now=now)
    details = {"from": before or row.outcome_class, "to": correction or row.outcome_class}
    action = actions.CALL_CORRECTED if correction else actions.CALL_CORRECTION_UNDONE
    record(action, resource=row, actor=actor, now=now, details=details)
    live.changed(client_id=row.client_id, campaign_id=row.campaign_id, call_id=row.pk)
    return True
