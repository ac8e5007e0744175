"""Conversations: who says what, from the script, the persona and the outcome."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

from telephony.sandbox.personas import (
    CALLBACK_TIMES,
    FOLLOW_UPS,
    IVR_MENUS,
    LAST_WORDS,
    OPT_OUTS,
    PERSONAS,
    QUICK_GOODBYES,
    TOPIC,
    VOICEMAIL_GREETINGS,
    Persona,
)

if TYPE_CHECKING:
    from telephony.sandbox.outcomes import Plan
    from telephony.sandbox.scripts import Script

_QUICK_MS = 11_000
_EXCHANGE_MS = 11_000
_GREETS_FIRST = 0.5


@dataclass(frozen=True, slots=True)
class Turn:
    """Something said, or, with a tool, something done; text is then its JSON arguments."""

    role: str
    text: str
    tool: str = ""


def persona_of(plan: Plan) -> Persona:
    return PERSONAS[plan.seed % len(PERSONAS)]


def converse(*, script: Script, plan: Plan) -> list[Turn]:
    """Return the turns of a connected call; the same plan gives the same conversation."""
    rng = random.Random(plan.seed)
    persona = persona_of(plan)
    if plan.machine:
        return _with_machine(script, plan, rng)
    turns = _opening(script, persona, plan, rng)
    if plan.reason == "inactivity":
        return [*turns, Turn("agent", "Hello? Are you still there?"), Turn("agent", "Hello?")]
    if plan.reason == "user_hangup" and plan.talk_ms < _QUICK_MS:
        return [*turns, Turn("user", rng.choice(QUICK_GOODBYES))]
    endings = _ending(script, persona, plan, rng)
    return [*turns, *_middle(script, persona, plan, rng), *endings]


def _opening(script: Script, persona: Persona, plan: Plan, rng: random.Random) -> list[Turn]:
    name = script.lead_name
    greeting = rng.choice(persona.greetings).format(name=name or "hello")
    opening = Turn("agent", script.opening)
    if plan.reason == "inactivity":
        return [opening] if script.opening else []
    if not script.opening:
        return [Turn("user", greeting), Turn("agent", f"Hello, I'm calling about {script.topic}.")]
    return [Turn("user", greeting), opening] if rng.random() < _GREETS_FIRST else [opening]


def _middle(script: Script, persona: Persona, plan: Plan, rng: random.Random) -> list[Turn]:
    # After its own points the agent has follow-ups; a longer call has longer pauses instead.
    points = [*script.points, *rng.sample(FOLLOW_UPS, len(FOLLOW_UPS))]
    count = min(len(points), max(0, round((plan.talk_ms - 16_000) / _EXCHANGE_MS)))
    replies = cycle(rng.sample(persona.replies, len(persona.replies)))
    questions = cycle(rng.sample(persona.questions, len(persona.questions)))
    turns: list[Turn] = [Turn("user", next(replies))] if count else []
    for number, point in enumerate(points[:count]):
        turns.append(Turn("agent", point.replace(TOPIC, script.topic)))
        asks = number % 3 == 1
        turns.append(Turn("user", next(questions) if asks else next(replies)))
    return turns


def _ending(script: Script, persona: Persona, plan: Plan, rng: random.Random) -> list[Turn]:
    goodbye = f"Thank you{', ' + script.lead_name if script.lead_name else ''}. Goodbye!"
    last = Turn("user", rng.choice(LAST_WORDS))
    hang_up = Turn("tool", '{"reason":"The conversation is complete."}', tool="end_call")
    if plan.reason == "user_requested_dnc":
        sorry = "I understand, we won't call you again. Sorry for the disturbance. Goodbye."
        return [Turn("user", rng.choice(OPT_OUTS)), Turn("agent", sorry), hang_up]
    if plan.reason == "user_requested_callback":
        when = rng.choice(CALLBACK_TIMES)
        asked = Turn("user", f"This is a bad time. Could you call me back {when}?")
        return [asked, Turn("agent", f"Of course, I'll call you back {when}. {goodbye}"), hang_up]
    if plan.reason == "call_transfer":
        transfer = f'{{"destination":"{script.transfer_to}"}}'
        return [
            Turn("user", "Can I talk to a person about this?"),
            Turn("agent", "Certainly, one moment, I'm connecting you."),
            Turn("tool", transfer, tool="transfer_call"),
        ]
    if plan.reason not in {"agent_hangup", "user_hangup"}:
        return []  # cut off in the middle
    settled = rng.choice(persona.agreements if plan.successful else persona.refusals)
    decision = [
        Turn("agent", f"So, shall we go ahead with {script.topic}?"),
        Turn("user", settled),
        Turn("agent", goodbye),
    ]
    return [*decision, hang_up if plan.reason == "agent_hangup" else last]


def _with_machine(script: Script, plan: Plan, rng: random.Random) -> list[Turn]:
    if plan.reason == "ivr_reached":
        return [Turn("user", rng.choice(IVR_MENUS))]
    greeting = rng.choice(VOICEMAIL_GREETINGS).format(name=script.lead_name or "this number")
    turns = [Turn("user", greeting)]
    if plan.reason != "voicemail_reached":
        # Nobody noticed that it is a machine: the agent goes on as with a person.
        return [*turns, Turn("agent", script.opening or "Hello?"), Turn("agent", script.points[0])]
    return [*turns, Turn("agent", script.voicemail)] if script.voicemail else turns
