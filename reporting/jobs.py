"""Jobs of the reporting room: make the reports people asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.utils.translation import gettext as _, gettext_noop

from convomono.lib import clock, files
from convomono.lib.jobs import enqueue
from convomono.lib.pdf import PdfUnavailable
from leads.models import Erasure
from reporting import exports, retention, watching
from reporting.models import Report
from reporting.queries import health

if TYPE_CHECKING:
    from django.db.models import QuerySet

log = structlog.get_logger()
STUCK_AFTER = timedelta(minutes=2)
REPORT_SECONDS = 1800
TRIES = 3
_NOT_MADE = gettext_noop("It could not be made, three times. The agency's log says why.")


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


def purge_told(**_later: Any) -> int:
    """Delete old reports and notifications; again deletes nothing."""
    now = clock.real_now()
    return retention.purge_reports(now=now) + retention.purge_notifications(now=now)


def make_report(*, report_id: str, **_later: Any) -> None:
    """
    Make the file of an ordered report and mark it done; a second run makes nothing.

    Its metrics are kept on the row. One worker makes it at a time; after three that died or failed
    the row says so.
    """
    report = _claimed(UUID(report_id))
    if report is None:
        return
    if report.attempts > TRIES:
        _finish(report, status=Report.Status.FAILED, error=_(_NOT_MADE))
        return
    try:
        stored_name, metrics = exports.write_report(report, now=clock.now())
    except PdfUnavailable as exc:
        _finish(report, status=Report.Status.FAILED, error=str(exc)[:400])
        return
    except Exception:
        log.exception("report.not_made", report_id=report_id)
        if report.attempts >= TRIES:
            _finish(report, status=Report.Status.FAILED, error=_(_NOT_MADE))
        else:
            _mine(report).update(status=Report.Status.QUEUED, worked_until=None)
        return
    if not _finish(report, status=Report.Status.DONE, stored_name=stored_name, metrics=metrics):
        files.delete_stored(stored_name)  # another worker was quicker


def _claimed(report_key: UUID) -> Report | None:
    """Take the report by compare-and-set, for longer than a worker may work on it."""
    now = clock.real_now()
    lost = Q(status=Report.Status.WORKING) & (Q(worked_until=None) | Q(worked_until__lte=now))
    free = Report.objects.filter(Q(status=Report.Status.QUEUED) | lost, pk=report_key)
    claimed = free.update(
        status=Report.Status.WORKING,
        attempts=F("attempts") + 1,
        worked_until=now + timedelta(seconds=REPORT_SECONDS + 60),
    )
    if not claimed:
        return None
    return Report.objects.select_related("client").get(pk=report_key)


def _mine(report: Report) -> QuerySet[Report]:
    """Narrow to the row as this worker has claimed it: whoever lost its claim writes nothing."""
    return Report.objects.filter(
        pk=report.pk, status=Report.Status.WORKING, attempts=report.attempts
    )


def _finish(report: Report, **columns: Any) -> bool:
    changed = _mine(report).update(generated_at=clock.now(), **columns)
    log.info("report.finished", report_id=str(report.pk), status=columns["status"])
    return bool(changed)


def resume_reports(**_later: Any) -> int:
    """Order again what no worker has taken, or whose worker was killed: its claim is over then."""
    waiting = Q(status=Report.Status.QUEUED, created_at__lt=clock.now() - STUCK_AFTER)
    lost = Q(status=Report.Status.WORKING) & (
        Q(worked_until=None) | Q(worked_until__lte=clock.real_now())
    )
    rows = Report.objects.filter(waiting | lost).values_list("pk", flat=True)[:100]
    for pk in rows:
        enqueue(make_report, queue="reports", timeout_seconds=REPORT_SECONDS, report_id=str(pk))
    return len(rows)


def watch_system(**_later: Any) -> list[str]:
    """Say that cron and workers live, and tell the agency of every part that doesn't."""
    return watching.watch(
        part=watching.JOBS,
        now=clock.now(),
        real_now=clock.real_now(),
        base_url=settings.PUBLIC_BASE_URL,
    )


def count_duplicate_dials(**_later: Any) -> int:
    """Count attempts that share enrolment and number, over all of them: for the health page."""
    return health.count_duplicate_dials(now=clock.now())
