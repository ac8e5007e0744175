"""The network part of dialling: requests go out on a few threads, answers are collected on one."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from telephony.provider import PlacedCall, ProviderError, UnknownOutcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from campaigns.models import Attempt
    from telephony.provider import CallPage, Concurrency

log = structlog.get_logger()


class Gateway(Protocol):
    """What dialling asks of the voice platform (`telephony.retell.RetellGateway` has it)."""

    @property
    def create_phone_call(self) -> Callable[..., PlacedCall]: ...
    @property
    def list_calls(self) -> Callable[..., CallPage]: ...
    @property
    def concurrency(self) -> Callable[[], Concurrency]: ...


@dataclass(frozen=True)
class Answer[Value]:
    """What came of one request: a value or the platform's error."""

    attempt: Attempt
    result: Value | ProviderError


class AtOnce(Executor):
    """Runs what is submitted in the caller's thread: for tests, and wherever one thread will do."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ProviderError as error:
            future.set_exception(error)
        return future


class Requests[Value]:
    """Requests about attempts that are under way, one for each attempt at most."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._under_way: dict[UUID, tuple[Attempt, Future[Value]]] = {}

    def start(self, attempt: Attempt, request: Callable[[], Value]) -> None:
        self._under_way[attempt.pk] = (attempt, self._executor.submit(request))

    def __contains__(self, attempt_id: object) -> bool:
        return attempt_id in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for attempt, _future in self._under_way.values()]

    def finished(self) -> list[Answer[Value]]:
        """Return the answers that have come; each is the caller's until `forget`."""
        done = [entry for entry in self._under_way.values() if entry[1].done()]
        return [_answer(attempt, future) for attempt, future in done]

    def forget(self, attempt: Attempt) -> None:
        """Drop an answer that was written down."""
        del self._under_way[attempt.pk]


def _answer[Value](attempt: Attempt, future: Future[Value]) -> Answer[Value]:
    error = future.exception()
    if error is None:
        return Answer(attempt, future.result())
    if isinstance(error, ProviderError):
        return Answer(attempt, error)
    # A fault of our own after the request may have left: whoever looks it up finds out.
    log.error("dial.failed", attempt_id=str(attempt.pk), exc_info=error)
    return Answer(attempt, UnknownOutcome(type(error).__name__))
