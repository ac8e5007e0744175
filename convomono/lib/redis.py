"""The one door to Redis (or Valkey): connections and the doorbell that wakes a waiting process."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import redis
import redis.asyncio
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

SOCKET_SECONDS = 2.0
# A listener that hears nothing for so long asks whether the connection stands: a partition closes none.
QUIET_SECONDS = 5.0
_BEAT_KEPT_SECONDS = 30 * 24 * 3600
# A publisher that found nobody doesn't try again at once: it has rows to write.
_SILENT_SECONDS = 5.0
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


class _Silence:
    """Until when nothing is published, because Redis was away a moment ago."""

    until = 0.0


def is_heard() -> bool:
    """Tell whether it makes sense to say anything: a moment ago Redis wasn't away."""
    return time.monotonic() >= _Silence.until


def publish(channel: str, message: str) -> None:
    """Tell whoever listens to the channel just now; nobody is told while Redis is away."""
    if not is_heard():
        return
    try:
        redis_connection().publish(channel, message)
    except RedisError:
        _Silence.until = time.monotonic() + _SILENT_SECONDS


async def listen(channel: str) -> AsyncIterator[str | None]:
    """
    Yield what is published on the channel from now on; None first, once we are listening.

    :raises RedisError: when the connection breaks, or nobody is at its other end any more; whoever
        listens calls again and reads afresh
    """
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=SOCKET_SECONDS)
    try:
        async with client.pubsub(ignore_subscribe_messages=True) as channels:
            await channels.subscribe(channel)
            yield None
            while True:
                message = await channels.get_message(timeout=QUIET_SECONDS)
                if message is None:  # nobody said anything: is anybody there?
                    await channels.ping()
                    message = await channels.get_message(timeout=SOCKET_SECONDS)
                    if message is None:
                        raise redis.TimeoutError("No answer to a ping.")
                if message["type"] == "message":
                    yield message["data"].decode()
    finally:
        await client.aclose()


def is_reachable() -> bool:
    """Tell whether Redis answers."""
    try:
        return bool(redis_connection().ping())
    except RedisError:
        return False


def beat(part: str, *, now: datetime) -> None:
    """Say that a part of the system lives; `now` is real. Nobody hears it while Redis is away."""
    try:
        redis_connection().set(f"beat:{part}", int(now.timestamp()), ex=_BEAT_KEPT_SECONDS)
    except RedisError:
        return


def seconds_since_beat(part: str, *, now: datetime) -> int | None:
    """Return how long a part has been silent; None if it never said anything, or Redis is away."""
    try:
        at = redis_connection().get(f"beat:{part}")
    except RedisError:
        return None
    return None if at is None else max(0, int(now.timestamp()) - int(at))
