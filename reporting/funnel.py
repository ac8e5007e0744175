"""How far leads came, step by step, each with the share of the step before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns.how_far import HOW_FAR
from convomono.lib.display import percent
from reporting.metrics import ratio

if TYPE_CHECKING:
    from reporting.metrics import Figures


@dataclass(frozen=True)
class Step:
    """How many leads came so far, and the share of those of the step before; `far` filters the list of leads."""

    label: str
    count: int
    ratio: float | None
    far: str

    @property
    def query(self) -> str:
        """Return the query string of the list of these leads."""
        return f"?far={self.far}" if self.far else ""

    @property
    def text(self) -> str:
        return (
            f"{self.count:,} ({percent(self.ratio)})"
            if self.ratio is not None
            else f"{self.count:,}"
        )


def funnel(people: Figures) -> list[Step]:
    """Return the steps from the list to the goal; none while there is no lead."""
    if not people.loaded:
        return []
    steps = [Step(_("Leads"), people.loaded, None, "")]
    for far, (label, _leads) in HOW_FAR.items():
        count: int = getattr(people, far)
        steps.append(Step(str(label), count, ratio(count, steps[-1].count), far))
    return steps
