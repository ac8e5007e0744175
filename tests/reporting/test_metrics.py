"""The KPI formulas of docs/kpis.md, by table and by property."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from reporting.metrics import Figures, Margin, kpis, percentile, talk_kpis, wilson

FIGURES = Figures(
    loaded=100,
    eligible=80,
    dialled=60,
    dialled_once=30,
    dialled_twice=15,
    dialled_thrice=9,
    dialled_more=6,
    reached=20,
    converted=5,
    exhausted=8,
    opted_out=1,
    dials=120,
    connects=72,
    humans=24,
    machines=48,
    transfers_tried=8,
    transferred=6,
    timed=20,
    abandoned=1,
    checked=16,
    disclosed=12,
    callbacks_due=10,
    callbacks_kept=9,
    talk_ms=3_600_000,
    human_talk_ms=2_400_000,
    billed_seconds=3_600,
    client_cost_micros=15_000_000,
    retell_cost_micros=7_200_000,
)


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("connect_rate", 72 / 120),
        ("pick_up_rate", 24 / 120),
        ("contact_rate", 20 / 60),
        ("penetration", 60 / 80),
        ("exhaustion", 8 / 80),
        ("voicemail_rate", 48 / 120),
        ("conversion_of_contacts", 5 / 20),
        ("conversion_of_list", 5 / 80),
        ("opt_out_rate", 1 / 20),
        ("attempts_per_lead", 120 / 60),
        ("attempts_per_contact", 120 / 24),
        ("aht", 100),
        ("cost_per_dial", 125_000),
        ("cost_per_contact", 750_000),
        ("cost_per_lead", 187_500),
        ("cost_per_conversion", 3_000_000),
        ("minutes_per_conversion", 12),
        ("transfer_rate", 6 / 24),
        ("transfer_success", 6 / 8),
        ("abandonment", 1 / 20),
        ("disclosure_pass_rate", 12 / 16),
        ("callback_kept_rate", 9 / 10),
        ("dialled_once", 30 / 60),
        ("dialled_twice", 15 / 60),
        ("dialled_thrice", 9 / 60),
        ("dialled_more", 6 / 60),
        ("effective_rate", 250_000),
    ],
)
def test_computes_each_figure_by_its_formula(code, value):
    found = {kpi.code: kpi.value for kpi in kpis(FIGURES)}

    assert found[code] == pytest.approx(value)


def test_shows_a_dash_where_there_is_nothing_to_divide_by():
    assert {kpi.text for kpi in [*kpis(Figures()), *talk_kpis({})]} == {"–"}


def test_shows_an_interval_for_small_samples_only():
    large = Figures(dials=1000, humans=200)
    small = Figures(dials=999, humans=200)

    assert _kpi(large, "pick_up_rate").interval is None
    assert _kpi(small, "pick_up_rate").interval_text == "17.7% – 22.6%"


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_keeps_the_interval_round_the_share(sample):
    part, whole = sample
    interval = wilson(part, whole)

    assert interval is not None
    assert 0 <= interval.low <= part / whole + 1e-9
    assert part / whole - 1e-9 <= interval.high <= 1


@given(st.lists(st.integers(0, 600), min_size=1), st.sampled_from([50, 90]))
def test_takes_the_value_that_so_many_do_not_exceed(lengths, per_cent):
    found = percentile(Counter(lengths), per_cent)

    assert found == sorted(lengths)[-(-len(lengths) * per_cent // 100) - 1]


def test_says_how_long_half_and_nine_in_ten_calls_are():
    assert [kpi.value for kpi in talk_kpis({20: 5, 60: 4, 600: 1})] == [20, 60]


def test_knows_no_interval_of_nothing():
    assert wilson(0, 0) is None


def test_earns_the_charge_less_the_cost():
    assert FIGURES.margin == Margin(charged_micros=15_000_000, cost_micros=7_200_000)
    assert FIGURES.margin.margin_micros == 7_800_000
    assert FIGURES.margin.margin_ratio == pytest.approx(0.52)


def _kpi(figures, code):
    return next(kpi for kpi in kpis(figures) if kpi.code == code)
