"""
Carries changes to open pages: each part is rendered once for everybody who shows it.

One hub serves all sockets of a process. However many changes arrive, a part is rendered at most
once in its gap; what a page has already is not sent again; a slow page gets the newest, not the backlog.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from convomono.lib import live
from convomono.lib.redis import RedisError, listen

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from reporting.live.parts import Part

log = structlog.get_logger()

# A message may be lost, and some sentences change with the time alone.
STALE: Final = 10.0
# Without Redis the pages go on, a little slower.
POLL: Final = 2.0
DOORS: Final = 5.0
# From one page that is told to ask for its rows to the next: each costs the web server some fifty
# milliseconds, and hundreds at once would be a storm.
TURN: Final = 0.1
_MOST_BATCHES: Final = 10_000

type Fragments = dict[str, str]  # by the id of the element that each replaces


class Watcher(Protocol):
    """An open page."""

    def push(self, fragments: Mapping[str, str]) -> None:
        """Take fragments to send; must not wait."""


class Source(Protocol):
    """Where a hub reads; everything runs outside the event loop."""

    async def render(self, part: Part) -> Fragments: ...
    async def campaigns_of(self, batch_call_ids: Iterable[str]) -> dict[str, str]: ...
    async def shut_doors(self, watchers: Iterable[Any]) -> None: ...


class _View:
    """A part that somebody shows: what was sent last, and who has not had all of it."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.watchers: set[Watcher] = set()
        self.newcomers: set[Watcher] = set()
        self.sent: Fragments = {}
        self.rendered_at = -STALE
        self.is_dirty = False
        self.task: asyncio.Task[None] | None = None


class Hub:
    """The open pages of this process; lives in one event loop."""

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._views: dict[Part, _View] = {}
        self._by_topic: dict[str, set[_View]] = defaultdict(set)
        self._watchers: dict[Watcher, tuple[Part, ...]] = {}
        self._campaigns: dict[str, str] = {}  # of launches, by the id of the launch
        self._tasks: list[asyncio.Task[None]] = []
        self._turns: dict[Watcher, Fragments] = {}  # whose turn to ask comes, the next one first
        self._turning: asyncio.Task[None] | None = None
        self.is_listening = False

    @property
    def watchers(self) -> int:
        """How many pages are open."""
        return len(self._watchers)

    def join(self, watcher: Watcher, parts: Iterable[Part]) -> None:
        """Show these parts to a page: all of each at once, then what changes."""
        self._watchers[watcher] = tuple(parts)
        for part in self._watchers[watcher]:
            view = self._views.get(part)
            if view is None:
                view = self._views[part] = _View(part)
                for name in part.topics:
                    self._by_topic[name].add(view)
            view.watchers.add(watcher)
            view.newcomers.add(watcher)
            self._mark(view)
        if not self._tasks:
            loops: tuple[Coroutine[Any, Any, None], ...]
            loops = (self._hear(), self._keep_fresh(), self._look_at_doors())
            self._tasks = [asyncio.create_task(one) for one in loops]

    def leave(self, watcher: Watcher) -> None:
        """Forget a page that was closed; the last one lets the hub rest."""
        self._turns.pop(watcher, None)
        for part in self._watchers.pop(watcher, ()):
            view = self._views[part]
            view.watchers.discard(watcher)
            view.newcomers.discard(watcher)
            if not view.watchers:
                del self._views[part]
                for name in part.topics:
                    self._by_topic[name].discard(view)
                    if not self._by_topic[name]:
                        del self._by_topic[name]
        if not self._watchers:
            for task in self._tasks:
                task.cancel()
            self._tasks, self.is_listening = [], False

    def again(self, watcher: Watcher) -> None:
        """Send a page everything it shows once more."""
        for part in self._watchers.get(watcher, ()):
            view = self._views[part]
            view.newcomers.add(watcher)
            self._mark(view)

    async def tell(self, topics: Iterable[str]) -> None:
        """Have everything rendered that shows one of these topics."""
        names = set(topics)
        if live.ACCESS in names:
            await self._shut_doors()
        names |= await self._campaigns_of(names)
        for name in (*names, "agency"):
            for view in self._by_topic.get(name, ()):
                self._mark(view)

    def said(self, provider_call_id: str, turns: list[Any]) -> None:
        """Show what was said in a call to the pages that watch it."""
        for view in self._by_topic.get(live.topic("spoken", provider_call_id), ()):
            fragments = view.part.spoken(turns)
            for watcher in view.watchers:
                watcher.push(fragments)

    # Rendering

    def _mark(self, view: _View) -> None:
        view.is_dirty = True
        if view.task is None:
            view.task = asyncio.create_task(self._serve(view))

    async def _serve(self, view: _View) -> None:
        """Render the part as long as it changes, with a pause between two renderings."""
        try:
            while view.is_dirty and view.watchers:
                # A newcomer reads what is there now and waits for nobody's pause.
                pause = 0.0 if view.newcomers else view.rendered_at + view.part.gap - self._clock()
                if pause > 0:
                    await asyncio.sleep(pause)
                await self._render(view)
        finally:
            view.task = None

    async def _render(self, view: _View) -> None:
        view.is_dirty = False
        newcomers, view.newcomers = view.newcomers, set()
        try:
            fragments = await self._source.render(view.part)
        except Exception:
            # The database may be away: pages keep what they show until it is back.
            log.exception("live.not_rendered", part=type(view.part).__name__)
            view.newcomers |= newcomers & view.watchers
            view.rendered_at = self._clock()
            return
        news = {name: html for name, html in fragments.items() if view.sent.get(name) != html}
        view.sent, view.rendered_at = fragments, self._clock()
        for watcher in tuple(view.watchers):
            told = fragments if watcher in newcomers else news
            if told and view.part.pages_ask:
                self._give_turn(watcher, told)
            else:
                watcher.push(told)

    def _give_turn(self, watcher: Watcher, fragments: Fragments) -> None:
        """Tell a page to ask, behind those that wait already; who waits is told once."""
        self._turns[watcher] = self._turns.get(watcher, {}) | fragments
        if self._turning is None:
            self._turning = asyncio.create_task(self._take_turns())

    async def _take_turns(self) -> None:
        try:
            while self._turns:
                watcher = next(iter(self._turns))
                watcher.push(self._turns.pop(watcher))
                await asyncio.sleep(TURN)
        finally:
            self._turning = None

    # What runs beside

    async def _hear(self) -> None:
        while True:
            try:
                async for message in listen(live.CHANNEL):
                    await self._take_safely(message)
            except (RedisError, OSError):
                self.is_listening = False
                await asyncio.sleep(POLL)

    async def _take_safely(self, message: str | None) -> None:
        """Take a message; one that can't be taken costs a reading of everything, never the next message."""
        try:
            await self._take(message)
        except Exception:
            # The database may be away for whoever asks which campaign a launch is of.
            log.exception("live.not_taken")
            self._mark_all()

    async def _take(self, message: str | None) -> None:
        if message is None:  # listening from now on: what was said before is read instead
            self.is_listening = True
            self._mark_all()
            return
        news = json.loads(message)
        if isinstance(news, dict):
            self.said(news["call"], news["turns"])
        else:
            await self.tell(news)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(1)
            for view in self._views.values():
                age = (view.part.stale or STALE) if self.is_listening else POLL
                if view.rendered_at < self._clock() - age:
                    self._mark(view)

    def _mark_all(self) -> None:
        for view in self._views.values():
            self._mark(view)

    async def _look_at_doors(self) -> None:
        while True:
            await asyncio.sleep(DOORS)
            await self._shut_doors()

    async def _shut_doors(self) -> None:
        try:
            await self._source.shut_doors(tuple(self._watchers))
        except Exception:
            log.exception("live.doors_not_looked_at")

    async def _campaigns_of(self, topics: set[str]) -> set[str]:
        """Return the campaigns of the launches among the topics; writers know only the launch."""
        ids = {name.removeprefix("batch:") for name in topics if name.startswith("batch:")}
        if not any(name.startswith("campaign:") for name in self._by_topic):
            return set()
        unknown = ids - set(self._campaigns)
        if unknown:
            if len(self._campaigns) > _MOST_BATCHES:
                self._campaigns.clear()
                unknown = ids
            self._campaigns |= await self._source.campaigns_of(unknown)
        return {live.topic("campaign", self._campaigns[one]) for one in ids & set(self._campaigns)}
