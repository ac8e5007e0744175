"""Old reports and notifications go, with their files; what is young or unfinished stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from accounts.models import Notification
from convomono.lib import clock, files
from reporting import jobs, retention
from reporting.models import Report

pytestmark = pytest.mark.django_db


def report(client, days, status="done"):
    now = clock.real_now()
    row = Report(client=client, kind="csv", status=status, created_at=now - timedelta(days=days))
    if status == "done":
        row.stored_name = files.store(
            room="reports", client_id=client.pk, suffix=".csv", content=b"a,b"
        )
    row.save()
    return row


def notification(client, days, number=0):
    at = clock.real_now() - timedelta(days=days)
    return Notification.objects.create(
        client=client, title="Told", key=f"told:{days}:{number}", created_at=at
    )


def test_deletes_reports_after_thirty_days_with_their_files(acme):
    old, young = report(acme, 31), report(acme, 29)
    failed, waiting = report(acme, 31, "failed"), report(acme, 31, "queued")

    assert jobs.purge_told(of_a_later_version=1) == 2

    left = set(Report.objects.values_list("pk", flat=True))
    assert left == {young.pk, waiting.pk}
    assert failed.pk not in left
    assert not default_storage.exists(old.stored_name)
    assert default_storage.exists(young.stored_name)
    assert jobs.purge_told() == 0


def test_deletes_notifications_after_a_year_in_slices(acme, monkeypatch):
    monkeypatch.setattr(retention, "SLICE", 2)
    for number in range(5):
        notification(acme if number % 2 else None, 366, number)
    kept = notification(acme, 364)

    assert jobs.purge_told() == 5

    assert Notification.objects.get() == kept
