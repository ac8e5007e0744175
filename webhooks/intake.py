"""
Takes Retell's deliveries in front of Django: size, signature, one insert, 204.

A path switch in `wsgi.py` and `asgi.py`, because Django's middleware costs more than all of it.
Nothing is acknowledged that isn't committed, and nothing else happens before the answer.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings

from convomono.lib import clock
from telephony.signatures import is_signature, verify_signature
from webhooks.deliveries import read_delivery
from webhooks.doorbell import DOORBELL
from webhooks.inbox import NotStored, store
from webhooks.models import WebhookEvent
from webhooks.sources import is_allowed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    type Message = MutableMapping[str, Any]
    type Receive = Callable[[], Awaitable[Message]]
    type Send = Callable[[Message], Awaitable[None]]
    type AsgiApplication = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]

log = structlog.get_logger()

PATH: Final = "/api/v1/webhooks/retell"
_HEADER: Final = b"x-retell-signature"
_STAMP: Final = re.compile(rb"v=([0-9]{1,16}),")
_ANSWER_SECONDS: Final = 5.0
_THREADS: Final = 8
_CHUNK: Final = 65536
_HEADERS: Final[dict[int, list[tuple[str, str]]]] = {
    HTTPStatus.NO_CONTENT: [],
    HTTPStatus.METHOD_NOT_ALLOWED: [("Allow", "POST"), ("Content-Length", "0")],
    HTTPStatus.SERVICE_UNAVAILABLE: [("Retry-After", "5"), ("Content-Length", "0")],
}
_NO_BODY: Final = [("Content-Length", "0")]


@dataclass(frozen=True, slots=True)
class _Head:
    """What is known of a delivery before its body is read."""

    method: str
    content_length: str
    peer: str
    forwarded: str
    signature: bytes


def refuse_unread(head: _Head) -> HTTPStatus | None:
    """
    Return why the body need not even be read; None if it should be.

    A body of unannounced length (chunked) is refused too: Retell always says how long.
    """
    if head.method != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED
    allowed = settings.WEBHOOK_SOURCES
    if not is_allowed(peer=head.peer, forwarded=head.forwarded, allowed=allowed):
        log.warning("webhook.wrong_source")
        DOORBELL.count("source")
        return HTTPStatus.FORBIDDEN
    if not (head.content_length.isascii() and head.content_length.isdigit()):
        return HTTPStatus.LENGTH_REQUIRED
    if int(head.content_length[:20]) > settings.WEBHOOK_MAX_BYTES:
        return _too_large()
    if not is_signature(head.signature):  # whoever sends this slowly holds no thread
        return _wrong_signature()
    return None


def _announced(content_length: str) -> str:
    """Drop the zeros in front: there may be any number of them, and they hide how long a body is."""
    return content_length.lstrip("0") or content_length[:1]


def receive(*, body: bytes, signature: bytes) -> HTTPStatus:
    """
    Verify and store a delivery; 204 once it is committed, also when it was there before.

    Signatures go by real time; the rows carry the clock that dialling uses.
    """
    began = time.perf_counter()
    status = _received(body, signature)
    DOORBELL.answered(time.perf_counter() - began)
    return status


def _received(body: bytes, signature: bytes) -> HTTPStatus:
    keys = _webhook_keys()
    now_ms = time.time_ns() // 1_000_000
    if not verify_signature(body, signature, keys, now_ms):
        return _unsigned(body, signature, keys)
    delivery = read_delivery(body)
    if not delivery.is_kept:
        DOORBELL.say(delivery)
        return HTTPStatus.NO_CONTENT
    try:
        is_new = store(delivery, now=clock.now())
    except NotStored:
        log.exception("webhook.not_stored")
        return HTTPStatus.SERVICE_UNAVAILABLE
    if not is_new:
        DOORBELL.count("duplicate")
    elif delivery.error:
        log.error("webhook.unusable", reason=delivery.error)
    if delivery.status == WebhookEvent.Status.PENDING:
        DOORBELL.press()
    else:
        DOORBELL.note()
    return HTTPStatus.NO_CONTENT


def _webhook_keys() -> list[bytes]:
    """Return the key in force and the one before it; an unset key verifies nothing."""
    keys = (settings.RETELL_WEBHOOK_KEY, settings.RETELL_WEBHOOK_KEY_PREVIOUS)
    return [key.encode() for key in keys if key]


def _unsigned(body: bytes, signature: bytes, keys: list[bytes]) -> HTTPStatus:
    """Count it, and raise the alarm if only the time is wrong: then every webhook is refused."""
    stamp = _STAMP.match(signature)
    if stamp and verify_signature(body, signature, keys, int(stamp[1])):
        log.error("webhook.clock_skew", skew_ms=time.time_ns() // 1_000_000 - int(stamp[1]))
        DOORBELL.count("skew")
        return HTTPStatus.UNAUTHORIZED
    return _wrong_signature()


def _wrong_signature() -> HTTPStatus:
    log.warning("webhook.wrong_signature")
    DOORBELL.count("signature")
    return HTTPStatus.UNAUTHORIZED


def _too_large() -> HTTPStatus:
    log.error("webhook.too_large")
    DOORBELL.count("too_large")
    return HTTPStatus.REQUEST_ENTITY_TOO_LARGE


# The switch under WSGI, in production.


def wsgi_intake(application: WSGIApplication) -> WSGIApplication:
    """Put the intake in front of a WSGI application."""

    def switch(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return application(environ, start_response)
        status = _wsgi_answer(environ)
        start_response(f"{status.value} {status.phrase}", _HEADERS.get(status, _NO_BODY))
        return []

    return switch


def _wsgi_answer(environ: WSGIEnvironment) -> HTTPStatus:
    length = _announced(environ.get("CONTENT_LENGTH") or "")
    head = _Head(
        environ["REQUEST_METHOD"],
        length,
        environ.get("REMOTE_ADDR", ""),
        environ.get("HTTP_X_FORWARDED_FOR", ""),
        environ.get("HTTP_X_RETELL_SIGNATURE", "").encode("latin-1", "replace"),
    )
    refused = refuse_unread(head)
    if refused:
        return refused
    body = _wsgi_body(environ, int(length))
    if body is None:
        return HTTPStatus.BAD_REQUEST
    return receive(body=body, signature=head.signature)


def _wsgi_body(environ: WSGIEnvironment, length: int) -> bytes | None:
    """Read what was announced and not a byte more; None if the sender broke off."""
    parts = []
    while length > 0:
        part = environ["wsgi.input"].read(min(length, _CHUNK))
        if not part:
            return None
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


# The switch under ASGI, in the one-command run.


class _TooLarge(Exception):
    """More came than is allowed, whatever was announced."""


class _Gone(Exception):
    """The sender broke off."""


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Threads for the database: the event loop serves pages meanwhile."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="intake")


def asgi_intake(application: AsgiApplication) -> AsgiApplication:
    """Put the intake in front of an ASGI application."""

    async def switch(scope: Message, receive_message: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await application(scope, receive_message, send)
            return
        try:
            status = await _asgi_answer(scope, receive_message)
        except _Gone:
            return
        headers = [
            (name.lower().encode(), value.encode())
            for name, value in _HEADERS.get(status, _NO_BODY)
        ]
        await send({"type": "http.response.start", "status": status.value, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return switch


async def _asgi_answer(scope: Message, receive_message: Receive) -> HTTPStatus:
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:  # a doubled header is joined, as WSGI servers do
        headers[name] = headers[name] + b"," + value if name in headers else value
    length = _announced(headers.get(b"content-length", b"").decode("latin-1"))
    forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1")
    peer = (scope.get("client") or ("",))[0]
    signature = headers.get(_HEADER, b"")
    refused = refuse_unread(_Head(scope["method"], length, peer, forwarded, signature))
    if refused:
        return refused
    try:
        body = await _asgi_body(receive_message, settings.WEBHOOK_MAX_BYTES)
    except _TooLarge:
        return _too_large()
    if len(body) != int(length):
        return HTTPStatus.BAD_REQUEST
    work = functools.partial(receive, body=body, signature=signature)
    stored = asyncio.get_running_loop().run_in_executor(_pool(), work)
    try:
        return await asyncio.wait_for(stored, _ANSWER_SECONDS)
    except TimeoutError:
        # It may be stored yet; then the repeat is a duplicate.
        return HTTPStatus.SERVICE_UNAVAILABLE


async def _asgi_body(receive_message: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive_message()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
