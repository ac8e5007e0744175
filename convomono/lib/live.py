"""
Tells open pages that what they show has changed: once per transaction, after its commit.

A message is a handful of topics. Whoever shows one reads it afresh (`reporting/live/`), so a lost
message costs a few seconds, and nothing that commits waits for a page.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.core.cache import cache

from convomono.lib.db import in_transaction, on_commit, waiting_hook
from convomono.lib.redis import is_heard, publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

CHANNEL = "convomono:live"
# Whoever is signed in is looked at again: somebody's rights or session have changed.
ACCESS = "access"
_SAID = "said:"
_LINE, _LINE_SECONDS = 160, 300
_gathered: ContextVar[set[str] | None] = ContextVar("gathered", default=None)


class _Batch:
    """The topics of one transaction, published when it is committed."""

    def __init__(self) -> None:
        self.topics: set[str] = set()

    def __call__(self) -> None:
        _tell(self.topics)


def changed(
    *,
    client_id: UUID | None = None,
    campaign_id: UUID | None = None,
    batch_call_id: UUID | None = None,
    call_id: UUID | None = None,
) -> None:
    """
    Say that what pages show of these rows has changed, once the open transaction is committed.

    Every message reaches the agency's pages too; without any id it is theirs alone. Repeats inside
    one transaction are one message.
    """
    given = {"client": client_id, "campaign": campaign_id, "batch": batch_call_id, "call": call_id}
    _add({topic(kind, row_id) for kind, row_id in given.items() if row_id is not None})


def row_changed(*, kind: str, row_id: UUID, client_id: UUID | None) -> None:
    """Say that a row of this kind (the name of its model) has changed, and something of its client."""
    names = {topic(kind, row_id)}
    if client_id is not None:
        names.add(topic("client", client_id))
    _add(names)


def topics_changed(*topics: str) -> None:
    """Say that what these topics stand for has changed; others have named them by `topic`."""
    _add(set(topics))


def access_changed() -> None:
    """Have every open page's right to be open looked at, once the transaction is committed."""
    _add({ACCESS})


def said(*, provider_call_id: str, turns: Sequence[dict[str, Any]]) -> None:
    """
    Pass on what has been said in a call so far to who watches.

    Nothing is kept but its last line, for a few minutes, in the cache: lists of live calls show it.
    """
    if turns and is_heard():
        line = str(turns[-1].get("text", ""))[:_LINE]
        cache.set(f"{_SAID}{provider_call_id}", line, _LINE_SECONDS)
    _send({"call": provider_call_id, "turns": list(turns)})


def last_lines(provider_call_ids: Sequence[str]) -> dict[str, str]:
    """Return what was said last in calls in progress, by Retell's id, where it is passed on at all."""
    found = cache.get_many([f"{_SAID}{one}" for one in provider_call_ids])
    return {key.removeprefix(_SAID): str(line) for key, line in found.items()}


def topic(kind: str, row_id: UUID | str) -> str:
    """Return the name under which changes of a row are told."""
    return f"{kind}:{row_id}"


@contextmanager
def gathered() -> Iterator[None]:
    """
    Tell of all that is committed inside once, at the end: for a process that commits many times a second.

    What is inside takes far less than a second, and a message costs as much as a small transaction.
    """
    token = _gathered.set(set())
    try:
        yield
    finally:
        topics = _gathered.get()
        _gathered.reset(token)
        if topics:
            _tell(topics)


def _tell(topics: set[str]) -> None:
    """Publish committed changes, or leave them to whoever gathers them."""
    gathered = _gathered.get()
    if gathered is None:
        _send(sorted(topics))
    else:
        gathered |= topics


def _add(topics: set[str]) -> None:
    if not in_transaction():
        _tell(topics)
        return
    batch = waiting_hook(_Batch)
    if batch is None:
        batch = _Batch()
        on_commit(batch)
    batch.topics |= topics


def _send(message: object) -> None:
    publish(CHANNEL, json.dumps(message))
