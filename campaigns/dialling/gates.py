"""The kill switch on the way of each dial: which gates are closed, and the pass through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns.models import DialGate
from convomono.lib.bulk import update_row

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID


class GateClosed(Exception):
    """Somebody has stopped everything, or this client."""


@dataclass(frozen=True)
class Closed:
    """The gates that are closed at a moment."""

    everything: bool = False
    clients: frozenset[UUID] = frozenset()

    def stops(self, client_id: UUID) -> bool:
        return self.everything or client_id in self.clients


def gate_key(client_id: UUID | None) -> str:
    """Return the key of a client's gate, or of the one for everything."""
    return DialGate.EVERYTHING if client_id is None else f"client:{client_id}"


def closed_gates() -> Closed:
    """Return what is stopped; one query."""
    rows = DialGate.objects.filter(is_open=False).values_list("key", "client_id")
    found = dict(rows)
    is_all = found.pop(DialGate.EVERYTHING, False) is None
    return Closed(everything=is_all, clients=frozenset(found.values()))


def pass_gates(*, client_id: UUID, now: datetime) -> None:
    """
    Write a dial on both gates, inside the transaction that lets it go.

    :raises GateClosed: if one of them is closed
    :raises IntegrityError: if another process made the gate at this very moment
    """
    owners = {gate_key(one): one for one in (None, client_id)}
    passed = {"last_dialled_at": now}
    if all(update_row(DialGate, {"key": key, "is_open": True}, passed) for key in owners):
        return
    known = dict(DialGate.objects.filter(key__in=list(owners)).values_list("key", "is_open"))
    if not all(known.values()):
        raise GateClosed
    for key, owner in owners.items():
        if key not in known:
            DialGate.objects.create(key=key, client_id=owner, last_dialled_at=now)
