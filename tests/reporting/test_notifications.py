"""The bell and the page of notifications: per person, never another client's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.notifications import notify, unread_count
from billing.services import open_wallet
from convomono.lib.ids import uuid7


@pytest.fixture
def told(acme, rival, root, now):
    """Two things acme was told, one each that rival and the agency were."""
    for client in (acme, rival):
        open_wallet(client=client, price_per_minute_micros=250_000, actor=root, now=now)
    for client, title in (
        (acme, "Autumn is finished"),
        (acme, "Minutes run low"),
        (rival, "Rival's own"),
        (None, "A webhook failed"),
    ):
        notify(client=client, level="info", title=title, body="", url="", key=str(uuid7()), now=now)


def test_shows_each_their_own(browse, vera, charlie, root, told):
    pages = {
        who.email: browse(who).get(path).content.decode()
        for who, path in (
            (vera, "/app/notifications/"),
            (charlie, "/app/notifications/"),
            (root, "/agency/notifications/"),
        )
    }

    assert "Autumn is finished" in pages[vera.email]
    assert "Rival" not in pages[vera.email].replace("Rival Roofing", "")
    assert "Autumn" not in pages[charlie.email] + pages[root.email]
    assert "A webhook failed" in pages[root.email]


def test_counts_what_is_new_to_each_person(browse, vera, alice, told):
    assert unread_count(vera) == 2
    page = browse(vera).get("/app/notifications/").content.decode()
    assert page.count(">New<") == 2 or page.count("New\n") == 2

    answer = browse(vera).post("/app/notifications/seen/", follow=True).content.decode()

    vera.refresh_from_db()
    assert unread_count(vera) == 0
    assert unread_count(alice) == 2  # she hasn't looked yet
    assert "data-unread" not in answer
    assert "data-unread" not in browse(vera).get("/app/notifications/bell/").content.decode()
    assert "data-unread" in browse(alice).get("/app/notifications/bell/").content.decode()


def test_counts_what_came_after_the_look(vera, acme, told, now):
    vera.notifications_seen_at = now
    vera.save()
    later = now + timedelta(seconds=1)
    notify(client=acme, level="bad", title="New", body="", url="", key="later", now=later)

    assert unread_count(vera) == 1


def test_shows_an_empty_page_with_what_will_stand_there(browse, root):
    page = browse(root).get("/agency/notifications/").content.decode()
    assert "Nothing yet" in page
