"""The client's pages about its own webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from convomono.lib.ids import uuid7
from tests.factories.webhooks import EndpointDeliveryFactory, EndpointFactory
from webhooks import jobs
from webhooks.models import Endpoint, EndpointDelivery
from webhooks.services import endpoints as services

if TYPE_CHECKING:
    from accounts.models import Client

PAGE = "/app/webhooks/"
TYPED = {"url": "https://crm.example.com/in", "description": "CRM", "kinds": ["call.ended"]}


@pytest.fixture
def endpoint(acme: Client) -> Endpoint:
    return EndpointFactory.create(client=acme, secret="whsec_canary")


def address(endpoint: Endpoint, action: str = "") -> str:
    return f"{PAGE}{endpoint.pk}/{action}"


class TestList:
    def test_shows_the_clients_own_addresses(self, browse, vera, endpoint, rival):
        EndpointFactory.create(client=rival, url="https://rival.example.com/")
        page = browse(vera).get(PAGE).content.decode()
        assert endpoint.url in page
        assert "rival.example.com" not in page
        assert f"{PAGE}new/" not in page

    def test_says_what_to_do_when_there_is_none(self, browse, mia):
        page = browse(mia).get(PAGE).content.decode()
        assert "No address yet" in page
        assert f"{PAGE}new/" in page

    def test_takes_as_many_queries_for_ten(self, browse, mia, acme, django_assert_num_queries):
        browser = browse(mia)
        EndpointFactory.create(client=acme)
        browser.get(PAGE)
        with django_assert_num_queries(2):
            browser.get(PAGE)
        EndpointFactory.create_batch(9, client=acme)
        with django_assert_num_queries(2):
            browser.get(PAGE)


class TestAdding:
    def test_works_as_plain_post(self, browse, mia, acme):
        answer = browse(mia).post(f"{PAGE}new/", TYPED)
        endpoint = Endpoint.objects.get()
        assert (answer.status_code, answer.url) == (302, address(endpoint))
        assert (endpoint.client_id, endpoint.url, endpoint.kinds) == (
            acme.pk, TYPED["url"], ["call.ended"],
        )  # fmt: skip
        assert endpoint.secret.startswith("whsec_")
        row = AuditLog.objects.get(action="endpoint.added")
        assert row.details == {"host": "crm.example.com"}

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ({"url": "http://crm.example.com/"}, "begins with https"),
            ({"url": "https://169.254.169.254/"}, "Name the host"),
            ({"url": "https://localhost/"}, "inner network"),
            ({"url": ""}, "required"),
            ({"kinds": []}, "required"),
            ({"kinds": ["call.beamed_up"]}, "not one of the available choices"),
            ({"kinds": ["test"]}, "not one of the available choices"),
        ],
    )
    def test_says_what_is_wrong(self, browse, mia, typed: dict[str, Any], said: str):
        answer = browse(mia).post(f"{PAGE}new/", TYPED | typed)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert not Endpoint.objects.exists()

    def test_ends_at_ten(self, browse, mia, acme):
        EndpointFactory.create_batch(10, client=acme)
        answer = browse(mia).post(f"{PAGE}new/", TYPED)
        assert answer.status_code == 422
        assert "ten addresses" in answer.content.decode()


class TestDetail:
    def test_shows_the_secret_to_managers_alone(self, browse, mia, vera, endpoint):
        assert "whsec_canary" in browse(mia).get(address(endpoint)).content.decode()
        assert "whsec_canary" not in browse(vera).get(address(endpoint)).content.decode()

    def test_narrows_the_log(self, browse, vera, endpoint):
        EndpointDeliveryFactory.create(endpoint=endpoint, last_error="500 first")
        EndpointDeliveryFactory.create(
            endpoint=endpoint, kind="credits.low", status="failed", last_error="500 second"
        )
        browser = browse(vera)
        page = browser.get(address(endpoint), {"status": "failed"}).content.decode()
        assert "500 second" in page
        assert "500 first" not in page
        part = browser.get(
            address(endpoint), {"kind": "call.ended"}, headers={"HX-Request": "true"}
        ).content.decode()
        assert "500 first" in part
        assert "<html" not in part

    def test_takes_as_many_queries_for_a_long_log(
        self, browse, mia, endpoint, django_assert_num_queries
    ):
        browser = browse(mia)
        EndpointDeliveryFactory.create(endpoint=endpoint)
        browser.get(address(endpoint))
        for _ in range(2):
            with django_assert_num_queries(5):
                browser.get(address(endpoint))
            EndpointDeliveryFactory.create_batch(19, endpoint=endpoint)

    def test_is_nobody_elses(self, browse, charlie, endpoint):
        line = EndpointDeliveryFactory.create(endpoint=endpoint)
        browser = browse(charlie)
        for where in (address(endpoint), f"/app/webhooks/deliveries/{line.pk}/"):
            assert browser.get(where).status_code == 404
        for action in ("change/", "remove/", "rotate/", "test/"):
            assert browser.post(address(endpoint, action), TYPED).status_code == 404
        assert browser.post(f"/app/webhooks/deliveries/{line.pk}/replay/").status_code == 404


class TestChanging:
    def test_saves_and_records(self, browse, mia, endpoint):
        browse(mia).post(address(endpoint, "change/"), TYPED | {"is_active": "on"})
        endpoint.refresh_from_db()
        assert (endpoint.url, endpoint.kinds, endpoint.is_active) == (
            TYPED["url"], ["call.ended"], True,
        )  # fmt: skip
        assert AuditLog.objects.filter(action="endpoint.changed").count() == 1

    def test_switches_off_and_on_again(self, browse, mia, endpoint, now):
        Endpoint.objects.update(failing_since=now)
        browse(mia).post(address(endpoint, "change/"), TYPED)
        assert Endpoint.objects.get().status == "inactive"
        browse(mia).post(address(endpoint, "change/"), TYPED | {"is_active": "on"})
        endpoint.refresh_from_db()
        assert (endpoint.status, endpoint.failing_since) == ("active", None)

    def test_keeps_what_was_typed_when_it_is_wrong(self, browse, mia, endpoint):
        typed = TYPED | {"url": "https://10.0.0.1/kept"}
        answer = browse(mia).post(address(endpoint, "change/"), typed)
        assert answer.status_code == 422
        assert "10.0.0.1/kept" in answer.content.decode()

    def test_keeps_the_secret_that_the_receiver_has_when_rotated_again_too_soon(
        self, browse, alice, endpoint
    ):
        browser = browse(alice)
        browser.post(address(endpoint, "rotate/"))
        first = Endpoint.objects.get().secret
        answer = browser.post(address(endpoint, "rotate/"), follow=True)
        assert "less than a day old" in answer.content.decode()
        endpoint.refresh_from_db()
        assert (endpoint.previous_secret, endpoint.secret) == ("whsec_canary", first)

    def test_rotates_once_for_two_presses_at_once(self, browse, alice, endpoint, now):
        stale = Endpoint.objects.get()
        services.rotate_secret(endpoint=endpoint, actor=alice, now=now)
        services.rotate_secret(endpoint=stale, actor=alice, now=now)
        endpoint.refresh_from_db()
        assert endpoint.previous_secret == "whsec_canary"
        assert endpoint.secret != "whsec_canary"
        assert AuditLog.objects.filter(action="endpoint.rotated").count() == 1
        browse(alice).post(address(endpoint, "rotate/"))
        assert AuditLog.objects.filter(action="endpoint.rotated").count() == 2

    def test_removes_at_once_and_with_the_log(self, browse, mia, alice, endpoint, now):
        line = EndpointDeliveryFactory.create(endpoint=endpoint)
        browser = browse(mia)
        assert browser.post(address(endpoint, "remove/")).status_code == 302
        assert "No address yet" in browser.get(PAGE).content.decode()
        log = f"/app/webhooks/deliveries/{line.pk}/"
        assert [browser.get(where).status_code for where in (address(endpoint), log)] == [404, 404]
        for action in ("remove/", "rotate/", "test/"):
            assert browser.post(address(endpoint, action)).status_code == 404
        assert browser.post(f"{log}replay/").status_code == 404
        row = Endpoint.objects.get()
        assert (row.secret, row.status) == ("", "inactive")
        assert jobs.delete_removed() == 1
        assert not Endpoint.objects.exists()
        assert not EndpointDelivery.objects.exists()

    def test_what_was_removed_meanwhile_comes_back_by_nothing(self, alice, endpoint, now):
        stale = Endpoint.objects.get()
        services.remove_endpoint(endpoint=endpoint, actor=alice, now=now)
        typed: dict[str, Any] = {
            "url": "https://a.test/",
            "description": "",
            "kinds": [],
            "is_active": True,
        }
        services.change_endpoint(endpoint=stale, **typed, actor=alice, now=now)
        services.rotate_secret(endpoint=stale, actor=alice, now=now)
        services.remove_endpoint(endpoint=stale, actor=alice, now=now)
        row = Endpoint.objects.get()
        assert (row.status, row.secret, row.removed_at) == ("inactive", "", now)
        assert AuditLog.objects.filter(action="endpoint.removed").count() == 1

    def test_a_removed_one_makes_room(self, browse, mia, acme, endpoint, alice, now):
        EndpointFactory.create_batch(9, client=acme)
        assert browse(mia).post(f"{PAGE}new/", TYPED).status_code == 422
        services.remove_endpoint(endpoint=endpoint, actor=alice, now=now)
        assert browse(mia).post(f"{PAGE}new/", TYPED).status_code == 302


class TestSendingAgain:
    def test_a_test_goes_to_this_address_alone(self, browse, mia, acme, endpoint):
        EndpointFactory.create(client=acme)
        answer = browse(mia).post(address(endpoint, "test/"))
        line = EndpointDelivery.objects.get()
        assert answer.url == f"/app/webhooks/deliveries/{line.pk}/"
        assert (line.endpoint_id, line.kind, line.event.routed_at is not None) == (
            endpoint.pk, "test", True,
        )  # fmt: skip
        assert "It will be sent in a moment" in browse(mia).get(answer.url).content.decode()

    def test_shows_each_try_and_what_is_sent(self, browse, vera, endpoint):
        tries = [{"at": "2026-11-23T15:00:00+00:00", "status": 500, "ms": 12, "error": "<b>no</b>"}]
        line = EndpointDeliveryFactory.create(endpoint=endpoint, tries=tries, attempts=1)
        page = browse(vera).get(f"/app/webhooks/deliveries/{line.pk}/").content.decode()
        assert "&lt;b&gt;no&lt;/b&gt;" in page
        assert "500" in page
        assert "call.ended" in page
        assert str(line.event_id) in page

    def test_replays_what_is_over(self, browse, mia, vera, endpoint):
        line = EndpointDeliveryFactory.create(endpoint=endpoint, status="failed", attempts=8)
        where = f"/app/webhooks/deliveries/{line.pk}/replay/"
        assert browse(vera).post(where).status_code == 403
        for _ in range(2):
            browse(mia).post(where)
        line.refresh_from_db()
        assert (line.status, line.attempts) == ("pending", 0)
        assert AuditLog.objects.filter(action="delivery.replayed").count() == 1

    def test_sends_all_that_failed_again(self, browse, mia, vera, endpoint):
        EndpointDeliveryFactory.create_batch(3, endpoint=endpoint, status="failed")
        where = address(endpoint, "resend/")
        browser = browse(mia)
        assert "Send 3 again" in browser.get(address(endpoint)).content.decode()
        assert where not in browse(vera).get(address(endpoint)).content.decode()
        assert browse(vera).post(where).status_code == 403
        page = browser.post(where, follow=True).content.decode()
        assert "put in line again" in page
        assert where not in page
        assert AuditLog.objects.filter(action="delivery.resent").count() == 1
        Endpoint.objects.update(status="inactive", resend_asked_at=None)
        page = browser.get(address(endpoint)).content.decode()
        assert "Switch it on, then send it all again." in page
        assert "Switch it on first." in browser.post(where, follow=True).content.decode()

    def test_knows_no_other_ids(self, browse, mia):
        assert browse(mia).get(f"/app/webhooks/deliveries/{uuid7()}/").status_code == 404
