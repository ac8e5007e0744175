"""Documents on paper: what stands on them, and their PDF, drawn part by part where it is long."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from django.urls import reverse

from billing.documents import statement_rows, sums_of
from billing.free_calls import free_calls_of
from billing.models import Invoice
from convomono.lib.pdf import LongPdf

if TYPE_CHECKING:
    from collections.abc import Callable

    from billing.models import Statement

PART_LINES = 500
"""So many lines are laid out at once: that takes some 270 MB, and half a minute."""

PAPER_LINES = 20_000
"""
A PDF has no more lines than this, on 900 pages; page and paper say so, and that the CSV has them all.

Pango gives some 20 KB a line not back while the process lives: 50,000 would take 1.5 GB, and an hour.
"""


def paper(
    document: Invoice | Statement, *, base_url: str, first: int = 0
) -> tuple[str, dict[str, object]]:
    """
    Return the template of a document on paper, and what it shows; `base_url` is where to check it.

    Of a statement it is one part: from the line of the number `first` on.
    """
    verify_url = base_url.rstrip("/") + reverse("statement-verify")
    if isinstance(document, Invoice):
        return "billing/pdf/invoice.html", {"invoice": document, "verify_url": verify_url}
    first = max(first, document.first_seq)
    end = document.first_seq + min(document.lines_count, PAPER_LINES)
    rows = list(statement_rows(document, first=first, most=min(PART_LINES, end - first)))
    is_first = first == document.first_seq
    return "billing/pdf/statement.html", {
        "statement": document,
        "is_first": is_first,
        "is_last": first + len(rows) >= end,
        "sums": sums_of(document) if is_first else [],
        "free_calls": free_calls_of(document) if is_first else [],
        "rows": rows,
        "printed_count": end - document.first_seq,
        "verify_url": verify_url,
    }


def draw(
    document: Invoice | Statement,
    *,
    base_url: str,
    target: IO[bytes],
    told: Callable[[int], object],
) -> None:
    """
    Write a document's PDF there; `told` hears how many lines of a statement are drawn.

    :raises PdfUnavailable: where the machine can't make PDFs
    """
    pdf = LongPdf()
    if isinstance(document, Invoice):
        pdf.add(*paper(document, base_url=base_url), is_last=True)
    else:
        first: int | None = document.first_seq
        while first is not None:
            told(first - document.first_seq)
            first = _draw_part(pdf, document, base_url, first)
    pdf.write(target)


def _draw_part(pdf: LongPdf, statement: Statement, base_url: str, first: int) -> int | None:
    """Draw the part that begins with this line; return the first line of the next one, if there is one."""
    template, context = paper(statement, base_url=base_url, first=first)
    is_last = bool(context["is_last"])
    left = pdf.add(template, context, is_last=is_last)
    if is_last:
        return None
    numbers = [int(name.removeprefix("line-")) for name in left if name.startswith("line-")]
    return min(numbers, default=first + PART_LINES)
