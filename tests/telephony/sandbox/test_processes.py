"""The sandbox as a process: its options, its memory across a restart, a thousand calls at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from convomono.lib.clock import Clock
from telephony.sandbox.batches import _is_open
from telephony.sandbox.config import Config, ProductionKeyRefused
from tests.telephony.sandbox.harness import FROM, Served, free_port, furnish, visit, wait_for

if TYPE_CHECKING:
    from pathlib import Path

NOW = Clock(factor=1, real_anchor=0, sim_anchor=0)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "telephony.sandbox", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", [["--api-key", "key_1c8f2b7e5a9d4f3e8b6a7c2d1e0f"], ["--clock-factor", "601"]]
)
def test_does_not_start_with_options_it_must_refuse(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr and ended.stderr


def test_refuses_a_webhook_key_of_production() -> None:
    with pytest.raises(ProductionKeyRefused):
        Config(clock=NOW, webhook_key="key_1c8f2b7e5a9d4f3e8b6a7c2d1e0f")


def test_starts_as_a_process_without_django_and_tells_the_shared_time() -> None:
    port = free_port()
    real, sim = time.time(), 2_000_000_000.0
    anchors = {"SANDBOX_CLOCK_REAL": str(real), "SANDBOX_CLOCK_SIM": str(sim)}
    environment = {**os.environ, **anchors, "SANDBOX_CLOCK_FACTOR": "60", "SANDBOX_PORT": str(port)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    process = subprocess.Popen([sys.executable, "-m", "telephony.sandbox"], env=environment)
    try:

        def state() -> Any:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/_sandbox/state").json()
            except httpx.ConnectError:
                return None

        told = wait_for(state, 30)
        expected = (sim + (time.time() - real) * 60) * 1000
        assert told["now_ms"] == pytest.approx(expected, abs=60_000)
        assert told["clock_factor"] == 60
    finally:
        process.terminate()
        assert process.wait(10) is not None


def test_knows_its_things_and_goes_on_with_its_calls_after_a_restart(tmp_path: Path) -> None:
    options = {"state_file": tmp_path / "var" / "state.json"}
    first = Served(**options)
    for sandbox in visit(first.url):
        furnish(sandbox, "")
        sandbox.sdk.knowledge_base.create(knowledge_base_name="FAQ")
        opted_out = sandbox.dial("+14155550008")
        sandbox.finished(opted_out.call_id)
        sandbox.dial("+14155550011", idempotency_key="k", metadata={"attempt_id": "a"})
        agent_id = sandbox.agent_id
    first.stop()
    second = Served(**options)
    for sandbox in visit(second.url):
        sandbox.agent_id = agent_id
        assert sandbox.sdk.agent.retrieve(agent_id, version="latest_published").version == 0
        assert sandbox.sdk.phone_number.retrieve(FROM).phone_number == FROM
        assert [it.knowledge_base_name for it in sandbox.sdk.knowledge_base.list()] == ["FAQ"]
        going_on = sandbox.dial("+14155550011", idempotency_key="k")
        assert sandbox.finished(going_on.call_id).disconnection_reason == "max_duration_reached"
        assert sandbox.sdk.call.retrieve(opted_out.call_id).transcript == opted_out_text(sandbox)
        refused = sandbox.http.post(
            "/v2/create-phone-call",
            headers={"authorization": "Bearer sandbox"},
            json={
                "from_number": FROM,
                "to_number": "+14155550008",
                "override_agent_id": agent_id,
                "honor_internal_dnc": True,
            },
        )
        assert refused.status_code == 400
    second.stop()


def test_begins_empty_where_its_memory_is_spoilt(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"agents": 7}')
    served = Served(state_file=path)
    for sandbox in visit(served.url):
        assert sandbox.state()["agents"] == 0
        furnish(sandbox, "")
    served.stop()
    assert path.with_suffix(".unreadable").read_text() == '{"agents": 7}'
    assert '"+14155550100"' in path.read_text()


def opted_out_text(sandbox: Any) -> str:
    item = next(it for it in sandbox.sdk.call.list().items if it.to_number.endswith("0008"))
    return str(sandbox.sdk.call.retrieve(item.call_id).transcript)


def test_a_window_opens_and_closes_by_its_own_zone() -> None:
    window = {"windows": [{"start": 540, "end": 1020}], "timezone": "America/New_York"}
    monday_9_in_new_york = 1_795_442_400_000
    assert _is_open(window, monday_9_in_new_york)
    assert not _is_open(window, monday_9_in_new_york - 1)
    assert not _is_open({**window, "day": ["Tuesday"]}, monday_9_in_new_york)


@pytest.mark.load
def test_plays_a_thousand_calls_at_once_on_one_core() -> None:
    """
    Place 1,000 calls, let them live and end; the event loop answers quickly throughout.

    At ten times the speed a call's half minute passes in three seconds.
    """
    port = free_port()
    command = [sys.executable, "-m", "telephony.sandbox", "--port", str(port)]
    limits = ["--concurrency", "1200", "--calls-per-second", "1000", "--clock-factor", "10"]
    process = subprocess.Popen([*command, *limits])
    url = f"http://127.0.0.1:{port}"
    try:

        def up() -> bool:
            try:
                return httpx.get(f"{url}/healthz").is_success
            except httpx.ConnectError:
                return False

        wait_for(up, 30)
        for sandbox in visit(url):
            furnish(sandbox, "", max_call_duration_ms=200_000)
            asyncio.run(_place_thousand(url, sandbox.agent_id))
            state = sandbox.state()
            assert state["peak_live"] >= 1_000
            slowest = 0.0
            while sandbox.state()["live"]:
                begun = time.monotonic()
                sandbox.sdk.concurrency.retrieve()
                slowest = max(slowest, time.monotonic() - begun)
                time.sleep(0.05)
                if sandbox.state()["live"] < 100:
                    break
            assert slowest < 0.5
    finally:
        process.terminate()
        process.wait(10)


async def _place_thousand(url: str, agent_id: str) -> None:
    limits = httpx.Limits(max_connections=50)
    headers = {"authorization": "Bearer sandbox"}
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits) as client:

        async def place(number: int) -> None:
            body = {
                "from_number": FROM,
                "to_number": f"+1{2_120_000_000 + number}"[:-4] + "0011",
                "override_agent_id": agent_id,
                "metadata": {"attempt_id": str(number)},
            }
            answer = await client.post("/v2/create-phone-call", json=body, timeout=30)
            assert answer.status_code == 201, answer.text

        await asyncio.gather(*(place(number * 10_000) for number in range(1_000)))
