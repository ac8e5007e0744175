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

    from telephony.provider import Batch, CallPage, Concurrency

log = structlog.get_logger()


class Gateway(Protocol):
    """What dialling asks of the voice platform (`telephony.retell.RetellGateway` has it)."""

    @property
    def create_phone_call(self) -> Callable[..., PlacedCall]: ...
    @property
    def create_batch_call(self) -> Callable[..., Batch]: ...
    @property
    def list_calls(self) -> Callable[..., CallPage]: ...
    @property
    def concurrency(self) -> Callable[[], Concurrency]: ...


class Row(Protocol):
    """What a request is about: an attempt, or a list of them."""

    @property
    def pk(self) -> Any: ...


@dataclass(frozen=True)
class Answer[About: Row, Value]:
    """What came of one request: a value or the platform's error."""

    about: About
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


class Requests[About: Row, Value]:
    """Requests about rows that are under way, one for each row at most."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._under_way: dict[UUID, tuple[About, Future[Value]]] = {}

    def start(self, about: About, request: Callable[[], Value]) -> None:
        self._under_way[about.pk] = (about, self._executor.submit(request))

    def __contains__(self, pk: object) -> bool:
        return pk in self._under_way

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def rows(self) -> list[About]:
        return [about for about, _future in self._under_way.values()]

    def finished(self) -> list[Answer[About, Value]]:
        """Return the answers that have come; each is the caller's until `forget`."""
        done = [entry for entry in self._under_way.values() if entry[1].done()]
        return [_answer(about, future) for about, future in done]

    def forget(self, about: About) -> None:
        """Drop an answer that was written down."""
        del self._under_way[about.pk]


def _answer[About: Row, Value](about: About, future: Future[Value]) -> Answer[About, Value]:
    error = future.exception()
    if error is None:
        return Answer(about, future.result())
    if isinstance(error, ProviderError):
        return Answer(about, error)
    # A fault of our own after the request may have left: whoever looks it up finds out.
    log.error("dial.failed", about_id=str(about.pk), exc_info=error)
    return Answer(about, UnknownOutcome(type(error).__name__))
