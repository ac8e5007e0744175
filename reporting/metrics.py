"""The KPIs: what is counted, and what the formulas make of it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from convomono.lib.display import MISSING, duration, percent, usd
from reporting.formulas import FORMULAS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.utils.functional import _StrPromise as LazyText

    from reporting.formulas import Formula, Unit

Z_95 = 1.959964
INTERVAL_BELOW = 1000  # product.md 5.2: an interval is shown for smaller samples


@dataclass(frozen=True)
class Figures:
    """
    What the formulas stand on, all over one filter.

    People are counted by enrolment: loaded, eligible (loaded less those who were invalid, suppressed
    or cancelled before any dial), dialled at least once (of them once, twice, three times, more often),
    reached (spoke to a person), converted, exhausted, opted out. Dials, connects, humans, machines, transfers
    tried and transferred count calls; so do timed (of the humans those of which it is known when the agent spoke
    first) and abandoned (of these, too late), checked (of the humans those whose opening was checked) and disclosed
    (of these, it said all it must). Callbacks due and kept are times that people asked for. Source of
    the symbols: docs/kpis.md.
    """

    loaded: int = 0
    eligible: int = 0
    dialled: int = 0
    dialled_once: int = 0
    dialled_twice: int = 0
    dialled_thrice: int = 0
    dialled_more: int = 0
    reached: int = 0
    converted: int = 0
    exhausted: int = 0
    opted_out: int = 0
    dials: int = 0
    connects: int = 0
    humans: int = 0
    machines: int = 0
    transfers_tried: int = 0
    transferred: int = 0
    timed: int = 0
    abandoned: int = 0
    checked: int = 0
    disclosed: int = 0
    callbacks_due: int = 0
    callbacks_kept: int = 0
    talk_ms: int = 0
    human_talk_ms: int = 0
    billed_seconds: int = 0
    client_cost_micros: int = 0
    retell_cost_micros: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            **{
                field.name: getattr(self, field.name) + getattr(other, field.name)
                for field in fields(self)
            }
        )

    @property
    def margin(self) -> Margin:
        return Margin(charged_micros=self.client_cost_micros, cost_micros=self.retell_cost_micros)


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a ratio."""

    low: float
    high: float


@dataclass(frozen=True)
class Kpi:
    """One computed figure with its formula; `value` is None where the denominator is 0."""

    code: str
    label: LazyText
    formula: LazyText
    unit: Unit
    value: float | None
    interval: Interval | None = None

    @property
    def text(self) -> str:
        """The value as people read it; a dash where there is nothing to divide by."""
        if self.value is None:
            return MISSING
        return _WRITE[self.unit](self.value)

    @property
    def interval_text(self) -> str:
        """The 95 % interval as people read it; empty where none is shown."""
        if self.interval is None:
            return ""
        return f"{percent(self.interval.low)} – {percent(self.interval.high)}"


_WRITE: dict[Unit, Callable[[float], str]] = {
    "ratio": percent,
    "number": lambda value: f"{value:.2f}",
    "seconds": lambda value: duration(round(value)),
    "micros": lambda value: usd(round(value)),
    "minutes": lambda value: f"{value:.2f}",
}


def ratio(part: float, whole: float) -> float | None:
    """Divide; None when there is nothing to divide by."""
    return part / whole if whole else None


def wilson(part: int, whole: int) -> Interval | None:
    """
    Return the 95 % interval of part / whole; None for an empty sample.

    Source: E. B. Wilson, 1927, "Probable inference, the law of succession, and statistical
    inference".
    """
    if not whole:
        return None
    share, z2 = min(part, whole) / whole, Z_95 * Z_95
    centre = share + z2 / (2 * whole)
    spread = Z_95 * sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    scale = 1 + z2 / whole
    return Interval(max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def kpis(figures: Figures) -> list[Kpi]:
    """Compute every KPI a client may see; agency-only figures (cost, margin) are not among them."""
    return [_computed(formula, figures) for formula in FORMULAS]


def talk_kpis(lengths: Mapping[int, int]) -> list[Kpi]:
    """
    Compute the median and the 90th percentile of talk, in whole seconds.

    `lengths` says for each length in seconds how many calls a person answered were that long.
    """
    half = _("Half of the calls a person answered were this long or shorter.")
    most = _("Nine of ten calls a person answered were this long or shorter.")
    return [
        Kpi("talk_median", _("Median talk time"), half, "seconds", percentile(lengths, 50)),
        Kpi("talk_p90", _("Talk time of nine in ten"), most, "seconds", percentile(lengths, 90)),
    ]


def percentile(counts: Mapping[int, int], per_cent: int) -> int | None:
    """Return the smallest value that so many per cent don't exceed (the nearest rank); None of nothing."""
    wanted, seen = -(-sum(counts.values()) * per_cent // 100), 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= wanted:
            return value
    return None


def _computed(formula: Formula, figures: Figures) -> Kpi:
    part, whole = formula.part(figures), formula.whole(figures)
    is_small = formula.unit == "ratio" and 0 < whole < INTERVAL_BELOW
    return Kpi(
        code=formula.code,
        label=formula.label,
        formula=formula.words,
        unit=formula.unit,
        value=ratio(part, whole),
        interval=wilson(int(part), int(whole)) if is_small else None,
    )


@dataclass(frozen=True)
class Margin:
    """What the agency earned: charged to clients less Retell's cost, in micros."""

    charged_micros: int
    cost_micros: int

    @property
    def margin_micros(self) -> int:
        return self.charged_micros - self.cost_micros

    @property
    def margin_ratio(self) -> float | None:
        return ratio(self.margin_micros, self.charged_micros)
