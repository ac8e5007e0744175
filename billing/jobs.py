"""Periodic work of the billing room."""

from __future__ import annotations

import hashlib
import tempfile
import time
from functools import partial
from typing import IO, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from billing import hours, notices, services
from billing.models import Invoice, Printed, Statement
from billing.paper import draw
from convomono.lib import clock, files
from convomono.lib.jobs import enqueue, enqueue_once
from convomono.lib.pdf import PdfUnavailable
from telephony.retell import retell_gateway

log = structlog.get_logger()
AUDIT_SECONDS = 120
MAIL_SECONDS = 120
PDF_SECONDS = 10_800
"""The longest paper takes 17 minutes of a core, and an hour on a busy machine."""

DOCUMENTS: dict[str, type[Invoice] | type[Statement]] = {
    "invoice": Invoice,
    "statement": Statement,
}


def show_due_rates(**_later: Any) -> int:
    """Show prices that have begun in the lists of wallets."""
    return services.show_due_rates(now=clock.now())


def expire_minutes(**_later: Any) -> int:
    """Take out minutes whose time is over; return how many seconds."""
    return services.expire_lots(now=clock.now())


def tell_low_balances(**_later: Any) -> int:
    """Tell clients whose minutes run low or expire soon, and mail what was told; count the mails."""
    now = clock.now()
    notices.watch_runways(now=now)
    notices.watch_expiries(now=now)
    until = time.monotonic() + MAIL_SECONDS
    return notices.send_notices(now=now, has_time=lambda: time.monotonic() < until)


def purge_hours(**_later: Any) -> int:
    """Delete the hours' use that nobody looks back to."""
    return hours.purge_hours(now=clock.now())


def grant_minutes(*, run_id: str, **_later: Any) -> None:
    """Give many clients minutes; killed, it goes on where it was, and a second worker leaves it alone."""
    while not services.grant_slice(run_id=UUID(run_id), now=clock.now()):
        pass


def resume_grants(**_later: Any) -> int:
    """Take up grants that no worker is on; count them."""
    left = services.grants_left_behind(now=clock.now())
    for pk in left:
        enqueue_once(grant_minutes, queue="reports", run_id=str(pk))
    return len(left)


def issue_statements(**_later: Any) -> int:
    """Have the statements of the months that are over made, and those that stayed behind; count them."""
    due = list(services.due_statements(now=clock.now()))
    for row in due:  # a job each: one that can't be made keeps no other waiting
        enqueue(make_statement, queue="reports", statement_id=str(row.pk))
    return len(due)


def make_statement(*, statement_id: str, **_later: Any) -> None:
    """Make one statement that somebody waits for; safe to run twice."""
    statement = Statement.objects.get(pk=UUID(statement_id))
    services.make_statement(statement=statement, now=clock.now())


def ask_pdf(*, kind: str, document_id: UUID) -> None:
    """Have a PDF made that is wanted, unless a worker is at it: a long one takes many minutes."""
    ids = {"kind": kind, "document_id": str(document_id)}
    enqueue_once(make_pdf, queue="reports", timeout_seconds=PDF_SECONDS, **ids)


def make_pdf(*, kind: str, document_id: str, **_later: Any) -> None:
    """
    Make the PDF of an invoice or a statement, and tell how far it is; a second run makes nothing.

    Where the machine can't make PDFs the row says what to install.
    """
    model = DOCUMENTS[kind]
    row = model.objects.select_related("client__wallet").get(pk=UUID(document_id))
    if row.pdf_status != Printed.File.QUEUED:
        return
    queued = model.objects.filter(pk=row.pk, pdf_status=Printed.File.QUEUED)
    with tempfile.TemporaryFile("w+b") as target:
        try:
            draw(
                row,
                base_url=settings.PUBLIC_BASE_URL,
                target=target,
                told=partial(_tell_drawn, row.pk),
            )
        except PdfUnavailable as problem:
            changes = {"pdf_status": Printed.File.FAILED, "pdf_error": str(problem)[:400]}
        except Exception:  # a paper that can't be drawn would be tried for ever
            log.exception("document.not_made", kind=kind, document_id=document_id)
            sentence = _(
                "It couldn't be made. Ask for it again; the agency can see why in the log."
            )
            changes = {"pdf_status": Printed.File.FAILED, "pdf_error": sentence}
        else:
            changes = _keep_file(row, target)
    if not queued.update(**changes) and changes.get("pdf_name"):
        files.delete_stored(changes["pdf_name"])  # another worker was quicker


def _tell_drawn(statement_id: UUID, count: int) -> None:
    Statement.objects.filter(pk=statement_id).update(drawn_count=count)


def _keep_file(row: Invoice | Statement, target: IO[bytes]) -> dict[str, str]:
    target.seek(0)
    digest = hashlib.file_digest(target, "sha256").hexdigest()  # type: ignore[arg-type]  # any binary file does
    target.seek(0)
    stored = files.store(room="documents", client_id=row.client_id, suffix=".pdf", content=target)
    return {
        "pdf_status": Printed.File.DONE,
        "pdf_name": stored,
        "pdf_digest": digest,
        "pdf_error": "",
    }


def resume_pdfs(**_later: Any) -> int:
    """
    Enqueue PDFs that no worker made: Redis was away, or a worker was killed.

    And keep the digests of those that were made before digests were kept.
    """
    done = 0
    for kind, model in DOCUMENTS.items():
        waiting = model.objects.filter(pdf_status=Printed.File.QUEUED)
        for pk in waiting.values_list("pk", flat=True)[:100]:
            ask_pdf(kind=kind, document_id=pk)
            done += 1
        for row in model.objects.filter(pdf_digest="", pdf_status=Printed.File.DONE)[:100]:
            _keep_digest(row)
    return done


def _keep_digest(row: Invoice | Statement) -> None:
    rows = type(row).objects.filter(pk=row.pk, pdf_name=row.pdf_name)
    try:
        with files.open_stored(row.pdf_name) as content:
            digest = hashlib.sha256(content.read()).hexdigest()
    except FileNotFoundError:
        rows.update(pdf_status=Printed.File.NONE, pdf_name="")  # it may be asked for again
    else:
        rows.update(pdf_digest=digest)


def audit_ledgers(**_later: Any) -> int:
    """Check ledgers for some minutes, those first that were checked the longest ago; count them."""
    until = time.monotonic() + AUDIT_SECONDS
    return services.audit_due(now=clock.now(), has_time=lambda: time.monotonic() < until)


def reconcile(*, run_id: str, **_later: Any) -> None:
    """
    Compare a window with Retell's calls, hour by hour; killed, it goes on where it was.

    A second worker leaves it to the first.
    """
    pk = UUID(run_id)
    if not services.claim_run(run_id=pk, now=clock.now()):
        return
    gateway = retell_gateway()
    while not services.compare_slice(run_id=pk, gateway=gateway, now=clock.now()):
        pass
    services.finish_hours(run_id=pk, gateway=gateway, now=clock.now())
    services.release_run(run_id=pk)
    services.tell_of_differences(run_id=pk, now=clock.now())


def reconcile_nightly(**_later: Any) -> None:
    """Have the days compared that are over, and runs that were left behind; tell of what they found."""
    services.ask_nightly(now=clock.now())
    services.tell_of_latest(now=clock.now())
    for pk in services.runs_left_behind(now=clock.now()):
        enqueue_once(reconcile, queue="reports", timeout_seconds=3600, run_id=str(pk))


def reconcile_hourly(**_later: Any) -> None:
    """Have the hours compared that are over; tell of what nobody has resolved for an hour."""
    now = clock.now()
    for run in services.ask_hours(now=now):
        enqueue_once(reconcile, queue="reports", timeout_seconds=3600, run_id=str(run.pk))
    services.tell_of_overdue(now=now)
