"""Live pages in a browser: what is committed is on the open page within a second, gently."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.services import consume, hold
from campaigns.enrolments import move_enrolment
from campaigns.services.lifecycle import pause_campaign, resume_campaign
from convomono.lib import clock, files, live
from telephony.models import Call, CallDetail, Recording
from telephony.sandbox import audio as sandbox_audio
from tests.campaigns.test_live_pages import make_call
from tests.conftest import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Locator, Page

    from accounts.models import User
    from campaigns.models import BatchCall
    from tests.browser.live_site import LiveSite

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = 1000  # milliseconds


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
    look: Callable[..., Page], running: BatchCall, vera: User, alice: User, site: LiveSite
) -> None:
    page = look(campaign_page(running), vera, is_cut_off=True)
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
