"""An import being worked on: its rows in chunks, its pace, and the end of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, TYPE_CHECKING, cast

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import mail_person, notify
from convomono.lib.csvio import FileUnreadable
from convomono.lib.db import run_atomic
from convomono.lib.files import open_stored
from leads.imports.rows import Plan, RowReader
from leads.imports.source import open_rows, sentence
from leads.imports.targets import ImportTarget, find_target
from leads.models import LeadImport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from convomono.lib.csvio import BrokenRow
    from leads.imports.rows import ReadRow
    from leads.models import Detected, ImportMapping, ImportOptions

    type RawRow = tuple[int, list[str] | BrokenRow]

PAUSE_SECONDS = (
    0.002  # between two write transactions; `run_bulk` sees to it that webhooks get their turn
)


class ImportFailed(Exception):
    """The import can't go on; the message is for people."""


@dataclass
class Pace:
    """
    Real time, and the pause between two writes; tests pass their own.

    `now` is the clock that launches go by; without one it stands where the work began.
    """

    real_now: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep
    wrote_at: float = 0.0
    now: Callable[[], datetime] | None = None

    def instant(self, began: datetime) -> datetime:
        """Return the clock's instant, for what must not look older than it is."""
        return began if self.now is None else self.now()

    def rest(self) -> None:
        """Leave the database alone for as long as is due; work since the last write counts."""
        self.pause(max(0.0, self.wrote_at + PAUSE_SECONDS - time.monotonic()))

    def wrote(self) -> None:
        self.wrote_at = time.monotonic()


@dataclass
class Rate:
    """How fast this run goes, in rows a second of real time."""

    began: float = field(default_factory=time.monotonic)
    rows: int = 0

    def per_second(self) -> int:
        return int(self.rows / max(time.monotonic() - self.began, 0.001))


@dataclass(frozen=True)
class Work:
    """What every step of an import needs."""

    lead_import: LeadImport
    plan: Plan
    reader: RowReader
    target: ImportTarget | None
    stream: IO[bytes]

    def chunks(self, size: int, *, after: int = 0) -> Iterator[list[RawRow]]:
        """
        Yield the rows below the header by `size`, those behind the first `after` ones.

        :raises FileUnreadable: if the file turns out to be broken
        """
        self.stream.seek(0)
        rows = open_rows(self.stream, self.plan.found)
        skipped = after + bool(self.plan.found["has_header"])
        next(islice(rows, skipped, skipped), None)
        while chunk := list(islice(rows, size)):
            yield chunk

    def read(self, raw: RawRow, parts: list[list[str]] | None = None) -> ReadRow:
        """Return a row read; `parts` are the cells of rows that fill its empty ones."""
        number, cells = raw
        if not parts or not isinstance(cells, list):
            return self.reader.read(number, cells)
        width = self.reader.width
        filled = [*cells, *[""] * (width - len(cells))]
        for part in parts:
            filled = [
                cell if cell.strip() or place >= len(part) else part[place]
                for place, cell in enumerate(filled)
            ]
        row = self.reader.read(number, filled)
        row.cells = cells
        return row


@contextmanager
def opened(lead_import: LeadImport) -> Iterator[Work]:
    """
    Open the import's file and campaign.

    :raises ImportFailed: if one of them is gone, or the file can't be read to its end
    """
    target = find_target(client_id=lead_import.client_id, campaign_id=lead_import.campaign_id)
    if lead_import.campaign_id is not None and target is None:
        raise ImportFailed(_("The campaign of this import is gone. Upload the file again."))
    try:
        stream = open_stored(lead_import.stored_name)
    except FileNotFoundError:
        raise ImportFailed(_("The file is gone. Upload it again.")) from None
    try:
        plan = plan_of(lead_import, target)
        yield Work(lead_import, plan, RowReader(plan), target, stream)
    except FileUnreadable as exc:
        raise ImportFailed(sentence(exc)) from None
    finally:
        stream.close()


def plan_of(lead_import: LeadImport, target: ImportTarget | None) -> Plan:
    """Return how the import reads its rows."""
    return Plan(
        found=cast("Detected", lead_import.detected),
        mapping=cast("ImportMapping", lead_import.mapping),
        options=cast("ImportOptions", lead_import.options),
        variables=tuple(target.variables) if target else (),
        asked=target.asked if target else {},
    )


def fail(lead_import: LeadImport, *, reason: str, now: datetime) -> None:
    """
    End the import with a sentence for people; one that has ended stays as it is.

    What a commit wrote until then can be taken back: its `rows_done` stays. A dry run wrote nothing.
    """
    if run_atomic(lambda: _fail(lead_import, reason=reason, now=now)):
        title = _failed_title(lead_import)
        mail_person(address=lead_import.created_by_email, subject=title, text=reason[:400])


def _failed_title(lead_import: LeadImport) -> str:
    return _("%(file)s couldn't be imported") % {"file": lead_import.file_name}


def _fail(lead_import: LeadImport, *, reason: str, now: datetime) -> bool:
    status = LeadImport.Status
    columns = {"status": status.FAILED, "error": reason[:400], "finished_at": now}
    rows = LeadImport.objects.filter(pk=lead_import.pk)
    wrote = rows.filter(status__in=[status.COMMITTING, status.UNDOING])
    failed = wrote.update(**columns) or rows.filter(status=status.CHECKING).update(
        **columns, rows_done=0
    )
    if not failed:
        return False
    notify(
        client=lead_import.client,
        level=Notification.Level.BAD,
        title=_failed_title(lead_import)[:200],
        body=reason[:400],
        url=f"/app/imports/{lead_import.pk}/",
        key=f"import.failed:{lead_import.pk}:{now.isoformat()}",
        now=now,
    )
    return True


def merged(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Return the sum of two counts."""
    return {
        name: counts.get(name, 0) + more.get(name, 0) for name in dict.fromkeys([*counts, *more])
    }
