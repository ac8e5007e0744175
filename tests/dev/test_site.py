"""What `dev.py run` starts and with which environment: ports, clock, sandbox, real calls."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy import runs
from deploy.site import Sandbox, SharedClock, Site

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON = Path("/venv/bin/python")
SANDBOX = Sandbox(port=8010, clock_factor=20)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETELL_API_KEY", "RETELL_BASE_URL", "DATABASE_URL", "PUBLIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_takes_the_port_it_is_asked_for_when_it_is_free(taken: int) -> None:
    following = runs.free_port(taken + 1)

    assert runs.free_port(following) == following


def test_takes_the_next_port_when_one_is_taken(taken: int) -> None:
    assert taken < runs.free_port(taken) < taken + runs.PORTS_TRIED


def test_says_so_when_no_port_is_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PORTS_TRIED", 1)

    with pytest.raises(runs.Unstartable, match=f"No port is free from {taken}"):
        runs.free_port(taken)


def test_points_the_product_at_the_sandbox_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETELL_API_KEY", "key_of_production")
    monkeypatch.setenv("RETELL_BASE_URL", "https://api.retellai.com")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "of production")

    env = Site(PYTHON, tmp_path, 8001, SANDBOX).environment()

    assert env["TWILIO_BASE_URL"] == "http://127.0.0.1:8010/twilio"
    assert env["TWILIO_AUTH_TOKEN"] == "sandbox"
    assert env["RETELL_BASE_URL"] == "http://127.0.0.1:8010"
    assert env["RETELL_API_KEY"] == "sandbox"
    assert env["PUBLIC_BASE_URL"] == "http://127.0.0.1:8001"
    assert env["DJANGO_SETTINGS_MODULE"] == "convomono.settings.development"


def test_lets_the_users_variables_win(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://calls.example")
    monkeypatch.setenv("DATABASE_URL", "mongodb://127.0.0.1/convomono")

    env = Site(PYTHON, tmp_path, 8001, SANDBOX).environment()

    assert env["PUBLIC_BASE_URL"] == "https://calls.example"
    assert env["DATABASE_URL"] == "mongodb://127.0.0.1/convomono"


def test_makes_real_calls_in_real_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETELL_API_KEY", "key_of_production")
    monkeypatch.setenv("SANDBOX_CLOCK_FACTOR", "20")

    env = Site(PYTHON, tmp_path, 8001, sandbox=None).environment()

    assert env["RETELL_API_KEY"] == "key_of_production"
    assert env["RETELL_BASE_URL"] == "https://api.retellai.com"
    assert not [name for name in env if name.startswith("SANDBOX_")]


def test_tells_the_sandbox_where_webhooks_go_and_how_they_are_signed(tmp_path: Path) -> None:
    site = Site(PYTHON, tmp_path, 8001, Sandbox(8011, 60, (("concurrency", 60),)))

    command = site.sandbox_program().command

    assert "--webhook-url=http://127.0.0.1:8001/api/v1/webhooks/retell" in command
    assert f"--webhook-key={site.environment()['RETELL_WEBHOOK_KEY']}" in command
    assert "--clock-factor=60" in command
    assert "--concurrency=60" in command


def test_starts_every_process_of_the_architecture(tmp_path: Path) -> None:
    programs = {one.name: one for one in Site(PYTHON, tmp_path, 8001, SANDBOX).programs()}

    first = ["web", "worker", "bulk", "history", "bulk-2"]
    assert list(programs) == [*first, "drain", "dispatcher", "cron"]
    # An import goes on beside another: two workers of the same queues.
    assert programs["bulk"].command == programs["bulk-2"].command


def test_goes_on_where_simulated_time_stopped(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    first = SharedClock.at(path, factor=20, now=1000)
    assert (first.real, first.simulated) == (1000, 1000)
    assert first.environment() == {
        "SANDBOX_CLOCK_FACTOR": "20",
        "SANDBOX_CLOCK_REAL": "1000",
        "SANDBOX_CLOCK_SIM": "1000",
    }

    first.save(now=1100)

    assert SharedClock.at(path, factor=20, now=1200).simulated == 3000
    assert SharedClock.at(path, factor=20, now=9000).simulated == 9000, "real time has overtaken it"


def test_throws_its_own_data_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "convomono.sqlite3").touch()
    (tmp_path / "clock.json").write_text(json.dumps({"simulated": 1}))
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "leads.csv").touch()
    (tmp_path / "notes.txt").touch()

    runs.throw_data_away(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_never_throws_away_a_database_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "mongodb://127.0.0.1/convomono")

    with pytest.raises(runs.Unstartable, match="DATABASE_URL is set"):
        runs.throw_data_away(tmp_path)


def test_refuses_a_second_run_in_the_same_folder(tmp_path: Path) -> None:
    with runs.locked(tmp_path) as lock:
        lock.write("http://127.0.0.1:8000")
        lock.flush()
        with pytest.raises(runs.Unstartable, match=r"already runs.*http://127\.0\.0\.1:8000"):
            runs.locked(tmp_path)

    runs.locked(tmp_path).close()
