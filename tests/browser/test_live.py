"""Live pages in a browser: what is committed is on the open page within a second, gently."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import uvicorn
from channels.routing import ProtocolTypeRouter
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler

from billing.services import consume, hold
from campaigns.enrolments import move_enrolment
from campaigns.services.lifecycle import pause_campaign, resume_campaign
from convomono.asgi import django_application
from convomono.lib import clock, files, live
from reporting.consumers import socket_application
from telephony.models import Call, CallDetail, Recording
from telephony.sandbox import audio as sandbox_audio
from tests.browser.conftest import Watch, session_cookie
from tests.campaigns.test_live_pages import make_call
from tests.conftest import NOW
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready, run_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser as Chromium, Locator, Page

    from accounts.models import Client, User
    from campaigns.models import BatchCall

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = 1000  # milliseconds
# The product, and its styles and scripts as its front server would deliver them.
APPLICATION = ProtocolTypeRouter(
    {"http": ASGIStaticFilesHandler(django_application), "websocket": socket_application}
)


class Site:
    """The product under ASGI, sockets included, in a thread of this process."""

    def __init__(self) -> None:
        self._port = _free_port()
        config = uvicorn.Config(
            APPLICATION, port=self._port, log_level="warning", ws="websockets-sansio"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 30
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def site(transactional_db: None) -> Iterator[Site]:
    site = Site()
    site.start()
    yield site
    site.stop()


@pytest.fixture
def look(chromium: Chromium, site: Site) -> Iterator[Callable[..., Page]]:
    """Open an address of the site as somebody, and wait until its socket is open."""
    contexts = []
    watch = Watch(urlsplit(site.url).netloc)

    def look_at(path: str, user: User, *, is_clock_ours: bool = False) -> Page:
        context = chromium.new_context(base_url=site.url, reduced_motion="reduce")
        contexts.append(context)
        context.add_cookies([session_cookie(user, site.url)])
        page = context.new_page()
        watch.follow(page)
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


def campaign_page(batch_call: BatchCall) -> str:
    return f"/app/campaigns/{batch_call.campaign_id}/"


def test_shows_what_was_committed_within_a_second(
    look: Callable[..., Page], running: BatchCall, vera: User, alice: User
) -> None:
    page = look(campaign_page(running), vera)
    page.wait_for_timeout(500)

    pause_campaign(campaign=running.campaign, actor=alice, now=NOW)

    page.locator("#why", has_text="Paused by alice@acme.test").wait_for(timeout=SECOND)
    page.get_by_text("Live.", exact=True).wait_for()


def test_asks_for_nothing_by_itself_while_the_socket_is_open(
    look: Callable[..., Page], running: BatchCall, vera: User
) -> None:
    page = look(campaign_page(running), vera)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.wait_for_timeout(2500)

    assert asked == []


def test_keeps_the_focus_and_pauses_without_leaving_the_page(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    page = look(campaign_page(running), alice)
    page.evaluate("window.isSamePage = true")

    page.get_by_role("button", name="Pause").click()

    page.get_by_text("Calls in progress go on; no new one starts.").first.wait_for()
    page.get_by_role("button", name="Resume").wait_for()
    assert page.evaluate("window.isSamePage") is True
    page.locator("#all-calls").focus()
    resume_campaign(campaign=running.campaign, actor=alice, now=NOW)
    # How soon it is there is another test's; here only where the focus is then.
    page.get_by_role("button", name="Pause").wait_for()
    assert page.evaluate("document.activeElement.id") == "all-calls"


def test_shows_what_is_so_after_an_answer_that_was_overtaken(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    """Paused here and resumed elsewhere at once: for the server nothing has changed since it last sent."""
    page = look(campaign_page(running), alice)
    page.get_by_role("button", name="Pause").wait_for()
    with page.expect_response(lambda answer: "/pause/" in answer.url):
        page.get_by_role("button", name="Pause").click()
    resume_campaign(campaign=running.campaign, actor=alice, now=NOW)

    page.get_by_role("button", name="Resume").wait_for(state="detached")
    page.get_by_role("button", name="Pause").wait_for()


def talk(batch_call: BatchCall, *, seconds: int, max_call_seconds: int) -> Call:
    """Put one lead on the line: dialled, so much held for it, talking for so long."""
    call: Call = make_call(
        batch_call,
        batch_call.enrolments.order_by("pk")[0],
        status="ongoing",
        outcome_class="",
        duration_ms=None,
        started_at=clock.now() - timedelta(seconds=seconds),
    )
    hold(
        attempt_id=call.attempt_id or call.pk,
        batch_call_id=batch_call.pk,
        max_call_seconds=max_call_seconds,
        now=clock.now(),
    )
    return call


PHONE = {"width": 390, "height": 800}


@pytest.mark.parametrize("width", [1280, PHONE["width"]])
def test_moves_the_balance_while_a_call_talks(
    look: Callable[..., Page], running: BatchCall, vera: User, width: int
) -> None:
    """It counts down by itself, no further than what is held, and is what the ledger says at the end."""
    call = talk(running, seconds=60, max_call_seconds=300)
    page = look("/app/billing/", vera, is_clock_ours=True)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("html[data-live]").wait_for(state="attached")
    left = page.locator("#balance .balance__value")
    used = page.locator("#wallet-stats .stat", has_text="Used").locator("[data-talk]")
    assert left.is_visible()
    page.clock.run_for(2000)
    first, first_used = minutes_of(left), minutes_of(used)
    assert 990 < first <= 998.98  # 1000 min, a minute talked and a second since it was last told

    page.clock.run_for(30_000)
    assert round(first - minutes_of(left), 1) == round(minutes_of(used) - first_used, 1) == 0.5
    page.clock.run_for(900_000)
    assert (minutes_of(left), minutes_of(used)) == (995, 5)

    Call.objects.filter(pk=call.pk).update(status="ended", duration_ms=90_000)
    assert call.attempt_id is not None
    consume(attempt_id=call.attempt_id, call_id=call.pk, duration_ms=90_000, now=clock.now())
    live.changed(client_id=call.client_id)
    left.filter(has_text="998.50").wait_for()
    page.locator("#wallet-stats .stat", has_text="Used").filter(has_text="1.50").wait_for()


def minutes_of(figure: Locator) -> float:
    return float(figure.inner_text().removesuffix("min").replace(",", "").strip())


def heard(page: Page) -> str:
    return page.locator("#announcement[role=status]").inner_text()


def test_tells_listeners_of_another_state_at_once(
    look: Callable[..., Page], running: BatchCall, vera: User, alice: User
) -> None:
    page = look(campaign_page(running), vera)
    assert heard(page) == ""

    pause_campaign(campaign=running.campaign, actor=alice, now=NOW)

    page.locator("#announcement", has_text="Paused").wait_for(state="attached")
    assert "0 of 4 leads done" in heard(page)


def test_tells_listeners_of_progress_every_half_minute(
    look: Callable[..., Page], running: BatchCall, vera: User
) -> None:
    page = look(campaign_page(running), vera, is_clock_ours=True)
    enrolment = running.enrolments.order_by("pk")[0]
    move_enrolment(
        enrolment_id=enrolment.pk,
        from_statuses=("queued",),
        to_status="suppressed",
        now=NOW,
        batch_call_id=running.pk,
    )
    page.get_by_text("1 of 4 leads done").first.wait_for()

    page.clock.fast_forward(20_000)  # real seconds pass beside them
    assert heard(page) == ""
    page.clock.fast_forward(11_000)

    page.locator("#announcement", has_text="1 of 4 leads done").wait_for(state="attached")


def test_reads_afresh_after_the_connection_was_lost(
    look: Callable[..., Page], running: BatchCall, vera: User, alice: User, site: Site
) -> None:
    page = look(campaign_page(running), vera)
    page.context.set_offline(True)
    # The browser may connect again before anybody looks: what is waited for is the loss itself.
    page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("htmx:wsClose", () => done(), { once: true });
            htmx.find(".shell")["htmx-internal-data"].webSocket.socket.close(4000);
        })"""
    )
    pause_campaign(campaign=running.campaign, actor=alice, now=NOW)

    page.context.set_offline(False)
    page.evaluate("htmx.find('.shell')['htmx-internal-data'].webSocket.init()")

    page.locator("#why", has_text="Paused by alice@acme.test").wait_for()


def test_plays_a_line_from_itself_and_marks_what_sounds(
    look: Callable[..., Page], running: BatchCall, vera: User
) -> None:
    call = make_call(running, running.enrolments.order_by("pk")[0])
    CallDetail.objects.create(
        call=call,
        recording_url="https://recordings.example.com/a.wav",
        transcript_object=[
            said("agent", "Hello there", (0.5, 1.0)),
            said("user", "Yes please do", (3.0, 3.5, 4.0)),
            said("agent", "Goodbye", (8.0,)),
        ],
    )
    name = files.store(
        room="recordings",
        client_id=call.client_id,
        suffix=".wav",
        content=sandbox_audio._wav(b"\x80" * 40_000, 1),
    )
    Recording.objects.create(
        call=call,
        client=call.client,
        status="stored",
        stored_name=name,
        content_type="audio/wav",
        size_bytes=40_044,
        created_at=NOW,
    )
    page = look(f"/app/calls/{call.pk}/", vera)
    # Waits for it: the part is read again when the page's line to us is open.
    page.locator("#call-recording audio").evaluate("(sound) => { sound.muted = true; }")

    page.get_by_text("Yes please do").click()

    page.wait_for_function("() => document.querySelector('audio').currentTime >= 3")
    current = page.locator(".transcript__turn[aria-current=true]")
    current.filter(has_text="Yes please do").wait_for()
    page.wait_for_function("() => [...CSS.highlights.get('spoken')][0].toString() !== ''")
    page.evaluate("document.querySelector('audio').pause()")
    times = page.locator("[data-seek]")
    times.nth(1).focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.seek") == "8.0"
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('audio').currentTime >= 8")
    current.filter(has_text="Goodbye").wait_for()
    assert "/recording/" not in page.url


def said(role: str, text: str, starts: tuple[float, ...]) -> dict[str, object]:
    words = [
        {"word": word, "start": start, "end": start + 0.3}
        for word, start in zip(text.split(), starts, strict=True)
    ]
    return {"role": role, "content": text, "words": words}
