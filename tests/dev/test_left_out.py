"""What a run leaves out it says, on which server and with which of pytest's processes it may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import mongo

ROOT = Path(__file__).resolve().parents[2]
PART = "tests/billing/test_money_admin.py"  # tables of 6, 18 and 3 cases, all of them touch data
TEST_SERVER = {
    "DATABASE_URL": "mongodb://127.0.0.1:9/convomono",
    "TEST_MONGODB_URLS": "mongodb://127.0.0.1:9/convomono",
}
REAL_SERVER = {"DATABASE_URL": "mongodb://127.0.0.1:9/convomono", "TEST_MONGODB_URLS": ""}


def collect(*words: str, **variables: str) -> str:
    """Collect that file as a run of the whole suite would, and return what pytest prints."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    done = subprocess.run(
        [*command, "-o", f"testpaths={PART}", *words],
        cwd=ROOT,
        env={**os.environ, **variables},  # noqa: TID251 # the machine's own
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.slow
def test_says_how_many_cases_of_how_many_tables_the_test_server_does_not_see() -> None:
    printed = collect(**TEST_SERVER)

    assert "18 cases of 2 long tables, of which three each were tried: the test server" in printed
    assert "9/27 tests collected" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "variables"),
    [((), REAL_SERVER), (("-m", ""), TEST_SERVER), ((PART,), TEST_SERVER)],
    ids=["a real server", "--long", "a part by name"],
)
def test_leaves_no_case_out(words: tuple[str, ...], variables: dict[str, str]) -> None:
    printed = collect(*words, **variables)

    assert "27 tests collected" in printed
    assert "cases of" not in printed


@pytest.mark.slow
def test_says_what_a_fast_run_takes_of_each_file() -> None:
    assert "24 tests of 1 files, of which --fast takes three" in collect("--fast", **REAL_SERVER)


def test_prints_what_the_workers_have_left_out_once() -> None:
    class Reporter:
        config = pytest.Config.fromdictargs({}, [])
        printed: list[str] = []

        def section(self, title: str) -> None:
            self.printed.append(title)

        line = section

    reporter = Reporter()
    for _worker in range(2):
        mongo.hear_left_out(reporter.config, {"left_out": ["7 cases"]})
    mongo.list_left_out(reporter)  # type: ignore[arg-type]  # what it uses of it

    assert reporter.printed == ["left out of this run", "7 cases"]


def test_gives_the_test_server_fewer_examples_and_a_real_one_all(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.ON_MONGODB = (
        True  # by the fixture alone: beside another one's undoing it is left deleted
    )
    monkeypatch.setenv("TEST_MONGODB_URLS", "mongodb://one/convomono")
    assert mongo.fewer(60, 8) == 8
    monkeypatch.setenv("TEST_MONGODB_URLS", "")
    assert mongo.fewer(60, 8) == 60
