"""Charts lie inside their plot, on axes that end at round figures."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from convomono.lib.charts import BarChart, Point, bar_chart, line_chart, share_chart

COUNTS = st.lists(st.integers(min_value=0, max_value=10**9), max_size=60)


def bars(*values: float) -> BarChart:
    points = [(f"day {number}", value) for number, value in enumerate(values, 1)]
    return bar_chart(chart_id="c", title="Dials", category="Day", name="Dials", points=points)


@given(COUNTS)
def test_keeps_every_bar_inside_the_plot(values: list[int]) -> None:
    chart = bars(*values)

    for bar in chart.bars:
        assert 0 <= bar.x <= bar.x + bar.width <= 100.01
        assert chart.axes.grid[-1].y <= bar.y + 0.01
        assert bar.y + bar.height == pytest.approx(chart.axes.grid[0].y, abs=0.02)


@pytest.mark.parametrize(
    ("largest", "top"), [(0, "4"), (1, "1"), (3, "4"), (7, "8"), (640, "800"), (4100, "8,000")]
)
def test_ends_the_axis_at_a_round_figure(largest: int, top: str) -> None:
    assert bars(largest).axes.grid[-1].text == top


def test_draws_a_bar_in_proportion() -> None:
    small, large = bars(200, 400).bars

    assert large.height == pytest.approx(2 * small.height, abs=0.02)


def test_draws_nothing_and_says_so_without_figures() -> None:
    chart = bars()

    assert chart.bars == ()
    assert chart.axes.description == "No figures yet."


def test_thins_the_labels_and_more_so_on_phones() -> None:
    labels = bars(*range(60)).axes.labels

    assert len(labels) <= 12
    assert sum(not label.minor for label in labels) <= 4


def test_joins_the_points_of_one_line_only() -> None:
    points = [Point("a", (1, 2)), Point("b", (3, 4)), Point("c", (5, 6))]
    chart = line_chart(
        chart_id="c", title="Rates", category="Day", names=["Connect", "Pick-up"], points=points
    )

    assert [segment.series for segment in chart.segments] == [1, 1, 2, 2]
    assert [dot.x for dot in chart.dots] == [0, 50, 100, 0, 50, 100]
    assert chart.axes.rows[0].texts == ("1", "2")


@given(st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=6))
def test_divides_a_whole_without_rest(values: list[int]) -> None:
    chart = share_chart(
        chart_id="c", title="Outcomes", parts=[(str(number), n) for number, n in enumerate(values)]
    )

    assert chart.total == sum(values)
    assert sum(part.share for part in chart.parts) == pytest.approx(1 if sum(values) else 0)
    assert all(0 <= part.x <= part.x + part.width <= 100.01 for part in chart.parts)


def test_keeps_a_parts_colour_when_another_is_empty() -> None:
    full = share_chart(chart_id="c", title="t", parts=[("a", 1), ("b", 1), ("c", 1)])
    gap = share_chart(chart_id="c", title="t", parts=[("a", 1), ("b", 0), ("c", 1)])

    assert [part.series for part in full.parts] == [part.series for part in gap.parts] == [1, 2, 3]
