"""What rules on outcomes look at, read for many calls at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import batched
from typing import TYPE_CHECKING, Any

from campaigns.automation import CallFacts
from campaigns.services.results import goal_calls
from telephony.models import Call, CallDetail

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from campaigns.models import Attempt

_CHUNK = 500  # below SQLite's limit of parameters


def facts_of(attempts: Iterable[Attempt], *, reads_analysis: bool = False) -> dict[UUID, CallFacts]:
    """
    Return what rules look at, by attempt; their enrolments should be loaded.

    Each by what its own call came to: where the lead is now was brought about by its newest call alone.
    What was answered is read only if it is asked for: two more queries for each 500 calls.
    """
    rows = list(attempts)
    won = goal_calls(
        row.call_id for row in rows if row.call_id is not None and row.enrolment.is_converted
    )
    facts = {
        row.pk: CallFacts(
            outcome_class=row.outcome_class,
            reason=row.disconnection_reason,
            is_converted=row.call_id in won,
            lead_status=_left_at(row),
        )
        for row in rows
    }
    return _with_analysis(rows, facts) if reads_analysis else facts


def _left_at(attempt: Attempt) -> str:
    enrolment = attempt.enrolment
    return enrolment.status if enrolment.attempt_number == attempt.number else ""


def _with_analysis(rows: list[Attempt], facts: dict[UUID, CallFacts]) -> dict[UUID, CallFacts]:
    """Return the facts with what the analysis of each call says."""
    found = dict(facts)
    called = [(row.pk, row.call_id) for row in rows if row.call_id is not None]
    for some in batched(called, _CHUNK):
        keys = [call_id for _attempt, call_id in some]
        calls = Call.objects.filter(pk__in=keys).values_list("pk", "user_sentiment", "analyzed_at")
        details = CallDetail.objects.filter(call_id__in=keys)
        analyses = dict(details.values_list("call_id", "call_analysis"))
        known = {key: (sentiment, analysed_at) for key, sentiment, analysed_at in calls}
        for attempt_id, call_id in some:
            sentiment, analysed_at = known.get(call_id, ("", None))
            found[attempt_id] = replace(
                found[attempt_id],
                sentiment=sentiment,
                answers=_answers(analyses.get(call_id)),
                is_analysed=analysed_at is not None,
            )
    return found


def _answers(analysis: dict[str, Any] | None) -> dict[str, Any]:
    data = (analysis or {}).get("custom_analysis_data")
    return data if isinstance(data, dict) else {}
