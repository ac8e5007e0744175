"""
The only door to addresses that people typed: no inner network, no redirect unseen, nothing endless.

A name is resolved once, all its addresses are judged, and the connection goes to a judged one: a name
that answers differently the second time (DNS rebinding) is never asked a second time.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from django.utils.translation import gettext as _

from convomono.lib.addresses import AddressRefused, Place, check_url, is_public, read_address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = [
    "AddressRefused",
    "Answer",
    "AnswerRefused",
    "Limits",
    "Network",
    "Unreachable",
    "check_url",
    "fetch",
    "post",
]

_CHUNK: Final = 65536
_MOST_ADDRESSES: Final = 4
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Unreachable(Exception):
    """Nobody answered, or not in time, or not in HTTP; the message says which."""


class AnswerRefused(Exception):
    """Somebody answered with more than we take, or with another type of content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What one request may take: real seconds for all of it, bytes of the body, redirects to follow.

    `types` are the content types that are taken, without parameters; none means any. An answer over
    `bytes` is refused, or cut there if `may_cut`.
    """

    seconds: float = 10.0
    bytes: int = 65_536
    redirects: int = 0
    types: tuple[str, ...] = ()
    may_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `url` is where the last redirect led, header names are lower-case."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes


def _resolve(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)


@dataclass(frozen=True, slots=True)
class Network:
    """What stands between us and the world; tests put another in its place."""

    resolve: Callable[[str, int], Sequence[str]] = _resolve
    connect: Callable[[str, int, float], socket.socket] = _connect
    tls: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked, whoever is asked; `until` is an instant of the monotonic clock."""

    method: str
    body: bytes
    headers: Mapping[str, str]
    limits: Limits
    until: float
    network: Network

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.until - time.monotonic())


def fetch(
    url: str,
    *,
    limits: Limits,
    headers: Mapping[str, str] | None = None,
    trusted: Collection[str] = (),
    network: Network | None = None,
) -> Answer:
    """
    GET the address, following redirects as far as the limits allow; each is judged like the first.

    `headers` go to each of them, so they hold no secret.

    :raises AddressRefused: if it, or where it leads, is not for us
    :raises Unreachable: if nobody answers in time
    :raises AnswerRefused: if the answer is too long or of another type
    """
    request = _request("GET", b"", headers or {}, limits, network)
    for _hop in range(limits.redirects + 1):
        answer = _ask(read_address(url, trusted), request)
        onward = answer.headers.get("location")
        if not limits.redirects or answer.status not in _REDIRECTS or not onward:
            return answer
        url = urljoin(url, onward)
    raise AddressRefused(_("The address leads on to others too often."))


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    limits: Limits,
    trusted: Collection[str] = (),
    network: Network | None = None,
) -> Answer:
    """
    POST the body; a redirect is an answer like any other and is not followed.

    :raises AddressRefused: if the address is not for us
    :raises Unreachable: if nobody answers in time
    :raises AnswerRefused: if the answer is too long or of another type
    """
    request = _request("POST", body, headers, limits, network)
    return _ask(read_address(url, trusted), request)


def _request(
    method: str, body: bytes, headers: Mapping[str, str], limits: Limits, network: Network | None
) -> _Request:
    return _Request(
        method=method,
        body=body,
        headers=headers,
        limits=limits,
        until=time.monotonic() + limits.seconds,
        network=network or Network(),
    )


def _ask(place: Place, request: _Request) -> Answer:
    opened = _opened(place, _judged(place, request), request)
    # Each read has a timeout, but a drip of single bytes passes it: this ends all of them.
    guard = threading.Timer(request.seconds_left, _break_off, [opened])
    guard.daemon = True
    guard.start()
    try:
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
        answer = _exchange(place, request, opened)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = not request.seconds_left
        raise Unreachable(_("No answer in time.") if late else _why(error)) from error
    finally:
        guard.cancel()
        opened.close()
    if not request.seconds_left:  # what the guard cut off looks like an end
        raise Unreachable(_("No answer in time."))
    return answer


def _why(error: Exception) -> str:
    """Say what went wrong so that the owner of the address knows where to look."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _("The certificate of this address is not valid: %s.") % error.verify_message.rstrip(
            "."
        )
    if isinstance(error, ssl.SSLError):
        return _("No secure connection came about.")
    if isinstance(error, ConnectionRefusedError):
        return _("Nobody listens at this address.")
    if isinstance(error, OSError):
        return _("The connection broke off.")
    return _("The answer was not HTTP.")


def _judged(place: Place, request: _Request) -> Sequence[str]:
    """Resolve the name once; one inner address among its answers refuses all of them."""
    resolving = _resolvers().submit(request.network.resolve, place.host, place.port)
    try:
        addresses = resolving.result(timeout=request.seconds_left)
    except TimeoutError:
        raise Unreachable(_("The name was not resolved in time.")) from None
    except (OSError, UnicodeError):
        raise Unreachable(_("The name is not known.")) from None
    if not addresses:
        raise Unreachable(_("The name is not known."))
    if not place.is_trusted and not all(map(is_public, addresses)):
        raise AddressRefused(_("This name leads into an inner network."))
    return addresses


@cache
def _resolvers() -> ThreadPoolExecutor:
    """Threads for name lookups, which know no timeout of their own."""
    return ThreadPoolExecutor(4, thread_name_prefix="resolver")


def _opened(place: Place, addresses: Sequence[str], request: _Request) -> socket.socket:
    """Connect to the first judged address that answers; TLS has yet to shake hands."""
    problem = _("No connection in time.")
    for address in addresses[:_MOST_ADDRESSES]:
        if not request.seconds_left:
            break
        try:
            plain = request.network.connect(address, place.port, request.seconds_left)
        except OSError as error:
            problem = _why(error)
            continue
        if not place.is_secure:
            return plain
        return request.network.tls().wrap_socket(
            plain, server_hostname=place.host, do_handshake_on_connect=False
        )
    raise Unreachable(problem)


def _break_off(opened: socket.socket) -> None:
    try:
        socket.socket.shutdown(opened, socket.SHUT_RDWR)  # below TLS, which another thread is using
    except OSError:
        return


class _Connection(http.client.HTTPConnection):
    """Speaks HTTP over a socket that is there already, and opens no other."""

    def __init__(self, place: Place, opened: socket.socket) -> None:
        super().__init__(place.host, place.port)
        self.sock = opened

    def connect(self) -> None:
        raise Unreachable(_("The connection broke off."))


def _exchange(place: Place, request: _Request, opened: socket.socket) -> Answer:
    connection = _Connection(place, opened)
    headers = {
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "ConvoMono",
        **request.headers,
        "Host": place.netloc,
    }
    connection.request(request.method, place.target, body=request.body or None, headers=headers)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    body = b""
    if response.status not in _REDIRECTS:
        _check_kind(found, request.limits)
        body = _read(response, request.limits)
    return Answer(status=response.status, url=place.url.geturl(), headers=found, body=body)


def _check_kind(headers: Mapping[str, str], limits: Limits) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if limits.types and kind not in limits.types:
        raise AnswerRefused(f"Its content type is {kind[:80] or 'not named'}.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise AnswerRefused("It is packed although we asked for it as it is.")


def _read(response: http.client.HTTPResponse, limits: Limits) -> bytes:
    """Read the body; one that breaks off is no body."""
    parts: list[bytes] = []
    room = limits.bytes
    while part := response.read(min(_CHUNK, room + 1)):
        if len(part) > room:
            if limits.may_cut:
                return b"".join([*parts, part[:room]])
            raise AnswerRefused(f"It is longer than {limits.bytes} bytes.")
        parts.append(part)
        room -= len(part)
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)
