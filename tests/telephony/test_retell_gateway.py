"""The gateway: what it sends, how often, and what it makes of every answer."""

from __future__ import annotations

import inspect
import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files import File
from retell.lib.webhook_auth import symmetric

from telephony.provider import (
    AgentSettings,
    DoNotCall,
    KnowledgeFile,
    Llm,
    NotFound,
    PaymentRequired,
    ProviderError,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
)
from telephony.retell import RetellGateway
from telephony.signatures import sign, verify_signature
from tests.fakes import FakeRetell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAYLOADS = Path(__file__).parents[1] / "webhooks" / "payloads" / "retell"
INDEX = json.loads((PAYLOADS / "index.json").read_text())
DIAL: dict[str, Any] = {
    "idempotency_key": "attempt-1",
    "from_number": "+14155550100",
    "to_number": "+14155550101",
    "agent_id": "agent_x",
    "agent_version": 3,
    "dynamic_variables": {"first_name": "Maria"},
    "metadata": {"attempt_id": "attempt-1"},
    "max_call_duration_ms": 300_000,
}
CALL = {
    "call_type": "phone_call",
    "call_id": "call_x",
    "agent_id": "agent_x",
    "agent_version": 3,
    "call_status": "registered",
    "direction": "outbound",
    "from_number": "+14155550100",
    "to_number": "+14155550101",
}


class Scripted:
    """An HTTP server that answers as told and keeps what it was asked."""

    def __init__(self) -> None:
        self.status = 201
        self.body: bytes = json.dumps(CALL).encode()
        self.headers = {"content-type": "application/json"}
        self.behaviour = "answer"
        self.requests: list[tuple[str, str, Any]] = []
        self.let_go = threading.Event()
        self.respond: Callable[[BaseHTTPRequestHandler], None] = self.answer
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                scripted.respond(self)

            def do_POST(self) -> None:
                scripted.respond(self)

            def log_message(self, *_args: object) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length") or 0)
        content = handler.rfile.read(length)
        self.requests.append((handler.command, handler.path, json.loads(content or b"null")))
        if self.behaviour == "hang":
            self.let_go.wait(10)
            handler.close_connection = True
            return
        if self.behaviour == "reset":
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
            handler.close_connection = True
            return
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(self.body)

    def refuse(self, status: int, message: str = "No.", **headers: str) -> None:
        self.status = status
        self.body = json.dumps({"status": "error", "message": message}).encode()
        self.headers |= {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def retell() -> Iterator[Scripted]:
    scripted = Scripted()
    thread = threading.Thread(target=scripted.server.serve_forever, args=(0.01,))
    thread.start()
    yield scripted
    scripted.let_go.set()
    scripted.server.shutdown()
    scripted.server.server_close()
    thread.join()


@pytest.fixture
def connect() -> Iterator[Callable[..., RetellGateway]]:
    gateways: list[RetellGateway] = []

    def make(url: str, **options: Any) -> RetellGateway:
        gateway = RetellGateway(api_key="k", base_url=url, **options)
        gateways.append(gateway)
        return gateway

    yield make
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def gateway(retell: Scripted, connect: Callable[..., RetellGateway]) -> RetellGateway:
    return connect(retell.url, timeout_seconds=0.3, dial_timeout_seconds=0.3)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# Dialling


def test_a_dial_carries_its_key_metadata_and_limits(
    retell: Scripted, gateway: RetellGateway
) -> None:
    placed = gateway.create_phone_call(**DIAL, ring_duration_ms=20_000)
    assert placed.call_id == "call_x"
    assert retell.requests == [
        (
            "POST",
            "/v2/create-phone-call",
            {
                "idempotency_key": "attempt-1",
                "from_number": "+14155550100",
                "to_number": "+14155550101",
                "override_agent_id": "agent_x",
                "override_agent_version": 3,
                "agent_override": {
                    "agent": {"max_call_duration_ms": 300_000, "ring_duration_ms": 20_000}
                },
                "retell_llm_dynamic_variables": {"first_name": "Maria"},
                "metadata": {"attempt_id": "attempt-1"},
                "honor_internal_dnc": True,
            },
        )
    ]


@pytest.mark.parametrize(
    ("behaviour", "status", "raised"),
    [
        ("answer", 500, UnknownOutcome),
        ("answer", 502, UnknownOutcome),
        ("answer", 408, UnknownOutcome),
        ("answer", 409, UnknownOutcome),
        ("answer", 429, RateLimited),
        ("hang", 201, UnknownOutcome),
        ("reset", 201, UnknownOutcome),
    ],
)
def test_a_dial_is_sent_exactly_once_whatever_happens(
    retell: Scripted,
    gateway: RetellGateway,
    behaviour: str,
    status: int,
    raised: type[ProviderError],
) -> None:
    retell.refuse(status, x_should_retry="true")  # the SDK's own word for "repeat me"
    retell.behaviour = behaviour
    with pytest.raises(raised):
        gateway.create_phone_call(**DIAL)
    assert len(retell.requests) == 1


@pytest.mark.parametrize(
    "method",
    [
        "create_phone_number",
        "import_phone_number",
        "create_knowledge_base",
        "create_agent_version",
        "create_batch_call",
    ],
)
def test_what_spends_or_creates_is_sent_once(
    retell: Scripted, gateway: RetellGateway, method: str
) -> None:
    arguments: dict[str, dict[str, Any]] = {
        "create_knowledge_base": {"name": "FAQ"},
        "create_agent_version": {"agent_id": "agent_x", "base_version": 0},
        "create_batch_call": {"name": "B", "from_number": "+14155550100", "tasks": []},
        "import_phone_number": {"phone_number": "+14155550100", "termination_uri": "x.test"},
    }
    retell.behaviour = "reset"
    retell.respond = _counting(retell)
    with pytest.raises(UnknownOutcome):
        getattr(gateway, method)(**arguments.get(method, {}))
    assert len(retell.requests) == 1


def test_imports_a_number_with_what_its_trunk_asks(
    retell: Scripted, gateway: RetellGateway
) -> None:
    number = {
        "phone_number": "+14155550100",
        "phone_number_type": "custom",
        "last_modification_timestamp": 1,
    }
    retell.body = json.dumps(number).encode()
    uri = "acme.pstn.twilio.com"
    imported = gateway.import_phone_number(
        phone_number="+14155550100",
        termination_uri=uri,
        username="retell",
        password="secret",
        nickname="Desk",
    )
    assert (imported.phone_number, imported.kind) == ("+14155550100", "custom")
    gateway.import_phone_number(phone_number="+14155550100", termination_uri=uri)
    whole = {"phone_number": "+14155550100", "termination_uri": uri}
    sign_in = {"sip_trunk_auth_username": "retell", "sip_trunk_auth_password": "secret"}
    assert retell.requests == [
        ("POST", "/import-phone-number", {**whole, **sign_in, "nickname": "Desk"}),
        ("POST", "/import-phone-number", whole),
    ]


def test_sends_open_files_whole(retell: Scripted, gateway: RetellGateway, tmp_path: Path) -> None:
    document = tmp_path / "menu.pdf"
    document.write_bytes(b"%PDF-" + bytes(range(256)) * 1000)
    bodies: list[bytes] = []

    def respond(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(handler.rfile.read(int(handler.headers["content-length"])))
        handler.close_connection = True

    retell.respond = respond
    with File(document.open("rb")) as opened, pytest.raises(UnknownOutcome):
        gateway.create_knowledge_base(
            name="FAQ", files=[KnowledgeFile(filename="menu.pdf", content=opened)]
        )
    assert document.read_bytes() in bodies[0]
    assert b'filename="menu.pdf"' in bodies[0]


def _counting(retell: Scripted) -> Callable[[BaseHTTPRequestHandler], None]:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        retell.requests.append((handler.command, handler.path, None))
        handler.close_connection = True

    return respond


@pytest.mark.parametrize(
    ("status", "message", "raised"),
    [
        (400, "Bad request.", Rejected),
        (400, "The contact is marked do_not_call.", DoNotCall),
        (401, "API key is missing or invalid.", Unauthorised),
        (402, "Trial has ended, please add payment method.", PaymentRequired),
        (403, "Forbidden.", Rejected),
        (404, "The requested resource was not found.", NotFound),
        (422, "Cannot find requested asset under given api key.", NotFound),
        (422, "Unprocessable.", Rejected),
    ],
)
def test_a_refusal_is_named_for_what_it_means(
    retell: Scripted,
    gateway: RetellGateway,
    status: int,
    message: str,
    raised: type[Rejected],
) -> None:
    retell.refuse(status, message)
    with pytest.raises(Rejected) as caught:
        gateway.create_phone_call(**DIAL)
    assert type(caught.value) is raised
    assert (caught.value.status, caught.value.message) == (status, message)


@pytest.mark.parametrize(
    ("headers", "wait_seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500", "retry_after": "7"}, 1.5),
        ({"retry_after": "Mon, 23 Nov 2026 15:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_says_how_long_to_wait_if_retell_does(
    retell: Scripted, gateway: RetellGateway, headers: dict[str, str], wait_seconds: float | None
) -> None:
    retell.refuse(429, "Slow down.", **headers)
    with pytest.raises(RateLimited) as caught:
        gateway.create_phone_call(**DIAL)
    assert caught.value.wait_seconds == wait_seconds


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"call_id": "cal'),
        ("application/json", b""),
        ("application/json", b"{}"),
        ("application/json", b"[]"),
        ("text/plain", b"Created"),
    ],
)
def test_an_unreadable_201_is_an_unknown_outcome(
    retell: Scripted, gateway: RetellGateway, content_type: str, body: bytes
) -> None:
    retell.body = body
    retell.headers = {"content-type": content_type}
    with pytest.raises(UnknownOutcome):
        gateway.create_phone_call(**DIAL)
    assert len(retell.requests) == 1


def test_a_dial_that_never_left_is_unavailable(connect: Callable[..., RetellGateway]) -> None:
    gateway = connect(f"http://127.0.0.1:{unused_port()}")
    with pytest.raises(Unavailable):
        gateway.create_phone_call(**DIAL)


# Reading


@pytest.mark.parametrize("behaviour", ["answer", "reset", "hang"])
def test_a_reading_without_an_answer_is_unavailable(
    retell: Scripted, connect: Callable[..., RetellGateway], behaviour: str
) -> None:
    retell.refuse(503, retry_after="0.01")
    retell.behaviour = behaviour
    gateway = connect(retell.url, timeout_seconds=0.1)
    with pytest.raises(Unavailable):
        gateway.retrieve_call(call_id="call_x")
    assert len(retell.requests) == 3  # reading may be repeated


def test_lists_calls_of_an_attempt(retell: Scripted, gateway: RetellGateway) -> None:
    retell.status = 200
    item = {**CALL, "metadata": {"attempt_id": "attempt-1"}}
    page = {"items": [item], "has_more": True, "pagination_key": "next"}
    retell.body = json.dumps(page).encode()
    found = gateway.list_calls(attempt_id="attempt-1", call_ids=["call_x"])
    assert [call.call_id for call in found.calls] == ["call_x"]
    assert found.calls[0].metadata == {"attempt_id": "attempt-1"}
    assert found.calls[0].payload["to_number"] == "+14155550101"
    assert found.pagination_key == "next"
    assert retell.requests[0][2]["filter_criteria"] == {
        "metadata": [{"type": "string", "op": "eq", "key": "attempt_id", "value": "attempt-1"}],
        "call_id": {"type": "enum", "op": "in", "value": ["call_x"]},
    }


def test_reads_reasons_and_fields_it_does_not_know(
    retell: Scripted, gateway: RetellGateway
) -> None:
    retell.status = 200
    news = {**CALL, "disconnection_reason": "taken_by_aliens", "shoe_size": 44}
    retell.body = json.dumps(news).encode()
    payload = gateway.retrieve_call(call_id="call_x").payload
    assert (payload["disconnection_reason"], payload["shoe_size"]) == ("taken_by_aliens", 44)


AGENT = {
    "agent_id": "agent_x",
    "version": 3,
    "voice_id": "11labs-Adrian",
    "response_engine": {"type": "retell-llm", "llm_id": "llm_x", "version": 3},
    "last_modification_timestamp": 1,
}


@pytest.mark.parametrize(
    "handbooks",
    [
        {"ai_disclosure": True, "high_empathy": False},
        {"ai_disclosure": {}, "customer_support": {"custom_prompt": "Be brief."}},
    ],
)
def test_reads_an_agent_with_handbooks_of_either_form(
    retell: Scripted, gateway: RetellGateway, handbooks: dict[str, Any]
) -> None:
    retell.body = json.dumps({**AGENT, "handbook_config": handbooks}).encode()

    made = gateway.create_agent(
        llm=Llm(llm_id="llm_x", version=3, is_published=False),
        settings=AgentSettings(
            agent_name="Acme", voice_id="11labs-Adrian", manners=("high_empathy",)
        ),
    )

    assert made == gateway.retrieve_agent(agent_id="agent_x")
    assert (made.agent_id, made.llm_version) == ("agent_x", 3)
    sent = retell.requests[0][2]
    # Switches are refused from 23 December 2026 on; what is off is left out.
    assert sent["handbook_config"] == {
        "ai_disclosure": {},
        "scope_boundaries": {},
        "high_empathy": {},
    }


@pytest.mark.parametrize(
    ("language", "told"), [("de-DE", "de-DE"), (("en-US", "es-419"), ["en-US", "es-419"])]
)
def test_tells_one_language_as_a_word_and_several_as_a_list(
    retell: Scripted, gateway: RetellGateway, language: str | tuple[str, ...], told: object
) -> None:
    retell.body = json.dumps(AGENT).encode()

    gateway.create_agent(
        llm=Llm(llm_id="llm_x", version=3, is_published=False),
        settings=AgentSettings(agent_name="Acme", voice_id="11labs-Adrian", language=language),
    )

    assert retell.requests[0][2]["language"] == told


# Webhook signatures


@pytest.mark.parametrize("fixture", INDEX["fixtures"], ids=lambda item: str(item["name"]))
def test_agrees_with_the_sdk_on_every_recorded_signature(fixture: dict[str, Any]) -> None:
    body = (PAYLOADS / fixture["raw"]).read_bytes()
    key, header, stamp = fixture["key"], fixture["signature"], fixture["timestamp"]
    for other_key in (key, "another"):
        for skew in (0, 300_000, -300_000, 300_001, -300_001):
            expected = symmetric["verify"](
                body.decode(), other_key, header, {"timestamp": stamp + skew}
            )
            ours = verify_signature(body, header, [other_key.encode()], stamp + skew)
            assert ours is expected
    assert verify_signature(body, header, [key.encode()], stamp)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda header: "",
        lambda header: "nonsense",
        lambda header: header.upper(),
        lambda header: header + "\n",
        lambda header: f" {header}",
        lambda header: header.replace("v=1735689600000", "v=1735689600"),
        lambda header: header[:-1],
        lambda header: header.replace(",", ", "),
        lambda header: "v=" + "9" * 5000 + header[15:],
        lambda header: header.replace("v=1", "v=é"),
    ],
)
def test_refuses_a_spoilt_header(spoil: Callable[[str], str]) -> None:
    header = sign(b"{}", b"key", 1_735_689_600_000)
    assert verify_signature(b"{}", header, [b"key"], 1_735_689_600_000)
    assert not verify_signature(b"{}", spoil(header), [b"key"], 1_735_689_600_000)


def test_the_fake_has_the_gateways_methods() -> None:
    def public(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(member)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    real, fake = public(RetellGateway), public(FakeRetell)
    assert {name: fake.get(name) for name in real} == real
