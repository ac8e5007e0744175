"""What will become of a call: magic numbers first, else a seeded draw from a profile."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sandbox.config import Profile

type Settings = dict[str, Any]

_HANGS_UP_AT_ONCE = 0.2
_SHORTEST_SUCCESS_MS = 25_000
_EARLY_MS = 6_000
_LONGEST_MAGIC_MS = 75_000

# Percent of dials. Assumptions, not measurements: published figures differ too much.
_PROFILES: dict[Profile, dict[str, float]] = {
    "cold": {
        "human": 10,
        "voicemail_reached": 45,
        "dial_no_answer": 30,
        "dial_busy": 4,
        "user_declined": 4,
        "dial_failed": 3,
        "invalid_destination": 2.5,
        "marked_as_spam": 1,
        "error": 0.5,
    },
    "warm": {
        "human": 30,
        "voicemail_reached": 38,
        "dial_no_answer": 22,
        "dial_busy": 3,
        "user_declined": 3,
        "dial_failed": 2,
        "invalid_destination": 1,
        "marked_as_spam": 0.5,
        "error": 0.5,
    },
}
_HUMAN = {
    "user_hangup": 60,
    "agent_hangup": 33,
    "inactivity": 3,
    "max_duration_reached": 1,
    "user_requested_dnc": 3,
}
_ERRORS = ("error_retell", "error_asr", "error_no_audio_received", "error_unknown")
_SENTIMENTS = {"Positive": 30, "Neutral": 50, "Negative": 15, "Unknown": 5}

UNKNOWN_REASON = "carrier_rerouted"  # no SDK knows it
MAGIC = {
    "0001": "agent_hangup",
    "0002": "user_hangup",
    "0003": "voicemail_reached",
    "0004": "dial_no_answer",
    "0005": "dial_busy",
    "0006": "dial_failed",
    "0007": "invalid_destination",
    "0008": "user_requested_dnc",
    "0009": "error_retell",
    "0010": "inactivity",
    "0011": "max_duration_reached",
    "0012": "concurrency_limit_reached",
    "0013": "no_valid_payment",
    "0014": "user_requested_callback",
    "0015": "call_transfer",
    "0016": "user_declined",
    "0017": "marked_as_spam",
    "0018": "ivr_reached",
    "0019": "user_hangup",
    "0020": UNKNOWN_REASON,
}
MAGIC_HTTP = {"0021": "hang_after", "0022": "error_before", "0023": "error_after"}
SILENT_DIGITS = "0024"
_UNDETECTED_VOICEMAIL_DIGITS = "0019"

# Seconds a call rings before it is over, without anybody answering.
_UNANSWERED: dict[str, tuple[float, float]] = {
    "dial_busy": (2, 6),
    "dial_failed": (1, 4),
    "user_declined": (4, 12),
    "invalid_destination": (0.5, 2),
    "marked_as_spam": (1, 5),
}
_REFUSED_BY_RETELL = {"concurrency_limit_reached", "no_valid_payment"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A call's whole future, known to nobody but the sandbox; talk_ms is 0 if nobody answers."""

    seed: int
    reason: str
    final_status: str
    ring_ms: int
    talk_ms: int
    analysis_ms: int
    successful: bool = False
    in_voicemail: bool = False
    sentiment: str = "Unknown"
    webhooks: bool = True

    @property
    def connects(self) -> bool:
        return self.talk_ms > 0

    @property
    def machine(self) -> bool:
        return self.in_voicemail or self.reason in {"voicemail_reached", "ivr_reached"}


def plan_call(*, to_number: str, seed: str, profile: Profile, agent: Settings) -> Plan:
    """Decide the outcome; the same number, seed and agent settings give the same plan."""
    rng = random.Random(f"{seed}:{to_number}")
    digits = to_number[-4:]
    drawn = MAGIC.get(digits) or _draw(rng, profile)
    reason, undetected = _as_detected(drawn, digits, agent)
    connects = reason not in _UNANSWERED | {"dial_no_answer": 0} and not _refused(reason)
    ring_ms = _ring_ms(rng, reason, agent)
    talk_ms = _talk_ms(rng, reason, digits, undetected, agent) if connects else 0
    longest = int(agent.get("max_call_duration_ms") or 3_600_000)
    if digits in MAGIC and reason != "max_duration_reached":
        talk_ms = min(talk_ms, longest - 1_000, _LONGEST_MAGIC_MS)  # nothing may come between
    elif talk_ms >= longest:
        talk_ms, reason = longest, "max_duration_reached"
    human = connects and not undetected and reason not in {"voicemail_reached", "ivr_reached"}
    seed_of_talk = rng.getrandbits(48)
    analysis_ms = round(rng.uniform(2_000, 10_000))
    successful = digits == "0001" or (human and _succeeds(rng, reason, talk_ms))
    return Plan(
        seed=seed_of_talk,
        reason=reason,
        final_status=_final_status(reason, connects=connects),
        ring_ms=ring_ms,
        talk_ms=talk_ms,
        analysis_ms=analysis_ms,
        successful=successful,
        in_voicemail=undetected or reason == "voicemail_reached",
        sentiment=_sentiment(rng, reason, successful=successful) if human else "Unknown",
        webhooks=digits != SILENT_DIGITS,
    )


def _draw(rng: random.Random, profile: Profile) -> str:
    outcome = _choose(rng, _PROFILES[profile])
    if outcome == "human":
        return _choose(rng, _HUMAN)
    return rng.choice(_ERRORS) if outcome == "error" else outcome


def _as_detected(drawn: str, digits: str, agent: Settings) -> tuple[str, bool]:
    """
    Report a drawn outcome as this agent's settings would; the second value: unnoticed voicemail.

    Without voicemail detection the agent talks to the machine, and only the analysis finds out.
    """
    if digits == _UNDETECTED_VOICEMAIL_DIGITS:
        return drawn, True
    if digits in MAGIC:
        return drawn, False
    if drawn == "voicemail_reached" and not agent.get("voicemail_option"):
        return "agent_hangup", True
    if drawn == "user_requested_dnc" and not agent.get("enable_dnc_detection"):
        return "user_hangup", False
    return drawn, False


def _refused(reason: str) -> bool:
    return reason in _REFUSED_BY_RETELL


def _final_status(reason: str, *, connects: bool) -> str:
    if reason.startswith("error") or _refused(reason):
        return "error"
    return "ended" if connects else "not_connected"


def _ring_ms(rng: random.Random, reason: str, agent: Settings) -> int:
    whole = int(agent.get("ring_duration_ms") or 30_000)
    if reason == "dial_no_answer":
        return whole
    if _refused(reason):
        return 200
    low, high = _UNANSWERED.get(reason, (4, 25))
    return min(whole, round(rng.uniform(low, high) * 1000))


def _talk_ms(
    rng: random.Random, reason: str, digits: str, undetected: bool, agent: Settings
) -> int:
    silence_ms = int(agent.get("end_call_after_silence_ms") or 600_000)
    fixed = {
        "max_duration_reached": int(agent.get("max_call_duration_ms") or 3_600_000),
        "inactivity": 8_000 + silence_ms,
    }
    if reason in fixed:
        return fixed[reason]
    if undetected or reason in {"voicemail_reached", "ivr_reached"}:
        return _machine_ms(rng, agent, undetected=undetected)
    if digits == "0002":
        return _EARLY_MS
    if reason == "user_hangup" and rng.random() < _HANGS_UP_AT_ONCE:
        return round(rng.uniform(3, 10) * 1000)
    seconds = rng.lognormvariate(math.log(45), 0.9)
    shortest = 25 if reason != "user_hangup" else 8
    return round(max(shortest, seconds) * 1000)


def _machine_ms(rng: random.Random, agent: Settings, *, undetected: bool) -> int:
    action = ((agent.get("voicemail_option") or {}).get("action") or {}).get("type", "hangup")
    low, high = (6, 12) if action == "hangup" and not undetected else (18, 35)
    return round(rng.uniform(low, high) * 1000)


def _succeeds(rng: random.Random, reason: str, talk_ms: int) -> bool:
    if reason in {"call_transfer", "user_requested_callback"}:
        return True
    chance = {"agent_hangup": 0.6, "user_hangup": 0.25}.get(reason, 0)
    return talk_ms >= _SHORTEST_SUCCESS_MS and rng.random() < chance


def _sentiment(rng: random.Random, reason: str, *, successful: bool) -> str:
    if reason == "user_requested_dnc":
        return "Negative"
    drawn = _choose(rng, _SENTIMENTS)
    return "Positive" if successful and drawn == "Negative" else drawn


def _choose(rng: random.Random, weights: Mapping[str, float]) -> str:
    return rng.choices(list(weights), weights=list(weights.values()))[0]
