"""
Tells open pages that what they show has changed: once per transaction, after its commit.

A message is a handful of topics. Whoever shows one reads it afresh (`reporting/live/`), so a lost
message costs a few seconds, and nothing that commits waits for a page.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from convomono.lib.db import in_transaction, on_commit, waiting_hook
from convomono.lib.redis import publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

CHANNEL = "convomono:live"
# Whoever is signed in is looked at again: somebody's rights or session have changed.
ACCESS = "access"


class _Batch:
    """The topics of one transaction, published when it is committed."""

    def __init__(self) -> None:
        self.topics: set[str] = set()

    def __call__(self) -> None:
        _send(sorted(self.topics))


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
    """Pass on what has been said in a call so far; it is shown to who watches, and kept nowhere."""
    _send({"call": provider_call_id, "turns": list(turns)})


def topic(kind: str, row_id: UUID | str) -> str:
    """Return the name under which changes of a row are told."""
    return f"{kind}:{row_id}"


def _add(topics: set[str]) -> None:
    if not in_transaction():
        _send(sorted(topics))
        return
    batch = waiting_hook(_Batch)
    if batch is None:
        batch = _Batch()
        on_commit(batch)
    batch.topics |= topics


def _send(message: object) -> None:
    publish(CHANNEL, json.dumps(message))
