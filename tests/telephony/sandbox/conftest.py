"""The sandbox's fixtures: a running one, an empty one, a furnished one, a receiver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.telephony.sandbox.harness import Served, furnish, receiving, visit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.telephony.sandbox.harness import Receiver, Sandbox


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    server = Served()
    yield server
    server.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Whoever the sandbox sends its webhooks to."""
    yield from receiving()


@pytest.fixture
def empty(served: Served) -> Iterator[Sandbox]:
    """A sandbox with nothing in it."""
    httpx.post(f"{served.url}/_sandbox/reset?all=true").raise_for_status()
    yield from visit(served.url)
    httpx.post(f"{served.url}/_sandbox/reset?all=true").raise_for_status()


@pytest.fixture
def sandbox(empty: Sandbox, receiver: Receiver) -> Sandbox:
    """A sandbox with a published agent and a number that may call."""
    return furnish(empty, receiver.url)
