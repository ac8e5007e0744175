"""The sockets of open pages: signed in, from our own pages alone, closed when the right to them ends."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.db import close_old_connections
from django.urls import path

from campaigns.models import BatchCall
from convomono.lib import clock
from reporting.live.doors import Pass, Refused, admit, closing_codes
from reporting.live.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reporting.live.parts import Part

_AGAIN: Final = "again"
_AGAIN_SECONDS: Final = 1.0
_NO_PAGE: Final = 4404
# Reading for pages takes two connections to the database, however many pages are open.
_READERS = ThreadPoolExecutor(2, thread_name_prefix="live")
_HUBS: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


async def _read[Result](work: Callable[[], Result]) -> Result:
    def run() -> Result:
        try:
            return work()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_READERS, run)


class _Database:
    """What a hub reads (`reporting.live.hub.Source`)."""

    async def render(self, part: Part) -> dict[str, str]:
        return await _read(lambda: part.render(now=clock.now()))

    async def campaigns_of(self, batch_call_ids: Iterable[str]) -> dict[str, str]:
        rows = BatchCall.objects.filter(pk__in=list(batch_call_ids))
        found = await _read(lambda: list(rows.values_list("pk", "campaign_id")))
        return {str(batch_call_id): str(campaign_id) for batch_call_id, campaign_id in found}

    async def shut_doors(self, watchers: Iterable[LivePage]) -> None:
        open_pages = [one for one in watchers if one.ticket is not None]
        passes = sorted({one.ticket for one in open_pages if one.ticket}, key=repr)
        codes = await _read(lambda: closing_codes(passes, real_now=clock.real_now()))
        for one in open_pages:
            if one.ticket in codes:
                await one.close(code=codes[one.ticket])


def _hub() -> Hub:
    loop = asyncio.get_running_loop()
    if loop not in _HUBS:
        _HUBS[loop] = Hub(_Database())
    return _HUBS[loop]


class LivePage(AsyncWebsocketConsumer):
    """
    One open page.

    The server sends HTML whose elements replace those of the same id; the first message after each
    connection is everything the page shows. The page may say "again" to have all of it once more.
    """

    def __init__(self, *, page: str) -> None:
        super().__init__()
        self.page = page
        self.ticket: Pass | None = None
        self._waiting: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._next_again: asyncio.TimerHandle | None = None
        self._again_at = float("-inf")

    async def connect(self) -> None:
        if not _is_same_origin(self.scope):
            await self.close()
            return
        await self.accept()
        try:
            self.ticket, parts = await self._admit()
        except Refused as refused:
            # Accepted first: a browser tells its page the code of an open socket only.
            await self.close(code=refused.code)
            return
        self._sender = asyncio.create_task(self._send_what_waits())
        _hub().join(self, parts)

    async def _admit(self) -> tuple[Pass, tuple[Part, ...]]:
        ids = self.scope["url_route"]["kwargs"]
        user, session = self.scope["user"], self.scope["session"]
        admitted: tuple[Pass, tuple[Part, ...]] = await database_sync_to_async(admit)(
            user=user, session=session, page=self.page, ids=ids, real_now=clock.real_now()
        )
        return admitted

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if text_data != _AGAIN or self.ticket is None:
            return
        # It is served at once, so that who says it in a loop would keep the readers to itself: what is
        # said within a second of the last is done once, at its end.
        if self._next_again is None:
            loop = asyncio.get_running_loop()
            wait = max(0.0, self._again_at + _AGAIN_SECONDS - loop.time())
            self._next_again = loop.call_later(wait, self._again)

    def _again(self) -> None:
        self._next_again, self._again_at = None, asyncio.get_running_loop().time()
        _hub().again(self)

    async def disconnect(self, _code: int) -> None:
        if self._next_again is not None:
            self._next_again.cancel()
        _hub().leave(self)
        if self._sender is not None:
            self._sender.cancel()

    def push(self, fragments: Mapping[str, str]) -> None:
        """Send these elements as soon as the page has taken what came before; the newest wins."""
        if fragments:
            self._waiting |= fragments
            self._wake.set()

    async def _send_what_waits(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            await self.send(text_data="".join(waiting.values()))


def _is_same_origin(scope: Mapping[str, Any]) -> bool:
    """Tell whether a page of the very host that is asked opened the socket."""
    headers = dict(scope["headers"])
    origin = headers.get(b"origin", b"").decode("latin-1")
    return bool(origin) and urlsplit(origin).netloc == headers.get(b"host", b"").decode("latin-1")


class _Nowhere(AsyncWebsocketConsumer):
    """Answers every other address."""

    async def connect(self) -> None:
        await self.close(code=_NO_PAGE)


# Address -> page; who may open it stands in `reporting/live/doors.py`.
PAGES: Final[dict[str, str]] = {
    "ws/app/": "client",
    "ws/app/home/": "client-home",
    "ws/app/lists/": "client-lists",
    "ws/app/billing/": "client-wallet",
    "ws/app/campaigns/<uuid:campaign_id>/": "campaign",
    "ws/app/campaigns/<uuid:campaign_id>/line/": "campaign-line",
    "ws/app/calls/<uuid:call_id>/": "call",
    "ws/agency/": "agency",
    "ws/agency/home/": "agency-home",
    "ws/agency/lists/": "agency-lists",
    "ws/agency/live/": "agency-live",
}
_ROUTES = [path(route, LivePage.as_asgi(page=page)) for route, page in PAGES.items()]
_ROUTES += [path("<path:anything>", _Nowhere.as_asgi())]

socket_application = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(_ROUTES)))
