"""Every page of both faces, with rows in it, in every look; a new page adds its line to a table below."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.checks import wrongs_in_every_look

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import WholeSite

ALICE, ROOT = "alice@acme.test", "root@convomono.test"
# Names in braces stand for the id of a row, as `small_agency.furnish` calls it.
OF_A_CLIENT = (
    "/app/",
    "/app/campaigns/",
    "/app/campaigns/?q=nothing-like-it",
    "/app/campaigns/?sort=conversion",
    "/app/campaigns/compare/?campaign={past}&campaign={ready}",
    "/app/campaigns/new/",
    "/app/campaigns/{draft}/",
    "/app/campaigns/{past}/",
    "/app/campaigns/{draft}/edit/goal/",
    "/app/campaigns/{draft}/edit/script/",
    "/app/campaigns/{draft}/edit/voice/",
    "/app/campaigns/{draft}/edit/conversation/",
    "/app/campaigns/{draft}/edit/knowledge/",
    "/app/campaigns/{draft}/edit/leads/",
    "/app/campaigns/{draft}/edit/hours/",
    "/app/campaigns/{draft}/edit/attempts/",
    "/app/campaigns/{draft}/edit/numbers/",
    "/app/campaigns/{draft}/edit/analysis/",
    "/app/campaigns/{draft}/edit/test/",
    "/app/campaigns/{ready}/edit/test/",
    "/app/campaigns/{ready}/versions/",
    "/app/campaigns/{ready}/versions/1/",
    "/app/campaigns/{ready}/experiments/",
    "/app/campaigns/{past}/experiments/{experiment}/",
    "/app/knowledge/",
    "/app/knowledge/new/",
    "/app/campaigns/{ready}/launch/",
    "/app/campaigns/{draft}/launch/",
    "/app/campaigns/{ready}/launch/ask/",
    "/app/launch-requests/",
    "/app/launch-requests/rule/",
    "/app/launch-requests/{launch_request}/",
    "/app/campaigns/{ready}/leads/",
    "/app/campaigns/{past}/leads/",
    "/app/campaigns/{past}/report/",
    "/app/campaigns/{draft}/report/",
    "/app/calls/",
    "/app/calls/{call}/",
    "/app/leads/",
    "/app/leads/new/",
    "/app/leads/{lead}/",
    "/app/imports/",
    "/app/imports/new/?campaign={ready}",
    "/app/imports/{mapping}/",
    "/app/imports/{checked}/",
    "/app/imports/{checked}/rows/phone_too_short/",
    "/app/imports/{imported}/",
    "/app/do-not-call/",
    "/app/do-not-call/{suppression}/lift/",
    "/app/billing/",
    "/app/billing/payments/",
    "/app/billing/invoices/",
    "/app/billing/invoices/{invoice}/",
    "/app/billing/statements/",
    "/app/billing/statements/{statement}/",
    "/app/billing/usage/",
    "/app/calling-rules/",
    "/app/calling-rules/limits/",
    "/app/calls/{call}/recording/",
    "/app/campaigns/{ready}/dialling/",
    "/app/campaigns/{ready}/experiments/",
    "/app/campaigns/{ready}/line/",
    "/app/campaigns/{ready}/top-up/",
    "/app/campaigns/{ready}/variables/",
    "/app/campaigns/{ready}/versions/",
    "/app/campaigns/{ready}/versions/1/",
    "/app/follow-ups/",
    "/app/follow-ups/rules/",
    "/app/follow-ups/{follow_up}/change/",
    "/app/knowledge/",
    "/app/knowledge/new/",
    "/app/knowledge/{base}/",
    "/app/leads/changes/",
    "/app/leads/changes/{operation}/",
    "/app/leads/score/",
    "/app/leads/{lead}/consent/",
    "/app/leads/{lead}/edit/",
    "/app/leads/{lead}/erase/",
    "/app/leads/{lead}/follow-up/",
    "/app/may-we-call/?number=%2B12125550171",
    "/app/notifications/",
    "/app/automation/new/",
    "/app/do-not-call/import/",
    "/app/api-keys/",
    "/app/api-keys/new/",
    "/app/webhooks/",
    "/app/webhooks/new/",
    "/app/webhooks/{endpoint}/",
    "/app/webhooks/deliveries/{delivery}/",
    "/account/password/change/",
    "/account/2fa/",
    "/account/logout/",
)
OF_THE_AGENCY = (
    "/agency/",
    "/agency/health/",
    "/agency/clients/",
    "/agency/clients/new/",
    "/agency/clients/{client}/",
    "/agency/clients/{client}/change/",
    "/agency/clients/{client}/people/new/",
    "/agency/clients/{client}/wallet/",
    "/agency/clients/{client}/sell/",
    "/agency/clients/{client}/adjust/",
    "/agency/clients/{client}/rate/",
    "/agency/numbers/",
    "/agency/retell/",
    "/agency/templates/",
    "/agency/templates/new/?q=a",
    "/agency/templates/new/?campaign={ready}",
    "/agency/templates/{template}/",
    "/agency/templates/{template}/dialling/",
    "/agency/numbers/add/",
    "/agency/numbers/buy/",
    "/agency/numbers/buy/twilio/",
    "/agency/numbers/buy/twilio/?country=US&type=local&area_code=415",
    "/agency/numbers/{number}/",
    "/agency/money/",
    "/agency/webhooks/",
    "/agency/webhooks/{event}/",
    "/agency/webhooks/replays/",
    "/agency/webhooks/replays/{replay}/",
    "/agency/clients/{client}/invoices/",
    "/agency/clients/{client}/invoices/{invoice}/",
    "/agency/clients/{client}/margins/",
    "/agency/clients/{client}/payments/",
    "/agency/clients/{client}/payments/{payment}/refund/",
    "/agency/clients/{client}/statements/",
    "/agency/clients/{client}/statements/{statement}/",
    "/agency/clients/{client}/usage/",
    "/agency/clients/{client}/act/",
    "/agency/acting/",
    "/agency/do-not-call/",
    "/agency/do-not-call/import/",
    "/agency/do-not-call/{entry}/lift/",
    "/agency/do-not-call/lists/{listing}/",
    "/agency/lines/",
    "/agency/lines/{client}/",
    "/agency/live/",
    "/agency/live/calls/",
    "/agency/live/stop/",
    "/agency/live/clients/{client}/stop/",
    "/agency/money/books/",
    "/agency/money/books/{books}/",
    "/agency/money/grant/",
    "/agency/money/grant/{grant}/",
    "/agency/money/seller/",
    "/agency/money/margins/",
    "/agency/money/requests/",
    "/agency/notifications/",
    "/agency/retell/",
    "/agency/rules/",
    "/agency/rules/us.tsr.310.4.hours/",
    "/account/2fa/",
)
PAGES = [
    *((ALICE, path, 200) for path in OF_A_CLIENT),
    *((ROOT, path, 200) for path in OF_THE_AGENCY),
    ("charlie@rival.test", "/app/", 200),
    ("charlie@rival.test", "/app/campaigns/", 200),
    ("charlie@rival.test", "/app/calls/", 200),
    ("charlie@rival.test", "/app/leads/", 200),
    ("charlie@rival.test", "/app/imports/", 200),
    (ALICE, "/agency/", 403),
    (ALICE, "/app/campaigns/{client}/", 404),
]


@pytest.mark.parametrize(("email", "path", "status"), PAGES)
def test_leaves_nobody_out(
    visit: Callable[..., Page], whole_site: WholeSite, email: str, path: str, status: int
) -> None:
    page = visit(path.format(**whole_site.ids), email=email, status=status)

    assert wrongs_in_every_look(page) == []


def visible_sections(page: Page) -> list[str]:
    """Return the links of the menu that are shown; each of them stands whole within the window."""
    shown = page.evaluate(
        """() => [...document.querySelectorAll("nav .nav__link")]
          .filter((link) => link.offsetParent || getComputedStyle(link).position === "fixed")
          .map((link) => [link.innerText, link.getBoundingClientRect(), link.scrollWidth])
          .map(([text, box, wide]) => [text, box.left >= 0 && box.right <= 320 &&
            box.bottom <= 640 && box.width >= 24 && box.height >= 24 && wide <= box.width + 1])"""
    )
    assert [text for text, fits in shown if not fits] == []
    return [text for text, _fits in shown]


@pytest.mark.parametrize(("email", "path"), [(ALICE, "/app/"), (ROOT, "/agency/")])
def test_has_every_section_within_a_thumbs_reach(
    visit: Callable[..., Page], email: str, path: str
) -> None:
    page = visit(path, email=email)
    page.set_viewport_size({"width": 320, "height": 640})

    # A resize is laid out a moment later.
    page.wait_for_function("() => document.documentElement.clientWidth === 320")
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    in_the_bar = visible_sections(page)
    page.get_by_role("link", name="More", exact=True).click()
    behind_more = visible_sections(page)

    assert len(in_the_bar) == 5
    everything = page.evaluate(
        "() => [...document.querySelectorAll('nav .nav__link')].map((link) => link.textContent.trim())"
    )
    assert {*behind_more, "More"} == set(everything)


def test_marks_where_one_is(visit: Callable[..., Page]) -> None:
    page = visit("/app/do-not-call/", email=ALICE)

    assert page.locator("nav [aria-current=page]").inner_text() == "Leads"
