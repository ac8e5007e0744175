"""`dev.py check`: everything runs, each failure is shown, one verdict."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deploy import gate

PASSES = gate.Check("passes", [sys.executable, "-c", "print('quiet')"])
FAILS = gate.Check("fails", [sys.executable, "-c", "print('the reason'); raise SystemExit(3)"])


@pytest.fixture
def two_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "checks", lambda bin_folder: [FAILS, PASSES])


@pytest.mark.usefixtures("two_checks")
def test_runs_all_and_shows_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.check(Path("bin"), names=[]) == 1

    output = capsys.readouterr().out
    assert "the reason" in output
    assert "quiet" not in output
    assert "1 of 2 checks failed" in output
    assert [line.split()[-1] for line in output.splitlines() if " s  " in line] == [
        "fails",
        "passes",
    ]


@pytest.mark.usefixtures("two_checks")
def test_runs_only_what_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.check(Path("bin"), names=["passes"]) == 0

    assert "All checks passed" in capsys.readouterr().out


@pytest.mark.usefixtures("two_checks")
def test_names_the_checks_when_one_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert gate.check(Path("bin"), names=["nonsense"]) == 2

    assert "Unknown: nonsense. There are: fails passes" in capsys.readouterr().out


def test_gives_a_check_its_environment(capsys: pytest.CaptureFixture[str]) -> None:
    source = "import os; raise SystemExit(os.environ['DJANGO_SETTINGS_MODULE'])"
    result = gate.run(gate.Check("env", [sys.executable, "-c", source], gate.PRODUCTION))

    assert result.output == "convomono.settings.production"
    assert result.status == 1
    assert "--- env" in capsys.readouterr().out


def test_has_a_check_for_every_tool() -> None:
    names = {one.name for one in gate.checks(Path("/venv/bin"))}

    assert names == {
        "ruff format",
        "ruff check",
        "mypy",
        "lint-imports",
        "djlint",
        "djade",
        "manage.py check",
        "check --deploy",
        "makemigrations",
        "bandit",
    }
