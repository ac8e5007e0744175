"""Everything that must be in order before a call is placed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from telephony.sandbox.agent_settings import check_settings
from telephony.sandbox.agents import new_id, outbound_agent
from telephony.sandbox.calls import Call
from telephony.sandbox.numbers import E164
from telephony.sandbox.outcomes import plan_call
from telephony.sandbox.refusals import bad_request, not_found, rate_limited

if TYPE_CHECKING:
    from telephony.sandbox.versions import Document
    from telephony.sandbox.world import World

_METADATA_BYTES = 50_000
# Real networks jitter: at 20 times the speed, 50 ms are a whole simulated second.
_REAL_JITTER_SECONDS = 0.5


class Pacer:
    """A token bucket on simulated time: so many calls a second, and a little jitter."""

    def __init__(self, factor: float) -> None:
        self._jitter = max(1.0, _REAL_JITTER_SECONDS * factor)
        self._tokens = 1.0
        self._at_ms = 0

    def admits(self, now_ms: int, per_second: float) -> bool:
        most = max(1.0, per_second * self._jitter)
        self._tokens = min(most, self._tokens + (now_ms - self._at_ms) / 1000 * per_second)
        self._at_ms = now_ms
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def create_phone_call(world: World, body: Document) -> Call:
    """
    Place a call, or return the one this idempotency key has placed.

    :raises Refused: with Retell's status; nothing was dialled then
    """
    key = body.get("idempotency_key")
    earlier = world.switchboard.placed_with(key) if key else None
    if earlier is not None:
        world.counters.totals["idempotent_repeats"] += 1
        return earlier
    number = _caller_number(world, body)
    call = build_call(world, body, number)
    call.idempotency_key = key
    if body.get("honor_internal_dnc") and call.to_number in world.switchboard.do_not_call:
        raise bad_request(f"The contact for {call.to_number} is marked do_not_call.")
    _admit(world, call)
    world.switchboard.place(call)
    world.changed()
    return call


def _caller_number(world: World, body: Document) -> Document:
    for name in ("from_number", "to_number"):
        if not E164.fullmatch(str(body.get(name, ""))):
            raise bad_request(f"{name} must be a phone number in E.164 format.")
    number = world.numbers.get(body["from_number"])
    allowed = number.get("allowed_outbound_country_list")
    bought = number["phone_number_type"] != "custom"
    if bought and not body["to_number"].startswith("+1") and not allowed:
        raise bad_request("Only US and CA destinations can be called from this number.")
    return number


def build_call(world: World, body: Document, number: Document) -> Call:
    """Resolve agent, overrides and outcome; the call isn't placed yet."""
    override = body.get("agent_override") or {}
    agent = _agent(world, body, number)
    settings = override.get("agent") or {}
    check_settings(settings)
    llm = world.agents.llm_of(agent)
    to_number = body["to_number"]
    nth = world.switchboard.earlier_calls(to_number)
    effective = {**agent, **settings}
    fault = world.faults.strikes("cost_factor", number=to_number)
    return Call(
        call_id=new_id("call_", 27),
        from_number=body["from_number"],
        to_number=to_number,
        agent=effective,
        llm={**llm, **(override.get("retell_llm") or {})},
        variables=_variables(body),
        metadata=_metadata(body),
        override=override,
        batch_call_id=body.get("batch_call_id"),
        cost_factor=fault.option("factor", 1.3) if fault else 1.0,
        created_ms=world.clock.now_ms(),
        plan=plan_call(
            to_number=to_number,
            seed=f"{world.config.seed}:{nth}",
            profile=world.config.profile,
            agent=effective,
        ),
    )


def _agent(world: World, body: Document, number: Document) -> Document:
    wanted = body.get("override_agent_id")
    if wanted:
        agent = world.agents.agents.get(wanted, body.get("override_agent_version"))
    elif world.faults.strikes("number_unbound", number=body["to_number"]):
        raise not_found()
    else:
        bound = outbound_agent(number)
        agent = world.agents.agents.get(bound["agent_id"], bound.get("agent_version"))
    if world.faults.strikes("agent_unpublished", number=body["to_number"]):
        raise bad_request("The agent version is not published.")
    return agent


def _variables(body: Document) -> dict[str, str]:
    variables = body.get("retell_llm_dynamic_variables") or {}
    if not all(isinstance(value, str) for value in variables.values()):
        raise bad_request("The values of retell_llm_dynamic_variables must be strings.")
    return dict(variables)


def _metadata(body: Document) -> dict[str, Any] | None:
    metadata = body.get("metadata")
    if metadata is not None and len(str(metadata)) > _METADATA_BYTES:
        raise bad_request("metadata must not exceed 50 kB.")
    return metadata


def _admit(world: World, call: Call) -> None:
    limits = world.capacity(call.to_number)
    if len(world.switchboard.live) >= limits.outbound:
        if world.faults.strikes("overflow_as_call", number=call.to_number):
            call.plan = replace(
                call.plan, reason="concurrency_limit_reached", final_status="error", talk_ms=0
            )
            return
        world.counters.refused["concurrency"] += 1
        raise rate_limited()
    if not world.pacer.admits(world.clock.now_ms(), limits.calls_per_second):
        world.counters.refused["calls_per_second"] += 1
        raise rate_limited(1)
