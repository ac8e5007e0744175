"""The monitor: what the inbox holds, what failed, and trying it again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from audit.models import AuditLog
from convomono.lib.ids import uuid7
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import WebhookEventFactory, delivery, recorded
from webhooks.models import WebhookEvent
from webhooks.queries import Percentiles, figures, redacted_body
from webhooks.services import EventNotDead, replay_event

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

PAGE = "/agency/webhooks/"
CANARIES = ("Maria", "+14155550102", "4155550102", "renewed", "confirmed that")


@pytest.fixture
def event(db: None) -> WebhookEvent:
    return WebhookEventFactory.create(
        body=recorded("call_analyzed.user_hangup").decode(),
        event_type="call_analyzed",
        provider_call_id="call_7",
        status="dead",
        attempts=5,
        error="ValueError: no antidote",
    )


@pytest.fixture
def mender(bob: User) -> User:
    """Bob with the permission to replay."""
    bob.manage_campaigns = True
    bob.save()
    return bob


class TestPages:
    def test_are_for_the_agency(self, browse, bob, alice, event):
        for address in (PAGE, f"{PAGE}figures/", f"{PAGE}{event.pk}/"):
            assert browse(bob).get(address).status_code == 200, address
            assert browse(alice).get(address).status_code == 403, address
            assert browse().get(address).status_code == 302, address

    def test_answer_404_for_an_event_that_is_not_there(self, browse, mender):
        assert browse(mender).get(f"{PAGE}{uuid7()}/").status_code == 404
        assert browse(mender).post(f"{PAGE}{uuid7()}/replay/").status_code == 404

    def test_find_a_call_by_either_id(self, browse, bob, event):
        ours = CallFactory.create(provider_call_id="call_7")
        for text in ("call_7", str(ours.pk)):
            assert "no antidote" in browse(bob).get(PAGE, {"q": text}).content.decode()
        assert "no antidote" not in browse(bob).get(PAGE, {"q": "call_8"}).content.decode()

    def test_narrow_by_status(self, browse, bob, event):
        assert "no antidote" in browse(bob).get(PAGE, {"status": "dead"}).content.decode()
        assert "no antidote" not in browse(bob).get(PAGE, {"status": "parked"}).content.decode()

    def test_answer_htmx_with_the_table(self, browse, bob, event):
        page = browse(bob).get(PAGE, headers={"HX-Request": "true"}).content.decode()
        assert page.strip().startswith("<section")

    def test_keep_up_to_date_as_they_are_filtered(self, browse, bob, event):
        page = browse(bob).get(PAGE, {"status": "dead"}).text
        assert 'ws-connect="/ws/agency/lists/"' in page
        assert 'id="changed"' in page
        assert page.count("htmx:oobAfterSwap from:#changed") == 2
        assert f'hx-get="{PAGE}figures/"' in page
        assert f'hx-get="{PAGE}?status=dead"' in page
        assert "htmx:oobAfterSwap from:#changed" in browse(bob).get(f"{PAGE}figures/").text

    def test_hold_still_when_asked_to(self, browse, bob, event):
        page = browse(bob).get(PAGE, {"status": "dead", "updates": "off"}).text
        assert 'ws-connect="/ws/agency/"' in page
        assert "every 5s" not in page
        assert 'href="?status=dead"' in page  # go live again
        assert f'hx-get="{PAGE}?updates=off"' in page  # so do the filters

    def test_answer_the_figures_alone(self, browse, bob, event):
        page = browse(bob).get(f"{PAGE}figures/").content.decode()
        assert page.strip().startswith("<div")
        assert "<html" not in page

    def test_ask_as_much_for_20_events_as_for_one(
        self, browse, bob, event, django_assert_num_queries
    ):
        browser = browse(bob)
        browser.get(PAGE)
        with django_assert_num_queries(9):
            browser.get(PAGE)
        WebhookEventFactory.create_batch(20)
        with django_assert_num_queries(9):
            browser.get(PAGE)

    def test_ask_for_the_table_alone_when_it_is_looked_at_again(
        self, browse, bob, event, django_assert_num_queries
    ):
        browser = browse(bob)
        for more in (0, 20):
            WebhookEventFactory.create_batch(more)
            with django_assert_num_queries(3):
                browser.get(PAGE, headers={"HX-Request": "true"})
            with django_assert_num_queries(7):
                browser.get(f"{PAGE}figures/")

    def test_show_nothing_of_what_was_said(self, browse, root, event):
        pages = [browse(root).get(f"{PAGE}{event.pk}/").content.decode()]
        admin = f"/admin/webhooks/webhookevent/{event.pk}/change/"
        pages.append(browse(root).get(admin).content.decode())
        for page in pages:
            assert "call_analyzed" in page
            assert [canary for canary in CANARIES if canary in page] == []

    def test_say_of_an_unreadable_body_only_its_length(self, db: None):
        event = WebhookEventFactory.build(body='{"secret')
        assert redacted_body(event) == "8 characters that are no JSON"

    def test_show_no_link_to_sound_or_lookups(self, db: None):
        links = {"scrubbed_recording_url": "https://canary/", "some_new_url": "https://canary/"}
        event = WebhookEventFactory.build(body=json.dumps({"call": links}))
        assert "canary" not in redacted_body(event)


class TestReplay:
    def test_puts_a_dead_event_in_line_again(self, browse, mender, event):
        answer = browse(mender).post(f"{PAGE}{event.pk}/replay/")
        assert answer.url == f"{PAGE}{event.pk}/"
        event.refresh_from_db()
        assert (event.status, event.attempts, event.error) == ("pending", 0, "")
        assert AuditLog.objects.get().action == "webhook.replayed"

    def test_needs_the_permission_and_a_post(self, browse, bob, mender, alice, event):
        assert browse(alice).post(f"{PAGE}{event.pk}/replay/").status_code == 403
        assert browse(mender).get(f"{PAGE}{event.pk}/replay/").status_code == 405
        mender.manage_campaigns = False
        mender.save()
        assert browse(bob).post(f"{PAGE}{event.pk}/replay/").status_code == 403

    def test_twice_is_once(self, root: User, event, now: datetime):
        replay_event(event=event, actor=root, now=now)
        with pytest.raises(EventNotDead):
            replay_event(event=event, actor=root, now=now)
        assert AuditLog.objects.count() == 1

    def test_refuses_what_is_no_event(self, root: User, event, now: datetime):
        WebhookEvent.objects.update(event_type="")
        with pytest.raises(EventNotDead):
            replay_event(event=event, actor=root, now=now)

    def test_says_so_when_somebody_was_quicker(self, browse, mender, event):
        WebhookEvent.objects.update(status="applied")
        page = browse(mender).post(f"{PAGE}{event.pk}/replay/", follow=True).content.decode()
        assert "any more" in page


class TestSettingAside:
    def test_takes_a_failed_event_out_of_the_count(self, browse, mender, event):
        WebhookEvent.objects.update(event_type="")  # it can't be replayed at all
        browser = browse(mender)
        where = f"{PAGE}{event.pk}/set-aside/"
        assert where in browser.get(f"{PAGE}{event.pk}/").content.decode()
        page = browser.post(where, follow=True).content.decode()
        assert f"Set aside by {mender.email}. ValueError: no antidote" in page
        assert where not in page
        event.refresh_from_db()
        assert (event.status, event.processed) == ("ignored", True)
        assert AuditLog.objects.get().action == "webhook.set_aside"
        assert "any more" in browser.post(where, follow=True).content.decode()
        assert AuditLog.objects.count() == 1

    def test_needs_the_permission_and_a_post(self, browse, bob, mender, alice, event):
        where = f"{PAGE}{event.pk}/set-aside/"
        assert browse(alice).post(where).status_code == 403
        assert browse(mender).get(where).status_code == 405
        mender.manage_campaigns = False
        mender.save()
        assert browse(bob).post(where).status_code == 403
        assert where not in browse(bob).get(f"{PAGE}{event.pk}/").content.decode()
        assert WebhookEvent.objects.get().status == "dead"


class TestFigures:
    def test_count_a_minute_of_real_time(self, db: None, now: datetime):
        """At twenty times real speed 15 minutes are five hours of the rows' clock."""
        for hours in (1, 4, 6):
            WebhookEventFactory.create(
                body=delivery("call_ended").decode(), created_at=now - timedelta(hours=hours)
            )
        found = figures(now=now, real_now=now, window=timedelta(minutes=15), factor=20)
        assert (found.received_count, round(found.per_minute, 3)) == (2, 0.133)
        assert found.pending == "3"

    def test_tell_how_long_events_waited(self, db: None, now: datetime):
        for tens in range(1, 21):
            WebhookEventFactory.create(
                status="applied",
                created_at=now - timedelta(minutes=1),
                processed_at=now - timedelta(minutes=1) + timedelta(milliseconds=tens * 10),
            )
        found = figures(now=now, real_now=now, window=timedelta(minutes=15), factor=1)
        assert found.lags == Percentiles(p50_ms=100, p95_ms=190, p99_ms=200)

    def test_stand_without_redis_and_events(self, db: None, now: datetime, monkeypatch):
        monkeypatch.setattr("webhooks.queries.refusals_on", lambda _day: {})
        found = figures(now=now, real_now=now, window=timedelta(minutes=15), factor=1)
        assert (found.lags, found.answers, found.refused, found.dead) == (None, None, 0, "0")


@pytest.mark.filterwarnings("ignore:Overriding get_action_choices")
def test_stands_in_the_back_office(browse, root, event):
    assert browse(root).get("/admin/webhooks/webhookevent/").status_code == 200
