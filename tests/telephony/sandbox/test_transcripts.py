"""The times of what the sandbox's people and agents say."""

from __future__ import annotations

import pytest

from telephony.first_words import ABANDONED_AFTER_MS, NEVER_SPOKE_MS, agent_first_word_ms
from telephony.sandbox.outcomes import plan_call
from telephony.sandbox.scripts import Script
from telephony.sandbox.transcripts import transcribe, transcript_fields


@pytest.mark.parametrize("opening", ["Hi Maria, this is Alex from Acme. Is now a good time?", ""])
def test_whoever_answers_hears_the_agent_at_once(opening: str) -> None:
    script = Script(
        opening=opening,
        points=("Let me tell you about the new hours.", "May I ask whether mornings suit you?"),
        agent_name="Alex",
        lead_name="Maria",
        topic="a check-up",
        voicemail="",
    )
    waits, ends = [], []
    for seed in range(600):
        plan = plan_call(to_number="+14155550150", seed=f"{seed}", profile="warm", agent={})
        if not plan.connects or plan.machine or plan.reason == "inactivity":
            continue
        said = transcribe(script=script, plan=plan)
        waits.append(agent_first_word_ms(transcript_fields(said, call_id="c")["transcript_object"]))
        ends.append(said[-1].end * 1000 / plan.talk_ms)
    assert len(waits) > 100
    late = [wait for wait in waits if wait is None or wait > ABANDONED_AFTER_MS]
    # Some hang up within seconds, before the agent's turn came.
    assert set(late) <= {NEVER_SPOKE_MS}
    assert len(late) <= len(waits) / 50
    # The time that is to spare is spread over the rest: talk goes on until about the end.
    assert sum(ends) / len(ends) > 0.75
