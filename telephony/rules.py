"""What a call's end means to us: its class, whether it counts, what follows, what has to stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

# Stored with every classification, and raised whenever a line below changes its meaning.
RULES_VERSION: Final = 1


class OutcomeClass(StrEnum):
    """The classes that counters and reports know; the words are those of Call.OutcomeClass."""

    NOT_PLACED = "not_placed"
    NO_CONTACT = "no_contact"
    NUMBER_TROUBLE = "number_trouble"
    MACHINE = "machine"
    HUMAN = "human"
    TECHNICAL = "technical"


class RetryRule(StrEnum):
    """How soon another attempt makes sense; the delays are those of the campaign's policy."""

    NEVER = "never"
    BUSY = "busy"  # within the half hour
    NO_ANSWER = "no_answer"  # hours later, another part of the day
    VOICEMAIL = "voicemail"  # another part of the day
    DECLINED = "declined"  # a day later
    TECHNICAL = "technical"  # soon
    REQUEUE = "requeue"  # it was no attempt: again, after a backoff
    AFTER_FIX = "after_fix"  # it was no attempt: again once what stopped was mended


class Stops(StrEnum):
    """What must not dial on after this outcome."""

    NOTHING = ""
    NUMBER = "number"  # the caller number rests
    CAMPAIGN = "campaign"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    What one finished call comes to.

    `counts_attempt`: against the lead's cap. `is_billable`: its connected time is charged (which
    may be none). `is_once`: this retry is made a single time. `suppresses`: the person asked not to
    be called again. `invalidates`: the number can't be reached by anybody. `is_known` is False for
    a reason this version of the rules has no line for.
    """

    outcome_class: OutcomeClass
    counts_attempt: bool = True
    is_billable: bool = True
    retry: RetryRule = RetryRule.NEVER
    is_once: bool = False
    stops: Stops = Stops.NOTHING
    suppresses: bool = False
    invalidates: bool = False
    is_known: bool = True


_HUMAN = Outcome(outcome_class=OutcomeClass.HUMAN)
_MACHINE = Outcome(outcome_class=OutcomeClass.MACHINE, retry=RetryRule.VOICEMAIL)
_NO_CONTACT = Outcome(outcome_class=OutcomeClass.NO_CONTACT, retry=RetryRule.NO_ANSWER)
_TECHNICAL = Outcome(outcome_class=OutcomeClass.TECHNICAL, retry=RetryRule.TECHNICAL, is_once=True)
_NEVER_AGAIN = replace(_TECHNICAL, retry=RetryRule.NEVER, is_once=False)
_NOT_PLACED = Outcome(
    outcome_class=OutcomeClass.NOT_PLACED,
    counts_attempt=False,
    is_billable=False,
    retry=RetryRule.REQUEUE,
)
_MISCONFIGURED = replace(_NOT_PLACED, retry=RetryRule.AFTER_FIX, stops=Stops.CAMPAIGN)
_UNPAID = replace(_NOT_PLACED, retry=RetryRule.AFTER_FIX, stops=Stops.EVERYTHING)
_LABELLED = Outcome(
    outcome_class=OutcomeClass.NUMBER_TROUBLE, retry=RetryRule.NO_ANSWER, stops=Stops.NUMBER
)

# Source: Retell's 39 disconnection reasons (SDK 6.2.13). The class comes from the reason and never
# from call_status, which differs between Retell's own texts.
OUTCOMES: Final[dict[str, Outcome]] = {
    "user_hangup": _HUMAN,
    "agent_hangup": _HUMAN,
    "user_requested_dnc": replace(_HUMAN, suppresses=True),
    "user_requested_callback": _HUMAN,
    "call_transfer": _HUMAN,
    "transfer_bridged": _HUMAN,
    "transfer_cancelled": _HUMAN,
    "call_take_over": _HUMAN,
    "max_duration_reached": _HUMAN,
    "inactivity": _NO_CONTACT,  # human if the person spoke
    "manual_stopped": _NO_CONTACT,  # human if the person spoke
    "voicemail_reached": _MACHINE,
    "ivr_reached": replace(_MACHINE, is_once=True),
    "dial_busy": replace(_NO_CONTACT, retry=RetryRule.BUSY),
    "dial_no_answer": _NO_CONTACT,
    "dial_failed": replace(_NO_CONTACT, is_once=True),
    "user_declined": replace(_NO_CONTACT, retry=RetryRule.DECLINED),
    "invalid_destination": replace(_NOT_PLACED, retry=RetryRule.NEVER, invalidates=True),
    "telephony_provider_permission_denied": _MISCONFIGURED,
    "sip_routing_error": _MISCONFIGURED,
    "telephony_provider_unavailable": _NOT_PLACED,
    "concurrency_limit_reached": _NOT_PLACED,
    "no_concurrency_fallback": _NOT_PLACED,
    "no_valid_payment": _UNPAID,
    "credit_exhausted": _UNPAID,
    "budget_reached": _UNPAID,
    "marked_as_spam": _LABELLED,
    "network_blocked": _LABELLED,
    "scam_detected": replace(_LABELLED, retry=RetryRule.NEVER, stops=Stops.CAMPAIGN),
    "error_llm_websocket_open": _TECHNICAL,
    "error_llm_websocket_lost_connection": _TECHNICAL,
    "error_llm_websocket_runtime": _TECHNICAL,
    "error_llm_websocket_corrupt_payload": _TECHNICAL,
    "error_no_audio_received": _TECHNICAL,
    "error_asr": _TECHNICAL,
    "error_retell": _TECHNICAL,
    "error_unknown": _TECHNICAL,
    "error_user_not_joined": _NEVER_AGAIN,
    "registered_call_timeout": _NEVER_AGAIN,
}
_HUMAN_IF_SPOKEN = frozenset({"inactivity", "manual_stopped"})
_UNKNOWN = replace(_TECHNICAL, is_known=False)


def classify(
    *,
    disconnection_reason: str,
    user_spoke: bool,
    in_voicemail: bool | None,
    duration_ms: int | None,
    call_status: str,
) -> Outcome:
    """
    Name what a finished call came to.

    A class may change when the analysis arrives, because only that knows of some voicemails; what
    the reason says about opting out, invalid numbers and stopping stays.
    """
    outcome = OUTCOMES.get(disconnection_reason, _UNKNOWN)
    if user_spoke and disconnection_reason in _HUMAN_IF_SPOKEN:
        outcome = _HUMAN
    if user_spoke and not outcome.is_known:
        # Nobody who has talked with us is called again because of a word we don't know.
        outcome = replace(outcome, retry=RetryRule.NEVER, is_once=False)
    if in_voicemail and _was_connected(call_status, duration_ms):
        return _as_machine(outcome)
    return outcome


def _was_connected(call_status: str, duration_ms: int | None) -> bool:
    return call_status == "ended" and duration_ms != 0


def _as_machine(outcome: Outcome) -> Outcome:
    """Keep what follows from the reason, and let the class be a machine's."""
    if outcome.outcome_class in {OutcomeClass.MACHINE, OutcomeClass.NOT_PLACED}:
        return outcome
    never = outcome.suppresses or outcome.stops is Stops.CAMPAIGN
    return replace(
        outcome,
        outcome_class=OutcomeClass.MACHINE,
        retry=RetryRule.NEVER if never else RetryRule.VOICEMAIL,
        is_once=False,
    )
