"""Jobs of the reporting room: make the reports people asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.utils.translation import gettext as _

from convomono.lib import clock, files
from convomono.lib.jobs import enqueue
from convomono.lib.pdf import PdfUnavailable
from leads.models import Erasure
from reporting import exports
from reporting.models import Report

log = structlog.get_logger()
STUCK_AFTER = timedelta(minutes=2)


def delete_reports_of_erased(**_later: Any) -> int:
    """
    Delete the files of reports that were made before a person of that client was erased.

    They may name the person, and are made again in a minute. Looks at the last three days; again
    deletes nothing. Returns how many.
    """
    young = Erasure.objects.filter(created_at__gt=clock.now() - timedelta(days=3))
    deleted = 0
    for client_id, at in young.values_list("client_id", "created_at"):
        rows = Report.objects.filter(
            client_id=client_id, status=Report.Status.DONE, created_at__lte=at
        ).exclude(stored_name="")
        for report in rows:
            sentence = _("The file held somebody who was erased, and is deleted. Order it again.")
            deleted += Report.objects.filter(pk=report.pk, status=Report.Status.DONE).update(
                status=Report.Status.FAILED, stored_name="", error=str(sentence)
            )
            files.delete_stored(report.stored_name)
    return deleted


def make_report(*, report_id: str, **_later: Any) -> None:
    """
    Make the file of an ordered report and mark it done; a second run makes nothing.

    Its metrics are kept on the row. Where the machine can't make PDFs the row says what to install.
    """
    report_key = UUID(report_id)
    wanted = (Report.Status.QUEUED, Report.Status.WORKING)
    claimed = Report.objects.filter(pk=report_key, status__in=wanted).update(
        status=Report.Status.WORKING
    )
    if not claimed:
        return
    report = Report.objects.select_related("client").get(pk=report_key)
    try:
        stored_name, metrics = exports.write_report(report, now=clock.now())
    except PdfUnavailable as exc:
        _finish(report, status=Report.Status.FAILED, error=str(exc)[:400])
        return
    if not _finish(report, status=Report.Status.DONE, stored_name=stored_name, metrics=metrics):
        files.delete_stored(stored_name)  # another worker was quicker


def _finish(report: Report, **columns: Any) -> bool:
    changed = Report.objects.filter(pk=report.pk, status=Report.Status.WORKING).update(
        generated_at=clock.now(), **columns
    )
    log.info("report.finished", report_id=str(report.pk), status=columns["status"])
    return bool(changed)


def resume_reports(**_later: Any) -> int:
    """Order again what no worker has finished: Redis was away, or a worker was killed."""
    unfinished = (Report.Status.QUEUED, Report.Status.WORKING)
    rows = Report.objects.filter(
        status__in=unfinished, created_at__lt=clock.now() - STUCK_AFTER
    ).values_list("pk", flat=True)[:100]
    for pk in rows:
        enqueue(make_report, queue="reports", report_id=str(pk))
    return len(rows)
