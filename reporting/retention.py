"""How long reports and notifications are kept; the audit log and the ledger are kept for good."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from accounts.models import Notification
from convomono.lib import files
from convomono.lib.db import run_atomic
from reporting.models import Report

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

# A report is made again at a press; what a notification told stands on the pages it points to.
REPORTS_FOR: Final = timedelta(days=30)
NOTIFICATIONS_FOR: Final = timedelta(days=365)
SLICE: Final = 200
AT_ONCE: Final = 100  # slices


def purge_reports(*, now: datetime) -> int:
    """Delete reports that were made or failed 30 days ago, with their files; return how many."""
    ended = (Report.Status.DONE, Report.Status.FAILED)
    old = Report.objects.filter(status__in=ended, created_at__lt=now - REPORTS_FOR)
    deleted = 0
    for _slice in range(AT_ONCE):
        rows = dict(old.values_list("pk", "stored_name")[:SLICE])
        if not rows:
            break
        for name in filter(None, rows.values()):
            files.delete_stored(name)  # first: a file without a row is one that nobody finds again
        deleted += run_atomic(partial(_delete_reports, list(rows)))
    return deleted


def purge_notifications(*, now: datetime) -> int:
    """Delete what was told a year ago; return how many. The oldest come first in the order of keys."""
    deleted = 0
    for _slice in range(AT_ONCE):
        oldest = Notification.objects.order_by("pk").values_list("pk", "created_at")[:SLICE]
        old = [pk for pk, at in oldest if at < now - NOTIFICATIONS_FOR]
        if not old:
            break
        deleted += run_atomic(partial(_delete_notifications, old))
    return deleted


def _delete_reports(pks: list[UUID]) -> int:
    return Report.objects.filter(pk__in=pks).delete()[0]


def _delete_notifications(pks: list[UUID]) -> int:
    return Notification.objects.filter(pk__in=pks).delete()[0]
