"""Counts how often something was asked for in a span of real time, to refuse what is too often."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.core.cache import cache

if TYPE_CHECKING:
    from datetime import datetime


def is_too_often(what: str, *, most: int, seconds: int, real_now: datetime, times: int = 1) -> bool:
    """
    Count so many more times and tell whether it is more than `most` in this span of `seconds`.

    Spans are those of the clock, not of the first time. While the cache is away nothing is too often.
    """
    span = int(real_now.timestamp()) // seconds
    key = f"often:{what}:{seconds}:{span}"
    cache.add(key, 0, 2 * seconds)
    try:
        return cache.incr(key, times) > most
    except ValueError:  # it fell out of the cache in between
        return False
