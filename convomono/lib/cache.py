"""The cache in Redis (or Valkey), and what stands in for it while that is away: no page fails for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from django.utils.functional import cached_property

from convomono.lib.redis import RedisError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.cache.backends.base import BaseCache
    from django.core.cache.backends.redis import RedisCacheClient


class _Client:
    """Sends each command to Redis, and to the stand-in if that fails."""

    def __init__(self, client: RedisCacheClient, stand_in: BaseCache) -> None:
        self._client = client
        self._stand_in = stand_in

    def __getattr__(self, command: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return getattr(self._client, command)(*args, **kwargs)
            except RedisError:
                return getattr(self._stand_in, command)(*args, **kwargs)

        return run


class SteadyCache(RedisCache):
    """While Redis is away each process remembers for itself: limits of sign-ins go on counting."""

    @cached_property
    def _cache(self) -> Any:
        return _Client(super()._cache, self._stand_in())

    def _stand_in(self) -> BaseCache:
        return LocMemCache("while-redis-is-away", {})


class SessionCache(SteadyCache):
    """
    While Redis is away nothing is remembered, and sessions are read from the database.

    A process's own memory would keep somebody signed in who signed out at another process.
    """

    def _stand_in(self) -> BaseCache:
        return DummyCache("", {})
