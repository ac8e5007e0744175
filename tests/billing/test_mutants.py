"""The tests of the ledger, tried: each of the seeded mistakes makes one of them fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.billing.mutants import EQUIVALENT, MUTANTS, ROOT, run


def test_finds_each_mistake_in_the_source():
    for mutant in MUTANTS:
        source = Path(ROOT, "billing", f"{mutant.file}.py").read_text()
        assert mutant.applied(source) != source


@pytest.mark.load
def test_kills_every_mutant():
    assert len(MUTANTS) - len(EQUIVALENT) >= 30
    assert run() == list(EQUIVALENT)
