"""Whom an import met: those it added, and those it found there and changed, enrolled or heard the consent of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from convomono.lib.db import is_subquery_read_once
from leads.models import Lead, LeadImportChange

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

# Above that they are soon met in the order of any list; up to that their keys are put in order, in some 0.5 µs each.
MOST = 200_000
MOST_NAMED = 5000


def met_in_order(*, import_id: UUID) -> Q:
    """Return the condition for whoever looks at one lead after the other; one query."""
    found = Q(lead_import_id=import_id)
    changes = LeadImportChange.objects.filter(lead_import_id=import_id)
    if changes.exists():
        found |= Q(Exists(changes.filter(lead_id=OuterRef("pk"))))
    return found


def met_by_key(*, import_id: UUID, among: QuerySet[Lead]) -> Q | None:
    """
    Return the condition on the key alone, None if there are too many of them; two queries.

    Whoever was met last may be the last in the list: a page in its order would look at every lead before.
    """
    changed = LeadImportChange.objects.filter(lead_import_id=import_id).values("lead_id")
    added = among.filter(lead_import_id=import_id).values("pk")
    if is_subquery_read_once():
        few = changed[: MOST + 1].count() + added[: MOST + 1].count() <= MOST
        return Q(pk__in=changed.union(added, all=True)) if few else None
    keys = {row["lead_id"] for row in changed[: MOST_NAMED + 1]}
    keys |= {row["pk"] for row in added[: MOST_NAMED + 1]}
    return Q(pk__in=keys) if len(keys) <= MOST_NAMED else None
