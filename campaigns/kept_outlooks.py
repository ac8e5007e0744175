"""Outlooks that were worked out a moment ago, so that many open pages count a long line once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.cache import cache

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from campaigns.models import BatchCall
    from campaigns.queries.outlook import Outlook

_KEPT_SECONDS = 3600
_FRESH_SECONDS = 5
# A line of a hundred thousand is counted again after fifty seconds: counting takes a hundredth of the time.
_LEADS_PER_SECOND = 2_000


def keep_outlook(launches: Sequence[BatchCall], outlook: Outlook) -> None:
    """Keep what was worked out for these launches as they are now: paused or resumed they have another."""
    cache.set(_key(launches), outlook, _KEPT_SECONDS)


def kept_outlook(launches: Sequence[BatchCall]) -> Outlook | None:
    """Return what was worked out last, however long ago within the hour."""
    kept: Outlook | None = cache.get(_key(launches))
    return kept


def is_fresh(outlook: Outlook, *, in_line: int, real_now: datetime) -> bool:
    """Tell whether an outlook needn't be worked out again: after five seconds, or longer for a long line."""
    lasts = timedelta(seconds=max(_FRESH_SECONDS, in_line / _LEADS_PER_SECOND))
    return real_now - outlook.looked_at < lasts


def _key(launches: Sequence[BatchCall]) -> str:
    state = ",".join(f"{row.pk.hex}:{row.status}" for row in launches)
    # The number changes with what is kept: another release doesn't read what this one wrote.
    return f"outlook:1:{hashlib.sha256(state.encode()).hexdigest()}"
