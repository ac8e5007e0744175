"""The intake: what it stores, what it refuses, and that it acknowledges nothing else."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.conf import settings
from django.db import connection

from convomono.asgi import application as asgi_application
from convomono.lib import clock
from convomono.lib.redis import wait_for_ring
from convomono.wsgi import application as wsgi_application
from tests.factories.webhooks import INDEX, delivery, now_ms, recorded, signature
from webhooks import inbox, intake
from webhooks.deliveries import read_delivery
from webhooks.doorbell import refusals_on
from webhooks.drain import WHOLE
from webhooks.intake import PATH
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.django_db(transaction=True)
BODY = delivery("call_ended", call_status="ended")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]


type Post = Callable[..., Answer]


class CountedBody(io.BytesIO):
    """A body that remembers how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        self.taken += len(part)
        return part


def post_wsgi(
    body: bytes = BODY,
    *,
    signed: str | list[str] | None = None,
    method: str = "POST",
    length: str | None = None,
    source: io.BytesIO | None = None,
    peer: str = "127.0.0.1",
    forwarded: str = "",
) -> Answer:
    header = signature(body) if signed is None else signed
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": PATH,
        "REMOTE_ADDR": peer,
        "HTTP_X_FORWARDED_FOR": forwarded,
        "CONTENT_LENGTH": str(len(body)) if length is None else length,
        "wsgi.input": source or io.BytesIO(body),
    }
    if header:
        # Servers join a header that comes twice, as CGI has it.
        joined = header if isinstance(header, str) else ",".join(header)
        environ["HTTP_X_RETELL_SIGNATURE"] = joined
    seen: list[Answer] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        seen.append(Answer(int(status.split(maxsplit=1)[0]), dict(headers)))

    assert list(wsgi_application(environ, start_response)) == []
    return seen[0]


def post_asgi(
    body: bytes = BODY,
    *,
    signed: str | list[str] | None = None,
    method: str = "POST",
    length: str | None = None,
    chunks: list[bytes] | None = None,
    peer: str = "127.0.0.1",
    forwarded: str = "",
) -> Answer:
    values = signature(body) if signed is None else signed
    signatures = [values] if isinstance(values, str) else values
    headers = [(b"x-retell-signature", value.encode()) for value in signatures if value]
    if forwarded:
        headers.append((b"x-forwarded-for", forwarded.encode()))
    if length != "":
        headers.append((b"content-length", (length or str(len(body))).encode()))
    parts = [body] if chunks is None else chunks
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": method, "path": PATH, "headers": headers}
    scope["client"] = (peer, 40_000)
    asyncio.run(asgi_application(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert sent[1]["body"] == b""
    return Answer(sent[0]["status"], {name.title(): value for name, value in found.items()})


@pytest.fixture(params=[post_wsgi, post_asgi], ids=["wsgi", "asgi"])
def post(request: pytest.FixtureRequest) -> Iterator[Post]:
    """Deliver through the whole application, under each kind of server."""
    yield request.param
    inbox.close()


def stored() -> list[WebhookEvent]:
    return list(WebhookEvent.objects.order_by("created_at", "pk"))


class TestStores:
    def test_a_signed_event_before_it_answers_204(self, post: Post):
        answer = post()
        assert answer.status == 204
        (event,) = stored()
        assert (event.key, event.event_type) == ("call_1:call_ended", "call_ended")
        assert (event.status, event.source) == ("pending", "delivery")
        assert event.body.encode() == BODY
        assert event.provider_call_id == "call_1"
        assert abs((clock.now() - event.created_at).total_seconds()) < 60
        assert event.next_try_at == event.created_at
        assert event.processed_at is None

    def test_each_recorded_delivery_byte_for_byte(self, post: Post):
        names = [entry["name"] for entry in INDEX["fixtures"] if entry.get("event")]
        assert len(names) > 10
        for name in names:
            assert post(recorded(name)).status == 204
        bodies = {event.body.encode() for event in stored()}
        assert bodies == {recorded(name) for name in names}

    def test_two_deliveries_of_one_event_once(self, post: Post):
        assert [post().status, post().status] == [204, 204]
        assert len(stored()) == 1

    def test_a_repeat_with_a_new_timestamp_once(self, post: Post):
        post(delivery("call_ended", event_ms=1))
        post(delivery("call_ended", event_ms=2))
        assert len(stored()) == 1

    def test_the_first_of_two_bodies_and_keeps_the_other_beside_it(self, post: Post):
        post(delivery("call_ended", duration_ms=1000))
        assert post(delivery("call_ended", duration_ms=2000)).status == 204
        post(delivery("call_ended", duration_ms=2000))
        first = WebhookEvent.objects.get(key="call_1:call_ended")
        (other,) = WebhookEvent.objects.exclude(pk=first.pk)
        assert (first.status, orjson.loads(first.body)["call"]["duration_ms"]) == ("pending", 1000)
        assert (other.status, other.error) == ("ignored", inbox.DISCREPANCY)

    @pytest.mark.sqlite_only("SQLite has one lock for all writers")
    def test_other_news_within_the_time_of_one_insert(self, monkeypatch: pytest.MonkeyPatch):
        """The sender hears within five seconds, however many rows its delivery takes."""
        monkeypatch.setattr(inbox, "LOCK_SECONDS", 0.4)
        inbox.close()
        waited: list[float] = []
        insert = inbox._insert

        def slow(delivery: Any, now: Any, seconds: float) -> bool:
            waited.append(seconds)
            time.sleep(0.3)
            return insert(delivery, now, seconds)

        post_wsgi()
        monkeypatch.setattr(inbox, "_insert", slow)
        assert post_wsgi(delivery("call_ended", call_status="error")).status == 204
        assert len(stored()) == 2
        assert waited[0] == 0.4
        assert waited[1] <= 0.11
        inbox.close()

    def test_two_analyses_of_one_call(self, post: Post):
        post(delivery("call_analyzed", event_ms=1))
        post(delivery("call_analyzed", event_ms=2))
        post(delivery("call_analyzed", event_ms=2))
        assert [event.status for event in stored()] == ["pending", "pending"]

    def test_an_unknown_event_as_ignored(self, post: Post):
        assert post(delivery("call_beamed_up")).status == 204
        (event,) = stored()
        assert (event.status, event.event_type) == ("ignored", "call_beamed_up")
        assert event.processed

    def test_an_event_of_a_chat_as_ignored(self, post: Post):
        post(b'{"event":"chat_ended","chat":{"chat_id":"chat_1"}}')
        assert [event.status for event in stored()] == ["ignored"]

    def test_no_line_of_a_live_transcript(self, post: Post):
        assert post(delivery("transcript_updated")).status == 204
        assert stored() == []

    def test_what_was_signed_with_the_key_before(self, post: Post, settings):
        settings.RETELL_WEBHOOK_KEY_PREVIOUS = "key_before"
        assert post(signed=signature(BODY, key=b"key_before")).status == 204
        assert len(stored()) == 1

    def test_a_body_in_many_chunks(self):
        answer = post_asgi(chunks=[BODY[:7], b"", BODY[7:20], BODY[20:]])
        assert answer.status == 204
        assert stored()[0].body.encode() == BODY

    def test_and_rings_for_the_drain(self, post: Post):
        post()
        assert wait_for_ring(WHOLE.bell, seconds=5)


UNUSABLE = {
    "a list": b"[]",
    "a text": b'"call_ended"',
    "no event": b'{"call":{"call_id":"call_1"}}',
    "an empty event": b'{"event":"","call":{"call_id":"call_1"}}',
    "an event that is a number": b'{"event":7}',
    "no call": b'{"event":"call_ended"}',
    "a call without an id": b'{"event":"call_ended","call":{}}',
    "an id that is a number": b'{"event":"call_ended","call":{"call_id":7}}',
    "an id too long": delivery("call_ended", call_id="c" * 101),
    "a NUL in the id": b'{"event":"call_ended","call":{"call_id":"call\\u0000_1"}}',
    "a NUL in the body": b'{"event":"call_ended","call":{"call_id":"c"}}\0',
    "a lone surrogate": b'{"event":"call_ended","call":{"call_id":"c","x":"\\ud800"}}',
    "NaN": b'{"event":"call_ended","call":{"call_id":"c","duration_ms":NaN}}',
    "deep nesting": b'{"event":"call_ended","call":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "half of it": BODY[:20],
    "nothing": b"",
    "no UTF-8": b'{"event":"call_ended","call":{"call_id":"\xff"}}',
}


@pytest.mark.parametrize("body", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_keeps_what_is_signed_but_unusable_as_dead(post: Post, body: bytes):
    assert post(body).status == 204
    assert post(body).status == 204
    (event,) = stored()
    assert event.status == "dead"
    assert event.error
    assert event.provider_call_id == ""


def test_reads_the_last_of_two_equal_keys_as_the_drain_does(post: Post):
    post(b'{"event":"call_started","event":"call_ended","call":{"call_id":"a","call_id":"b"}}')
    assert stored()[0].key == "b:call_ended"


def wrong_signatures() -> dict[str, Any]:
    now = now_ms()
    right = signature(BODY)
    return {
        "another key": signature(BODY, key=b"key_of_somebody_else"),
        "another body": signature(BODY + b" "),
        "none": "",
        "garbage": "garbage",
        "seconds": signature(BODY, stamp_ms=now // 1000),
        "upper case": right.upper().replace("V=", "v=").replace("D=", "d="),
        "a new line": right + "\n",
        "an empty key": signature(BODY, key=b""),
        "twice": [right, right],
        "too old": signature(BODY, stamp_ms=now - 301_000),
        "too new": signature(BODY, stamp_ms=now + 301_000),
    }


@pytest.mark.parametrize("name", wrong_signatures())
def test_refuses_and_forgets_a_wrong_signature(post: Post, name: str):
    assert post(signed=wrong_signatures()[name]).status == 401
    assert stored() == []


def test_refuses_each_tampered_byte(post: Post):
    signed = signature(BODY)
    for place in range(0, len(BODY), 7):
        tampered = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert post(tampered, signed=signed).status == 401
    assert stored() == []


def test_refuses_a_body_that_was_serialised_again(post: Post):
    again = orjson.dumps(orjson.loads(BODY), option=orjson.OPT_INDENT_2)
    assert post(again, signed=signature(BODY)).status == 401


@pytest.mark.parametrize("skew_ms", [-299_000, 299_000])
def test_accepts_a_clock_that_is_almost_five_minutes_off(post: Post, skew_ms: int):
    assert post(signed=signature(BODY, stamp_ms=now_ms() + skew_ms)).status == 204


def test_verifies_nothing_without_a_key(post: Post, settings):
    settings.RETELL_WEBHOOK_KEY = ""
    assert post(signed=signature(BODY, key=b"")).status == 401


def test_counts_refusals_by_reason(post: Post):
    post(signed="garbage")
    post(signed=signature(BODY, stamp_ms=now_ms() - 400_000))
    wait_for_ring(WHOLE.bell, seconds=5)
    assert counted({"signature": 1, "skew": 1}) == {"signature": 1, "skew": 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_takes_posts_alone(post: Post, method: str):
    answer = post(method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("zeros", [18, 5000])
def test_takes_no_zeros_for_a_small_body(post: Post, zeros: int):
    assert post(length="0" * zeros + "999999999").status == 413
    assert post(length="0" * zeros + str(len(BODY))).status == 204
    assert len(stored()) == 1


@pytest.mark.parametrize("length", ["", "-1", "ten", "1e3", "²"])
def test_asks_how_long_the_body_is(post: Post, length: str):
    if length == "²" and post is post_wsgi:
        length = "\xb2"
    assert post(length=length).status == 411
    assert stored() == []


RETELL = "100.20.5.228"


class TestSources:
    """Where the installation lists who may deliver."""

    @pytest.fixture(autouse=True)
    def listed(self, settings: Any) -> None:
        settings.WEBHOOK_SOURCES = [RETELL, "2001:db8:7::/48"]

    @pytest.mark.parametrize(
        ("peer", "forwarded"),
        [
            (RETELL, ""),
            (f"::ffff:{RETELL}", ""),
            ("2001:db8:7::1", ""),
            ("127.0.0.1", RETELL),
            ("10.0.0.2", f"203.0.113.9, {RETELL}"),
        ],
    )
    def test_take_what_is_listed(self, post: Post, peer: str, forwarded: str):
        assert post(peer=peer, forwarded=forwarded).status == 204

    @pytest.mark.parametrize(
        ("peer", "forwarded"),
        [
            ("100.20.5.229", ""),
            ("8.8.8.8", RETELL),  # a stranger says who he is
            ("127.0.0.1", f"{RETELL}, 8.8.8.8"),  # our proxy adds last what it saw
            ("127.0.0.1", ""),
            ("127.0.0.1", "nonsense"),
            ("", ""),
            ("a-socket", RETELL),
        ],
    )
    def test_refuse_everybody_else(self, post: Post, peer: str, forwarded: str):
        source = CountedBody(BODY)
        more = {"source": source} if post is post_wsgi else {}
        assert post(peer=peer, forwarded=forwarded, **more).status == 403
        assert (stored(), source.taken) == ([], 0)

    def test_take_everybody_when_nothing_is_listed(self, post: Post, settings: Any):
        settings.WEBHOOK_SOURCES = []
        assert post(peer="8.8.8.8").status == 204


class TestSize:
    def test_refuses_an_announced_excess_unread(self):
        source = CountedBody(b"x" * 100)
        answer = post_wsgi(length=str(settings.WEBHOOK_MAX_BYTES + 1), source=source)
        assert (answer.status, source.taken) == (413, 0)

    def test_refuses_an_announced_excess_under_asgi(self):
        def never() -> list[bytes]:
            return []

        assert post_asgi(length="9" * 30, chunks=never()).status == 413

    @pytest.mark.parametrize("signed", ["", "v=1,d=0", "anything", f"v=1,d={'0' * 63}g"])
    def test_reads_nothing_that_nobody_can_have_signed(self, signed: str):
        """Whoever sends slowly and knows no signature holds no thread."""
        source = CountedBody(BODY)
        assert post_wsgi(signed=signed, source=source).status == 401
        assert source.taken == 0
        chunks = [BODY]
        assert post_asgi(signed=signed, chunks=chunks).status == 401
        assert chunks == [BODY]
        assert counted({"signature": 2}) == {"signature": 2}

    def test_reads_no_further_than_announced(self):
        source = CountedBody(BODY + b"and the next request")
        assert post_wsgi(source=source).status == 204
        assert source.taken == len(BODY)

    def test_stops_reading_when_more_comes_than_announced(self, settings):
        settings.WEBHOOK_MAX_BYTES = 1000
        chunks = [b"x" * 600] * 5
        assert post_asgi(length="600", chunks=chunks).status == 413
        assert len(chunks) == 3

    def test_takes_the_largest_there_is(self, post: Post, settings):
        settings.WEBHOOK_MAX_BYTES = 200_000
        room = settings.WEBHOOK_MAX_BYTES - len(delivery("call_ended", transcript=""))
        body = delivery("call_ended", transcript="x" * room)
        assert len(body) == settings.WEBHOOK_MAX_BYTES
        assert post(body).status == 204
        assert post(body + b" ").status == 413

    def test_drops_a_body_that_breaks_off(self):
        assert post_wsgi(source=io.BytesIO(BODY[:-1])).status == 400
        assert post_asgi(chunks=[BODY[:-1]]).status == 400
        assert stored() == []


class TestAsgi:
    """What only the ASGI door has: other addresses, senders who hang up, a database that hangs."""

    @staticmethod
    def ask(receive: Any, *, path: str = PATH, kind: str = "http") -> list[Any]:
        sent: list[Any] = []

        async def behind(*_args: Any) -> None:
            sent.append("behind")

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-length", str(len(BODY)).encode())]
        headers.append((b"x-retell-signature", signature(BODY).encode()))
        scope = {"type": kind, "method": "POST", "path": path, "headers": headers}
        asyncio.run(intake.asgi_intake(behind)(scope, receive, send))
        return sent

    @staticmethod
    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": BODY, "more_body": False}

    def test_leaves_every_other_address_to_the_application(self):
        assert self.ask(self.whole, path="/app/") == ["behind"]
        assert self.ask(self.whole, kind="websocket") == ["behind"]

    def test_answers_nobody_who_hung_up(self):
        async def hung_up() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        assert self.ask(hung_up) == []
        assert stored() == []

    def test_says_come_again_when_storing_takes_too_long(self, monkeypatch: pytest.MonkeyPatch):
        """Storing goes on behind the answer: the repeat is a duplicate then."""
        goes_on = threading.Event()

        def slow(**_body: Any) -> HTTPStatus:
            goes_on.wait(5)
            return HTTPStatus.NO_CONTENT

        monkeypatch.setattr(intake, "receive", slow)
        monkeypatch.setattr(intake, "_ANSWER_SECONDS", 0.05)
        try:
            assert self.ask(self.whole)[0]["status"] == 503
        finally:
            goes_on.set()


@pytest.mark.sqlite_only("SQLite has one lock for all writers")
class TestLockedDatabase:
    @pytest.fixture
    def locked(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Another connection holds the write lock; the intake waits a tenth of a second for it."""
        monkeypatch.setattr(inbox, "LOCK_SECONDS", 0.1)
        holder = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")
        holder.close()

    def test_is_answered_503_and_come_again(self, locked: None, post: Post):
        inbox.close()
        answer = post()
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert stored() == []

    @pytest.mark.sqlite_only("SQLite has one lock for all writers")
    def test_is_waited_for_as_long_as_is_left_of_the_time(self, locked: None, monkeypatch: Any):
        monkeypatch.setattr(inbox, "LOCK_SECONDS", 3.0)
        inbox.close()
        began = time.monotonic()
        with pytest.raises(inbox.NotStored):
            inbox._insert(read_delivery(BODY), clock.now(), 0.1)
        assert time.monotonic() - began < 1.0
        inbox.close()


@pytest.mark.sqlite_only("speaks SQL to the database")
def test_answers_503_when_nothing_can_be_written(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inbox, "_INSERT", "INSERT INTO nowhere VALUES (?,?,?,?,?,?,?,?,?,?)")
    assert post().status == 503
    monkeypatch.undo()
    assert post().status == 204


def test_leaves_every_other_address_to_django():
    seen: list[str] = []

    def start_response(status: str, *_: object) -> Any:
        seen.append(status)

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": PATH + "/other",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
    list(wsgi_application(environ, start_response))
    assert seen[0].startswith(("302", "404"))


def counted(expected: dict[str, int]) -> dict[str, int]:
    """Return today's refusals as another thread writes them down, five seconds at most after they are due."""
    for _ in range(500):
        if refusals_on(clock.real_now().date()) == expected:
            break
        wait_for_ring("nobody-rings-this", seconds=0.01)
    return refusals_on(clock.real_now().date())
