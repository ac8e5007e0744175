"""How a lead's status came to be what it is, as lines of time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns.queries.leads_history import Line, source
from leads.models import Lead, LeadStatusChange

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_CHANGES = 50
Status = Lead.Status
_TONES = {
    Status.REACHED: "ok",
    Status.CONVERTED: "ok",
    Status.EXHAUSTED: "warn",
    Status.INVALID: "bad",
    Status.SUPPRESSED: "bad",
}


@dataclass(frozen=True)
class StatusHistory:
    """The lines, newest first; without `is_whole` older changes are known to be missing."""

    lines: list[Line]
    is_whole: bool


def status_history(lead: Lead) -> StatusHistory:
    """Read how a lead's status changed; one query, and one for its import if that isn't loaded."""
    found = LeadStatusChange.objects.filter(client_id=lead.client_id, lead=lead)
    rows = list(found.order_by("-created_at", "-pk")[: MOST_CHANGES + 1])
    shown = rows[:MOST_CHANGES]
    lines = [_line(row) for row in shown]
    if len(rows) <= MOST_CHANGES and all(row.before for row in rows):
        # Nobody wrote a line for what an import added: it began as new.
        lines.append(Line(str(Status.NEW.label), lead.created_at, source(lead), "flag", "info"))
    return StatusHistory(lines=lines, is_whole=len(rows) == len(shown) and _is_whole(lead, shown))


def _is_whole(lead: Lead, rows: Sequence[LeadStatusChange]) -> bool:
    """Tell whether each change begins where the one before it ended, and the last one at today's status."""
    first = rows[-1].before if rows else Status.NEW
    fits = all(newer.before == older.after for newer, older in pairwise(rows))
    last = rows[0].after if rows else Status.NEW
    return fits and first in {"", Status.NEW} and last == lead.status


def _line(row: LeadStatusChange) -> Line:
    who = row.changed_by_email if "@" in row.changed_by_email else _("the platform")
    said = [row.get_why_display(), who]
    if row.before:
        said.insert(0, _("before: %s") % row.get_before_display())
    tone = _TONES.get(Status(row.after), "info")
    return Line(
        str(row.get_after_display()), row.created_at, " · ".join(map(str, said)), "flag", tone
    )
