"""What a column of time zones may say, and what happens when nobody can tell what it means."""

from __future__ import annotations

import pytest

from leads.imports.columns import guess_mapping
from leads.imports.zones import zones_said
from leads.models import Lead
from tests.leads.test_import_files import found_in

NEW_YORK = ("America/New_York",)


@pytest.mark.parametrize(
    "said",
    [
        *("EST", "EDT", "est", "ET", "Eastern", "eastern time", "Eastern Standard Time"),
        *("US/Eastern", "EST5EDT", "Eastern Time (US & Canada)", "America/New_York"),
        *("(UTC-05:00) Eastern Time (US & Canada)", "america/new york", "US Eastern"),
    ],
)
def test_knows_the_usual_american_names(imported, said):
    done = imported(f'name,phone,time zone\nAda,2125550101,"{said}"\n')

    assert done.counts == {"new": 1}
    lead = Lead.objects.get()
    assert (lead.time_zone, lead.zone_candidates) == ("America/New_York", [])
    assert done.zones == {"US|America/New_York": 1}


@pytest.mark.parametrize(
    ("said", "country", "known", "zones"),
    [
        ("Central", "US", (), ("America/Chicago",)),
        ("PST", "US", NEW_YORK, ("America/Los_Angeles",)),  # what is said comes before the number
        ("Pacific Time", "CA", ("America/Vancouver",), ("America/Vancouver",)),
        ("Alaska", "US", (), ("America/Anchorage",)),
        ("HST", "US", (), ("Pacific/Honolulu",)),
        ("Atlantic", "CA", ("America/Halifax", "America/Toronto"), ("America/Halifax",)),
        # Arizona has no summer time: both, unless the place tells.
        ("MST", "US", NEW_YORK, ("America/Denver", "America/Phoenix")),
        ("Mountain", "US", ("America/Phoenix",), ("America/Phoenix",)),
        (
            "Eastern",
            "US",
            ("America/Chicago", "America/Indiana/Indianapolis"),
            ("America/Indiana/Indianapolis",),
        ),
        # Elsewhere what people there call it.
        ("CET", "DE", ("Europe/Berlin",), ("Europe/Berlin",)),
        ("BST", "GB", ("Europe/London",), ("Europe/London",)),
        ("AEST", "AU", ("Australia/Brisbane", "Australia/Perth"), ("Australia/Brisbane",)),
        ("EST", "AU", ("Australia/Sydney",), ()),
        # No place keeps these all year, or nobody knows them.
        ("UTC", "GB", ("Europe/London",), ()),
        ("Etc/GMT+5", "US", NEW_YORK, ()),
        ("GMT-5", "US", NEW_YORK, ()),
        ("Central European Time", "US", NEW_YORK, ()),
        ("Narnia", "US", NEW_YORK, ()),
    ],
)
def test_tells_zones_by_their_names(said, country, known, zones):
    assert zones_said(said, country, known) == zones


def test_counts_zones_that_nobody_understands_and_goes_by_the_number(imported):
    done = imported(
        "name,phone,time zone\nAda,2125550101,Narnia\nBob,2125550102,EST\nCy,2125550103,\n"
        "Di,12,Narnia\n"
    )

    assert done.counts == {"new": 3, "phone_too_short": 1, "tz_unread": 1}
    ada = Lead.objects.get(first_name="Ada")
    assert (ada.time_zone, ada.zone_candidates) == ("", ["America/New_York"])


def test_calls_in_the_hours_of_every_zone_that_a_name_may_mean(imported):
    done = imported("name,phone,time zone\nAda,2125550101,MST\n")

    assert done.counts == {"new": 1, "tz_uncertain": 1}
    lead = Lead.objects.get()
    assert (lead.time_zone, lead.zone_candidates) == ("", ["America/Denver", "America/Phoenix"])


def test_takes_a_column_of_such_names_for_the_time_zone():
    found = found_in(b"Phone,When,Where\n2125550101,Eastern,CT\n2125550102,PST,MT\n")

    assert guess_mapping(found, variables=(), remembered=None)["fields"] == {
        "phone_number": 0,
        "time_zone": 1,
        "region": 2,
    }
