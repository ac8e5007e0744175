"""Lists that go on in a browser: told by the socket, each asks for its own rows, and nothing a person does is lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from convomono.lib import clock, live
from telephony.models import Call
from tests.campaigns.test_live_pages import make_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page, Route

    from accounts.models import User
    from campaigns.models import BatchCall

pytestmark = pytest.mark.django_db(transaction=True)
SECOND = 1000  # milliseconds

TOLD = """() => ({ message: new Promise((done) => {
    document.addEventListener("htmx:wsAfterMessage", () => done(), { once: true });
}) })"""


def talk(batch_call: BatchCall, number: int) -> Call:
    """Put a lead on the line, and tell of it as whoever writes does."""
    call: Call = make_call(
        batch_call,
        batch_call.enrolments.order_by("pk")[number % 4],
        number=number,
        status="ongoing",
        outcome_class="",
        duration_ms=None,
        started_at=clock.now() - timedelta(seconds=30),
    )
    Call.objects.filter(pk=call.pk).update(created_at=clock.now())
    tell(call)
    return call


def tell(call: Call) -> None:
    live.changed(client_id=call.client_id, campaign_id=call.campaign_id, call_id=call.pk)


def rest(page: Page) -> None:
    """Wait until the list has asked for its rows after the socket was opened, and nothing is on its way."""
    page.wait_for_load_state("networkidle")


def test_has_each_call_in_progress_within_a_second(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    first = talk(running, 1)
    page = look(f"/app/calls/?campaign={running.campaign_id}&status=ongoing", alice)
    rest(page)
    page.set_viewport_size({"width": 390, "height": 800})
    page.evaluate("document.querySelector('#call-table .table-scroll').scrollLeft = 120")
    page.locator(f"#to-call-{first.pk}").focus(timeout=SECOND)
    page.evaluate("document.querySelector('#call-table .table-scroll').scrollLeft = 120")

    second = talk(running, 2)
    page.locator(f"#call-{second.pk}").wait_for(timeout=SECOND)

    assert page.evaluate("document.activeElement.id") == f"to-call-{first.pk}"
    assert page.evaluate("document.querySelector('#call-table .table-scroll').scrollLeft") == 120
    assert page.get_by_label("Status").input_value() == "ongoing"
    Call.objects.filter(pk__in=[first.pk, second.pk]).update(status="ended", outcome_class="human")
    tell(first)
    page.get_by_text("No call matches").wait_for(timeout=2 * SECOND)
    talk(running, 3)
    page.get_by_role("button", name="End the call with Person 3").wait_for(timeout=2 * SECOND)


def test_asks_once_for_many_changes_and_for_nothing_without_any(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    call = talk(running, 1)
    page = look("/app/calls/", alice)
    page.wait_for_timeout(
        2000
    )  # asked once the socket was open, and once more as the server began to hear
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.wait_for_timeout(3000)
    assert asked == []
    for _number in range(30):
        tell(call)
    page.wait_for_timeout(2500)

    assert 1 <= len(asked) <= 2  # at once, and what came within the second after it


def test_ends_a_call_from_its_row_while_the_list_goes_on(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    call, other = talk(running, 1), talk(running, 2)
    page = look("/app/calls/?status=ongoing", alice)
    page.evaluate("window.isSamePage = true")
    button = page.locator(f"#end-{call.pk}")
    button.hover()
    page.mouse.down()
    told = page.evaluate_handle(TOLD)
    third = talk(running, 3)
    told.evaluate("(told) => told.message")
    assert not page.locator(f"#call-{third.pk}").is_visible()  # nothing moves under the pointer

    page.mouse.up()

    page.locator("#flashes", has_text="The call is being ended.").wait_for()
    page.locator(f"#call-{call.pk}", has_text="Being ended").wait_for()
    page.locator(f"#call-{third.pk}").wait_for(timeout=2 * SECOND)
    assert page.locator(f"#end-{other.pk}").is_visible()
    assert page.evaluate("window.isSamePage") is True


def test_asks_every_five_seconds_without_a_socket(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    page = look("/app/calls/", alice)
    rest(page)
    page.evaluate(
        """() => new Promise((done) => {
            document.addEventListener("htmx:wsClose", () => done(), { once: true });
            htmx.find(".shell")["htmx-internal-data"].webSocket.socket.close(4000);
        })"""
    )

    call = talk(running, 1)

    page.get_by_text("Live, every 5 seconds.").wait_for()
    page.locator(f"#call-{call.pk}").wait_for(timeout=10 * SECOND)


def test_lets_the_answer_to_a_click_come_though_the_list_asked_meanwhile(
    look: Callable[..., Page], running: BatchCall, alice: User
) -> None:
    call = talk(running, 1)
    page = look("/app/calls/?status=ongoing", alice)
    rest(page)
    held: list[Route] = []
    page.route("**/end/**", lambda route: held.append(route))  # noqa: PLW0108 - it is asked for its signature
    page.locator(f"#end-{call.pk}").click()
    with page.expect_response(lambda answer: "/app/calls/?" in answer.url):
        other = talk(running, 2)

    held[0].continue_()

    page.locator("#flashes", has_text="The call is being ended.").wait_for()
    page.locator(f"#call-{call.pk}", has_text="Being ended").wait_for()
    page.locator(f"#call-{other.pk}").wait_for()
