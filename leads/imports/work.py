"""An import being worked on: its rows in chunks, its pace, and the end of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import batched
from typing import IO, TYPE_CHECKING, cast

from django.utils.translation import gettext as _

from convomono.lib.csvio import FileUnreadable
from convomono.lib.files import open_stored
from leads.imports.rows import Plan, ReadRow, RowReader
from leads.imports.source import open_rows, sentence
from leads.imports.targets import ImportTarget, find_target
from leads.imports.verdicts import Verdict
from leads.models import LeadImport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from leads.models import Detected, ImportMapping, ImportOptions

CHUNK_ROWS = 200
PAUSE_SECONDS = 0.005  # between two write transactions, so that webhooks get their turn


class ImportFailed(Exception):
    """The import can't go on; the message is for people."""


@dataclass(frozen=True)
class Pace:
    """Real time and the pause after each write; tests pass their own."""

    real_now: Callable[[], datetime]
    pause: Callable[[float], None] = time.sleep

    def rest(self) -> None:
        self.pause(PAUSE_SECONDS)


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
    target: ImportTarget | None
    stream: IO[bytes]

    def chunks(self) -> Iterator[tuple[int, list[ReadRow]]]:
        """
        Yield (rows before the chunk, up to 200 rows), from the top of the file.

        Rows before `rows_done` come too: what stands twice in the file is known only by reading it
        from the top.

        :raises FileUnreadable: at a line too long to be a row
        """
        keeper = _Duplicates(self)
        start = 0
        for group in batched(self.rows(), CHUNK_ROWS):
            chunk = list(group)
            for row in chunk:
                keeper.judge(row)
            yield start, chunk
            start += len(chunk)

    def rows(self) -> Iterator[ReadRow]:
        """Yield every row below the header, read."""
        self.stream.seek(0)
        reader = RowReader(self.plan)
        numbered = open_rows(self.stream, self.plan.found)
        if self.plan.found["has_header"]:
            next(numbered, None)
        for number, cells in numbered:
            yield reader.read(number, cells)


class _Duplicates:
    """Keeps one row of each number: the first of the file, or the last."""

    def __init__(self, work: Work) -> None:
        # Numbers as integers: a million of them take about 70 MB.
        self.seen: set[int] = set()
        self.last: dict[int, int] | None = None
        if work.plan.options["duplicates"] == "last":
            self.last = {
                _key(row): row.number for row in work.rows() if row.phone and not row.verdict
            }

    def judge(self, row: ReadRow) -> None:
        if row.phone is None or row.verdict:
            return
        key = _key(row)
        if self.last is not None:
            if self.last[key] != row.number:
                row.refuse(Verdict.DUP_FILE)
        elif key in self.seen:
            row.refuse(Verdict.DUP_FILE)
        else:
            self.seen.add(key)


def _key(row: ReadRow) -> int:
    assert row.phone is not None  # asked by both callers
    return int(row.phone.e164[1:])


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
        yield Work(lead_import, plan_of(lead_import, target), target, stream)
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
    )


def fail(lead_import: LeadImport, *, reason: str, now: datetime) -> None:
    """End the import with a sentence for people; one that has ended stays as it is."""
    LeadImport.objects.filter(
        pk=lead_import.pk, status__in=[LeadImport.Status.CHECKING, LeadImport.Status.COMMITTING]
    ).update(status=LeadImport.Status.FAILED, error=reason[:400], finished_at=now)


def merged(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    """Return the sum of two counts."""
    return {
        name: counts.get(name, 0) + more.get(name, 0) for name in dict.fromkeys([*counts, *more])
    }
