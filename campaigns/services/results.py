"""What a call's result means for its lead, where a person has corrected it."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Any

from campaigns.agent_settings import CONVERTED_FIELD
from campaigns.enrolments import converted_count
from campaigns.models import BatchCall, Enrolment
from leads.models import Lead, LeadStatusChange
from leads.services import change_conversion
from telephony.models import Call, CallDetail

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor

_MOST_CALLS = 100
_CHUNK = 500  # below SQLite's limit of parameters


def settle_result(*, call: Call, actor: Actor, now: datetime) -> bool:
    """
    Bring the flags of a call's lead up to what its calls came to, corrections included.

    Inside the caller's transaction. Whether and when the lead is called again stays as it is. Returns
    whether this made the lead one that reached the goal.
    """
    if call.enrolment_id is None or call.lead_id is None:
        return False
    enrolment = Enrolment.objects.filter(pk=call.enrolment_id, client_id=call.client_id).first()
    if enrolment is None:
        return False
    reached, converted = _flags(enrolment)
    columns: dict[str, Any] = {"was_reached": reached, "is_converted": converted}
    is_last = enrolment.last_call_id == call.pk
    if is_last:
        columns["last_outcome"] = call.shown_outcome
    Enrolment.objects.filter(pk=enrolment.pk).update(**columns)
    if converted != enrolment.is_converted and enrolment.batch_call_id is not None:
        counted = converted_count(enrolment.batch_call_id)
        BatchCall.objects.filter(pk=enrolment.batch_call_id).update(converted_count=counted)
    is_won = Enrolment.objects.filter(lead_id=call.lead_id, is_converted=True).exists()
    change_conversion(
        lead_id=call.lead_id,
        is_converted=is_won,
        why=LeadStatusChange.Why.CORRECTED,
        by_email=actor.actor_email,
        now=now,
    )
    if is_last:
        shown = Lead.objects.filter(pk=call.lead_id, last_call_id=call.pk)
        shown.update(last_outcome=call.shown_outcome)
    return converted and not enrolment.is_converted


def _flags(enrolment: Enrolment) -> tuple[bool, bool]:
    """Tell whether a person was reached, and whether the goal was, in any of the lead's calls."""
    calls = Call.objects.filter(
        client_id=enrolment.client_id, lead_id=enrolment.lead_id, enrolment_id=enrolment.pk
    )
    humans = [call for call in calls[:_MOST_CALLS] if call.shown_outcome == "human"]
    said = _goals([call.pk for call in humans if not call.corrected_outcome])
    goal = Call.Correction.GOAL
    return bool(humans), any(call.corrected_outcome == goal or call.pk in said for call in humans)


def goal_calls(call_ids: Iterable[UUID]) -> set[UUID]:
    """Return the calls in which the goal was reached, as the analysis says or who corrected it; few queries."""
    found: set[UUID] = set()
    for some in batched(call_ids, _CHUNK):
        corrected = dict(
            Call.objects.filter(pk__in=some)
            .exclude(corrected_outcome="")
            .values_list("pk", "corrected_outcome")
        )
        found |= _goals([key for key in some if key not in corrected])
        found |= {key for key, said in corrected.items() if said == Call.Correction.GOAL}
    return found


def _goals(call_ids: list[UUID]) -> set[UUID]:
    """Return the calls whose analysis says that the goal was reached."""
    details = CallDetail.objects.filter(call_id__in=call_ids)
    found = set()
    for call_id, analysis in details.values_list("call_id", "call_analysis"):
        data = analysis.get("custom_analysis_data")
        if isinstance(data, dict) and data.get(CONVERTED_FIELD) is True:
            found.add(call_id)
    return found
