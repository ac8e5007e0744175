"""The benchmark of the databases measures what it says, on the engine that the tests run on."""

from __future__ import annotations

import pytest
from django.db import connection

from bench import database

pytestmark = pytest.mark.django_db


def test_measures_each_work_beside_the_raw_driver(tmp_path):
    on_mongodb = connection.vendor == "mongodb"
    url = connection.settings_dict["HOST"] if on_mongodb else f"sqlite:///{tmp_path / 'b.sqlite3'}"

    figures = database.measure(url, rounds=3)

    assert set(figures) == {
        f"{name}{kind}" for name in database.WHAT for kind in ("", "_ratio", "_extra_us")
    }
    assert all(figures[name] > 0 for name in database.WHAT)
    assert all(figures[f"{name}_ratio"] > 0 for name in database.WHAT)
