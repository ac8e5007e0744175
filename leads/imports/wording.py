"""Sentences about an import that pages, notifications and the API share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.imports.verdicts import KEPT, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

_VERDICTS = frozenset(Verdict)


def skipped(counts: Mapping[str, int]) -> int:
    """Return how many rows become no lead."""
    return sum(number for name, number in counts.items() if name in _VERDICTS and name not in KEPT)


def sums_sentence(counts: Mapping[str, int]) -> str:
    """Return what became of the rows: new, updated, skipped."""
    return _("%(new)s new · %(updated)s updated · %(skipped)s skipped") % {
        "new": f"{counts.get(Verdict.NEW, 0) + counts.get(Verdict.NO_CONSENT, 0):,}",
        "updated": f"{counts.get(Verdict.UPDATE, 0):,}",
        "skipped": f"{skipped(counts):,}",
    }
