"""The KPIs: what is counted, and every formula with the words of its tooltip."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext_lazy as _

from convomono.lib.display import MISSING, duration, percent, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.utils.functional import _StrPromise as LazyText

type Unit = Literal["ratio", "number", "seconds", "micros", "minutes"]
Z_95 = 1.959964
INTERVAL_BELOW = 1000  # product.md 5.2: an interval is shown for smaller samples


@dataclass(frozen=True)
class Figures:
    """
    What the formulas stand on, all over one filter.

    People are counted by enrolment: loaded, eligible (loaded less those who were invalid, suppressed
    or cancelled before any dial), dialled at least once (of them once, twice, three times, more often),
    reached (spoke to a person), converted, exhausted, opted out. Dials, connects, humans, machines and
    transferred count calls; callbacks due and kept are times that people asked for. Source of the symbols:
    docs/kpis.md.
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
    transferred: int = 0
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


@dataclass(frozen=True)
class _Formula:
    code: str
    label: LazyText
    words: LazyText
    unit: Unit
    part: Callable[[Figures], float]
    whole: Callable[[Figures], float]


_FORMULAS = (
    _Formula(
        "connect_rate",
        _("Connect rate"),
        _("Calls answered by anything ÷ dials. Voicemail counts as an answer."),
        "ratio",
        lambda f: f.connects,
        lambda f: f.dials,
    ),
    _Formula(
        "pick_up_rate",
        _("Pick-up rate"),
        _("Calls a person answered ÷ dials. Voicemail does not count."),
        "ratio",
        lambda f: f.humans,
        lambda f: f.dials,
    ),
    _Formula(
        "contact_rate",
        _("Contact rate"),
        _("Leads who spoke with the agent ÷ leads dialled at least once."),
        "ratio",
        lambda f: f.reached,
        lambda f: f.dialled,
    ),
    _Formula(
        "penetration",
        _("Penetration"),
        _("Leads dialled at least once ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.dialled,
        lambda f: f.eligible,
    ),
    _Formula(
        "exhaustion",
        _("Exhaustion"),
        _("Leads never reached in all their attempts ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.exhausted,
        lambda f: f.eligible,
    ),
    _Formula(
        "voicemail_rate",
        _("Voicemail rate"),
        _("Calls a machine answered ÷ dials."),
        "ratio",
        lambda f: f.machines,
        lambda f: f.dials,
    ),
    _Formula(
        "conversion_of_contacts",
        _("Conversion of contacts"),
        _("Leads who reached the goal ÷ leads who spoke with the agent."),
        "ratio",
        lambda f: f.converted,
        lambda f: f.reached,
    ),
    _Formula(
        "conversion_of_list",
        _("Conversion of list"),
        _("Leads who reached the goal ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.converted,
        lambda f: f.eligible,
    ),
    _Formula(
        "opt_out_rate",
        _("Opt-out rate"),
        _("Leads who asked not to be called ÷ leads who spoke with the agent."),
        "ratio",
        lambda f: f.opted_out,
        lambda f: f.reached,
    ),
    _Formula(
        "transfer_rate",
        _("Transfer rate"),
        _("Calls that ended by a transfer to somebody else ÷ calls a person answered."),
        "ratio",
        lambda f: f.transferred,
        lambda f: f.humans,
    ),
    _Formula(
        "callback_kept_rate",
        _("Calls back kept"),
        _("Calls back dialled within 15 minutes of the asked time ÷ calls back that were due."),
        "ratio",
        lambda f: f.callbacks_kept,
        lambda f: f.callbacks_due,
    ),
    _Formula(
        "attempts_per_lead",
        _("Attempts per lead"),
        _("Dials ÷ leads dialled at least once."),
        "number",
        lambda f: f.dials,
        lambda f: f.dialled,
    ),
    *(
        _Formula(
            code,
            label,
            _("Leads dialled that often ÷ leads dialled at least once."),
            "ratio",
            attrgetter(code),
            lambda f: f.dialled,
        )
        for code, label in (
            ("dialled_once", _("Dialled once")),
            ("dialled_twice", _("Dialled twice")),
            ("dialled_thrice", _("Dialled three times")),
            ("dialled_more", _("Dialled four times or more")),
        )
    ),
    _Formula(
        "attempts_per_contact",
        _("Attempts per contact"),
        _("Dials ÷ calls a person answered."),
        "number",
        lambda f: f.dials,
        lambda f: f.humans,
    ),
    _Formula(
        "aht",
        _("Average talk time"),
        _("Seconds of calls a person answered ÷ those calls."),
        "seconds",
        lambda f: f.human_talk_ms / 1000,
        lambda f: f.humans,
    ),
    _Formula(
        "cost_per_dial",
        _("Cost per dial"),
        _("What the calls were charged ÷ dials."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.dials,
    ),
    _Formula(
        "cost_per_contact",
        _("Cost per contact"),
        _("What the calls were charged ÷ leads who spoke with the agent."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.reached,
    ),
    _Formula(
        "cost_per_lead",
        _("Cost per lead"),
        _("What the calls were charged ÷ leads that may be dialled."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.eligible,
    ),
    _Formula(
        "cost_per_conversion",
        _("Cost per conversion"),
        _("What the calls were charged ÷ leads who reached the goal."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.converted,
    ),
    _Formula(
        "effective_rate",
        _("Effective rate per minute"),
        _("What the calls were charged ÷ billed minutes."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.billed_seconds / 60,
    ),
    _Formula(
        "minutes_per_conversion",
        _("Minutes per conversion"),
        _("Connected minutes ÷ leads who reached the goal."),
        "minutes",
        lambda f: f.talk_ms / 60_000,
        lambda f: f.converted,
    ),
)


def kpis(figures: Figures) -> list[Kpi]:
    """Compute every KPI a client may see; agency-only figures (cost, margin) are not among them."""
    return [_computed(formula, figures) for formula in _FORMULAS]


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


def _computed(formula: _Formula, figures: Figures) -> Kpi:
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
