"""The door to foreign addresses: what it refuses to ask, and what it refuses to hear."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509  # noqa: TID251 - a certificate for a server of this test
from cryptography.hazmat.primitives import hashes, serialization  # noqa: TID251
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: TID251

from convomono.lib.addresses import is_public
from convomono.lib.outbound import (
    AddressRefused,
    AnswerRefused,
    Limits,
    Network,
    Unreachable,
    check_url,
    fetch,
    post,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PUBLIC = "93.184.215.14"
HOSTILE_URLS = [
    # other schemes, and none
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:443/_x",
    "javascript:alert(1)",
    "data:text/plain,x",
    "//example.com/",
    "example.com",
    "",
    "https://",
    "https:///path",
    "https:example.com",
    # this machine
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://00000177.0.0.1/",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://app.localhost/",
    "https://localhost.localdomain/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    # an inner network, and numbers at all
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://8.8.8.8/",
    "https://metadata/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://printer.local/",
    "https://router.lan/",
    "https://nas.home.arpa/",
    "https://intranet/",
    "https://db.corp/",
    # digits and dots in other writings
    "https://①②⑦.⓪.⓪.①/",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://loc\u00adalhost/",
    # what another reader would read otherwise
    "https://example.com@127.0.0.1/",
    "https://user:secret@example.com/",
    "https://example.com:secret@10.0.0.1/",
    "https://example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/",
    "https://example.com\t.evil.test/",
    "https://exa mple.com/",
    "https://example.com/\r\nHost: inner",
    " https://example.com/",
    "https://example.com/\x00",
    "https://example.com#@127.0.0.1:99999/",
    "https://[::1/",
    "https://exa_mple..com/",
    "https://-example.com/",
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://example.com/" + "a" * 2000,
    # doors of other services
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:6379/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:-1/",
    "https://example.com:4e2/",
]
# Bytes after a "#" are for a browser and are never sent, so this one only looks hostile.
HOSTILE_URLS.remove("https://example.com#@127.0.0.1:99999/")

INNER_ADDRESSES = [
    "0.0.0.1", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:93.184.215.14", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "fec0::1", "ff02::1", "5f00::1", "not an address", "",
]  # fmt: skip


def test_knows_at_least_sixty_hostile_addresses():
    assert len(set(HOSTILE_URLS)) >= 60


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_asks_nobody_for_a_hostile_address(url: str):
    def nobody(*_: object) -> Any:
        raise AssertionError("asked")

    with pytest.raises(AddressRefused):
        check_url(url)
    with pytest.raises(AddressRefused):
        fetch(url, limits=Limits(), network=Network(nobody, nobody))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/a/b?c=d",
        "https://example.com:8443/hook",
        "https://hooks.müller.de/ä",
        "https://a-1.b_2.example.co.uk./",
    ],
)
def test_takes_the_address_of_a_public_host(url: str):
    check_url(url)


@pytest.mark.parametrize("address", INNER_ADDRESSES)
def test_calls_no_inner_address_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1"])
def test_calls_an_address_of_the_internet_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize("address", INNER_ADDRESSES)
def test_connects_nowhere_if_one_of_the_answers_is_inner(address: str):
    def nobody(*_: object) -> Any:
        raise AssertionError("connected")

    network = Network(lambda _host, _port: [PUBLIC, address], nobody)
    with pytest.raises(AddressRefused):
        fetch("https://rebind.example.com/", limits=Limits(), network=network)


# Against a server of our own, which the stand-in for the network puts at a public address.


@dataclass
class Server:
    """Answers each connection with the next of its answers, byte for byte."""

    answers: list[Callable[[socket.socket], None]]
    tls: ssl.SSLContext | None
    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    names: dict[str, list[list[str]]] = field(default_factory=dict)

    def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        known = self.names.get(host)
        return known.pop(0) if known else [PUBLIC]

    def connect(self, address: str, _port: int, seconds: float) -> socket.socket:
        self.connected.append(address)
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)


@dataclass(frozen=True)
class Certificates:
    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for hooks.example.com and its cousins, and a client that trusts it."""
    folder: Path = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    today = datetime.datetime.now(datetime.UTC)  # noqa: TID251 - certificates go by real time
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.com")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.create_default_context(cafile=str(pem))
    return Certificates(server, client)


def says(
    body: bytes = b"ok", *, status: str = "200 OK", kind: str = "text/plain", extra: str = ""
) -> Callable[[socket.socket], None]:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    )
    return lambda peer: peer.sendall(head.encode() + body)


@pytest.fixture
def serve(certificates: Certificates) -> Iterator[Callable[..., tuple[Server, Network]]]:
    """Start a server with its answers: `server, network = serve(says(b"hello"))`."""
    listeners: list[socket.socket] = []

    def start(*answers: Callable[[socket.socket], None]) -> tuple[Server, Network]:
        server = Server(list(answers), certificates.server)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        server.port = listener.getsockname()[1]
        threading.Thread(target=_run, args=(listener, server), daemon=True).start()
        return server, Network(server.resolve, server.connect, lambda: certificates.client)

    yield start
    for listener in listeners:
        listener.close()


def _run(listener: socket.socket, server: Server) -> None:
    while server.answers:
        try:
            plain, _address = listener.accept()
            assert server.tls is not None
            with server.tls.wrap_socket(plain, server_side=True) as peer:
                server.heard.append(_hear(peer))
                server.answers.pop(0)(peer)
        except OSError:
            continue


def _hear(peer: socket.socket) -> bytes:
    """Read a request with its body."""
    heard = b""
    while b"\r\n\r\n" not in heard or (b"POST" in heard and not heard.endswith(b"{}")):
        part = peer.recv(65536)
        if not part:
            break
        heard += part
    return heard


URL = "https://hooks.example.com/in?x=1"


def test_connects_to_the_address_it_judged_and_asks_once(serve):
    """A resolver that answers differently the second time is not asked a second time."""
    server, network = serve(says(b"hello"))
    server.names["hooks.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    answer = post(URL, body=b"{}", headers={"X-A": "b"}, limits=Limits(), network=network)
    assert (answer.status, answer.body) == (200, b"hello")
    assert (server.asked, server.connected) == (["hooks.example.com"], [PUBLIC])
    assert server.heard[0].startswith(b"POST /in?x=1 HTTP/1.1\r\n")
    assert b"\r\nHost: hooks.example.com\r\n" in server.heard[0]
    assert b"\r\nX-A: b\r\n" in server.heard[0]


def test_trusts_no_certificate_of_another_name(serve):
    server, network = serve(says())
    with pytest.raises(Unreachable, match="certificate of this address"):
        fetch("https://elsewhere.org/", limits=Limits(), network=network)
    assert server.heard == []


def test_follows_a_redirect_to_another_public_host(serve):
    server, network = serve(
        says(status="302 Found", extra="Location: https://other.example.com/b\r\n"), says(b"there")
    )
    answer = fetch(URL, limits=Limits(redirects=1), network=network)
    assert (answer.body, answer.url) == (b"there", "https://other.example.com/b")
    assert server.asked == ["hooks.example.com", "other.example.com"]


@pytest.mark.parametrize(
    "onward",
    [
        "https://127.0.0.1/",
        "http://hooks.example.com/",
        "//localhost/",
        "https://[::1]/",
        "file:///x",
    ],
)
def test_follows_no_redirect_inwards(serve, onward: str):
    server, network = serve(says(status="302 Found", extra=f"Location: {onward}\r\n"), says())
    with pytest.raises(AddressRefused):
        fetch(URL, limits=Limits(redirects=3), network=network)
    assert len(server.connected) == 1


def test_follows_no_redirect_to_a_name_that_leads_inwards(serve):
    server, network = serve(
        says(status="307 X", extra="Location: https://inner.example.com/\r\n"), says()
    )
    server.names["inner.example.com"] = [["10.0.0.7"]]
    with pytest.raises(AddressRefused):
        fetch(URL, limits=Limits(redirects=3), network=network)
    assert server.connected == [PUBLIC]


def test_follows_no_endless_redirects(serve):
    around = says(status="302 Found", extra="Location: /again\r\n")
    server, network = serve(*[around] * 5)
    with pytest.raises(AddressRefused):
        fetch(URL, limits=Limits(redirects=2), network=network)
    assert len(server.connected) == 3


@pytest.mark.parametrize("ask", ["fetch", "post"])
def test_takes_a_redirect_as_the_answer_where_none_is_followed(serve, ask: str):
    _server, network = serve(says(status="302 Found", extra="Location: https://a.example.com\r\n"))
    if ask == "fetch":
        answer = fetch(URL, limits=Limits(), network=network)
    else:
        answer = post(URL, body=b"{}", headers={}, limits=Limits(redirects=5), network=network)
    assert answer.status == 302


def test_takes_no_more_than_the_limit(serve):
    _server, network = serve(says(b"x" * 1001), says(b"x" * 1000), says(b"x" * 1001))
    with pytest.raises(AnswerRefused):
        fetch(URL, limits=Limits(bytes=1000), network=network)
    assert len(fetch(URL, limits=Limits(bytes=1000), network=network).body) == 1000
    cut = fetch(URL, limits=Limits(bytes=1000, may_cut=True), network=network)
    assert len(cut.body) == 1000


def test_takes_no_end_of_a_body_that_broke_off(serve):
    def half(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    _server, network = serve(half)
    with pytest.raises(Unreachable):
        fetch(URL, limits=Limits(), network=network)


def test_takes_only_the_types_it_wants(serve):
    _server, network = serve(says(kind="text/html; charset=utf-8"), says(kind="application/zip"))
    limits = Limits(types=("text/html",))
    assert fetch(URL, limits=limits, network=network).status == 200
    with pytest.raises(AnswerRefused, match="application/zip"):
        fetch(URL, limits=limits, network=network)


def test_unpacks_nothing(serve):
    _server, network = serve(says(b"\x1f\x8b", extra="Content-Encoding: gzip\r\n"))
    with pytest.raises(AnswerRefused):
        fetch(URL, limits=Limits(), network=network)


@pytest.mark.parametrize("drip", [b"a", b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"])
def test_ends_a_drip_of_bytes_when_its_time_is_over(serve, drip: bytes):
    done = threading.Event()

    def slowly(peer: socket.socket) -> None:
        peer.sendall(drip)
        while not done.wait(0.05):
            peer.sendall(b"b")

    _server, network = serve(slowly)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        fetch(URL, limits=Limits(seconds=0.5), network=network)
    assert time.monotonic() - began < 5
    done.set()


def test_waits_for_no_slow_resolver():
    done = threading.Event()

    def slowly(_host: str, _port: int) -> list[str]:
        done.wait(10)
        return [PUBLIC]

    with pytest.raises(Unreachable):
        fetch(URL, limits=Limits(seconds=0.1), network=Network(resolve=slowly))
    done.set()


def test_says_when_nobody_is_there():
    def unknown(_host: str, _port: int) -> list[str]:
        raise socket.gaierror

    def refused(*_: object) -> Any:
        raise ConnectionRefusedError

    for network in (
        Network(unknown),
        Network(lambda *_: []),
        Network(lambda *_: [PUBLIC], refused),
    ):
        with pytest.raises(Unreachable):
            fetch(URL, limits=Limits(), network=network)


def test_goes_to_what_is_our_own_and_named():
    """A trial's sandbox speaks http on this machine; nothing else there is opened by that."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def answer() -> None:
        peer, _address = listener.accept()
        with peer:
            peer.recv(65536)
            says(b"ours")(peer)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    here = f"127.0.0.1:{port}"
    assert fetch(f"http://{here}/", limits=Limits(), trusted={here}).body == b"ours"
    with pytest.raises(AddressRefused):
        check_url(f"http://127.0.0.1:{port + 1}/", trusted={here})
    thread.join(5)
    listener.close()
