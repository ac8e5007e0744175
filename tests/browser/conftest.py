"""
A real browser for the tests that need one; skipped, with the reason, where Chromium isn't installed.

Every page opened here is watched: a request to another host, a violation of the content security policy, an error in the
console or an exception in a script fails the test that opened it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client as Browser
from playwright.sync_api import Error as BrowserFailed, sync_playwright

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

    from accounts.models import User

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
WIDTHS = {"desk": 1280, "phone": 390, "narrow": 320}
OUR_SCHEMES = {"about", "blob", "data"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    for item in items:
        if item.path.is_relative_to(settings.BASE_DIR / "tests/browser"):
            item.add_marker(pytest.mark.browser)


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
            viewport={"width": WIDTHS[width], "height": 860},
            color_scheme=theme,
            reduced_motion="reduce",
            java_script_enabled=javascript,
        )
        contexts.append(context)
        if user is not None:
            context.add_cookies([session_cookie(user, live_server.url)])
        watch = Watch(
            urlsplit(live_server.url).netloc, expected_statuses={status, fails_with} - {200}
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
