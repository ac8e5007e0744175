"""What Retell would charge: cents per second of connected time, and latency on the side."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.sandbox.outcomes import Plan

_INFRASTRUCTURE = 5.5 / 60
_SPEECH = 1.5 / 60
_TELEPHONY = 1.5 / 60
_BACKGROUND_VOICE = 0.5 / 60
_ANALYSIS = 1.7
# Cents per minute by what a model's name says of its size.
_MODEL_MINUTE = (("nano", 0.3), ("mini", 1.6), ("flash", 0.9), ("haiku", 2.0), ("opus", 8.0))
_MODEL_MINUTE_ELSE = 4.5
_LEAST_SECONDS_DYNAMIC_OPENING = 10


def unconnected_cost() -> dict[str, Any]:
    """Return the sparse cost of a call nobody answered, as observed."""
    return {"product_costs": [], "combined_cost": 0}


def initial_cost() -> dict[str, Any]:
    return {
        "product_costs": [],
        "total_duration_seconds": 0,
        "total_duration_unit_price": 0,
        "combined_cost": 0,
    }


def call_cost(
    *,
    duration_ms: int,
    agent: Mapping[str, Any],
    llm: Mapping[str, Any],
    analysed: bool,
    factor: float,
) -> dict[str, Any]:
    """Return the cost of a connected call; the analysis is on it once it has been made."""
    seconds = duration_ms / 1000
    if llm.get("begin_message") is None and llm.get("start_speaker") != "user":
        seconds = max(seconds, _LEAST_SECONDS_DYNAMIC_OPENING)
    lines = [
        _line(product, unit * factor, seconds) for product, unit in _products(agent, llm).items()
    ]
    if analysed:
        model = agent.get("post_call_analysis_model") or "gpt-5.6-terra"
        lines.append({"product": f"post_call_analysis_{_slug(model)}", "cost": _ANALYSIS * factor})
    unit_price = sum(line.get("unit_price", 0.0) for line in lines)
    return {
        "product_costs": lines,
        "total_duration_seconds": round(seconds),
        "total_duration_unit_price": round(unit_price, 7),
        "combined_cost": round(sum(line["cost"] for line in lines), 7),
    }


def _products(agent: Mapping[str, Any], llm: Mapping[str, Any]) -> dict[str, float]:
    model = _model(llm)
    minute = next((cents for part, cents in _MODEL_MINUTE if part in model), _MODEL_MINUTE_ELSE)
    voice = str(agent.get("voice_id", "")).split("-")[0].replace("11labs", "elevenlabs")
    products = {
        "retell_voice_infra": _INFRASTRUCTURE,
        f"{voice}_tts": _SPEECH,
        _slug(model): minute / 60,
        "us_telephony": _TELEPHONY,
    }
    if agent.get("denoising_mode") == "noise-and-background-speech-cancellation":
        products["background_voice_cancellation"] = _BACKGROUND_VOICE
    if llm.get("knowledge_base_ids"):
        products["knowledge_base"] = _BACKGROUND_VOICE
    return products


def _model(llm: Mapping[str, Any]) -> str:
    config = llm.get("model_config") or {}
    return str((config.get("primary") or {}).get("model") or llm.get("model") or "gpt-4.1")


def _line(product: str, unit_price: float, seconds: float) -> dict[str, Any]:
    cost = round(unit_price * seconds, 7)
    return {"product": product, "unit_price": round(unit_price, 7), "cost": cost}


def _slug(name: str) -> str:
    return name.replace("-", "_").replace(".", "_")


def latency(plan: Plan, responses: int) -> dict[str, Any]:
    """Return latencies in milliseconds, one value per response of the agent."""
    rng = random.Random(plan.seed + 1)
    llm = [round(rng.lognormvariate(6.4, 0.25)) for _ in range(responses)]
    tts = [round(rng.lognormvariate(5.4, 0.2)) for _ in range(responses)]
    asr = [round(rng.lognormvariate(4.6, 0.3)) for _ in range(responses)]
    e2e = [sum(parts) for parts in zip(llm, tts, asr, strict=True)]
    named = {"e2e": e2e, "llm": llm, "tts": tts, "asr": asr}
    return {name: _percentiles(values) for name, values in named.items() if values}


def _percentiles(values: list[int]) -> dict[str, Any]:
    ordered = sorted(values)
    last = len(ordered) - 1
    shares = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    points = {name: ordered[round(share * last)] for name, share in shares.items()}
    return {**points, "max": ordered[-1], "min": ordered[0], "num": len(values), "values": values}


def token_usage(plan: Plan, responses: int) -> dict[str, Any]:
    rng = random.Random(plan.seed + 2)
    values = [1_100 + 60 * turn + rng.randrange(40) for turn in range(max(1, responses))]
    average = round(sum(values) / len(values), 2)
    return {"values": values, "average": average, "num_requests": len(values)}
