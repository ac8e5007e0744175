"""What agents looked up during calls: fetched from where Retell lists it, once, and kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypedDict

import structlog

from convomono.lib import live, outbound
from telephony.fetching import note_failure
from telephony.models import CallDetail, CallLookup

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime
    from uuid import UUID

log = structlog.get_logger()

LIMITS: Final = outbound.Limits(seconds=20, bytes=512 * 1024, redirects=2)
MOST_PASSAGES: Final = 60
_LONGEST_PASSAGE: Final = 4_000
# The file's form isn't in Retell's reference ("the respond id and the retrieved contents related
# to that response"): these are the names that such a list may have.
_ID_NAMES: Final = ("response_id", "respond_id", "id")
_TEXT_NAMES: Final = (
    "retrieved_contents",
    "retrieved_content",
    "knowledge_base_retrieved_contents",
    "contents",
    "content",
    "text",
)


class Passage(TypedDict):
    """One passage; `response_id` is None where Retell doesn't say which answer it was for."""

    text: str
    response_id: int | None


def fetch_lookup(
    *,
    call_id: UUID,
    now: datetime,
    trusted: Collection[str] = (),
    network: outbound.Network | None = None,
) -> bool:
    """
    Fetch what was looked up during a call; return whether it is there now. Twice is once.

    No transaction is open meanwhile.
    """
    row = CallLookup.objects.filter(call=call_id).first()
    if row is None or row.status != CallLookup.Status.PENDING:
        return row is not None and row.status == CallLookup.Status.STORED
    found = CallDetail.objects.filter(call=call_id).values_list("knowledge_url", flat=True)
    url = found.first() or ""
    try:
        answer = outbound.fetch(url, limits=LIMITS, trusted=trusted, network=network)
    except (outbound.AddressRefused, outbound.AnswerRefused, outbound.Unreachable) as problem:
        return _fail(row, str(problem), now)
    if answer.status != 200:  # noqa: PLR2004
        return _fail(row, f"Retell answered {answer.status}.", now)
    _pending(row).update(
        status=CallLookup.Status.STORED, passages=read_passages(answer.body), error=""
    )
    live.changed(client_id=row.client_id, call_id=call_id)
    return True


def read_passages(body: bytes) -> list[Passage]:
    """Read Retell's list leniently: a form that we don't know gives no passages, never an error."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return []
    passages: list[Passage] = []
    for text, response_id in _walk(told, None):
        passage: Passage = {"text": text[:_LONGEST_PASSAGE], "response_id": response_id}
        if passage["text"] and passage not in passages:
            passages.append(passage)
        if len(passages) == MOST_PASSAGES:
            break
    return passages


def _walk(told: Any, response_id: int | None, depth: int = 0) -> Iterator[tuple[str, int | None]]:
    if isinstance(told, str):
        yield told.replace("\0", "").strip(), response_id
    elif depth < 4:  # noqa: PLR2004 - a list of answers, each with a list of passages
        if isinstance(told, list):
            for item in told:
                yield from _walk(item, response_id, depth + 1)
        elif isinstance(told, dict):
            yield from _walk_mapping(told, response_id, depth)


def _walk_mapping(
    told: dict[str, Any], response_id: int | None, depth: int
) -> Iterator[tuple[str, int | None]]:
    own = next((_whole(told[name]) for name in _ID_NAMES if name in told), response_id)
    named = [told[name] for name in _TEXT_NAMES if name in told]
    if named:
        yield from _walk(named[0], own, depth + 1)
        return
    for key, value in told.items():  # answers under their ids
        if (number := _whole(key)) is not None:
            yield from _walk(value, number, depth + 1)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) <= 9:  # noqa: PLR2004
        return int(value)
    return value if isinstance(value, int) else None


def _pending(row: CallLookup) -> Any:
    return CallLookup.objects.filter(pk=row.pk, status=CallLookup.Status.PENDING)


def _fail(row: CallLookup, problem: str, now: datetime) -> bool:
    attempts = note_failure(row, problem=problem, now=now)
    log.warning("lookup.not_fetched", call_id=str(row.call_id), attempts=attempts)
    return False
