"""Rounding, prices and sizes of holds, by table and by property."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from billing.rules import (
    Terms,
    affordable_hold,
    billable_seconds,
    crossed_percent,
    hold_seconds,
    price_micros,
    tax_in,
)

terms = st.builds(
    Terms,
    price_per_minute_micros=st.integers(0, 10_000_000),
    increment_seconds=st.sampled_from([1, 6, 7, 30, 60]),
    minimum_seconds=st.integers(0, 300),
)
durations = st.integers(0, 7_200_000)


@pytest.mark.parametrize(
    ("duration_ms", "increment", "minimum", "seconds"),
    [
        (-5, 1, 30, 0),
        (0, 1, 0, 0),
        (0, 60, 60, 0),
        (1, 1, 0, 1),
        (1, 6, 0, 6),
        (1, 60, 0, 60),
        (1, 1, 30, 30),
        (1, 60, 30, 60),
        (59_999, 1, 0, 60),
        (59_999, 6, 0, 60),
        (59_999, 60, 0, 60),
        (60_000, 1, 0, 60),
        (60_000, 6, 0, 60),
        (60_000, 60, 0, 60),
        (60_001, 1, 0, 61),
        (60_001, 6, 0, 66),
        (60_001, 60, 0, 120),
        (20_000, 6, 30, 30),
        (31_000, 6, 30, 36),
        (5_000, 6, 31, 36),
    ],
)
def test_rounds_talk_up_to_what_is_billed(duration_ms, increment, minimum, seconds):
    assert billable_seconds(duration_ms=duration_ms, terms=Terms(0, increment, minimum)) == seconds


@given(durations, durations, terms)
def test_bills_a_longer_call_never_less(one, other, terms):
    short, long = sorted((one, other))

    assert billable_seconds(duration_ms=short, terms=terms) <= billable_seconds(
        duration_ms=long, terms=terms
    )


@given(st.integers(1, 7_200_000), terms)
def test_bills_whole_increments_at_least_the_minimum_and_less_than_one_too_many(ms, terms):
    billed = billable_seconds(duration_ms=ms, terms=terms)

    assert billed % terms.increment_seconds == 0
    assert billed >= terms.minimum_seconds
    assert billed * 1000 >= ms
    assert billed < max(ms / 1000 + 1, terms.minimum_seconds) + terms.increment_seconds


@given(durations, terms)
def test_bills_what_was_billed_before_the_same(ms, terms):
    billed = billable_seconds(duration_ms=ms, terms=terms)

    assert billable_seconds(duration_ms=billed * 1000, terms=terms) == billed


@pytest.mark.parametrize(
    ("seconds", "price", "micros"),
    [(0, 250_000, 0), (60, 250_000, 250_000), (1, 250_000, 4167), (90, 1, 2), (59, 100, 99)],
)
def test_prices_seconds_up_to_the_next_micro(seconds, price, micros):
    assert price_micros(seconds=seconds, terms=Terms(price)) == micros


@given(st.integers(0, 10_000), terms)
def test_prices_within_a_micro_of_the_exact_amount(seconds, terms):
    exact_sixtieths = seconds * terms.price_per_minute_micros

    assert 0 <= price_micros(seconds=seconds, terms=terms) * 60 - exact_sixtieths < 60


@pytest.mark.parametrize(
    ("length", "increment", "wanted"), [(10, 1, 60), (90, 1, 90), (90, 60, 120)]
)
def test_holds_what_the_longest_call_may_cost(length, increment, wanted):
    assert hold_seconds(max_call_seconds=length, terms=Terms(0, increment)) == wanted


@pytest.mark.parametrize(
    ("wanted", "free", "increment", "held"),
    [
        (300, 1000, 1, 300),
        (300, 100, 1, 100),
        (300, 60, 1, 60),
        (300, 59, 1, 0),
        (300, 119, 60, 60),
        (120, 65, 7, 63),
        (120, 62, 7, 0),
        (300, 0, 1, 0),
    ],
)
def test_holds_at_most_what_is_free_in_whole_increments(wanted, free, increment, held):
    terms = Terms(0, increment)

    assert affordable_hold(wanted_seconds=wanted, free_seconds=free, terms=terms) == held


@given(st.integers(0, 3600), st.integers(0, 3600), terms)
def test_bills_a_call_cut_at_its_hold_no_more_than_the_hold(length, free, terms):
    wanted = hold_seconds(max_call_seconds=length, terms=terms)
    held = affordable_hold(wanted_seconds=wanted, free_seconds=free, terms=terms)

    assert held <= free
    assert billable_seconds(duration_ms=held * 1000, terms=terms) == held


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [
        (501, 500, 50),
        (600, 499, 50),
        (300, 201, None),
        (201, 200, 20),
        (200, 199, None),
        (150, 90, 10),
        (250, 90, 10),
        (50, 0, 0),
        (300, 0, 0),
        (0, 0, None),
        (0, -5, None),
        (5, -5, 0),
    ],
)
def test_tells_the_lowest_share_that_was_reached(before, after, percent):
    assert crossed_percent(before_seconds=before, after_seconds=after, full_seconds=1000) == percent


@pytest.mark.parametrize("wrong", [(-1, 1, 0), (0, 0, 0), (0, 1, -1)])
def test_refuses_terms_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=r"least|negative"):
        Terms(*wrong)


@pytest.mark.parametrize(
    ("amount", "points", "tax"),
    [(108_250_000, 825, 8_250_000), (120, 2000, 20), (5, 0, 0), (3, 2000, 1), (2, 2000, 0)],
)
def test_finds_the_tax_in_an_amount(amount, points, tax):
    assert tax_in(amount_micros=amount, basis_points=points) == tax
