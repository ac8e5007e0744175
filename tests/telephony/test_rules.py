"""The outcome of a call: all 39 of Retell's reasons, and whatever it may say next year."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telephony.models import Call
from telephony.rules import OUTCOMES, Outcome, OutcomeClass, RetryRule, Stops, classify

# reason: class, counts as an attempt, retry, only once, stops
TABLE = """
user_hangup                           human           yes never      -    -
agent_hangup                          human           yes never      -    -
user_requested_dnc                    human           yes never      -    -
user_requested_callback               human           yes never      -    -
call_transfer                         human           yes never      -    -
transfer_bridged                      human           yes never      -    -
transfer_cancelled                    human           yes never      -    -
call_take_over                        human           yes never      -    -
max_duration_reached                  human           yes never      -    -
inactivity                            no_contact      yes no_answer  -    -
manual_stopped                        no_contact      yes no_answer  -    -
voicemail_reached                     machine         yes voicemail  -    -
ivr_reached                           machine         yes voicemail  once -
dial_busy                             no_contact      yes busy       -    -
dial_no_answer                        no_contact      yes no_answer  -    -
dial_failed                           no_contact      yes no_answer  once -
user_declined                         no_contact      yes declined   -    -
invalid_destination                   not_placed      no  never      -    -
telephony_provider_permission_denied  not_placed      no  after_fix  -    campaign
sip_routing_error                     not_placed      no  after_fix  -    campaign
telephony_provider_unavailable        not_placed      no  requeue    -    -
concurrency_limit_reached             not_placed      no  requeue    -    -
no_concurrency_fallback               not_placed      no  requeue    -    -
no_valid_payment                      not_placed      no  after_fix  -    everything
credit_exhausted                      not_placed      no  after_fix  -    everything
budget_reached                        not_placed      no  after_fix  -    everything
marked_as_spam                        number_trouble  yes no_answer  -    number
network_blocked                       number_trouble  yes no_answer  -    number
scam_detected                         number_trouble  yes never      -    campaign
error_llm_websocket_open              technical       yes technical  once -
error_llm_websocket_lost_connection   technical       yes technical  once -
error_llm_websocket_runtime           technical       yes technical  once -
error_llm_websocket_corrupt_payload   technical       yes technical  once -
error_no_audio_received               technical       yes technical  once -
error_asr                             technical       yes technical  once -
error_retell                          technical       yes technical  once -
error_unknown                         technical       yes technical  once -
error_user_not_joined                 technical       yes never      -    -
registered_call_timeout               technical       yes never      -    -
abducted_by_aliens                    technical       yes technical  once -
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


def judged(reason: str, **facts: object) -> Outcome:
    known: dict[str, object] = {
        "user_spoke": False,
        "in_voicemail": None,
        "duration_ms": 1000,
        "call_status": "ended",
    }
    return classify(disconnection_reason=reason, **{**known, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_follows_the_table(row: list[str]):
    reason, outcome_class, counts, retry, once, stops = row
    outcome = judged(reason)
    assert outcome.outcome_class == outcome_class
    assert outcome.counts_attempt is (counts == "yes")
    assert outcome.retry == retry
    assert outcome.is_once is (once == "once")
    assert outcome.stops == ("" if stops == "-" else stops)
    assert outcome.is_billable is (outcome_class != "not_placed")
    assert outcome.suppresses is (reason == "user_requested_dnc")
    assert outcome.invalidates is (reason == "invalid_destination")
    assert outcome.is_known is (reason != "abducted_by_aliens")


def test_knows_all_39_reasons():
    assert len(OUTCOMES) == 39
    assert {row[0] for row in ROWS} == OUTCOMES.keys() | {"abducted_by_aliens"}


def test_uses_the_words_of_the_column():
    assert {member.value for member in OutcomeClass} == set(Call.OutcomeClass.values)


@pytest.mark.parametrize("reason", ["inactivity", "manual_stopped"])
def test_is_human_when_the_person_spoke_before_it_ended(reason: str):
    outcome = judged(reason, user_spoke=True)
    assert (outcome.outcome_class, outcome.retry) == ("human", RetryRule.NEVER)


def test_never_calls_again_somebody_who_spoke_because_of_an_unknown_word():
    assert judged("abducted_by_aliens", user_spoke=True).retry is RetryRule.NEVER


def test_is_a_machine_when_the_analysis_says_so():
    outcome = judged("agent_hangup", in_voicemail=True)
    assert (outcome.outcome_class, outcome.retry) == ("machine", RetryRule.VOICEMAIL)


@pytest.mark.parametrize("facts", [{"call_status": "not_connected"}, {"duration_ms": 0}])
def test_is_no_machine_when_nothing_connected(facts: dict[str, object]):
    assert judged("dial_no_answer", in_voicemail=True, **facts).outcome_class == "no_contact"


def test_suppresses_by_the_reason_whatever_the_class():
    outcome = judged("user_requested_dnc", in_voicemail=True)
    assert (outcome.outcome_class, outcome.suppresses) == ("machine", True)
    assert outcome.retry is RetryRule.NEVER


def test_keeps_a_flagged_campaign_stopped_when_a_machine_answered():
    outcome = judged("scam_detected", in_voicemail=True)
    assert (outcome.stops, outcome.retry) == (Stops.CAMPAIGN, RetryRule.NEVER)


@given(
    reason=st.one_of(st.sampled_from(sorted(OUTCOMES)), st.text()),
    user_spoke=st.booleans(),
    in_voicemail=st.none() | st.booleans(),
    duration_ms=st.none() | st.integers(0, 10**8),
    call_status=st.sampled_from(["ended", "not_connected", "error", "", "registered"]),
)
def test_holds_for_every_call(reason, user_spoke, in_voicemail, duration_ms, call_status):
    outcome = classify(
        disconnection_reason=reason,
        user_spoke=user_spoke,
        in_voicemail=in_voicemail,
        duration_ms=duration_ms,
        call_status=call_status,
    )
    if outcome.outcome_class == "human":
        assert outcome.retry is RetryRule.NEVER
    if outcome.outcome_class == "not_placed":
        assert not outcome.counts_attempt
        assert not outcome.is_billable
    if outcome.suppresses or outcome.invalidates:
        assert outcome.retry is RetryRule.NEVER
    assert outcome.suppresses is (reason == "user_requested_dnc")
