"""Whoever a file says asked not to be called goes on the client's do-not-call list, with all their numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.imports.verdicts import Verdict
from leads.models import Suppression
from leads.services.statuses import Cause, Why
from leads.services.suppressions import keep_listed, mark_leads, new_entries

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from leads.imports.rows import ReadRow
    from leads.imports.work import Work


@dataclass(frozen=True)
class Listing:
    """The entries that a chunk's rows make, and the keys of those that are there already."""

    client_id: UUID
    entries: list[Suppression]
    there: list[str]
    cause: Cause

    def write(self) -> None:
        """
        Write the entries inside the caller's transaction; whoever waits to be called waits for nothing.

        :raises IntegrityError: if one of them is there by now
        """
        Suppression.objects.bulk_create(self.entries)
        # An undo of the list that had put them there leaves them from now on.
        keep_listed(scope_keys=self.there, operation_id=None)
        mark_leads(
            client_id=self.client_id,
            phone_numbers=[one.phone_number for one in self.entries],
            cause=self.cause,
        )


def listing_of(work: Work, rows: Sequence[ReadRow], *, now: datetime) -> Listing | None:
    """Return what these rows put on the client's list; None if nobody among them asked not to be called."""
    asked = {
        f"+{number}": row
        for row in rows
        if row.verdict == Verdict.SUPPRESSED_FILE
        for number in row.numbers
    }
    if not asked:
        return None
    lead_import = work.lead_import
    like = Suppression(
        level=Suppression.Level.CLIENT,
        client_id=lead_import.client_id,
        added_by_email=lead_import.created_by_email,
    )
    entries, there = new_entries(asked, like=like, now=now)
    for number, entry in entries.items():
        file = _("Import of %(file)s") % {"file": lead_import.file_name[:80]}
        entry.reason = f"{file}. {asked[number].reason}"[:200]
    cause = Cause(why=Why.LISTED, by_email=lead_import.created_by_email, at=now)
    return Listing(lead_import.client_id, list(entries.values()), there, cause)
