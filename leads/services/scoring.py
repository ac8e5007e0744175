"""The score of leads: kept on them, computed anew when they change."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from convomono.lib.db import atomic
from convomono.lib.reading import read_row
from leads.doors import campaigns
from leads.models import Lead, ScoreWeights
from leads.scoring import Score, points_of, score_of, weights_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

SLICE = 200
TAG_NAME = "tag_name"  # beside the numbers in `ScoreWeights.weights`


@dataclass(frozen=True)
class Weighing:
    """A client's weights and the tag that counts; empty if none does."""

    weights: Mapping[str, int]
    tag: str

    def score(self, lead: Lead) -> Score:
        return score_of(lead, weights=self.weights, tag=self.tag)

    def points(self, lead: Lead) -> int:
        return points_of(lead, weights=self.weights, tag=self.tag)


def weighing_of(client_id: UUID) -> Weighing:
    """Return how this client's leads are weighed; one query."""
    (found,) = read_row(ScoreWeights, {"client_id": client_id}, ("weights",)) or ({},)
    return Weighing(weights=weights_with(found), tag=str(found.get(TAG_NAME, "")))


def rescore(*, leads: Iterable[Lead], weighing: Weighing) -> int:
    """Write the scores of at most 200 leads that have another now, and their place in line; return how many."""
    changed: dict[int, list[UUID]] = defaultdict(list)
    for lead in leads:
        points = weighing.points(lead)
        if points != lead.score:
            changed[points].append(lead.pk)
    if changed:
        _write(changed)
    return sum(map(len, changed.values()))


@atomic
def _write(changed: Mapping[int, list[UUID]]) -> None:
    for points, ids in changed.items():
        Lead.objects.filter(pk__in=ids).update(score=points)
    campaigns().prioritise(changed)


def rescore_lead(lead_id: UUID) -> bool:
    """Compute one lead's score anew, inside the caller's transaction; True if it is another."""
    lead = Lead.objects.filter(pk=lead_id).first()
    return lead is not None and bool(rescore(leads=[lead], weighing=weighing_of(lead.client_id)))


def rescore_called(lead_id: UUID) -> None:
    """
    Do so after a call, and leave the line alone.

    There the next attempt's time has just been set, which comes before the score.
    """
    if lead := Lead.objects.filter(pk=lead_id).first():
        points = weighing_of(lead.client_id).points(lead)
        if points != lead.score:
            Lead.objects.filter(pk=lead_id).update(score=points)
