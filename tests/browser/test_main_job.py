"""The main job from sign-in to statement, by keyboard, on a site with every process running."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.browser.checks import wrongs_in_every_look
from tests.browser.keyboard import Keyboard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.browser.conftest import WholeSite

LONG = 60_000  # milliseconds: the processes may have a busy machine
PASSWORD = "demo-password"
PEOPLE = 12
SCRIPT = (
    "You are Riley, an AI assistant of Acme Dental. Ask {{first_name}} for a day that suits for "
    "the {{service}}. Whoever doesn't want to be called is not called again."
)
OPENING = (
    "Hi {{first_name}}, this is Riley, an AI assistant of Acme Dental, about your {{service}}."
)


def spreadsheet(folder: Path) -> Path:
    """Write people with one of them twice, a number that is too short and one that isn't there."""
    lines = [f"Pat {n},(646) 555-01{n:02d},cleaning" for n in range(PEOPLE)]
    lines += [lines[0], "Sam,555 01,check-up", "Nora,,check-up"]
    path = folder / "patients.csv"
    path.write_text("\n".join(["First Name,Mobile,Service", *lines]) + "\n")
    return path


def sign_in(page: Page, keyboard: Keyboard, email: str) -> None:
    keyboard.type_into("Email", email)
    keyboard.type_into("Password", PASSWORD, exact=True)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Home", level=1).wait_for()


def number_beside(page: Page, label: str) -> str:
    """Return the figure that stands under a label."""
    stat = page.locator(".stat", has=page.locator(f'.stat__label span:text-is("{label}")'))
    return stat.locator(".stat__value").inner_text().split()[0]


def write_the_campaign(page: Page, keyboard: Keyboard) -> None:
    """Write it step by step, up to the one that asks for people to call."""
    keyboard.follow("New campaign")
    keyboard.type_into("Name", "Cleaning reminder")
    keyboard.press("Save and continue")
    keyboard.type_into("Opening line", OPENING)
    keyboard.type_into("Script", SCRIPT, exact=True)
    page.locator("#script-check").get_by_text("{{service}}").first.wait_for()
    keyboard.press("Save and continue")
    keyboard.tick("Adrian")
    for title in ("Conversation", "Knowledge", "Leads"):
        keyboard.press("Save and continue")
        page.get_by_role("heading", name=title, level=1).wait_for()


def publish_the_campaign(page: Page, keyboard: Keyboard) -> None:
    """Go on from the leads to the last step, and publish."""
    keyboard.follow("Go on writing")  # goes on where somebody is needed: the last step
    keyboard.follow("Hours")
    keyboard.tick("Sandbox: any hour")
    keyboard.press("Save and continue")
    keyboard.type_into("Attempts per lead", "1")
    for title in ("Numbers", "Results", "Try it"):
        keyboard.press("Save and continue")
        page.get_by_role("heading", name=title, level=1).wait_for()
    keyboard.press("Make it ready")
    keyboard.follow("Check and launch")


def upload_the_people(page: Page, keyboard: Keyboard, path: Path) -> None:
    page.on("filechooser", lambda chooser: chooser.set_files(path))
    keyboard.follow("Upload leads")
    keyboard.reach(page.locator("input[type=file]").and_(page.get_by_label("Spreadsheet")))
    page.keyboard.press("Enter")
    keyboard.press("Upload and look at the columns")
    column = page.get_by_label("What is “Service”?")
    column.wait_for()
    assert column.evaluate("box => box.selectedOptions[0].text") == "{{service}}"
    name = page.get_by_label("What is “First Name”?")
    assert name.evaluate("box => box.selectedOptions[0].text") == "First name"
    keyboard.choose("How did they agree to be called?", "Prior express written")
    keyboard.type_into("Where", "Intake form", exact=True)
    keyboard.reach(page.get_by_label("When", exact=True))
    page.keyboard.type("11012026")
    keyboard.press("Check every row")
    page.get_by_role("button", name=f"Import {PEOPLE} ", exact=False).wait_for(timeout=LONG)
    assert number_beside(page, "Rows") == str(PEOPLE + 3)
    assert page.get_by_role("row", name="Twice in this file 1").count() == 1
    assert page.get_by_role("row", name="Phone number too short 1").count() == 1
    keyboard.press(f"Import {PEOPLE} ", exact=False)
    page.get_by_role("link", name="Go to the campaign").wait_for(timeout=LONG)
    keyboard.follow("Go to the campaign")


def launch(page: Page, keyboard: Keyboard) -> None:
    keyboard.press(f"Launch {PEOPLE} leads", exact=False)
    page.locator("#campaign-live").wait_for()
    # Calls come and go while nobody touches the page.
    page.locator("section", has_text="Just ended").locator(".lines__item").first.wait_for(
        timeout=LONG
    )
    page.locator("#campaign-live").get_by_text("Finished at").wait_for(timeout=LONG)
    assert page.locator("main").get_by_text(f"{PEOPLE} of {PEOPLE} leads done").count() >= 1
    assert page.get_by_text("Adds up").count() == 1


def test_takes_a_client_from_script_to_statement(
    visit: Callable[..., Page], whole_site: WholeSite, tmp_path: Path
) -> None:
    page = visit("/account/login/")
    keyboard = Keyboard(page)
    sign_in(page, keyboard, "alice@acme.test")
    write_the_campaign(page, keyboard)
    upload_the_people(page, keyboard, spreadsheet(tmp_path))
    publish_the_campaign(page, keyboard)
    launch(page, keyboard)
    assert wrongs_in_every_look(page) == []
    page.set_viewport_size({"width": 1280, "height": 860})
    campaign_url = page.url

    answered = page.locator(".lines__item", has_text="Person answered").get_by_role("link").first
    keyboard.reach(answered)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Transcript").wait_for()
    assert page.locator(".transcript__turn").count()
    assert "Riley" in page.locator(".transcript").inner_text()
    assert re.search(r"[\d.]+ min, \$\d+\.\d+", page.locator("main").inner_text())

    page.goto(campaign_url)
    keyboard.follow("Report")
    keyboard.press("Make PDF")
    made = page.locator("#report-files").get_by_role("link", name="Report (PDF)")
    made.wait_for(timeout=LONG)
    keyboard.reach(made)
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.path().read_bytes().startswith(b"%PDF")

    keyboard.follow("Billing", within="nav")
    ledger = page.get_by_role("region", name="Table of the ledger")
    lines = ledger.get_by_role("row")
    assert lines.filter(has_text="Released").count() >= 1
    assert lines.filter(has_text="Consumed").count() >= 1
    assert lines.filter(has_text="Reserved").count() >= 1


def test_takes_the_agency_from_a_new_client_to_its_first_number(visit: Callable[..., Page]) -> None:
    page = visit("/account/login/")
    keyboard = Keyboard(page)
    sign_in(page, keyboard, "root@convomono.test")
    earned = page.get_by_role("row", name="Acme Dental").inner_text()
    assert earned.count("$") == 3  # charged, cost and margin

    keyboard.follow("Clients", within="nav")
    keyboard.follow("New client")
    keyboard.type_into("Name", "Bright Optics")
    keyboard.press("Open the account")
    page.get_by_role("heading", name="Bright Optics", level=1).wait_for()
    keyboard.follow("Add a person")
    keyboard.type_into("E-mail", "olga@bright.test")
    keyboard.press("Add the person")
    page.get_by_role("row", name="olga@bright.test").wait_for()
    keyboard.follow("Sell minutes")
    keyboard.type_into("Minutes", "100")
    keyboard.type_into("Reference", "BRIGHT-0001")
    keyboard.press("Sell", exact=False)
    page.get_by_role("row", name="BRIGHT-0001").first.wait_for()
    assert number_beside(page, "Available") == "100.00"

    keyboard.follow("Numbers", within="nav")
    keyboard.follow("Buy a number")
    keyboard.type_into("Area code", "720")
    keyboard.tick("Buy it now")
    keyboard.press("Buy 1 number")
    bought = page.get_by_role("link", name="+1 720")
    bought.wait_for(timeout=LONG)
    keyboard.reach(bought)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="+1 720").wait_for()
    keyboard.choose("Client", "Bright Optics")
    keyboard.press("Save")
    lent = page.get_by_role("row", name="+1 720").get_by_text("Bright Optics")
    lent.wait_for()
