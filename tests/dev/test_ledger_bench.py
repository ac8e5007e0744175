"""The benchmark of the ledger still repeats what the services write."""

from __future__ import annotations

from argparse import Namespace

import pytest

from bench import ledger


@pytest.mark.slow
def test_measures_a_charge_by_the_services_and_by_hand():
    figures = ledger.on_sqlite(Namespace(few=50, many=100, seconds=0.05))

    assert set(figures) == {"ratio", "flatness", "few", "few_by_hand", "many", "many_by_hand"}
    assert all(value > 0 for value in figures.values())
