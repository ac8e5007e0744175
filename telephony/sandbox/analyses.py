"""The analysis of a finished call: a summary, and a value for each thing asked for."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sandbox.outcomes import Plan
    from telephony.sandbox.scripts import Script

_SUMMARIES = {
    "voicemail_reached": "The call reached voicemail.",
    "ivr_reached": "An automated phone menu answered; the agent hung up.",
    "user_requested_dnc": "{lead} asked not to be called again. The agent confirmed it.",
    "user_requested_callback": "{lead} had no time and asked to be called back later.",
    "call_transfer": "{lead} wanted to speak to a person and was transferred.",
    "inactivity": "The call was answered, but nobody spoke.",
    "max_duration_reached": "{agent} and {lead} talked about {topic} until the time was up.",
}
_LATER = ("in 30 minutes", "in 2 hours", "tomorrow morning", "Thursday at 3 pm")
_OTHERWISE_TRUE = 0.3  # share of yes where success says nothing
_GOOD_NEWS = (
    "convert",
    "interested",
    "agreed",
    "confirmed",
    "appointment",
    "booked",
    "qualified",
    "consent",
)


def empty_analysis() -> dict[str, Any]:
    """Return the analysis of a call nobody answered, as observed: without in_voicemail."""
    return {
        "call_summary": "",
        "user_sentiment": "Unknown",
        "call_successful": False,
        "custom_analysis_data": {},
    }


def analyse(*, plan: Plan, reason: str, script: Script, agent: Mapping[str, Any]) -> dict[str, Any]:
    """Return call_analysis; reason is the one the call ended with, which may not be the plan's."""
    rng = random.Random(plan.seed + 3)
    return {
        "call_summary": _summary(plan, reason, script),
        "user_sentiment": plan.sentiment,
        "call_successful": plan.successful,
        "in_voicemail": plan.in_voicemail,
        "custom_analysis_data": {
            item["name"]: _value(item, plan, script, rng, reason)
            for item in agent.get("post_call_analysis_data") or ()
            if item.get("type") != "system-presets" and _is_asked(item, plan)
        },
    }


def _is_asked(item: Mapping[str, Any], plan: Plan) -> bool:
    """Tell whether a field is filled: its condition is taken to hold for calls that went well."""
    is_always = item.get("required") or not item.get("conditional_prompt")
    return bool(is_always or plan.successful)


def _summary(plan: Plan, reason: str, script: Script) -> str:
    lead = script.lead_name or "The person"
    if plan.in_voicemail:
        left = " The agent left a message." if script.voicemail else ""
        return f"The call reached voicemail.{left}"
    text = _SUMMARIES.get(reason)
    if text is None and reason.startswith("error"):
        text = "The call broke off because of a technical error."
    if text is None:
        outcome = "agreed to go ahead" if plan.successful else "did not want to go ahead"
        text = "{agent} talked to {lead} about {topic}. In the end {lead} " + outcome + "."
    return text.format(agent=script.agent_name, lead=lead, topic=script.topic)


def _value(
    item: Mapping[str, Any], plan: Plan, script: Script, rng: random.Random, reason: str
) -> Any:
    if "callback" in item["name"].lower():
        return rng.choice(_LATER) if reason == "user_requested_callback" else ""
    if item["type"] == "boolean":
        positive = any(word in item["name"].lower() for word in _GOOD_NEWS)
        return plan.successful if positive else rng.random() < _OTHERWISE_TRUE
    if item["type"] == "number":
        return rng.randint(6, 10) if plan.successful else rng.randint(1, 6)
    if item["type"] == "enum":
        choices = item.get("choices") or [""]
        return choices[0] if plan.successful else rng.choice(choices)
    return _text(item, plan, script, rng)


def _text(item: Mapping[str, Any], plan: Plan, script: Script, rng: random.Random) -> str:
    examples = item.get("examples")
    if examples:
        return str(rng.choice(examples))
    name = item["name"].lower()
    if "name" in name and script.lead_name:
        return script.lead_name
    if any(word in name for word in ("time", "date", "when")):
        return rng.choice(("tomorrow morning", "Thursday at 3 pm", "next week"))
    if plan.machine:
        return ""
    view = "would like to go ahead" if plan.successful else "is not ready to decide"
    return f"{script.lead_name or 'The person'} {view} about {script.topic}."
