"""The tests of the ledger, tried: each of the seeded mistakes makes one of them fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.billing.mutants import EQUIVALENT, MUTANTS, source_of


def test_finds_each_mistake_in_the_source():
    for mutant in MUTANTS:
        source = source_of(mutant)
        assert mutant.applied(source) != source


@pytest.mark.load
def test_kills_every_mutant():
    mistakes = len(MUTANTS) - len(EQUIVALENT)
    assert mistakes >= 30

    # In a process of its own: it forks, and this one has threads.
    command = [sys.executable, "-m", "tests.billing.mutants"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert f"ledger mutants: {mistakes} of {mistakes} killed" in told, told
    assert "the control survives" in told, told
