"""
A real browser for the tests that need one; skipped, with the reason, where Chromium isn't installed.

They come last, and in one process where several share the suite: the browser's driver leaves an
event loop in its thread, beside which asynchronous tests don't run, and one site serves them all.

Every page opened here is watched: a request to another host, a violation of the content security policy, an error in the
console or an exception in a script fails the test that opened it.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client as Browser
from playwright.sync_api import Error as BrowserFailed, sync_playwright

from tests.browser.checks import HEIGHT, WIDTHS
from tests.browser.live_site import LiveSite
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready, run_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright._impl._api_structures import SetCookieParam
    from playwright.sync_api import (
        Browser as Chromium,
        BrowserContext,
        ConsoleMessage,
        Page,
        Request,
    )
    from pytest_django.live_server_helper import LiveServer

    from accounts.models import Client, User
    from campaigns.models import BatchCall

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OUR_SCHEMES = {"about", "blob", "data"}
FOLDER = Path(__file__).resolve().parent
SITE_SECONDS = 240.0
DEMO_PASSWORD = "demo-password"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder and put it behind all others."""
    ours = [item for item in items if item.path.is_relative_to(FOLDER)]
    for item in ours:
        item.add_marker(pytest.mark.browser)
        item.add_marker(pytest.mark.xdist_group("browser"))
        item.add_marker(pytest.mark.sqlite_only("drives pages, which are the same on both"))
    items.sort(key=lambda item: item.path.is_relative_to(FOLDER))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed, or not on PATH; set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        # The driver leaves an event loop in this thread, which Django takes for asynchronous code.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        except BrowserFailed as failed:
            pytest.skip(f"Chromium at {CHROMIUM} does not start: {failed.message[:200]}")
        yield browser
        browser.close()
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@dataclass
class Watch:
    """What a page did that it must not do."""

    host: str
    wrongs: list[str] = field(default_factory=list)
    expected_statuses: set[int] = field(default_factory=set)
    has_sockets: bool = True
    has_network: bool = True

    def follow(self, page: Page) -> None:
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.wrongs.append(f"script failed: {error}"))

    def _request(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.netloc != self.host and target.scheme not in OUR_SCHEMES:
            self.wrongs.append(f"left our host: {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        # The tests' own server speaks no WebSocket: its pages ask by themselves instead.
        of_sockets = ("/ws/", "wsError", "[object Event]")
        if not self.has_sockets and any(word in message.text for word in of_sockets):
            return
        of_network = ("htmx:sendError", "htmx:afterRequest", "net::ERR_INTERNET_DISCONNECTED")
        if not self.has_network and any(word in message.text for word in of_network):
            return
        # The browser reports the status of the page itself as an error too.
        if any(str(status) in message.text for status in self.expected_statuses):
            return
        self.wrongs.append(f"console: {message.text}")


@pytest.fixture
def open_page(chromium: Chromium, live_server: LiveServer) -> Iterator[Callable[..., Page]]:
    """
    Open an address as somebody: `open_page("/app/", user=alice, width="phone", theme="dark")`.

    `status` is what the address answers, `fails_with` what a request of the page may. What the page did wrong fails the test at its end.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def open_it(
        path: str,
        *,
        user: User | None = None,
        width: str = "desk",
        theme: Any = "light",
        status: int = 200,
        fails_with: int = 200,
        javascript: bool = True,
    ) -> Page:
        context = chromium.new_context(
            base_url=live_server.url,
            viewport={"width": WIDTHS[width], "height": HEIGHT},
            color_scheme=theme,
            reduced_motion="reduce",
            java_script_enabled=javascript,
        )
        contexts.append(context)
        if user is not None:
            context.add_cookies([session_cookie(user, live_server.url)])
        watch = Watch(
            urlsplit(live_server.url).netloc,
            expected_statuses={status, fails_with} - {200},
            has_sockets=False,
        )
        watches.append(watch)
        page = context.new_page()
        watch.follow(page)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        page.wait_for_load_state("load")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not [wrong for watch in watches for wrong in watch.wrongs]


def session_cookie(user: User, url: str) -> SetCookieParam:
    """Sign somebody in as the test client does, and return their session's cookie."""
    browser = Browser()
    browser.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": browser.cookies[name].value, "url": url}


@dataclass(frozen=True)
class WholeSite:
    """A running installation with every process, and the id of a row of each kind."""

    url: str
    ids: dict[str, str]


@pytest.fixture(scope="session")
def whole_site(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSite]:
    """The whole product, once for all tests: they add rows, and change none that another looks at."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(FOLDER / "whole_site.py"), str(folder)]
    with subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        is_ready, _, _ = select.select([process.stdout], [], [], SITE_SECONDS)
        line = process.stdout.readline() if is_ready else b""
        try:
            assert line, (folder / "site.log").read_text()[-4000:]
            yield WholeSite(**json.loads(line))
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def contexts(
    chromium: Chromium, whole_site: WholeSite
) -> Iterator[Callable[[str], BrowserContext]]:
    """A window of the whole site for each person, signed in once; without an e-mail a fresh one."""
    opened: dict[str, BrowserContext] = {}

    def of(email: str) -> BrowserContext:
        if email and email in opened:
            return opened[email]
        context = chromium.new_context(base_url=whole_site.url, reduced_motion="reduce")
        opened[email or str(len(opened))] = context
        if email:
            page = context.new_page()
            page.goto("/account/login/")
            page.get_by_label("Email").fill(email)
            page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
            page.keyboard.press("Enter")
            page.wait_for_url(lambda url: "login" not in url)
            page.close()
        return context

    yield of
    for context in opened.values():
        context.close()


@pytest.fixture
def visit(
    contexts: Callable[[str], BrowserContext], whole_site: WholeSite
) -> Iterator[Callable[..., Page]]:
    """Open an address of the whole site as somebody; what its page did wrong fails the test."""
    watch = Watch(urlsplit(whole_site.url).netloc)
    pages: list[Page] = []

    def visit_it(path: str, *, email: str = "", status: int = 200) -> Page:
        page = contexts(email).new_page()
        pages.append(page)
        page.set_viewport_size({"width": WIDTHS["desk"], "height": HEIGHT})
        watch.expected_statuses.add(status)
        watch.follow(page)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        return page

    yield visit_it
    for page in pages:
        page.close()
    assert not watch.wrongs


@pytest.fixture
def site(transactional_db: None) -> Iterator[LiveSite]:
    site = LiveSite()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def look(chromium: Chromium, site: LiveSite) -> Iterator[Callable[..., Page]]:
    """Open an address of the site as somebody, and wait until its socket is open."""
    contexts = []
    watch = Watch(urlsplit(site.url).netloc)

    def look_at(
        path: str, user: User, *, is_clock_ours: bool = False, is_cut_off: bool = False
    ) -> Page:
        context = chromium.new_context(base_url=site.url, reduced_motion="reduce")
        contexts.append(context)
        context.add_cookies([session_cookie(user, site.url)])
        page = context.new_page()
        watch.follow(page)
        watch.has_network = not is_cut_off
        if is_clock_ours:
            page.clock.install()
        page.goto(path)
        page.wait_for_selector("html[data-live]", state="attached")
        return page

    yield look_at
    for context in contexts:
        context.close()
    assert not watch.wrongs


@pytest.fixture
def running(acme: Client) -> BatchCall:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))
