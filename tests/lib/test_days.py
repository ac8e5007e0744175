"""Days and months that people type, and what no calendar of calls has."""

from __future__ import annotations

from datetime import date

import pytest
from django.core.exceptions import ValidationError

from convomono.lib.days import DayField, month_or_none
from tests.factories.billing import open_wallet


@pytest.mark.parametrize("typed", ["0001-01-01", "1999-12-31", "9999-12-31", "2101-01-01", "x"])
def test_refuses_days_of_other_centuries(typed):
    with pytest.raises(ValidationError):
        DayField().clean(typed)


def test_takes_a_day_and_a_month():
    assert DayField().clean("2026-11-25") == date(2026, 11, 25)
    assert month_or_none("2026-11") == date(2026, 11, 1)
    assert [month_or_none(typed) for typed in ("0001-01", "9999-12", "2026-13", "")] == [None] * 4


@pytest.mark.parametrize(
    "address",
    [
        "/app/billing/?last_on=9999-12-31",
        "/app/leads/?added_to=9999-12-31",
        "/app/calls/?until=9999-12-31&since=0001-01-01",
    ],
)
def test_shows_the_page_whatever_the_address_says(browse, alice, address):
    open_wallet(alice.client)
    assert browse(alice).get(address).status_code == 200


@pytest.mark.parametrize("month", ["0001-01", "9999-12", "x"])
def test_shows_margins_whatever_the_address_says(browse, root, month):
    assert browse(root).get(f"/agency/money/margins/?month={month}").status_code == 200
