"""Somebody who uses a page by keyboard alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

MOST_STEPS = 150
HAS_FOCUS = "element => element === document.activeElement"


@dataclass
class Keyboard:
    """Goes from control to control with Tab; a control that Tab doesn't reach fails the test."""

    page: Page

    def reach(self, target: Locator) -> None:
        """Press Tab until the focus is there."""
        target.wait_for()
        for _step in range(MOST_STEPS):
            if target.evaluate(HAS_FOCUS):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab doesn't reach {target}.")

    def type_into(self, label: str, text: str, *, exact: bool = False) -> None:
        """Type into a field in place of what stands there."""
        self.reach(self.page.get_by_label(label, exact=exact))
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a box by typing its first letters."""
        box = self.page.get_by_label(label)
        self.reach(box)
        self.page.keyboard.type(option, delay=5)
        chosen: str = box.evaluate("box => box.selectedOptions[0].text")
        assert chosen.startswith(option), chosen

    def tick(self, label: str) -> None:
        """Tick a box, or choose one of several round ones."""
        choices = self.page.locator("input[type=checkbox], input[type=radio]")
        box = choices.and_(self.page.get_by_label(label))
        self.reach(box)
        self.page.keyboard.press("Space")
        assert box.is_checked()

    def press(self, name: str, *, exact: bool = True) -> None:
        """Press a button."""
        self.reach(self.page.get_by_role("button", name=name, exact=exact))
        self.page.keyboard.press("Enter")

    def follow(self, name: str, *, within: str = "body") -> None:
        """Follow a link and wait for its page."""
        link = self.page.locator(within).get_by_role("link", name=name, exact=True).first
        self.reach(link)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")
