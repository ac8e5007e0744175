"""The inbox as the monitor shows it; rows never load their bodies for a list."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from convomono.lib.gauges import Gauge
from convomono.lib.pages import capped_count
from reporting.queries.gauges import counted
from telephony.models import Call
from webhooks.alerts import lag_seconds
from webhooks.doorbell import answer_times, refusals_on
from webhooks.models import Endpoint, EndpointDelivery, WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.models import QuerySet

    from accounts.models import Client

_Status = WebhookEvent.Status
_SAMPLE: Final = 500
_LATELY: Final = timedelta(minutes=5)
# What somebody said, who they are, and where it can be heard: not for a page about plumbing.
_NUMBERS: Final = frozenset({"from_number", "to_number", "transfer_destination"})
_TALK: Final = frozenset(
    {
        "transcript",
        "content",
        "word",
        "arguments",
        "call_summary",
        "access_token",
    }
)
_ANSWERS: Final = frozenset(
    {"retell_llm_dynamic_variables", "collected_dynamic_variables", "custom_analysis_data"}
)
_SHOWN_DIGITS: Final = 4


@dataclass(frozen=True)
class Percentiles:
    """How long 50, 95 and 99 of 100 took at most, in real milliseconds."""

    p50_ms: int
    p95_ms: int
    p99_ms: int


@dataclass(frozen=True)
class Figures:
    """
    How the inbox does: per minute of real time, refusals of today.

    `answers` is how long senders waited, `lags` how long events waited to be applied.
    """

    received_count: int
    per_minute: float
    pending: str
    parked: str
    dead: str
    retried_count: int
    answers: Percentiles | None
    lags: Percentiles | None
    duplicates: int
    refused: int
    skewed: int


def figures(*, now: datetime, real_now: datetime, window: timedelta, factor: float) -> Figures:
    """
    Return the inbox's figures over `window` of real time.

    Rows carry the clock of the dialling, which runs `factor` times as fast; six queries.
    """
    since = now - window * factor
    recent = WebhookEvent.objects.filter(created_at__gt=since)
    received = recent.count()
    refusals = refusals_on(real_now.date())
    duplicates, skewed = refusals.pop("duplicate", 0), refusals.get("skew", 0)
    return Figures(
        received_count=received,
        per_minute=received / (window / timedelta(minutes=1)),
        pending=_count(_Status.PENDING),
        parked=_count(_Status.PARKED),
        dead=_count(_Status.DEAD),
        retried_count=recent.filter(attempts__gt=0).count(),
        answers=_percentiles(answer_times(real_now)),
        lags=_percentiles(Counter(_lags_ms(since, factor))),
        duplicates=duplicates,
        refused=sum(refusals.values()),
        skewed=skewed,
    )


def inbox_gauges(*, now: datetime, factor: float) -> Iterator[Gauge]:
    """
    Yield what operators are alarmed by; three queries. Those that were applied are counted of five minutes.

    Rows carry the clock of the dialling, which runs `factor` times as fast.
    """
    yield Gauge(
        "webhook_lag_seconds",
        "How long the event has waited that is due the longest.",
        lag_seconds(now) / factor,
    )
    yield Gauge(
        "webhook_events",
        "Events that had no effect yet, or failed for good.",
        label="status",
        values=counted(WebhookEvent.objects.all(), (_Status.PENDING, _Status.PARKED, _Status.DEAD)),
    )
    recent = WebhookEvent.objects.filter(created_at__gt=now - _LATELY * factor)
    yield Gauge(
        "webhook_events_recent",
        "Events of the last five minutes, by what became of them.",
        label="status",
        values=counted(recent, WebhookEvent.Status.values),
    )


def events(*, search: str = "", status: str = "") -> QuerySet[WebhookEvent]:
    """Return events, the newest first; `search` is a call's id, Retell's or ours."""
    rows = WebhookEvent.objects.defer("body").order_by("-created_at", "-pk")
    if search:
        rows = rows.filter(provider_call_id=provider_call_id(search))
    if status:
        rows = rows.filter(status=status)
    return rows


def endpoints(*, client: Client) -> list[Endpoint]:
    """Return the addresses of a client, in the order they were added; ten at most."""
    return list(Endpoint.objects.kept().filter(client=client).order_by("created_at", "pk"))


def endpoint_deliveries(
    *, endpoint: Endpoint, kind: str = "", status: str = ""
) -> QuerySet[EndpointDelivery]:
    """Return what was sent to an address, the newest first."""
    rows = EndpointDelivery.objects.filter(endpoint=endpoint).defer("tries")
    narrowed = {name: value for name, value in (("kind", kind), ("status", status)) if value}
    return rows.filter(**narrowed).order_by("-created_at", "-pk")


def failed_deliveries(endpoint: Endpoint) -> str:
    """Return how many events failed at an address, or came while it was off; empty for none."""
    found = capped_count(
        EndpointDelivery.objects.filter(endpoint=endpoint, status=EndpointDelivery.Status.FAILED)
    )
    return "" if found == "0" else found


def shown_tries(delivery: EndpointDelivery) -> list[dict[str, Any]]:
    """Return the tries of a delivery, the newest first, with their instants read."""
    return [{**one, "at": datetime.fromisoformat(one["at"])} for one in reversed(delivery.tries)]


def redacted_body(event: WebhookEvent) -> str:
    """Return the body for people to read: its shape and states, without numbers and what was said."""
    try:
        return orjson.dumps(_redacted(event.payload), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return f"{len(event.body)} characters that are no JSON"


def _count(status: str) -> str:
    return capped_count(WebhookEvent.objects.filter(status=status))


def _lags_ms(since: datetime, factor: float) -> list[int]:
    """Return how long the newest applied events waited."""
    applied = WebhookEvent.objects.filter(
        created_at__gt=since, status=_Status.APPLIED, source=WebhookEvent.Source.DELIVERY
    ).order_by("-created_at")
    pairs = applied.values_list("created_at", "processed_at")[:_SAMPLE]
    return [
        round((processed_at - created_at) / timedelta(milliseconds=1) / factor)
        for created_at, processed_at in pairs
        if processed_at is not None
    ]


def _percentiles(counted: Mapping[int, int]) -> Percentiles | None:
    """Return the nearest-rank percentiles of values that are counted; None for none."""
    total = sum(counted.values())
    if not total:
        return None
    ranks = [-(-total * percent // 100) for percent in (50, 95, 99)]
    found: list[int] = []
    seen = 0
    for value in sorted(counted):
        seen += counted[value]
        while len(found) < len(ranks) and seen >= ranks[len(found)]:
            found.append(value)
    return Percentiles(*found)


def provider_call_id(search: str) -> str:
    """Read our own call id as Retell's for the same call; anything else stays as it is."""
    try:
        ours = UUID(search.strip())
    except ValueError:
        return search.strip()
    found = Call.objects.filter(pk=ours).values_list("provider_call_id", flat=True).first()
    return found or search


def _redacted(value: Any, name: str = "") -> Any:
    if isinstance(value, str):
        return _redacted_text(value, name)
    if isinstance(value, dict):
        hidden = name in _ANSWERS
        return {key: "…" if hidden else _redacted(item, key) for key, item in value.items()}
    if isinstance(value, list):
        words = name == "words"
        return f"({len(value)} words)" if words else [_redacted(item, name) for item in value]
    return value


def _redacted_text(value: str, name: str) -> str:
    if name in _NUMBERS:
        return f"…{value[-_SHOWN_DIGITS:]}"
    # Each address in a call leads to its sound, its log or what was looked up.
    is_hidden = name in _TALK or name.endswith("_url")
    return f"({len(value)} characters)" if is_hidden else value
