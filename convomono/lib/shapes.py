"""
What a chart consists of: marks with their places, ready to be drawn.

Positions along x are per cent of the width and positions along y are pixels. `ink` is a mark's colour on paper: a PDF's
pictures don't read style sheets, only attributes.
"""

from __future__ import annotations

from dataclasses import dataclass

PLOT_TOP = 8.0
PLOT_HEIGHT = 160.0
LABEL_ROOM = 26.0
DIGIT_WIDTH = 8.0
"""Pixels that one character of an axis label takes, rounded up."""
PAPER = ("#2d55d8", "#0f8a8a", "#b36b00", "#7a828f", "#c5384c", "#7b4bb8")
"""The light theme's chart colours."""


@dataclass(frozen=True, slots=True)
class Point:
    """One category or day with its values, one per series."""

    label: str
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class GridLine:
    y: float
    text: str

    @property
    def text_y(self) -> float:
        return self.y + 4


@dataclass(frozen=True, slots=True)
class AxisLabel:
    x: float
    text: str
    anchor: str
    minor: bool


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Axes:
    """What bar and line charts share, with the figures as a table."""

    id: str
    title: str
    description: str
    category: str
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    grid: tuple[GridLine, ...]
    labels: tuple[AxisLabel, ...]

    @property
    def gutter(self) -> float:
        """Pixels beside the plot that the widest value needs."""
        longest = max((len(line.text) for line in self.grid), default=1)
        return longest * DIGIT_WIDTH + 10

    @property
    def text_x(self) -> float:
        return self.gutter - 10

    @property
    def height(self) -> float:
        return PLOT_TOP + PLOT_HEIGHT + LABEL_ROOM

    @property
    def label_y(self) -> float:
        return PLOT_TOP + PLOT_HEIGHT + 18


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    text: str
    ink: str = PAPER[0]


@dataclass(frozen=True, slots=True)
class BarChart:
    axes: Axes
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    series: int
    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def ink(self) -> str:
        return PAPER[self.series - 1]


@dataclass(frozen=True, slots=True)
class Dot:
    series: int
    x: float
    y: float
    label: str
    text: str

    @property
    def ink(self) -> str:
        return PAPER[self.series - 1]


@dataclass(frozen=True, slots=True)
class LineChart:
    axes: Axes
    segments: tuple[Segment, ...]
    dots: tuple[Dot, ...]

    @property
    def keys(self) -> list[tuple[int, str, str]]:
        """Number, colour on paper and name of each line."""
        return [(n, PAPER[n - 1], name) for n, name in enumerate(self.axes.names, 1)]


@dataclass(frozen=True, slots=True)
class Part:
    label: str
    value: int
    share: float
    x: float
    width: float
    series: int
    url: str

    @property
    def ink(self) -> str:
        return PAPER[self.series - 1]


@dataclass(frozen=True, slots=True)
class Share:
    """A whole in parts; `share` is 0 to 1 and the parts' shares add up to 1 unless the whole is 0."""

    id: str
    title: str
    description: str
    total: int
    parts: tuple[Part, ...]
