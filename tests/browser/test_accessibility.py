"""Every page passes axe in both themes, and holds at 320 px; a new page adds its line to a table below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.checks import axe_violations, is_wider_than_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import User

LOOKS = [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("narrow", "dark")]
PUBLIC = {
    "/styleguide/": 200,
    "/account/login/": 200,
    "/account/password/reset/": 200,
    "/account/password/reset/done/": 200,
    "/account/signup/": 200,
}
OWN_ACCOUNT = ("/account/password/change/", "/account/2fa/", "/account/logout/")


@pytest.mark.parametrize(("width", "theme"), LOOKS)
@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_leave_nobody_out(
    open_page: Callable[..., Page], path: str, width: str, theme: str
) -> None:
    page = open_page(path, width=width, theme=theme, status=PUBLIC[path])

    assert axe_violations(page) == []
    assert not is_wider_than_window(page)


@pytest.mark.parametrize(("width", "theme"), LOOKS)
@pytest.mark.parametrize("path", OWN_ACCOUNT)
def test_pages_of_ones_account_leave_nobody_out(
    open_page: Callable[..., Page], alice: User, path: str, width: str, theme: str
) -> None:
    page = open_page(path, user=alice, width=width, theme=theme)

    assert axe_violations(page) == []
    assert not is_wider_than_window(page)


def test_a_missing_page_is_a_page(open_page: Callable[..., Page], alice: User) -> None:
    page = open_page("/nothing-here/", user=alice, status=404)

    assert page.get_by_role("heading", level=1).inner_text() == "This page is not here"
    assert axe_violations(page) == []


def test_notices_a_page_that_does_wrong(open_page: Callable[..., Page]) -> None:
    page = open_page("/account/login/")
    page.evaluate("document.documentElement.removeAttribute('lang')")

    assert any(line.startswith("html-has-lang:") for line in axe_violations(page))
