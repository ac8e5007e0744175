"""Events on their way to clients' systems: signed, tried again, given up, never in another's way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from accounts.models import ClientEvent, Notification
from convomono.lib import outbound
from convomono.lib.outbound import AddressRefused, Answer, Unreachable
from tests.factories.webhooks import (
    ClientEventFactory,
    EndpointDeliveryFactory,
    EndpointFactory,
)
from webhooks import jobs, outgoing
from webhooks.client_events import LISTENERS
from webhooks.models import Endpoint, EndpointDelivery
from webhooks.outgoing import (
    BACKOFF,
    LEASE,
    RUN_LEASE,
    Sender,
    claim_endpoints,
    release_endpoint,
    route_events,
    send_due,
)
from webhooks.retention import Purge, purge_sent
from webhooks.services import EndpointOff, change_endpoint, remove_endpoint, resend_failed
from webhooks.signing import new_secret, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from accounts.models import Client, User

DAY = timedelta(days=1)


@dataclass
class Receiver:
    """Stands where requests leave: answers with the next of its answers, then with 200."""

    answers: list[int | Exception | Answer] = field(default_factory=list)
    heard: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)

    def __call__(
        self, url: str, *, body: bytes, headers: Mapping[str, str], **_limits: Any
    ) -> Answer:
        self.heard.append((url, body, dict(headers)))
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Answer):
            return answer
        return Answer(status=answer, url=url, headers={}, body=b"said no" if answer > 299 else b"")


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    found = Receiver()
    monkeypatch.setattr(outbound, "post", found)
    return found


@pytest.fixture
def endpoint(acme: Client) -> Endpoint:
    return EndpointFactory.create(client=acme)


def send(endpoint: Endpoint, now: datetime) -> int:
    return send_due(endpoint_id=endpoint.pk, now=now, sender=Sender())


class TestRouting:
    def test_puts_an_event_in_line_where_it_was_asked_for(
        self, acme: Client, rival: Client, now: datetime
    ):
        all_kinds = EndpointFactory.create(client=acme)
        EndpointFactory.create(client=acme, kinds=["credits.low"])
        EndpointFactory.create(client=acme, status="inactive")
        EndpointFactory.create(client=rival)
        event = ClientEventFactory.create(client=acme)
        assert route_events(now=now) == 1
        (line,) = EndpointDelivery.objects.all()
        assert (line.endpoint_id, line.event_id, line.client_id) == (
            all_kinds.pk, event.pk, acme.pk,
        )  # fmt: skip
        assert route_events(now=now) == 0

    def test_twice_is_once(self, endpoint: Endpoint, now: datetime):
        """What a killed worker had put in line and not marked comes again."""
        ClientEventFactory.create(client=endpoint.client)
        route_events(now=now)
        ClientEvent.objects.update(routed_at=None)
        route_events(now=now)
        assert EndpointDelivery.objects.count() == 1

    def test_takes_as_many_queries_for_many_clients(
        self, endpoint: Endpoint, now: datetime, django_assert_max_num_queries: Callable[..., Any]
    ):
        for _ in range(20):
            ClientEventFactory.create(client=EndpointFactory.create(kinds=[]).client)
        with django_assert_max_num_queries(3):
            route_events(now=now)


class TestSending:
    def test_posts_the_event_signed(self, endpoint: Endpoint, receiver: Receiver, now: datetime):
        line = EndpointDeliveryFactory.create(endpoint=endpoint)
        assert send(endpoint, now) == 1
        ((url, body, headers),) = receiver.heard
        assert url == endpoint.url
        assert orjson.loads(body) == {
            "type": "call.ended",
            "timestamp": line.event.created_at.isoformat(),
            "data": {"call_id": "1"},
        }
        assert headers["webhook-id"] == str(line.event_id)
        assert verified(headers, body, endpoint.secret)
        line.refresh_from_db()
        assert (line.status, line.attempts, line.delivered_at) == ("delivered", 1, now)
        assert line.tries[0]["status"] == 200

    def test_sends_nothing_twice(self, endpoint: Endpoint, receiver: Receiver, now: datetime):
        EndpointDeliveryFactory.create(endpoint=endpoint)
        assert [send(endpoint, now), send(endpoint, now + DAY)] == [1, 0]
        assert len(receiver.heard) == 1

    def test_signs_with_both_secrets_for_a_day(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        before = new_secret()
        Endpoint.objects.update(previous_secret=before, previous_secret_until=now + DAY)
        for at in (now, now + DAY):
            EndpointDeliveryFactory.create(endpoint=endpoint)
            send(endpoint, at)
        (_, body, headers), (_, later_body, later) = receiver.heard
        assert verified(headers, body, endpoint.secret)
        assert verified(headers, body, before)
        assert verified(later, later_body, endpoint.secret)
        assert not verified(later, later_body, before)

    def test_tries_eight_times_within_a_day_and_then_tells_the_client(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        receiver.answers = [500, Unreachable("No answer in time."), 302, 404, 500, 500, 500, 500]
        EndpointDeliveryFactory.create(endpoint=endpoint)
        at = now
        for pause in (*BACKOFF, timedelta(0)):
            assert send(endpoint, at) == 1
            assert send(endpoint, at + pause - timedelta(seconds=1)) == 0 or not pause
            at += pause
        line = EndpointDelivery.objects.get()
        assert (line.status, line.attempts) == ("failed", 8)
        assert [one["status"] for one in line.tries] == [500, 0, 302, 404, 500, 500, 500, 500]
        assert line.last_error == "500 said no"
        assert timedelta(hours=23) < at - now <= DAY
        assert send(endpoint, at + DAY) == 0
        assert Notification.objects.get().client_id == endpoint.client_id
        assert len({headers["webhook-id"] for _, _, headers in receiver.heard}) == 1
        assert len({headers["webhook-timestamp"] for _, _, headers in receiver.heard}) == 8

    def test_waits_as_long_as_it_is_asked_to(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        busy = Answer(status=429, url="", headers={"retry-after": "300"}, body=b"")
        long = Answer(status=503, url="", headers={"retry-after": "999999"}, body=b"")
        receiver.answers = [busy, long]
        line = EndpointDeliveryFactory.create(endpoint=endpoint)
        send(endpoint, now)
        line.refresh_from_db()
        assert line.next_try_at == now + timedelta(seconds=300)
        send(endpoint, line.next_try_at)
        line.refresh_from_db()
        assert line.next_try_at == now + timedelta(seconds=360)  # nobody waits for eleven days

    def test_goes_on_after_a_sender_that_died(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        EndpointDeliveryFactory.create(endpoint=endpoint)

        def killed(*_: object, **__: object) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(outgoing, "_try", killed)
            with pytest.raises(KeyboardInterrupt):
                send(endpoint, now)
        assert send(endpoint, now + LEASE - timedelta(seconds=1)) == 0
        assert send(endpoint, now + LEASE) == 1
        assert EndpointDelivery.objects.get().status == "delivered"

    def test_sends_nothing_to_an_address_that_is_off(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        EndpointDeliveryFactory.create(endpoint=endpoint)
        Endpoint.objects.update(status="inactive")
        send(endpoint, now)
        assert receiver.heard == []
        assert EndpointDelivery.objects.get().status == "failed"

    def test_asks_no_inner_address(self, endpoint: Endpoint, receiver: Receiver, now: datetime):
        receiver.answers = [AddressRefused("This name leads into an inner network.")]
        EndpointDeliveryFactory.create(endpoint=endpoint)
        send(endpoint, now)
        line = EndpointDelivery.objects.get()
        assert (line.attempts, line.tries[0]["status"]) == (1, 0)
        assert "inner network" in line.last_error

    def test_switches_off_what_is_gone(self, endpoint: Endpoint, receiver: Receiver, now: datetime):
        receiver.answers = [410]
        EndpointDeliveryFactory.create(endpoint=endpoint)
        send(endpoint, now)
        assert EndpointDelivery.objects.get().status == "failed"
        assert Endpoint.objects.get().status == "inactive"

    def test_switches_off_what_has_not_answered_for_five_days(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        receiver.answers = [500] * 6
        for days in range(6):
            EndpointDeliveryFactory.create(endpoint=endpoint, next_try_at=now + days * DAY)
            assert Endpoint.objects.get().is_active
            EndpointDelivery.objects.exclude(next_try_at=now + days * DAY).delete()
            send(endpoint, now + days * DAY)
        assert not Endpoint.objects.get().is_active
        assert "switched off" in Notification.objects.get().title

    def test_leaves_on_what_has_just_answered(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        """In one run: a good answer, then a bad one, after days of trouble."""
        Endpoint.objects.update(failing_since=now - 6 * DAY, failed_at=now - timedelta(hours=1))
        EndpointDeliveryFactory.create_batch(2, endpoint=endpoint, next_try_at=now)
        receiver.answers = [200, 500]
        assert send(endpoint, now) == 2
        found = Endpoint.objects.get()
        assert (found.is_active, found.failing_since) == (True, now)
        assert not Notification.objects.exists()

    def test_takes_days_without_an_event_for_no_trouble(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        """Eight tries failed on a day, and the next event comes a week later."""
        Endpoint.objects.update(failing_since=now - 8 * DAY, failed_at=now - 7 * DAY)
        EndpointDeliveryFactory.create(endpoint=endpoint, next_try_at=now)
        receiver.answers = [500]
        send(endpoint, now)
        found = Endpoint.objects.get()
        assert (found.is_active, found.failing_since, found.failed_at) == (True, now, now)

    def test_forgets_trouble_with_the_first_good_answer(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        receiver.answers = [500, 200]
        for days in (0, 4):
            EndpointDeliveryFactory.create(endpoint=endpoint, next_try_at=now + days * DAY)
            EndpointDelivery.objects.exclude(next_try_at=now + days * DAY).delete()
            send(endpoint, now + days * DAY)
        assert Endpoint.objects.get().failing_since is None

    def test_leaves_the_rest_to_the_next_job_when_its_time_is_over(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        EndpointDeliveryFactory.create_batch(3, endpoint=endpoint)
        assert send_due(endpoint_id=endpoint.pk, now=now, sender=Sender(), seconds=-1) == 1
        assert EndpointDelivery.objects.filter(status="delivered").count() == 1

    def test_leaves_an_address_that_is_silent_after_the_first_try(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        receiver.answers = [500, Unreachable("No answer in time.")]
        EndpointDeliveryFactory.create_batch(5, endpoint=endpoint)
        assert send(endpoint, now) == 2
        assert send(endpoint, now) == 3

    @pytest.mark.parametrize("change", ["removed", "off"])
    def test_says_nothing_more_to_an_address_that_goes_meanwhile(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime, alice: User,
        monkeypatch: pytest.MonkeyPatch, change: str,
    ):  # fmt: skip
        EndpointDeliveryFactory.create_batch(3, endpoint=endpoint)

        def go(url: str, **request: Any) -> Answer:
            if change == "removed":
                remove_endpoint(endpoint=endpoint, actor=alice, now=now)
            else:
                Endpoint.objects.update(status=Endpoint.Status.INACTIVE)
            return receiver(url, **request)

        monkeypatch.setattr(outbound, "post", go)

        send(endpoint, now)

        assert len(receiver.heard) == 1


class TestClaiming:
    def test_finds_an_address_behind_anothers_backlog(
        self, endpoint: Endpoint, rival: Client, now: datetime
    ):
        late = now - DAY
        event = ClientEventFactory.create(client=endpoint.client)
        EndpointDelivery.objects.bulk_create(
            EndpointDelivery(
                client=endpoint.client, endpoint=endpoint, event=event, key=str(number),
                kind=event.kind, next_try_at=late, created_at=late,
            )
            for number in range(1001)
        )  # fmt: skip
        other = EndpointFactory.create(client=rival)
        EndpointDeliveryFactory.create(endpoint=other, next_try_at=now)
        assert set(claim_endpoints(now=now)) == {endpoint.pk, other.pk}

    def test_orders_one_sender_for_an_address(self, endpoint: Endpoint, now: datetime):
        EndpointDeliveryFactory.create_batch(2, endpoint=endpoint)
        assert claim_endpoints(now=now) == [endpoint.pk]
        assert claim_endpoints(now=now + RUN_LEASE - timedelta(seconds=1)) == []
        assert claim_endpoints(now=now + RUN_LEASE) == [endpoint.pk]  # its sender was killed
        release_endpoint(endpoint_id=endpoint.pk, now=now + RUN_LEASE)
        assert claim_endpoints(now=now + RUN_LEASE) == [endpoint.pk]

    def test_serves_first_whom_it_served_longest_ago(self, acme: Client, now: datetime):
        first, second, third = EndpointFactory.create_batch(3, client=acme)
        for endpoint in (first, second, third):
            EndpointDeliveryFactory.create(endpoint=endpoint)
        Endpoint.objects.filter(pk=first.pk).update(sending_until=now - timedelta(minutes=1))
        Endpoint.objects.filter(pk=second.pk).update(sending_until=now - timedelta(minutes=2))
        assert claim_endpoints(now=now) == [third.pk, second.pk, first.pk]

    def test_claims_nothing_where_nothing_is_due(self, endpoint: Endpoint, now: datetime):
        EndpointDeliveryFactory.create(endpoint=endpoint, next_try_at=now + DAY)
        EndpointDeliveryFactory.create(endpoint=endpoint, status="failed")
        assert claim_endpoints(now=now) == []


@pytest.mark.django_db(transaction=True)
def test_two_senders_side_by_side_send_each_event_once(acme: Client, now: datetime, monkeypatch):
    receiver = Receiver()
    monkeypatch.setattr(outbound, "post", receiver)
    endpoint = EndpointFactory.create(client=acme)
    EndpointDeliveryFactory.create_batch(10, endpoint=endpoint)
    gate = threading.Barrier(3)

    def run() -> None:
        from django.db import connection

        gate.wait()
        try:
            send(endpoint, now)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({headers["webhook-id"] for _, _, headers in receiver.heard}) == 10
    assert len(receiver.heard) == 10


@pytest.mark.django_db(transaction=True)
class TestJobs:
    def test_bring_an_event_from_the_outbox_to_a_server(
        self, acme: Client, settings: Any, run_jobs: Callable[[], int]
    ):
        """Over a real socket, to a host of this installation's own."""
        listener = socket.create_server(("127.0.0.1", 0))
        here = f"127.0.0.1:{listener.getsockname()[1]}"
        settings.OUTBOUND_TRUSTED = frozenset([here])
        heard: list[bytes] = []

        def serve() -> None:
            peer, _address = listener.accept()
            with peer:
                while b'"data"' not in b"".join(heard):
                    heard.append(peer.recv(65536))
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        endpoint = EndpointFactory.create(client=acme, url=f"http://{here}/in")
        ClientEventFactory.create(client=acme)
        assert jobs.send_client_events(of_a_later_version=1) == 1
        assert run_jobs() == 1
        thread.join(5)
        listener.close()
        assert EndpointDelivery.objects.get().status == "delivered"
        head, _, body = b"".join(heard).partition(b"\r\n\r\n")
        headers = dict(
            line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line
        )
        assert verified(headers, body, endpoint.secret)

    def test_put_no_client_in_anothers_way(
        self,
        acme: Client,
        rival: Client,
        receiver: Receiver,
        run_jobs: Callable[[], int],
        now: datetime,
    ):
        for client in (acme, rival):
            EndpointFactory.create(client=client)
            ClientEventFactory.create(client=client)
        assert jobs.send_client_events() == 2
        assert jobs.send_client_events() == 0  # both are in line already
        assert run_jobs() == 2
        EndpointDelivery.objects.update(status="pending", next_try_at=now)
        assert jobs.send_client_events() == 2

    @pytest.mark.django_db(transaction=True)
    def test_have_one_sender_at_an_address_whoever_presses(
        self, endpoint: Endpoint, receiver: Receiver, run_jobs: Callable[[], int]
    ):
        EndpointDeliveryFactory.create(endpoint=endpoint)
        for _ in range(3):
            jobs.send_soon(endpoint.pk)
        assert jobs.send_client_events() == 0
        assert run_jobs() == 1
        assert len(receiver.heard) == 1

    def test_end_well_for_an_address_that_was_removed(self, endpoint: Endpoint):
        Endpoint.objects.all().delete()
        assert jobs.send_to_endpoint(endpoint_id=str(endpoint.pk)) == 0


class TestMissed:
    """What came while an address was off, and what failed there."""

    @pytest.mark.usefixtures("at_that_time")
    def test_is_kept_and_sent_once_the_address_is_on_again(
        self, endpoint: Endpoint, receiver: Receiver, alice: User, now: datetime
    ):
        typed: dict[str, Any] = {"url": endpoint.url, "description": "", "kinds": ["call.ended"]}
        by: dict[str, Any] = {"actor": alice, "now": now}
        change_endpoint(endpoint=endpoint, **typed, is_active=False, **by)
        LISTENERS.forget()
        assert LISTENERS.want(endpoint.client_id, "call.ended")  # calls go on telling
        missed = ClientEventFactory.create_batch(3, client=endpoint.client)
        route_events(now=now)
        assert jobs.send_client_events() == 0
        assert {row.last_error for row in EndpointDelivery.objects.all()} == {outgoing.SWITCHED_OFF}
        off = Endpoint.objects.get()
        with pytest.raises(EndpointOff):
            resend_failed(endpoint=off, **by)
        change_endpoint(endpoint=off, **typed, is_active=True, **by)
        resend_failed(endpoint=off, **by)
        assert outgoing.resend_failed(now=now) == 3
        send(endpoint, now)
        ids = {headers["webhook-id"] for _url, _body, headers in receiver.heard}
        assert ids == {str(event.pk) for event in missed}
        assert Endpoint.objects.get().resend_asked_at is None

    def test_is_kept_for_a_month(self, endpoint: Endpoint, now: datetime):
        Endpoint.objects.update(status="inactive", off_since=now - 31 * DAY)
        LISTENERS.forget()
        assert not LISTENERS.has(endpoint.client_id)
        ClientEventFactory.create(client=endpoint.client)
        route_events(now=now)
        assert not EndpointDelivery.objects.exists()

    def test_goes_in_slices_until_all_is_in_line_and_takes_no_later_failure(
        self, endpoint: Endpoint, alice: User, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(outgoing, "BATCH", 2)
        monkeypatch.setattr(outgoing, "_MOST_SLICES", 2)
        old = {"endpoint": endpoint, "status": "failed", "attempts": 8}
        EndpointDeliveryFactory.create_batch(5, **old, next_try_at=now - DAY)
        EndpointDeliveryFactory.create(**old, next_try_at=now + timedelta(seconds=1))
        other = EndpointFactory.create(client=endpoint.client)
        EndpointDeliveryFactory.create(endpoint=other, status="failed", next_try_at=now - DAY)
        resend_failed(endpoint=endpoint, actor=alice, now=now)
        assert [outgoing.resend_failed(now=now) for _ in range(3)] == [4, 1, 0]
        assert EndpointDelivery.objects.filter(status="pending", attempts=0).count() == 5
        assert EndpointDelivery.objects.filter(status="failed").count() == 2

    def test_is_what_an_address_misses_that_said_it_is_gone(
        self, endpoint: Endpoint, receiver: Receiver, now: datetime
    ):
        EndpointDeliveryFactory.create(endpoint=endpoint)
        receiver.answers = [410]
        send(endpoint, now)
        assert Endpoint.objects.get().off_since == now


def test_purges_the_log_after_a_month_and_nothing_that_waits(
    endpoint: Endpoint, receiver: Receiver, now: datetime
):
    old = ClientEventFactory.create(client=endpoint.client)
    route_events(now=now - 31 * DAY)
    ClientEventFactory.create(client=endpoint.client)
    assert purge_sent(before=now - 30 * DAY, purge=Purge(seconds=9)) == 1
    assert not ClientEvent.objects.filter(pk=old.pk).exists()
    assert (ClientEvent.objects.count(), EndpointDelivery.objects.count()) == (1, 0)


def verified(headers: Mapping[str, str], body: bytes, secret: str) -> bool:
    """Verify as the specification tells receivers to."""
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in headers["webhook-signature"].split()


def test_signs_as_the_specification_has_it():
    """The example of the Standard Webhooks specification."""
    headers = signed_headers(
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
        secrets_=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
