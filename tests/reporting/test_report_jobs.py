"""Reports: made by one worker at a time, given up with a sentence, and never for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from convomono.lib import clock, files
from reporting import exports
from reporting.jobs import REPORT_SECONDS, make_report, resume_reports
from reporting.models import Report
from tests.factories.campaigns import make_ready

if TYPE_CHECKING:
    from accounts.models import Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def report(acme: Client) -> Report:
    campaign = make_ready(acme)
    return Report.objects.create(
        client=acme,
        campaign_id=campaign.pk,
        kind="csv",
        requested_by_email="mia@acme.test",
        created_at=clock.now() - timedelta(minutes=5),
    )


def test_is_made_by_one_worker_at_a_time(report: Report, monkeypatch: pytest.MonkeyPatch):
    made: list[Report] = []

    def write(row: Report, **_more: Any) -> tuple[str, dict[str, Any]]:
        made.append(row)
        if len(made) == 1:
            assert resume_reports() == 0  # this one works on it
            make_report(report_id=str(report.pk))
        return files.store(room="reports", client_id=row.client_id, suffix=".csv", content=b"x"), {}

    monkeypatch.setattr(exports, "write_report", write)
    make_report(report_id=str(report.pk))
    assert len(made) == 1
    assert Report.objects.get().status == "done"


def test_is_taken_up_again_when_its_worker_was_killed(report: Report):
    Report.objects.update(
        status="working", attempts=1, worked_until=clock.real_now() + timedelta(minutes=1)
    )
    assert resume_reports() == 0
    Report.objects.update(worked_until=clock.real_now() - timedelta(seconds=REPORT_SECONDS))
    assert resume_reports() == 1
    make_report(report_id=str(report.pk))
    assert Report.objects.get().status == "done"


def test_is_given_up_after_three_tries_that_fail(report: Report, monkeypatch: pytest.MonkeyPatch):
    tries: list[Report] = []

    def write(row: Report, **_more: Any) -> tuple[str, dict[str, Any]]:
        tries.append(row)
        raise ZeroDivisionError

    monkeypatch.setattr(exports, "write_report", write)
    for _ in range(5):
        make_report(report_id=str(report.pk))
    row = Report.objects.get()
    assert (len(tries), row.status) == (3, "failed")
    assert "three times" in row.error
    assert resume_reports() == 0


def test_is_given_up_when_three_workers_died(report: Report):
    Report.objects.update(status="working", attempts=3, worked_until=None)
    make_report(report_id=str(report.pk))
    assert Report.objects.get().status == "failed"
