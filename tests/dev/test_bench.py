"""The benchmark of the databases measures what it says, on the engine that the tests run on."""

from __future__ import annotations

import pytest
from django.db import connection

from bench import database, dispatch

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_measures_each_work_beside_the_raw_driver(tmp_path):
    on_mongodb = connection.vendor == "mongodb"
    url = connection.settings_dict["HOST"] if on_mongodb else f"sqlite:///{tmp_path / 'b.sqlite3'}"

    figures = database.measure(url, rounds=3)

    assert set(figures) == {
        f"{name}{kind}" for name in database.WHAT for kind in ("", "_ratio", "_extra_us")
    }
    assert all(figures[name] > 0 for name in database.WHAT)
    assert all(figures[f"{name}_ratio"] > 0 for name in database.WHAT)


@pytest.mark.parametrize(
    ("worse", "broken"),
    [
        ({}, 0),
        ({"double_dials": 1}, 1),
        ({"over_limit": 2}, 1),
        ({"utilisation": 0.94}, 1),
        ({"utilisation": 0.94, "control_utilisation": 0.955}, 0),  # the machine can't do more
        ({"cpu_cores": 0.5}, 1),
        ({"small_client_first_call_s": 5.1}, 1),
        ({"small_client_first_call_s": None}, 1),
    ],
)
def test_fails_when_dispatching_misses_what_was_promised(worse, broken):
    figures = {
        "utilisation": 0.97,
        "control_utilisation": 0.99,
        "over_limit": 0,
        "double_dials": 0,
        "small_client_first_call_s": 1.0,
        "cpu_cores": 0.3,
    }

    told = figures | worse
    assert len(dispatch.missed(told, is_full=True, has_small_client=True)) == broken
    of_each_size = bool({"double_dials", "over_limit"} & worse.keys())
    assert len(dispatch.missed(told, is_full=False, has_small_client=True)) == of_each_size
    # Without a small client nothing is promised of its first call.
    is_small = "small_client_first_call_s" in worse
    without = dispatch.missed(told, is_full=True, has_small_client=False)
    assert len(without) == (0 if is_small else broken)
