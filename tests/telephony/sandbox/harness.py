"""A sandbox to talk to, the real SDK in strict mode, and somebody who receives its webhooks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from retell import Retell

from convomono.lib.clock import Clock
from telephony.sandbox.app import create_app
from telephony.sandbox.config import Config
from telephony.sandbox.protocol import BreakableProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WEBHOOK_KEY = "sandbox-webhook"
FROM = "+14155550100"


def wait_for[T](condition: Callable[[], T], seconds: float = 15) -> T:
    """Return what condition gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """A sandbox in a thread of this process."""

    def __init__(self, **options: Any) -> None:
        real = time.time()
        options.setdefault("clock", Clock(factor=600, real_anchor=real, sim_anchor=real))
        options = {"concurrency": 100, "calls_per_second": 100, **options}
        self.config = Config(port=free_port(), webhook_key=WEBHOOK_KEY, **options)
        self.url = f"http://127.0.0.1:{self.config.port}"
        self.app = create_app(self.config)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.app,
                port=self.config.port,
                http=BreakableProtocol,
                log_level="error",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        wait_for(lambda: self._server.started)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class Sandbox:
    """The sandbox as a test sees it: its address, the SDK, and its own switches."""

    url: str
    sdk: Retell
    http: httpx.Client
    agent_id: str = ""
    llm_id: str = ""

    def faults(self, **faults: dict[str, Any]) -> None:
        self.http.put("/_sandbox/faults", json=faults).raise_for_status()

    def state(self) -> dict[str, Any]:
        content: dict[str, Any] = self.http.get("/_sandbox/state").raise_for_status().json()
        return content

    def dial(self, to_number: str, **options: Any) -> Any:
        body: dict[str, Any] = {"from_number": FROM, "override_agent_id": self.agent_id, **options}
        return self.sdk.call.create_phone_call(to_number=to_number, **body)

    def finished(self, call_id: str) -> Any:
        """Return the call once it has been analysed."""

        def analysed() -> Any:
            call = self.sdk.call.retrieve(call_id)
            return call if call.call_analysis else None

        return wait_for(analysed)


@dataclass
class Receiver:
    """Keeps webhooks in the order they came; status answers the next ones."""

    url: str = ""
    status: int = 204
    deliveries: list[tuple[dict[str, Any], bytes, str]] = field(default_factory=list)
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def events(self, call_id: str) -> list[str]:
        return [
            body["event"] for body, _, _ in self.deliveries if body["call"]["call_id"] == call_id
        ]

    def bodies(self, call_id: str, event: str) -> list[dict[str, Any]]:
        return [
            body
            for body, _, _ in self.deliveries
            if body["call"]["call_id"] == call_id and body["event"] == event
        ]


def visit(url: str) -> Iterator[Sandbox]:
    """Yield a view of the sandbox at an address."""
    with (
        Retell(
            api_key="sandbox", base_url=url, _strict_response_validation=True, timeout=20
        ) as sdk,
        httpx.Client(base_url=url) as http,
    ):
        yield Sandbox(url=url, sdk=sdk, http=http)


def furnish(sandbox: Sandbox, webhook_url: str, **settings: Any) -> Sandbox:
    llm = sandbox.sdk.llm.create(
        start_speaker="agent",
        begin_message="Hi {{first_name}}, this is Alex, an AI assistant from Acme.",
        general_prompt=(
            "You are Alex.\n- Ask whether they want to keep their plan\n"
            "- Offer a discount of ten percent\nNever lie."
        ),
        model="gpt-4.1",
    )
    agent = sandbox.sdk.agent.create(
        agent_name="Acme renewals",
        voice_id="11labs-Adrian",
        response_engine={"type": "retell-llm", "llm_id": llm.llm_id, "version": 0},
        webhook_url=webhook_url,
        **{"max_call_duration_ms": 120_000, "end_call_after_silence_ms": 30_000, **settings},
    )
    sandbox.sdk.agent.publish(agent.agent_id, version=0)
    sandbox.sdk.phone_number.create(area_code=415)
    sandbox.llm_id, sandbox.agent_id = llm.llm_id, agent.agent_id
    return sandbox


def receiving() -> Iterator[Receiver]:
    """Yield what arrives at a small server of its own."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(raw)
            kept.deliveries.append((body, raw, self.headers["x-retell-signature"]))
            planned = kept.statuses[body["event"]]
            self.send_response(planned.pop(0) if planned else kept.status)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()
