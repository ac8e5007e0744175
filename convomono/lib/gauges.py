"""The only door to the Prometheus client: figures of one moment in the text that Prometheus reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import prometheus_client

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class Gauge:
    """One figure under its name (`convomono_` is put before it), or one for each value of a label."""

    name: str
    help: str
    value: float = 0
    label: str = ""
    values: Mapping[str, float] = field(default_factory=dict)


def exposition(gauges: Iterable[Gauge]) -> bytes:
    """Return the figures as text; nothing is remembered between two calls, whichever process answers."""
    registry = prometheus_client.CollectorRegistry()
    for one in gauges:
        labels = [one.label] if one.label else []
        written = prometheus_client.Gauge(
            f"convomono_{one.name}", one.help, labels, registry=registry
        )
        if not one.label:
            written.set(one.value)
        for name, value in one.values.items():
            written.labels(name).set(value)
    return prometheus_client.generate_latest(registry)
