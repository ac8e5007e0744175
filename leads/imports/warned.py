"""What an import warns of, how often, and the rows it warns of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib.pages import PAGE_ROWS, ListPage, page_number
from leads.imports.dry_run import SHOWN_NEW_ROWS
from leads.imports.screens import ShownRow, shown_places, shown_row
from leads.imports.verdict_file import read
from leads.imports.verdicts import ACTIVE_ELSEWHERE, WARNINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leads.imports.verdict_file import StoredRow
    from leads.models import LeadImport


@dataclass(frozen=True)
class WarningCount:
    """One warning of an import: in how many rows, and of which campaign if it is about one."""

    warning: str
    campaign: str
    label: str
    count: int


def warning_counts(lead_import: LeadImport) -> list[WarningCount]:
    """Return what the import warns of, in the order it came up."""
    found = []
    for key, count in lead_import.counts.items():
        warning, _colon, campaign = key.partition(":")
        if warning in WARNINGS:
            label = warning_label(warning, campaign)
            found.append(WarningCount(warning, campaign, label, count))
    return found


def warning_label(warning: str, campaign: str) -> str:
    """Return a warning in words."""
    if warning == ACTIVE_ELSEWHERE and campaign:
        return _("Waiting or being called in “%s” as well") % campaign
    return str(WARNINGS[warning])


def rows_with_warning(
    *, lead_import: LeadImport, warning: str, campaign: str, page: str | None
) -> ListPage[ShownRow]:
    """Return a page of the rows with a warning, of which the first 1,000 are kept, in file order."""
    key = f"{warning}:{campaign}" if campaign else warning
    number = page_number(page)
    with read(lead_import.verdicts_name) as ledger:
        if ledger is None:
            return ListPage([], 1, has_next=False, total="0")
        skip = (number - 1) * PAGE_ROWS
        found = list(ledger.warned(key, skip=skip, limit=PAGE_ROWS + 1))
    places = shown_places(lead_import)
    rows = [shown_row(row, places=places) for row in found[:PAGE_ROWS]]
    total = min(lead_import.counts.get(key, 0), SHOWN_NEW_ROWS)
    return ListPage(rows, number, has_next=len(found) > PAGE_ROWS, total=f"{total:,}")


def is_warning(key: str) -> bool:
    """Tell whether `LeadImport.counts` may have this key for a warning: its word, or one about a campaign."""
    warning, _colon, campaign = key.partition(":")
    return warning in WARNINGS and (not campaign or warning == ACTIVE_ELSEWHERE)


def warned_rows(lead_import: LeadImport, key: str, *, after: int) -> Iterator[StoredRow]:
    """Yield the rows kept of a warning as `counts` names it, those behind row `after`, in file order."""
    with read(lead_import.verdicts_name) as ledger:
        if ledger is not None:
            yield from ledger.warned(key, after=after)


def first_warned(lead_import: LeadImport, warning: str, campaign: str) -> int:
    """Return of how many rows with a warning the first ones are kept; 0 if all are."""
    key = f"{warning}:{campaign}" if campaign else warning
    return SHOWN_NEW_ROWS if lead_import.counts.get(key, 0) > SHOWN_NEW_ROWS else 0
