"""Which row of a file stands for a number that several have: a good one before one that can't be called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.imports.cells import is_listed
from leads.imports.verdict_file import StoredRow
from leads.imports.verdicts import REASONS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leads.imports.judge import ConsentDays
    from leads.imports.rows import ReadRow
    from leads.imports.verdict_file import VerdictFile
    from leads.imports.work import Work

_GIVES_WAY = frozenset({Verdict.VARIABLE_MISSING, Verdict.VARIABLE_UNFIT, Verdict.NO_CONSENT})


@dataclass
class GaveWay:
    """Rows of earlier chunks that stood for a number until a good one came: as they are now, and what that adds to the counts."""

    now: list[StoredRow] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def take_in_refusals(work: Work, ledger: VerdictFile, rows: Sequence[ReadRow]) -> None:
    """Let a no, and a wish not to be called, that any row says of a number hold for its other rows as well."""
    if work.reader.listing_places:
        _take_in_listings(work, ledger, rows)
    if work.reader.given_place is not None:
        _take_in_noes(ledger, rows)


def _take_in_listings(work: Work, ledger: VerdictFile, rows: Sequence[ReadRow]) -> None:
    listed = ledger.listed([number for row in rows for number in row.numbers])
    for row in rows:
        for found in (one for number in row.numbers for one in listed.get(number, ())):
            if not is_listed(row.said.get(found.field, "")):
                row.said[found.field], row.listed_in = found.said, found.number
                if found.field == "registry_listed":
                    row.said["registry_on"] = found.checked
        if row.value and is_listed(row.said.get("opted_out", "")):
            row.refuse(Verdict.SUPPRESSED_FILE, reason=_why_opted_out(work, row))


def _why_opted_out(work: Work, row: ReadRow) -> str:
    """Return where the wish stands, which is also why the number is on the client's list from then on."""
    return _("Row %(row)d, %(column)s: “%(said)s”") % {
        "row": row.listed_in or row.number,
        "column": work.reader.header[dict(work.reader.listing_places)["opted_out"]][:60],
        "said": row.said["opted_out"][:40],
    }


def _take_in_noes(ledger: VerdictFile, rows: Sequence[ReadRow]) -> None:
    phones = [row.value for row in rows if not row.verdict]
    refusing, noes = ledger.refusing(phones), ledger.noes(phones)
    for row in rows:
        if row.value in noes:
            row.no_in, row.said["consent_given"] = noes[row.value]
        elif row.value in refusing:
            row.said["consent_given"] = "?"


def refuse_double(row: ReadRow, kept: int) -> None:
    """Refuse a row because another one of the file stands for its number."""
    row.refuse(Verdict.DUP_FILE, reason=_reason(kept))


def refuse_doubles(ledger: VerdictFile, rows: Sequence[ReadRow], judges: ConsentDays) -> GaveWay:
    """
    Refuse those of a chunk for whose number another row stands.

    The first one does, unless it lacks what the script or the consent needs and a later one doesn't.
    """
    gave_way = GaveWay()
    others = ledger.keep([(row.value, row.number) for row in rows if not row.verdict])
    if not others:
        return gave_way
    moved = _moved(ledger, rows, others, judges) if judges.takes_better else {}
    for row in rows:
        kept = others.get(row.number, row.number)
        kept = moved.get(kept, kept)
        if kept != row.number:
            refuse_double(row, kept)
    counts: Counter[str] = Counter()
    for number in sorted(moved.keys() - {row.number for row in rows}):
        if before := ledger.row(number):
            counts[before.verdict] -= 1
            counts[Verdict.DUP_FILE.value] += 1
            reason = _reason(moved[number])
            gave_way.now.append(StoredRow(number, Verdict.DUP_FILE, "", reason, before.cells))
    gave_way.counts = dict(counts)
    return gave_way


def _moved(
    ledger: VerdictFile, rows: Sequence[ReadRow], others: dict[int, int], judges: ConsentDays
) -> dict[int, int]:
    """Return which rows that stood for a number give way to which of the chunk; the ledger knows it then."""
    here = {row.number: row for row in rows}
    moved: dict[int, int] = {}
    for row in rows:
        kept = others.get(row.number)
        if kept is None or kept in moved or not judges.is_good(row):
            continue
        if kept in here:
            gives_way = not judges.is_good(here[kept])
        else:
            gives_way = ledger.verdict(kept) in _GIVES_WAY
        if gives_way:
            moved[kept] = row.number
            ledger.keep_instead(row.value, row.number)
    return moved


def _reason(kept: int) -> str:
    return str(REASONS[Verdict.DUP_FILE]).rstrip(".") + f" ({kept:,})."
