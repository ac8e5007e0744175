"""What our scripts add works, and what they add it to works without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User


def test_signs_in_by_keyboard_alone(open_page: Callable[..., Page], alice: User) -> None:
    alice.set_password("correct-horse-battery")
    alice.save()
    page = open_page("/account/login/")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("Email").focus()
    page.keyboard.type("alice@acme.test")
    page.keyboard.press("Tab")
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")

    page.wait_for_selector(".error-summary")
    assert page.evaluate("document.activeElement.className") == "error-summary"
    assert page.get_by_label("Email").input_value() == "alice@acme.test"


@pytest.mark.parametrize("javascript", [True, False])
def test_keeps_the_chosen_theme(open_page: Callable[..., Page], javascript: bool) -> None:
    page = open_page("/account/login/", javascript=javascript)

    page.get_by_role("button", name="Dark theme").click()

    page.wait_for_url("**/account/login/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.get_by_role("button", name="Dark theme").get_attribute("aria-pressed") == "true"


def test_opens_a_dialog_and_cancels_it(open_page: Callable[..., Page]) -> None:
    page = open_page("/styleguide/")
    dialog = page.locator("#light-dialog")

    page.get_by_role("button", name="Stop 412 calls").first.click()
    assert dialog.get_attribute("open") is not None
    assert page.evaluate("document.activeElement.textContent") == "Cancel"
    page.keyboard.press("Enter")

    assert dialog.get_attribute("open") is None
    assert page.url.endswith("/styleguide/")


def test_dismisses_a_flash_and_keeps_the_focus_on_the_page(
    open_page: Callable[..., Page],
) -> None:
    page = open_page("/styleguide/")
    flashes = page.locator(".flash")
    before = flashes.count()

    page.get_by_role("button", name="Dismiss").first.click()

    assert flashes.count() == before - 1
    assert page.evaluate("document.activeElement.id") == "main"


def test_closes_an_explanation_with_escape(open_page: Callable[..., Page]) -> None:
    page = open_page("/styleguide/")
    summary = page.get_by_label("How Pick-up rate is computed").first

    summary.click()
    assert page.locator("details.formula[open]").count() == 1
    page.keyboard.press("Escape")

    assert page.locator("details.formula[open]").count() == 0
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_drops_a_file_onto_its_field(open_page: Callable[..., Page]) -> None:
    page = open_page("/styleguide/")

    page.evaluate(
        """() => {
          const transfer = new DataTransfer();
          transfer.items.add(new File(["phone\\n+14155550101\\n"], "leads.csv"));
          document.querySelector("[data-drop]").dispatchEvent(
            new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }"""
    )

    assert page.evaluate("document.querySelector('[data-drop] input').files[0].name") == "leads.csv"


def test_says_so_when_a_request_fails_and_only_once(open_page: Callable[..., Page]) -> None:
    page = open_page("/account/login/", fails_with=404)

    for _time in range(2):
        page.evaluate("htmx.ajax('GET', '/nothing-here/', '.demo, .card')")

    flash = page.locator(".flash[data-level=error]")
    flash.wait_for()
    assert flash.count() == 1
    assert flash.get_attribute("role") == "alert"
    assert page.get_by_role("heading", level=1).inner_text() == "Sign in"


def test_shows_a_refused_form_that_htmx_sent(open_page: Callable[..., Page]) -> None:
    page = open_page("/account/login/", fails_with=422)
    page.route(
        "**/refused/", lambda route: route.fulfill(status=422, body="<p id='refused'>Refused</p>")
    )

    page.evaluate("htmx.ajax('POST', '/refused/', '.card')")

    page.wait_for_selector("#refused")


def test_every_control_is_large_enough_to_hit(open_page: Callable[..., Page]) -> None:
    page = open_page("/styleguide/", width="phone")
    small = page.evaluate(
        """() => [...document.querySelectorAll("button, .button, .tabs__link, summary")]
          .map((element) => [element.outerHTML.slice(0, 80), element.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.width < 24 || box.height < 24))
          .map(([html]) => html)"""
    )

    assert small == []
