"""Puts a conversation on the clock: word timings, the transcript and its variants."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.sandbox.conversations import Turn, converse, persona_of

if TYPE_CHECKING:
    from telephony.sandbox.outcomes import Plan
    from telephony.sandbox.scripts import Script

_AGENT_SECONDS_PER_WORD = 0.31
_AGENT_PAUSE_SECONDS = 0.9
_LABELS = {"agent": "Agent", "user": "User"}


@dataclass(frozen=True, slots=True)
class Utterance:
    """A turn with its first and last moment, in seconds since the call was answered."""

    turn: Turn
    start: float
    end: float
    words: list[dict[str, Any]]
    response_id: int = 0  # of the agent's answers, counted from 1

    def spoken(self) -> dict[str, Any]:
        told = {"role": self.turn.role, "content": self.turn.text, "words": self.words}
        return {**told, "metadata": {"response_id": self.response_id}} if self.response_id else told


def transcribe(*, script: Script, plan: Plan) -> list[Utterance]:
    """Return what is said in a connected call, fitted to its talk time."""
    if not plan.connects:
        return []
    return _fit(converse(script=script, plan=plan), plan)


def _fit(turns: list[Turn], plan: Plan) -> list[Utterance]:
    """Spread spare time over the pauses; words beyond the end of the call go unsaid."""
    persona = persona_of(plan)
    rng = random.Random(plan.seed)
    seconds = plan.talk_ms / 1000
    paces = {"agent": _AGENT_SECONDS_PER_WORD, "user": persona.seconds_per_word, "tool": 0.05}
    pauses = {"agent": _AGENT_PAUSE_SECONDS, "user": persona.pause_seconds, "tool": 0.3}
    natural = sum(pauses[t.role] + paces[t.role] * len(t.text.split()) for t in turns)
    # Nobody who answers waits for the agent: what time is to spare is spread over what follows.
    first = next((number for number, turn in enumerate(turns) if turn.role == "agent"), 0)
    spare = max(0.0, seconds - natural - 0.5) / max(1, len(turns) - first - 1)
    utterances: list[Utterance] = []
    now, answers = 0.0, 0
    for number, turn in enumerate(turns):
        pause = spare * rng.uniform(0.7, 1.0)
        now += pauses[turn.role] + (pause if number > first else 0)
        words = _words(turn.text, now, paces[turn.role], seconds)
        if not words:
            break
        said = " ".join(word["word"] for word in words)
        end = words[-1]["end"]
        whole = turn if turn.tool or said == turn.text else Turn(turn.role, said)
        answers += turn.role == "agent"
        utterances.append(
            Utterance(
                turn=whole,
                start=round(now, 3),
                end=end,
                words=[] if turn.tool else words,
                response_id=answers if turn.role == "agent" else 0,
            )
        )
        now = end
    return utterances


def _words(text: str, start: float, pace: float, limit: float) -> list[dict[str, Any]]:
    words: list[dict[str, Any]] = []
    for word in text.split():
        end = start + pace * (0.55 + 0.09 * min(len(word), 10))
        if end > limit:
            break
        words.append({"word": word, "start": round(start, 3), "end": round(end, 3)})
        start = end + 0.02
    return words


def transcript_fields(utterances: list[Utterance], *, call_id: str) -> dict[str, Any]:
    """Return the three transcripts of a call object."""
    spoken = [it for it in utterances if not it.turn.tool]
    lines = [f"{_LABELS[it.turn.role]}: {it.turn.text}\n" for it in spoken]
    woven: list[dict[str, Any]] = []
    for number, utterance in enumerate(utterances):
        if utterance.turn.tool:
            woven += _tool_call(utterance, f"tool_{call_id[-12:]}_{number}")
        else:
            woven.append(utterance.spoken())
    return {
        "transcript": "".join(lines),
        "transcript_object": [utterance.spoken() for utterance in spoken],
        "transcript_with_tool_calls": woven,
    }


def _tool_call(utterance: Utterance, tool_call_id: str) -> list[dict[str, Any]]:
    invocation = {
        "role": "tool_call_invocation",
        "tool_call_id": tool_call_id,
        "name": utterance.turn.tool,
        "arguments": utterance.turn.text,
        "type": utterance.turn.tool,
    }
    result = {
        "role": "tool_call_result",
        "tool_call_id": tool_call_id,
        "content": "ok",
        "successful": True,
    }
    return [invocation, result]
