"""
Charts as numbers ready to be drawn: `components/chart_*.html` puts them into SVG.

Positions along x are per cent of the width and positions along y are pixels, so that a chart fits any width while its
text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from convomono.lib.shapes import (
    PAPER,
    PLOT_HEIGHT,
    PLOT_TOP,
    Axes,
    AxisLabel,
    Bar,
    BarChart,
    Dot,
    GridLine,
    LineChart,
    Part,
    Point,
    Row,
    Segment,
    Share,
)

__all__ = ["BarChart", "LineChart", "Point", "Share", "bar_chart", "line_chart", "share_chart"]

GAP = 0.4
"""Per cent of the width left free between the parts of a share."""
MOST_LABELS = 12
MOST_LABELS_ON_PHONES = 4
MOST_DOTS = 31
STEPS = 4
"""Grid lines above the base line."""
SERIES = len(PAPER)

type Formatter = Callable[[float], str]


def bar_chart(
    *,
    chart_id: str,
    title: str,
    category: str,
    name: str,
    points: Sequence[tuple[str, float]],
    text: Formatter | None = None,
) -> BarChart:
    """
    Lay out one bar per (label, value); a negative value counts as 0.

    `text` writes a value; by default as a whole number with its thousands apart.
    """
    write = text or _plain
    series = [Point(label=label, values=(max(0.0, value),)) for label, value in points]
    slot = 100 / max(1, len(series))
    centres = [slot * (index + 0.5) for index in range(len(series))]
    axes = _axes(chart_id, title, category, (name,), series, write, centres, is_inset=True)
    top = _top(series)
    bars = tuple(
        Bar(
            x=_round(centre - slot * 0.36),
            y=_y(point.values[0], top),
            width=_round(slot * 0.72),
            height=_round(PLOT_TOP + PLOT_HEIGHT - _y(point.values[0], top)),
            label=point.label,
            text=write(point.values[0]),
        )
        for point, centre in zip(series, centres, strict=True)
    )
    return BarChart(axes=axes, bars=bars)


def line_chart(
    *,
    chart_id: str,
    title: str,
    category: str,
    names: Sequence[str],
    points: Sequence[Point],
    text: Formatter | None = None,
) -> LineChart:
    """Lay out one line per name through the points in their order; a negative value counts as 0."""
    write = text or _plain
    series = [Point(label=p.label, values=tuple(max(0.0, v) for v in p.values)) for p in points]
    step = 100 / max(1, len(series) - 1)
    places = [step * index for index in range(len(series))]
    axes = _axes(chart_id, title, category, tuple(names), series, write, places, is_inset=False)
    top = _top(series)
    dots = tuple(
        Dot(
            series=number + 1,
            x=_round(place),
            y=_y(point.values[number], top),
            label=f"{point.label}, {name}" if len(names) > 1 else point.label,
            text=write(point.values[number]),
        )
        for number, name in enumerate(names)
        for point, place in zip(series, places, strict=True)
    )
    segments = tuple(
        Segment(series=left.series, x1=left.x, y1=left.y, x2=right.x, y2=right.y)
        for left, right in pairwise(dots)
        if left.series == right.series
    )
    return LineChart(axes=axes, segments=segments, dots=dots if len(series) <= MOST_DOTS else ())


def share_chart(
    *,
    chart_id: str,
    title: str,
    parts: Sequence[tuple[str, int] | tuple[str, int, str]],
) -> Share:
    """
    Lay out a whole as one bar; each part is (label, count) or (label, count, address of its rows).

    A part keeps its colour by its place, so pass the parts in one order always, empty ones too.
    """
    total = sum(part[1] for part in parts)
    laid: list[Part] = []
    x = 0.0
    for number, (label, value, *address) in enumerate(parts):
        share = value / total if total else 0.0
        laid.append(
            Part(
                label=label,
                value=value,
                share=share,
                x=_round(x),
                width=_round(max(0.0, share * 100 - GAP)),
                series=number % SERIES + 1,
                url=str(address[0]) if address else "",
            )
        )
        x += share * 100
    said = ", ".join(f"{part.label} {_plain(part.value)}" for part in laid)
    return Share(id=chart_id, title=title, description=said, total=total, parts=tuple(laid))


def _axes(
    chart_id: str,
    title: str,
    category: str,
    names: tuple[str, ...],
    series: Sequence[Point],
    write: Formatter,
    places: Sequence[float],
    *,
    is_inset: bool,
) -> Axes:
    top = _top(series)
    return Axes(
        id=chart_id,
        title=title,
        description=_description(series, write),
        category=category,
        names=names,
        rows=tuple(Row(p.label, tuple(write(value) for value in p.values)) for p in series),
        grid=tuple(
            GridLine(_y(top * n / STEPS, top), write(top * n / STEPS)) for n in range(STEPS + 1)
        ),
        labels=_labels(series, places, is_inset=is_inset),
    )


def _labels(
    series: Sequence[Point], places: Sequence[float], *, is_inset: bool
) -> tuple[AxisLabel, ...]:
    every = math.ceil(len(series) / MOST_LABELS)
    shown = range(0, len(series), max(1, every))
    every_on_phones = math.ceil(len(shown) / MOST_LABELS_ON_PHONES)
    return tuple(
        AxisLabel(
            x=_round(places[index]),
            text=series[index].label,
            anchor="middle" if is_inset else _anchor(places[index]),
            minor=order % max(1, every_on_phones) != 0,
        )
        for order, index in enumerate(shown)
    )


def _anchor(place: float) -> str:
    """Keep a label at either end of the plot inside it."""
    if place <= 0:
        return "start"
    return "end" if place >= 100 else "middle"  # noqa: PLR2004  # per cent


def _top(series: Sequence[Point]) -> float:
    """Return the end of the axis: the smallest 1, 2 or 5 times a power of ten, times the steps, that fits."""
    largest = max((value for point in series for value in point.values), default=0.0)
    if largest <= 0:
        return float(STEPS)
    rough = largest / STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if rough <= power * factor + 1e-9)
    return max(1.0, step) * STEPS if largest >= STEPS else step * STEPS


def _y(value: float, top: float) -> float:
    return _round(PLOT_TOP + PLOT_HEIGHT * (1 - value / top))


def _description(series: Sequence[Point], write: Formatter) -> str:
    if not series:
        return _("No figures yet.")
    largest = max(series, key=lambda point: point.values[0])
    return _("%(first)s to %(last)s; the largest is %(value)s (%(label)s).") % {
        "first": series[0].label,
        "last": series[-1].label,
        "value": write(largest.values[0]),
        "label": largest.label,
    }


def _plain(value: float) -> str:
    decimals = 0 if float(value).is_integer() else 1
    return number_format(round(value, 1), decimals, use_l10n=True, force_grouping=True)


def _round(value: float) -> float:
    return round(value, 2)
