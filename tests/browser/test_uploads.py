"""A spreadsheet on its way: in parts, with what has arrived in words, and stopped with the reason where it can't go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leads.models import LeadImport

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from accounts.models import User

NEW = "/app/imports/new/"
PARTS = "**/imports/parts/**"
LINE = "Ada,2125550101," + "x" * 984 + "\n"


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """A spreadsheet of 2.5 MB."""
    path = tmp_path / "fair.csv"
    path.write_text("Name,Phone,Note\n" + LINE * 2500)
    return path


def choose(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="Upload and look at the columns").click()


def test_says_how_much_of_a_file_has_arrived(
    open_page: Callable[..., Page], alice: User, sheet: Path
) -> None:
    page = open_page(NEW, user=alice)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST" and "at=0" not in route.request.url and not held:
            held.append(route)  # the second part waits until somebody has looked
        else:
            route.continue_()

    page.route(PARTS, hold)
    choose(page, sheet)

    page.get_by_text("1.0 / 2.5 MB").wait_for()
    bar = page.get_by_role("progressbar", name="Upload")
    assert bar.evaluate("bar => [bar.value, bar.max]") == [1 << 20, sheet.stat().st_size]
    held[0].continue_()
    page.get_by_label("What is “Phone”?").wait_for()
    assert LeadImport.objects.get().size_bytes == sheet.stat().st_size


def test_sends_small_files_the_same_way(
    open_page: Callable[..., Page], alice: User, tmp_path: Path
) -> None:
    page, sent = open_page(NEW, user=alice), []
    path = tmp_path / "few.csv"
    path.write_text("Name,Phone\nAda,2125550101\n")
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)

    choose(page, path)

    page.get_by_label("What is “Phone”?").wait_for()
    assert [("parts" in url) for url in sent] == [True, False]
    assert LeadImport.objects.get().file_name == "few.csv"


def test_sends_nothing_of_a_file_that_is_too_large(
    open_page: Callable[..., Page], alice: User, sheet: Path, settings
) -> None:
    settings.LEAD_UPLOAD_MAX_BYTES = 2_000_000
    page, sent = open_page(NEW, user=alice), []
    page.on("request", lambda one: sent.append(one.url) if "parts" in one.url else None)

    choose(page, sheet)

    page.get_by_role("status").get_by_text("The file is larger than 1 MB.").wait_for()
    assert not sent
    assert page.get_by_role("progressbar").count() == 0


def test_stops_with_the_reason_when_no_more_is_taken(
    open_page: Callable[..., Page], alice: User, sheet: Path
) -> None:
    page, sent = open_page(NEW, user=alice, fails_with=413), []
    page.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    page.route(
        PARTS,
        lambda route: (
            route.continue_()
            if route.request.method == "GET"
            else route.fulfill(status=413, json={"detail": "Too many uploads wait unfinished."})
        ),
    )

    choose(page, sheet)

    page.get_by_role("status").get_by_text("Too many uploads wait unfinished.").wait_for()
    assert len(sent) == 1  # neither again nor whole
    assert not LeadImport.objects.exists()


def test_goes_on_by_itself_where_the_line_broke(
    open_page: Callable[..., Page], alice: User, sheet: Path
) -> None:
    page = open_page(NEW, user=alice, fails_with=503)
    posts: list[Route] = []

    def breaks_once(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
            return
        posts.append(route)
        if len(posts) == 2:
            route.fulfill(status=503)
        elif len(posts) != 3:  # the third waits until somebody has looked
            route.continue_()

    page.route(PARTS, breaks_once)
    choose(page, sheet)

    page.get_by_role("status").get_by_text("The line broke. It goes on by itself …").wait_for()
    while len(posts) < 3:
        page.wait_for_timeout(20)  # lets the driver hear of it
    posts[2].continue_()
    page.get_by_label("What is “Phone”?").wait_for()
    assert [route.request.url.rpartition("=")[2] for route in posts[1:3]] == [str(1 << 20)] * 2
    assert LeadImport.objects.get().size_bytes == sheet.stat().st_size
