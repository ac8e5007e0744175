"""The benchmark of the databases measures what it says, on the engine that the tests run on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from bench import books, campaign, database, dispatch, leads, week
from bench.rig import week as rig_week
from bench.rig.pages import Page
from campaigns.models import Attempt, BatchCall

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


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


def test_each_benchmark_has_a_section_and_each_section_a_benchmark():
    names = {path.stem for path in ROOT.glob("bench/[a-z]*.py")}
    sections = re.findall(r"^## (\w+)$", (ROOT / "bench" / "README.md").read_text(), re.MULTILINE)

    assert sorted(sections) == sorted(names)


CAMPAIGN = {
    "peak_live": 1000,
    "peak_needed": 1000,
    "status": "finished",
    "double_dials": 0,
    "page_closed": 0,
    "page_longest_silence_s": 1.2,
}


@pytest.mark.parametrize(
    ("worse", "broken"),
    [
        ({}, 0),
        ({"peak_live": 999}, 1),
        ({"status": "running"}, 1),
        ({"double_dials": 1}, 1),
        ({"page_closed": 1}, 1),
        ({"page_longest_silence_s": 3.1}, 1),
    ],
)
def test_fails_when_a_campaign_does_not_show_what_was_promised(worse, broken):
    assert len(campaign.missed(CAMPAIGN | worse)) == broken


@pytest.mark.parametrize(
    ("heard_at", "changed_after", "seconds"),
    [
        ([10.0, 20.0], [], 0.0),  # nothing happened, and nothing was to be heard
        ([10.5, 11.0, 22.0], [10.0, 20.0], 2.0),
        ([10.5], [10.0, 25.0], 5.0),  # until it was closed
        ([], [10.0], 20.0),
    ],
)
def test_takes_for_a_pages_silence_what_it_was_not_told_of(heard_at, changed_after, seconds):
    page = Page("ws://127.0.0.1/ws/app/", "", heard_at=heard_at, closed_at=30.0)

    assert page.longest_silence(changed_after) == seconds


def test_tells_people_what_a_campaign_came_to():
    figures = {
        "leads": 1000,
        "peak_live": 997,
        "peak_needed": 869,
        "seconds": 241.5,
        "page_messages": 812,
        "page_closed": 0,
        "page_longest_silence_s": 1.02,
        "double_dials": 0,
        "status": "finished",
        "calls": 1000,
        "events": 3000,
        "unsettled": 0,
        "waiting": 0,
        "wrong": ["The leads don't add up."],
    }

    lines = [" ".join(line.split()) for line in campaign.table(figures)]

    assert "leads called 1,000 of 1,000" in lines
    assert "calls at once, at most 997" in lines
    assert "and were to be 869" in lines
    assert lines[-1] == "WRONG: The leads don't add up."
    documented = (ROOT / "bench" / "README.md").read_text().partition("## campaign")[2]
    assert [name for name in figures if f"`{name}`" not in documented] == []


@pytest.mark.parametrize(
    ("number", "sent_at", "wrong"),
    [
        ("+12125550100", "2026-10-30T13:00+00:00", ""),  # nine in New York
        ("+12125550100", "2026-10-30T12:59+00:00", "Friday 08:59"),
        (
            "+12125550100",
            "2026-11-02T13:59+00:00",
            "Monday 08:59",
        ),  # an hour later than the week before
        ("+16025550100", "2026-11-02T16:00+00:00", ""),  # Arizona keeps its time
        ("+12125550100", "2026-11-01T15:00+00:00", "Sunday 10:00"),
        ("+442079460000", "2026-10-30T20:00+00:00", "Friday 20:00"),
    ],
)
def test_finds_calls_of_the_week_outside_their_hours(number, sent_at, wrong):
    attempt = Attempt(phone_number=number, status="ended", sent_at=datetime.fromisoformat(sent_at))

    found = list(rig_week.wrong_times([attempt]))

    assert (wrong in found[0] and len(found) == 1) if wrong else not found


def test_finds_a_fourth_call_of_the_week_within_a_day():
    at = datetime(2026, 10, 30, 14, 0, tzinfo=UTC)
    attempts = [
        Attempt(phone_number="+12125550100", status="ended", sent_at=at + timedelta(hours=hours))
        for hours in range(4)
    ]

    assert list(rig_week.wrong_times(attempts[:3])) == []
    assert "more than 3 times" in next(iter(rig_week.wrong_times(attempts)))


def test_finds_a_decision_of_the_week_that_explains_nothing():
    told = {"verdict": "allow", "rules": ["campaign.hours"], "inputs": {"zones": ["UTC"]}}

    assert list(rig_week.unexplained([Attempt(decision=told)])) == []
    for name in ("rules", "inputs"):
        assert list(rig_week.unexplained([Attempt(decision=told | {name: type(told[name])()})]))


def test_counts_for_how_long_a_week_said_that_calls_are_about_to_start():
    told, row = rig_week.Told(), BatchCall(status="running")
    says = "The next calls are about to start."

    told.look(row, says, has_dialled=False, at=0.0)
    told.look(row, says, has_dialled=True, at=7.0)
    told.look(row, says, has_dialled=False, at=8.0)
    told.look(row, says, has_dialled=False, at=10.0)
    told.look(row, "They wait for their hours.", has_dialled=False, at=20.0)

    assert (told.longest_silence, told.empty) == (2.0, 0)


def test_tells_people_what_a_week_came_to():
    figures = {
        "leads": 160,
        "days": 6.4,
        "status": "finished",
        "attempts": 500,
        "calls": 480,
        "double_dials": 0,
        "longest_silence_s": 1.5,
        "reasons": {"window": 800},
        "seconds": 980,
        "wrong": ["The leads don't add up."],
        "wrong_count": 1,
    }

    lines = [" ".join(line.split()) for line in week.table(figures)]

    assert {"leads 160", "days until all were done 6.4", "looked at: window 800"} < set(lines)
    assert lines[-1] == "WRONG: The leads don't add up."
    documented = (ROOT / "bench" / "README.md").read_text().partition("## week")[2]
    assert [name for name in figures if f"`{name}`" not in documented] == []


@pytest.mark.parametrize(("milliseconds", "slow"), [(250, []), (270, ["search_some"])])
def test_finds_a_search_that_looks_twice_too_slow(milliseconds, slow):
    figures = {f"{name}_cpu": 100.0 for name in leads.ASKED} | {"search_some_cpu": milliseconds}

    assert leads.too_slow(figures) == slow


def test_compares_the_pages_of_many_leads_with_those_of_few():
    figures = {"first_page": 30.0, "first_page_cpu": 20.0, "first_page_ratio": 1.25}

    (line,) = leads.table(figures | {"page_20": 1.0, "page_20_cpu": 1.0})[:1]

    assert " ".join(line.split()) == "first_page 30.0 ms 20.0 ms CPU 1.25 times"


def test_says_whether_a_large_ledger_is_as_quick_as_a_small_one():
    few, many = {"audit_cpu": 1.0}, {"audit_cpu": 200.0}

    assert books.flatness(few, many, "audit", 10_000, 1_000_000) == 0.5
