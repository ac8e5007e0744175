"""The one door to Redis (or Valkey): connections and the doorbell that wakes a waiting process."""

from __future__ import annotations

from functools import cache

import redis
from django.conf import settings

SOCKET_SECONDS = 2.0
RedisError = redis.RedisError


@cache
def redis_connection() -> redis.Redis:
    """Return the process's connection pool; commands time out after two seconds."""
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS
    )


def ring(bell: str) -> None:
    """
    Wake whoever waits at the bell; rings that nobody has heard yet count once.

    Redis is only the doorbell: when it is away the waiting process finds the work by itself within
    a second, so a failure is swallowed here.
    """
    try:
        pipe = redis_connection().pipeline(transaction=False)
        pipe.lpush(f"bell:{bell}", 1)
        pipe.ltrim(f"bell:{bell}", 0, 0)
        pipe.execute()
    except RedisError:
        return


def wait_for_ring(bell: str, *, seconds: float) -> bool:
    """Wait until the bell rings, at most `seconds` (real time); tell whether it did."""
    try:
        return redis_connection().blpop([f"bell:{bell}"], timeout=seconds) is not None
    except RedisError:
        return False


def is_reachable() -> bool:
    """Tell whether Redis answers."""
    try:
        return bool(redis_connection().ping())
    except RedisError:
        return False
