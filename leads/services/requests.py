"""Leads that programs add under a key: a second time gives the first answer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from convomono.lib.crypto import keyed_hashes
from convomono.lib.db import insert_once
from leads.models import LeadRequest

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

KEPT_FOR = timedelta(days=7)
MAX_KEY = 100
_AT_ONCE = 10_000


class KeyReused(Exception):
    """The key came with another body before: one of the two is a mistake."""


def find_answer(*, client_id: UUID, key: str, body: str) -> LeadRequest | None:
    """
    Return what this client was answered under the key; None if it is new.

    :raises KeyReused: see there
    """
    found = LeadRequest.objects.filter(client_id=client_id, key=key).first()
    if found is not None and found.body_hash not in keyed_hashes(body):
        raise KeyReused
    return found


def remember_answer(
    *, client_id: UUID, key: str, body: str, lead_id: UUID, is_new: bool, now: datetime
) -> LeadRequest:
    """
    Keep the answer; of two requests at once the first one's counts, and is returned.

    :raises KeyReused: see there
    """
    row = LeadRequest(
        client_id=client_id,
        key=key,
        body_hash=keyed_hashes(body)[0],
        lead_id=lead_id,
        is_new=is_new,
        created_at=now,
    )
    if insert_once(row, "client", "key"):
        return row
    there = find_answer(client_id=client_id, key=key, body=body)
    return there or row  # forgotten this very moment


def forget_requests(*, now: datetime) -> int:
    """Forget answers older than a week, at most 10,000; returns how many."""
    deleted = 0
    old = LeadRequest.objects.filter(created_at__lt=now - KEPT_FOR)
    while deleted < _AT_ONCE and (keys := list(old.values_list("pk", flat=True)[:200])):
        LeadRequest.objects.filter(pk__in=keys).delete()
        deleted += len(keys)
    return deleted
