"""The hub: one rendering for all who look, floods made small, the slow given the newest."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from django.db import OperationalError

from convomono.lib import live
from convomono.lib.redis import redis_connection
from reporting.live import hub as hubs
from reporting.live.hub import Hub
from reporting.live.parts import Part


@dataclass(frozen=True)
class Figures(Part):
    name: str
    topics: tuple[str, ...] = ("campaign:1",)
    gap: ClassVar[float] = 0.05


class Slow(Figures):
    gap = 0.2


class Asking(Figures):
    pages_ask = True


class Patient(Figures):
    stale = 60.0


@dataclass
class Source:
    """Reads a figure that the test sets, and counts how often it is asked."""

    figure: int = 0
    rendered: list[Part] = field(default_factory=list)
    looked: list[int] = field(default_factory=list)
    fails: int = 0
    knows_no_launch: int = 0

    async def render(self, part: Part) -> dict[str, str]:
        self.rendered.append(part)
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise OSError("the database is away")
        return {"figure": f"<p id=figure>{self.figure}</p>", "title": "<h1 id=title>Same</h1>"}

    async def campaigns_of(self, batch_call_ids) -> dict[str, str]:
        if self.knows_no_launch:
            self.knows_no_launch -= 1
            raise OperationalError("the database is away")
        return {one: "1" for one in batch_call_ids if one == "launch"}

    async def shut_doors(self, watchers) -> None:
        self.looked.append(len(watchers))


class Page:
    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        self.told_at: list[float] = []

    def push(self, fragments) -> None:
        if fragments:
            self.got.append(dict(fragments))
            self.told_at.append(time.monotonic())


@pytest.fixture
def source() -> Source:
    return Source()


async def until(ready, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not ready():  # noqa: ASYNC110 - a condition of many objects, not one event
            await asyncio.sleep(0.005)


async def test_shows_a_newcomer_everything_and_then_what_changed(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: page.got)

    source.figure = 7
    await hub.tell(["campaign:1"])
    await until(lambda: len(page.got) > 1)

    assert set(page.got[0]) == {"figure", "title"}
    assert page.got[1] == {"figure": "<p id=figure>7</p>"}
    hub.leave(page)


async def test_renders_once_for_all_who_look(source):
    hub, pages = Hub(source), [Page() for _ in range(500)]
    for page in pages:
        hub.join(page, [Figures("a")])
    await until(lambda: all(page.got for page in pages))
    before = len(source.rendered)

    source.figure = 1
    await hub.tell(["campaign:1"])
    await until(lambda: all(len(page.got) > 1 for page in pages))

    assert before <= 2
    assert len(source.rendered) == before + 1
    for page in pages:
        hub.leave(page)
    assert hub.watchers == 0


async def test_gives_pages_that_ask_for_themselves_their_turns(source, monkeypatch):
    monkeypatch.setattr(hubs, "TURN", 0.02)
    hub, pages = Hub(source), [Page() for _ in range(30)]
    for page in pages:
        hub.join(page, [Asking("a")])
    await until(lambda: all(page.got for page in pages))

    source.figure = 1
    await hub.tell(["campaign:1"])
    await until(lambda: all("figure" in page.got[-1] and len(page.got) > 1 for page in pages))

    told = sorted(at for page in pages for at in page.told_at)
    assert min(later - earlier for earlier, later in itertools.pairwise(told)) >= 0.015
    assert [len(page.got) for page in pages] == [2] * 30  # who waits for its turn is told once
    for page in pages:
        hub.leave(page)


async def test_gives_no_turn_to_a_page_that_was_closed(source, monkeypatch):
    monkeypatch.setattr(hubs, "TURN", 0.05)
    hub, pages = Hub(source), [Page() for _ in range(3)]
    for page in pages:
        hub.join(page, [Asking("a")])
    await until(lambda: any(page.got for page in pages))
    [early, *late] = sorted(pages, key=lambda page: not page.got)

    hub.leave(late[0])
    await until(lambda: late[1].got)

    assert not late[0].got
    hub.leave(early)
    hub.leave(late[1])


async def test_reads_a_part_afresh_as_seldom_as_it_asks_for(source, empty_valkey, monkeypatch):
    monkeypatch.setattr(hubs, "STALE", 0.1)
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a"), Patient("b")])
    await until(lambda: hub.is_listening)
    source.rendered.clear()

    await until(lambda: source.rendered.count(Figures("a")) > 1)

    assert source.rendered.count(Patient("b")) <= 1  # read when the hub began to listen
    hub.leave(page)


async def test_makes_a_flood_of_changes_a_few_renderings(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Slow("a")])
    await until(lambda: page.got)

    for figure in range(1, 1001):
        source.figure = figure
        await hub.tell(["campaign:1"])
    await until(lambda: "1000" in page.got[-1].get("figure", ""))

    assert len(source.rendered) <= 5
    hub.leave(page)


async def test_knows_a_launchs_campaign(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: page.got)

    source.figure = 2
    await hub.tell(["batch:launch", "batch:nobody-knows"])

    await until(lambda: len(page.got) > 1)
    hub.leave(page)


async def test_hears_on_after_a_message_that_it_could_not_take(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: page.got and hub.is_listening)
    source.knows_no_launch = 1

    source.figure = 3  # what it couldn't look up is read instead
    redis_connection().publish(live.CHANNEL, json.dumps(["batch:launch"]))
    await until(lambda: page.got[-1].get("figure") == "<p id=figure>3</p>")
    assert source.knows_no_launch == 0
    source.figure = 4
    redis_connection().publish(live.CHANNEL, json.dumps(["batch:launch"]))
    await until(lambda: page.got[-1].get("figure") == "<p id=figure>4</p>")

    assert not any(task.done() for task in hub._tasks)
    hub.leave(page)


async def test_tells_nobody_of_what_they_do_not_watch(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: page.got and hub.is_listening and not hub._views[Figures("a")].task)
    before = len(source.rendered)

    await hub.tell(["campaign:2", "client:1", "batch:other"])
    await asyncio.sleep(0.1)

    assert len(source.rendered) == before
    hub.leave(page)


async def test_goes_on_when_a_rendering_failed(source, monkeypatch):
    monkeypatch.setattr(hubs, "STALE", 0.1)
    source.fails = 1
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])

    await until(lambda: page.got)

    assert set(page.got[0]) == {"figure", "title"}
    hub.leave(page)


async def test_hears_what_another_process_publishes(source, empty_valkey):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: hub.is_listening)
    source.figure = 9

    redis_connection().publish(live.CHANNEL, json.dumps(["campaign:1"]))

    await until(lambda: "9" in page.got[-1].get("figure", ""))
    hub.leave(page)


async def test_reads_afresh_by_itself_without_redis(source, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    monkeypatch.setattr(hubs, "POLL", 0.1)
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])
    await until(lambda: page.got)

    source.figure = 3

    await until(lambda: "3" in page.got[-1].get("figure", ""))
    hub.leave(page)


async def test_looks_at_the_doors_when_rights_change(source):
    hub, page = Hub(source), Page()
    hub.join(page, [Figures("a")])

    await hub.tell([live.ACCESS])

    assert source.looked == [1]
    hub.leave(page)


class Listener:
    def __init__(self) -> None:
        self.channel: Any = redis_connection().pubsub(ignore_subscribe_messages=True)
        self.channel.subscribe(live.CHANNEL)
        self.channel.get_message(timeout=1)

    def heard(self) -> list[Any]:
        found = []
        while message := self.channel.get_message(timeout=0.1):
            found.append(json.loads(message["data"]))
        return found


@pytest.mark.django_db(transaction=True)
def test_publishes_once_per_transaction_and_only_what_was_committed(now):
    from convomono.lib.db import atomic
    from convomono.lib.ids import uuid7

    listener, campaign_id, client_id = Listener(), uuid7(), uuid7()

    with atomic():
        for _time in range(3):
            live.changed(campaign_id=campaign_id, client_id=client_id)
        assert listener.heard() == []
    with contextlib.suppress(ZeroDivisionError), atomic():
        live.changed(campaign_id=campaign_id)
        raise ZeroDivisionError
    with atomic():
        live.changed(client_id=client_id)

    both = [f"campaign:{campaign_id}", f"client:{client_id}"]
    assert listener.heard() == [both, [f"client:{client_id}"]]
    listener.channel.close()
