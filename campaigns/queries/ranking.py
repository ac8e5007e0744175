"""Campaigns in the order somebody asked for, and several side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Max, Sum
from django.utils.translation import gettext_lazy as _

from campaigns.experiments import LEAST_REACHED
from campaigns.models import BatchCall, Campaign
from campaigns.queries.launches import Totals, launches_of, totals_of
from campaigns.queries.progress import add_up, shown_status, status_label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from campaigns.queries.progress import Progress

SORTS = (
    ("", _("Newest first")),
    ("name", _("Name")),
    ("changed", _("Changed last")),
    ("dialled", _("Dialled last")),
    ("conversion", _("Best conversion")),
)
_COLUMNS = {"name": ("name", "pk"), "changed": ("-updated_at", "-pk")}
# So many campaigns are put in an order that their launches decide.
MOST_RANKED = 1000
MOST_COMPARED = 6
_Z = 1.96  # 95 %


@dataclass(frozen=True)
class _Sums:
    reached: int = 0
    converted: int = 0
    last: datetime | None = None

    @property
    def floor(self) -> float:
        """The lower end of the conversion's interval: one of one isn't better than fifty of sixty."""
        return wilson(self.converted, self.reached)[0] if self.reached else -1.0


def sorted_campaigns(rows: QuerySet[Campaign], sort: str, client_id: UUID) -> QuerySet[Campaign]:
    """Return campaigns in an order of SORTS; what their launches decide takes two queries more."""
    if sort in _COLUMNS:
        return rows.order_by(*_COLUMNS[sort])
    if sort not in {"dialled", "conversion"}:
        return rows
    sums = _sums(client_id)
    keys = list(rows.values_list("pk", flat=True)[:MOST_RANKED])
    nothing = _Sums()

    def rank(key: UUID) -> float:
        one = sums.get(key, nothing)
        if sort == "conversion":
            return one.floor
        return one.last.timestamp() if one.last else 0.0

    # A stable sort: equals stay newest first.
    return _in_order(rows, sorted(keys, key=rank, reverse=True))


class _Ranked:
    """Ids in order that page like a QuerySet: the rows of a slice are fetched when it is taken."""

    def __init__(self, rows: QuerySet[Campaign], keys: Sequence[UUID]) -> None:
        self.rows, self.keys = rows, keys

    def __getitem__(self, part: slice) -> list[Campaign]:
        wanted = self.keys[part]
        found = {row.pk: row for row in self.rows.order_by().filter(pk__in=wanted)}
        return [found[key] for key in wanted if key in found]

    def order_by(self) -> QuerySet[Campaign]:
        return self.rows.order_by()


def _in_order(rows: QuerySet[Campaign], keys: Sequence[UUID]) -> QuerySet[Campaign]:
    return _Ranked(rows, keys)  # type: ignore[return-value]  # has what `list_page` asks of one


def _sums(client_id: UUID) -> dict[UUID, _Sums]:
    rows = BatchCall.objects.filter(client_id=client_id).order_by().values_list("campaign_id")
    summed = rows.annotate(
        reached=Sum("done_count"), converted=Sum("converted_count"), last=Max("last_dialled_at")
    )
    return {key: _Sums(reached, converted, last) for key, reached, converted, last in summed}


# -- Side by side ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One campaign among others: what it brought and took so far."""

    campaign: Campaign
    status: str
    label: str
    progress: Progress
    converted: int
    spent_micros: int
    talked_seconds: int

    @property
    def reached(self) -> int:
        return self.progress.by_status["done"]

    @property
    def tried(self) -> int:
        """Leads that are through, but for those who were never to be called."""
        return self.reached + self.progress.by_status["exhausted"]

    @property
    def contact_ratio(self) -> float | None:
        return self.reached / self.tried if self.tried else None

    @property
    def conversion_ratio(self) -> float | None:
        return self.converted / self.reached if self.reached else None

    @property
    def conversion_interval(self) -> tuple[float, float] | None:
        return wilson(self.converted, self.reached) if self.reached else None

    @property
    def hours(self) -> str:
        """The campaign's own hours, "09:00–20:00"."""
        window = self.campaign.calling_window
        opens, closes = window.opens_minute, window.closes_minute
        return f"{opens // 60:02}:{opens % 60:02}–{closes // 60:02}:{closes % 60:02}"

    @property
    def micros_per_reached(self) -> int | None:
        return self.spent_micros // self.reached if self.reached else None

    @property
    def micros_per_conversion(self) -> int | None:
        return self.spent_micros // self.converted if self.converted else None


def compared(campaigns: Sequence[Campaign]) -> list[Compared]:
    """Return campaigns side by side, in the order given; two queries whatever the number."""
    totals = totals_of(campaigns)
    launches = launches_of(campaigns, totals)
    found = []
    for campaign in campaigns:
        rows = launches.get(campaign.pk, [])
        sums = totals.get(campaign.pk, Totals())
        status = shown_status(campaign, rows)
        found.append(
            Compared(
                campaign=campaign,
                status=status,
                label=status_label(status),
                progress=add_up(rows, totals=sums),
                converted=sums.converted,
                spent_micros=sums.minutes.cost_micros,
                talked_seconds=sums.minutes.charged,
            )
        )
    return found


def is_certain(rows: Sequence[Compared]) -> bool:
    """Tell whether the best conversion's interval lies above all others', and nobody's rests on a few."""
    if not rows or any(row.reached < LEAST_REACHED for row in rows):
        return False
    known = [row.conversion_interval for row in rows if row.conversion_interval]
    best = max(known, key=lambda interval: interval[0])
    return all(one is best or one[1] < best[0] for one in known)


def wilson(hits: int, number: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of a ratio; `number` is above 0."""
    p = hits / number
    middle = (p + _Z * _Z / (2 * number)) / (1 + _Z * _Z / number)
    half = (_Z * math.sqrt(p * (1 - p) / number + _Z * _Z / (4 * number * number))) / (
        1 + _Z * _Z / number
    )
    return max(0.0, middle - half), min(1.0, middle + half)
