"""One webhook on its way, and what faults make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from telephony.sandbox.faults import Fault

_SIX_MINUTES_MS = 360_000
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ESSENTIAL = (
    "call_id",
    "call_type",
    "agent_id",
    "agent_version",
    "call_status",
    "direction",
    "from_number",
    "to_number",
    "disconnection_reason",
    "metadata",
)


@dataclass(slots=True, kw_only=True)
class Delivery:
    """An empty key means the right one."""

    url: str
    body: bytes
    timeout_seconds: float
    copies: int = 1
    delay_seconds: float = 0.0
    signed_ms_ago: int = 0
    key: str = ""
    spoil_signature: bool = False


def webhook_address(of_agent: str | None, of_run: str) -> str:
    """
    Return where to deliver: the agent's own address, or else the one this run was started with.

    An agent remembered from a run on another port of this machine is found at this run's.
    """
    if not of_agent or not of_run:
        return of_agent or of_run
    agent, run = urlsplit(of_agent), urlsplit(of_run)
    both_here = agent.hostname in _LOOPBACK and run.hostname in _LOOPBACK
    return of_run if both_here and agent.path == run.path else of_agent


def shape(
    event: str,
    document: dict[str, Any],
    strikes: Callable[[str], Fault | None],
    real_ms: int,
) -> dict[str, Any]:
    """Return the body to send: the envelope round the call, changed as faults say."""
    call = dict(document)
    if strikes("webhook_sparse"):
        call = {name: call[name] for name in _ESSENTIAL if name in call}
    if strikes("cost_missing"):
        call.pop("call_cost", None)
    if "disconnection_reason" in call and strikes("webhook_unknown_reason"):
        call["disconnection_reason"] = "reason_from_the_future"
    huge = strikes("webhook_huge")
    if huge:
        line = "User: And another thing I wanted to say about all of that.\n"
        call["transcript"] = line * round(huge.option("kilobytes", 900) * 1000 / len(line))
    if strikes("webhook_unknown_event"):
        event = "call_teleported"
    # Observed: event_timestamp is the real time of the first signature.
    return {"event": event, "call": call, "event_timestamp": real_ms}


def prepare(delivery: Delivery, strikes: Callable[[str], Fault | None]) -> None:
    """Apply the faults that concern how, when and how often it is delivered."""
    duplicate = strikes("webhook_duplicate")
    if duplicate:
        delivery.copies = 1 + round(duplicate.option("copies", 1))
    delay = strikes("webhook_delay")
    if delay:
        delivery.delay_seconds = delay.option("seconds", 60)
    if strikes("webhook_stale"):
        delivery.signed_ms_ago = _SIX_MINUTES_MS
    if strikes("webhook_other_key"):
        delivery.key = "not-the-webhook-key"
    delivery.spoil_signature = strikes("webhook_bad_signature") is not None
