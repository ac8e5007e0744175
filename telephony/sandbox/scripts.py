"""What an agent has to say, read out of its opening line, prompt and dynamic variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.sandbox.prompt_settings import SOMEBODY, transfer_number

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_QUOTED = re.compile(r"[\"“]([^\"”]{12,240})[\"”]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•#]+|\d+[.)])\s*")
_INSTRUCTION = re.compile(
    r"(?i)^(you|your|do not|don't|never|always|if|when|be|keep|speak|use|avoid|role|goal|style|"
    r"identity|task|tone|wait|end|once|remember|make sure|stay|respond|note|rules?|then|after)\b"
)
_PERSON = re.compile(
    r"(?i)\b(they are|they|their|them|the (?:lead|customer|client|prospect|person|caller|user))\b"
)
_TURNED = {"they are": "you are", "they": "you", "their": "your", "them": "you"}
_AUDIENCE = r"(?:them|the \w+|him|her)?\s*"
# An instruction in the prompt, and the sentence an agent makes of it.
_SPOKEN = (
    (re.compile(rf"(?i)^ask {_AUDIENCE}(?:if|whether) (.+)"), "May I ask whether {}?"),
    (re.compile(rf"(?i)^ask {_AUDIENCE}for (.+)"), "Could I have {}, please?"),
    (re.compile(rf"(?i)^ask {_AUDIENCE}(?:about )?(.+)"), "Could you tell me about {}?"),
    (re.compile(rf"(?i)^(?:confirm|verify) {_AUDIENCE}(?:that )?(.+)"), "Let me just confirm {}."),
    (re.compile(rf"(?i)^offer {_AUDIENCE}(.+)"), "I can offer you {}. How does that sound?"),
    (
        re.compile(rf"(?i)^(?:mention|explain|tell|inform|say) {_AUDIENCE}that (.+)"),
        "I should mention that {}.",
    ),
    (
        re.compile(rf"(?i)^(?:mention|explain|introduce|describe|present) {_AUDIENCE}(.+)"),
        "Let me tell you about {}.",
    ),
    (re.compile(r"(?i)^(?:book|schedule|arrange|set up) (.+)"), "I could arrange {} for you."),
)
_FALLBACK_POINTS = (
    "It will only take a minute of your time.",
    "We have helped many people in your area with exactly this.",
    "Could you tell me what matters most to you there?",
    "There is no obligation at all, I'd just like to understand your situation.",
    "Would it help if I sent you the details in writing?",
)
_SHORTEST, _LONGEST = 3, 34


@dataclass(frozen=True, slots=True)
class Script:
    """opening is empty when the agent waits for the person; voicemail when it leaves no message."""

    opening: str
    points: tuple[str, ...]
    agent_name: str
    lead_name: str
    topic: str
    voicemail: str
    transfer_to: str = SOMEBODY


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Fill in {{variables}}; unknown ones stay as they stand, as with Retell."""
    return _VARIABLE.sub(lambda match: variables.get(match[1], match[0]), text)


def read_script(
    *, agent: Mapping[str, Any], llm: Mapping[str, Any], variables: Mapping[str, str]
) -> Script:
    """Turn the settings of one call into the lines its agent would speak."""
    known = {**(llm.get("default_dynamic_variables") or {}), **variables}
    prompt = substitute(llm.get("general_prompt") or "", known)
    lead_name = next((known[n] for n in ("first_name", "name", "lead_name") if known.get(n)), "")
    begin = llm.get("begin_message")
    opening = substitute(begin, known) if begin is not None else _dynamic_opening(agent, lead_name)
    return Script(
        opening=opening if llm.get("start_speaker") != "user" else "",
        points=_points(prompt) or _FALLBACK_POINTS,
        agent_name=str(agent.get("agent_name") or "the agent"),
        lead_name=lead_name,
        topic=_topic(prompt, known),
        voicemail=_voicemail(agent, known, opening),
        transfer_to=transfer_number(llm),
    )


def _voicemail(agent: Mapping[str, Any], variables: Mapping[str, str], opening: str) -> str:
    action = (agent.get("voicemail_option") or {}).get("action") or {}
    if action.get("type") == "static_text":
        return substitute(action.get("text") or "", variables)
    return opening if action.get("type") == "prompt" else ""


def _dynamic_opening(agent: Mapping[str, Any], lead_name: str) -> str:
    greeting = f"Hello, am I speaking with {lead_name}?" if lead_name else "Hello!"
    return f"{greeting} This is an AI assistant calling for {agent.get('agent_name') or 'us'}."


def _topic(prompt: str, variables: Mapping[str, str]) -> str:
    for name in ("topic", "product", "service", "company", "company_name"):
        if variables.get(name):
            return variables[name]
    about = re.search(r"(?i)\b(?:about|regarding|to discuss) ((?:[\w'-]+ ?){1,6})", prompt)
    return about[1].strip() if about else "the offer"


def _points(prompt: str) -> tuple[str, ...]:
    found: list[str] = []
    for line in prompt.splitlines():
        quoted = _QUOTED.findall(line)
        if quoted:
            found += (text.strip() for text in quoted)
            continue
        for sentence in _SENTENCE.split(_BULLET.sub("", line)):
            spoken = _spoken(sentence.strip())
            if spoken:
                found.append(spoken)
    return tuple(dict.fromkeys(found))[:24]


def _spoken(sentence: str) -> str:
    if not _SHORTEST <= len(sentence.split()) <= _LONGEST or sentence.endswith(":"):
        return ""
    for pattern, spoken in _SPOKEN:
        match = pattern.match(sentence)
        if match:
            return spoken.format(_turn(match[1].rstrip(".!?: ")))
    if _INSTRUCTION.match(sentence):
        return ""
    return sentence if sentence[-1] in ".!?" else f"{sentence}."


def _turn(text: str) -> str:
    """Speak to the person an instruction speaks about."""
    return _PERSON.sub(lambda match: _TURNED.get(match[1].lower(), "you"), text)
