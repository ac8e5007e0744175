"""SQLite's write lock held by somebody else under a stream of deliveries: `reliability.md`, section 8."""

from __future__ import annotations

import http.client
import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from tests.load.stream import now
from tests.webhooks.test_kills import Process, Web, run, wait_until
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["run"]  # a fixture

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
    pytest.mark.sqlite_only("is about SQLite's file"),
]
ANSWERED_SECONDS, BACK_SECONDS, PAGES, PAGE_SECONDS = 5.0, 1.0, 10, 2.0
REFUSING_FROM = 6.0  # all who stood in line when the first gave up have heard by then


@contextmanager
def write_lock() -> Iterator[None]:
    holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, timeout=20)
    holder.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        holder.close()


def page_seconds(port: int) -> float:
    """Ask for a page; return how long it took."""
    began = time.monotonic()
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    peer.request("GET", "/healthz")
    assert peer.getresponse().status == 200
    peer.close()
    return time.monotonic() - began


@pytest.mark.parametrize(("seconds", "statuses"), [(4.0, {204}), (30.0, {204, 503})])
def test_is_answered_in_time_whoever_stands_in_line(
    db: None,
    run: Callable[..., Process],
    record_property: Callable[[str, object], None],
    seconds: float,
    statuses: set[int],
):
    web = Web(run)
    for _ in range(PAGES):  # the first page of each worker loads all of them
        page_seconds(web.port)
    stream = web.stream()
    with write_lock():
        locked_at = now()
        if seconds > REFUSING_FROM:
            time.sleep(REFUSING_FROM)
            assert max(page_seconds(web.port) for _ in range(PAGES)) < PAGE_SECONDS
        time.sleep(locked_at + seconds - now())
    free_at = now()
    wait_until(lambda: stream.has_gone_on(free_at, seconds=BACK_SECONDS + 1))
    stream.stop()

    longest = max(one.seconds for one in stream.answers)
    record_property("deliveries_a_second", round(stream.rate))
    record_property("longest_answer_s", round(longest, 2))
    assert {one.status for one in stream.answers} == statuses
    assert longest < ANSWERED_SECONDS
    refused = [one for one in stream.answers if one.status == 503]
    assert all(locked_at < one.ended < free_at + BACK_SECONDS for one in refused)
    stored = set(WebhookEvent.objects.values_list("provider_call_id", flat=True))
    assert stream.acknowledged <= stored
