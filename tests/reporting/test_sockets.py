"""The sockets of open pages: who may open which, what closes them, what they are told."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from accounts.acting import SESSION_KEY, start_acting, stop_acting
from accounts.services import Rights, change_client_user, deactivate_client
from campaigns.services.lifecycle import pause_campaign
from convomono.asgi import application
from convomono.lib import clock, live
from convomono.lib.ids import uuid7
from reporting import consumers
from reporting.live import hub as hubs
from reporting.live.parts import NewsPart
from tests.campaigns.test_live_pages import make_call
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready, run_batch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from accounts.models import User
    from campaigns.models import BatchCall

pytestmark = pytest.mark.django_db(transaction=True)
HOST = "testserver"


class Socket:
    """An open page: what it was sent, and how its socket was closed."""

    def __init__(self, path: str, *, cookie: str = "", origin: str = f"http://{HOST}") -> None:
        headers = [(b"host", HOST.encode()), (b"cookie", cookie.encode())]
        if origin:
            headers.append((b"origin", origin.encode()))
        scope = {"type": "websocket", "path": path, "query_string": b"", "headers": headers}
        self.wire = ApplicationCommunicator(application, {**scope, "subprotocols": []})
        self.was_opened = False

    async def open(self) -> None:
        await self.wire.send_input({"type": "websocket.connect"})
        answer = await self.wire.receive_output(120)
        self.was_opened = answer["type"] == "websocket.accept"

    async def hears(self, text: str, *, seconds: float = 30.0) -> str:
        """Wait for a message with this text."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.wire.receive_output(seconds)
                if text in message["text"]:
                    return str(message["text"])

    async def closed_with(self, *, seconds: float = 30.0) -> int:
        async with asyncio.timeout(seconds):
            while True:
                message = await self.wire.receive_output(seconds)
                if message["type"] == "websocket.close":
                    return int(message["code"])

    async def says(self, text: str) -> None:
        await self.wire.send_input({"type": "websocket.receive", "text": text})

    async def close(self) -> None:
        await self.wire.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.wire.wait(5)


@pytest.fixture
def running(acme) -> BatchCall:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Any]]:
    """Open a page's socket as somebody: `await connect(alice, "app/campaigns/…/")`."""
    opened: list[Socket] = []

    def sign_in(browser: Browser, user: User, acting_id: str) -> None:
        browser.force_login(user)
        if acting_id:
            session = browser.session
            session[SESSION_KEY] = acting_id
            session.save()

    async def open_it(
        user: User | None, path: str, *, acting_id: str = "", **options: Any
    ) -> Socket:
        cookie = ""
        if user is not None:
            browser = Browser()
            await sync_to_async(sign_in)(browser, user, acting_id)
            name = settings.SESSION_COOKIE_NAME
            cookie = f"{name}={browser.cookies[name].value}"
        socket = Socket(f"/ws/{path}", cookie=cookie, **options)
        opened.append(socket)
        await socket.open()
        await until_listening(socket)
        return socket

    yield open_it
    for socket in opened:
        await socket.close()
    assert consumers._hub().watchers == 0


async def until_listening(socket: Socket, seconds: float = 30.0) -> None:
    """Wait until messages reach the hub: what is told before is read, a moment later."""
    hub = consumers._hub()
    async with asyncio.timeout(seconds):
        while socket.was_opened and hub.watchers and not hub.is_listening:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


def campaign_path(batch_call: BatchCall) -> str:
    return f"app/campaigns/{batch_call.campaign_id}/"


async def test_shows_the_page_as_it_is_and_then_each_change(connect, vera, alice, running, now):
    socket = await connect(vera, campaign_path(running))
    first = await socket.hears('id="campaign-why"')

    campaign = await sync_to_async(lambda: running.campaign)()
    await sync_to_async(pause_campaign)(campaign=campaign, actor=alice, now=now)
    news = await socket.hears("Paused by alice@acme.test")

    assert 'id="campaign-equation"' in first
    assert "Pause</" not in first  # viewers look
    assert 'id="campaign-equation"' not in news  # what did not change is not sent
    assert "csrf" not in first + news


async def test_sends_all_of_it_again_when_asked(connect, vera, running):
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')
    await asyncio.sleep(0.1)

    await socket.says("again")

    assert 'id="campaign-equation"' in await socket.hears('id="campaign-why"')


async def test_serves_a_loop_of_again_once_a_second(connect, vera, running, monkeypatch):
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')
    served: list[object] = []
    monkeypatch.setattr(consumers._hub(), "again", served.append)
    for _ in range(50):
        await socket.says("again")
    async with asyncio.timeout(30):
        while len(served) < 2:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    assert len(served) == 2


async def test_opens_no_campaign_to_a_stranger(connect, running, charlie, bob, root):
    for user, code in ((None, 4401), (charlie, 4404), (bob, 4403), (root, 4403)):
        socket = await connect(user, campaign_path(running))

        assert await socket.closed_with() == code


async def test_opens_nothing_that_does_not_exist(connect, vera, running):
    socket = await connect(vera, f"app/campaigns/{uuid7()}/")
    assert await socket.closed_with() == 4404
    nowhere = await connect(vera, "elsewhere/")
    assert not nowhere.was_opened


async def test_opens_nothing_for_a_page_of_another_host(connect, vera, running):
    strange = ("", "https://evil.test", f"http://{HOST}.evil.test", "http://localhost", "null")
    for origin in strange:
        socket = await connect(vera, campaign_path(running), origin=origin)

        assert not socket.was_opened, origin


async def test_closes_when_its_session_ends(connect, vera, running, monkeypatch):
    monkeypatch.setattr(hubs, "DOORS", 0.1)
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')

    await sync_to_async(Session.objects.all().delete)()

    assert await socket.closed_with() == 4401


async def test_closes_when_its_session_expires(connect, vera, running, monkeypatch):
    monkeypatch.setattr(hubs, "DOORS", 0.1)
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')

    def expire() -> None:
        for row in Session.objects.all():
            row.expire_date -= timedelta(days=15)
            row.save()

    await sync_to_async(expire)()

    assert await socket.closed_with() == 4401


async def test_closes_at_once_when_its_client_is_closed(connect, vera, root, acme, running, now):
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')

    await sync_to_async(deactivate_client)(client=acme, actor=root, now=now)

    assert await socket.closed_with(seconds=30) == 4401


async def test_connects_afresh_when_rights_change(connect, vera, root, running, now):
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')

    await sync_to_async(change_client_user)(
        user=vera, rights=Rights("manager", False), is_active=True, actor=root, now=now
    )

    assert await socket.closed_with(seconds=30) == 1012


async def test_closes_when_the_password_is_changed(connect, vera, running, monkeypatch):
    monkeypatch.setattr(hubs, "DOORS", 0.1)
    socket = await connect(vera, campaign_path(running))
    await socket.hears('id="campaign-why"')

    vera.set_password("another-long-password")
    await sync_to_async(vera.save)()

    assert await socket.closed_with() == 4401


@pytest.fixture
def call(running):
    """A call in progress of a campaign that shows what is said."""
    running.campaign.settings = {"live_transcript": True}
    running.campaign.save()
    lead = running.enrolments.order_by("pk")[0]
    return make_call(running, lead, status="ongoing", outcome_class="", duration_ms=None)


TURNS = [{"speaker": "user", "text": "Who <b>is</b> there?", "at_seconds": 1.5}]


async def test_shows_what_is_said_while_it_is_said(connect, vera, call):
    socket = await connect(vera, f"app/calls/{call.pk}/")
    await socket.hears("appears here while it is said")

    await sync_to_async(live.said)(provider_call_id=call.provider_call_id, turns=TURNS)

    message = await socket.hears("Who &lt;b&gt;is&lt;/b&gt; there?")
    assert 'id="call-transcript"' in message


async def test_shows_nothing_said_where_the_campaign_does_not_ask_for_it(
    connect, vera, call, running
):
    running.campaign.settings = {}
    await sync_to_async(running.campaign.save)()
    socket = await connect(vera, f"app/calls/{call.pk}/")
    await socket.hears("The transcript comes when the call has ended.")

    await sync_to_async(live.said)(provider_call_id=call.provider_call_id, turns=TURNS)

    with pytest.raises(TimeoutError):
        await socket.hears("Who", seconds=0.7)


@pytest.mark.parametrize("path", ["app/lists/", "app/campaigns/{campaign}/line/", "agency/lists/"])
async def test_tells_a_list_that_its_rows_have_changed(
    connect, running, vera, bob, charlie, path, monkeypatch
):
    monkeypatch.setattr(NewsPart, "gap", 0.05)
    socket = await connect(
        bob if path.startswith("agency") else vera, path.format(campaign=running.campaign_id)
    )
    stranger = await connect(charlie, "app/lists/")
    first = changes_in(await socket.hears('id="changes"'))
    await stranger.hears('id="changes"')
    # What was told while the hub began to listen is over: the next one is ours.
    await asyncio.sleep(0.3)

    await sync_to_async(live.changed)(client_id=running.client_id, campaign_id=running.campaign_id)

    assert changes_in(await socket.hears('id="changes"')) != first
    with pytest.raises(TimeoutError):  # another client's rows are nothing to them
        await stranger.hears('id="changes"', seconds=0.7)


def changes_in(message: str) -> str:
    """Return the element that makes a list ask for its rows."""
    found = re.search(r'<i id="changes">[^<]*</i>', message)
    assert found, message
    return found[0]


async def test_opens_each_page_to_whom_its_address_is_open(
    connect, running, call, vera, charlie, bob
):
    """Every address of a socket, asked by everybody: as the page of the same name answers."""
    ids = {"campaign_id": running.campaign_id, "call_id": call.pk}
    for route, page in consumers.PAGES.items():
        path = route.removeprefix("ws/")
        for name, row_id in ids.items():
            path = path.replace(f"<uuid:{name}>", str(row_id))
        is_agency, has_row = page.startswith("agency"), "<" in route
        for user, code in (
            (None, 4401),
            (vera, 4403 if is_agency else 0),
            (charlie, 4403 if is_agency else 4404 if has_row else 0),
            (bob, 0 if is_agency else 4403),
        ):
            socket = await connect(user, path)
            told = f"{path} as {user}"
            if code:
                assert await socket.closed_with() == code, told
            else:
                assert "id=" in await socket.hears("id="), told


async def test_shows_a_client_to_who_works_as_it_and_for_as_long(
    connect, root, alice, acme, rival, running, now, monkeypatch
):
    monkeypatch.setattr(hubs, "DOORS", 0.1)
    acting = await sync_to_async(start_acting)(
        client=acme,
        acted_for=alice,
        reason="Asked for help",
        minutes=5,
        actor=root,
        now=now,
        real_now=clock.real_now(),
    )
    forged = await connect(root, campaign_path(running), acting_id=str(uuid7()))
    assert await forged.closed_with() == 4403
    socket = await connect(root, campaign_path(running), acting_id=str(acting.pk))
    assert "Pause" in await socket.hears('id="campaign-buttons"')

    await sync_to_async(stop_acting)(session=acting, actor=root, now=now, real_now=clock.real_now())

    assert await socket.closed_with() == 1012
