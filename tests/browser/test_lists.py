"""Lists that are filtered in place: what stands beside the table follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from leads.models import SavedView
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from accounts.models import Client, User


def save_as(page: Page, name: str) -> dict[str, list[str]]:
    """Save what the list shows under a name; return what the view asks for."""
    page.get_by_text("Save this view").click()
    page.get_by_label("Name of the view").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name=name, exact=True).wait_for()
    assert parse_qs(urlsplit(page.url).query).pop("view")
    return parse_qs(SavedView.objects.get(name=name).query)


def current_tab(page: Page) -> str:
    return page.locator(".tabs [aria-current=page]").inner_text()


def test_saves_the_leads_that_are_shown_now(
    open_page: Callable[..., Page], mia: User, acme: Client
) -> None:
    for name, status in (("Ada", "called"), ("Bob", "new")):
        lead = LeadFactory.build(client=acme, first_name=name, status=status)
        lead.note_texts()
        lead.save(force_insert=True)
    page = open_page("/app/leads/", user=mia)
    rows = page.locator("#lead-table tbody tr")
    assert not page.get_by_role("link", name="Clear").is_visible()

    page.get_by_label("Status").first.select_option("called")
    expect(rows).to_have_count(1)
    assert save_as(page, "Called ones") == {"status": ["called"], "sort": ["newest"]}
    expect(rows).to_have_count(1)
    assert current_tab(page) == "Called ones"

    # Another search while the name is being typed: what was typed stays.
    page.get_by_text("Save this view").click()
    page.get_by_label("Name of the view").fill("Half a na")
    page.get_by_label("Status").first.select_option("new")
    expect(rows.filter(has_text="Bob")).to_have_count(1)
    assert page.get_by_label("Name of the view").input_value() == "Half a na"
    assert current_tab(page) == "All leads"
    assert page.get_by_role("button", name="Forget the view").count() == 0

    page.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(2)
    assert urlsplit(page.url).query == ""


def test_saves_the_campaigns_that_are_shown_now(
    open_page: Callable[..., Page], mia: User, acme: Client
) -> None:
    for name in ("Autumn recall", "Spring offer"):
        make_draft(acme, name=name)
    page = open_page("/app/campaigns/", user=mia)
    rows = page.locator("#campaign-table tbody tr")

    page.get_by_role("searchbox", name="Name").fill("spring")
    expect(rows).to_have_count(1)
    assert save_as(page, "Spring") == {"q": ["spring"]}
    assert page.get_by_role("button", name="Forget the view").count() == 1

    page.get_by_role("searchbox", name="Name").fill("autumn")
    expect(rows.filter(has_text="Autumn recall")).to_have_count(1)
    assert current_tab(page) == "All campaigns"
    page.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(2)
