"""What leaves as a file: a campaign's calls as CSV, its report as PDF."""

from __future__ import annotations

import csv
import io
import tempfile
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from campaigns.models import Campaign
from convomono.lib import files, money
from convomono.lib.csvio import safe_cell
from convomono.lib.pdf import render_pdf
from reporting.models import Report
from reporting.queries.reports import campaign_report
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.models import QuerySet

CHUNK = 500
CALL_COLUMNS = (
    "call_id",
    "campaign_id",
    "lead_id",
    "agent_id",
    "from",
    "to",
    "start_ts",
    "end_ts",
    "duration_seconds",
    "billed_seconds",
    "client_cost",
    "status",
    "outcome",
    "outcome_reported",
    "disconnection_reason",
    "sentiment",
    "disclosure",
)


def write_report(report: Report, *, now: datetime) -> tuple[str, dict[str, Any]]:
    """
    Make the report's file; return its name in the storage and the metrics to keep.

    :raises PdfUnavailable: where the machine can't make PDFs
    """
    assert report.campaign_id is not None  # both kinds are a campaign's
    campaign = Campaign.objects.get(pk=report.campaign_id, client_id=report.client_id)
    page = campaign_report(campaign=campaign, client=report.client, now=now)
    metrics = {kpi.code: kpi.value for kpi in page.kpis}
    if report.kind == Report.Kind.PDF:
        content = render_pdf("reporting/pdf/campaign_report.html", {"page": page, "now": now})
        stored = files.store(
            room="reports", client_id=report.client_id, suffix=".pdf", content=content
        )
        return stored, metrics
    with tempfile.TemporaryFile("w+b") as target:
        _write_calls(campaign, ZoneInfo(report.client.time_zone), target)
        target.seek(0)
        stored = files.store(
            room="reports", client_id=report.client_id, suffix=".csv", content=target
        )
    return stored, metrics


def _write_calls(campaign: Campaign, zone: ZoneInfo, target: IO[bytes]) -> None:
    target.write("\ufeff".encode())  # spreadsheets take the file for UTF-8 by it
    with tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as text:
        writer = csv.writer(text)
        writer.writerow(CALL_COLUMNS)
        writer.writerows(call_rows(campaign, zone))
        text.seek(0)
        while part := text.read(1 << 20):
            target.write(part.encode())


def call_rows(campaign: Campaign, zone: ZoneInfo) -> Iterator[list[str]]:
    """Yield a campaign's calls, oldest first, as safe cells; times in the zone, never Retell's cost."""
    calls = Call.objects.filter(client_id=campaign.client_id, campaign_id=campaign.pk)
    return _rows(calls.order_by("created_at", "pk"), zone)


def calls_as_csv(calls: QuerySet[Call], zone: ZoneInfo) -> Iterator[bytes]:
    """Yield any calls as CSV, part by part in the order they have; the same columns and rules."""
    yield "\ufeff".encode()
    rows = chain([list(CALL_COLUMNS)], _rows(calls, zone))
    while some := list(islice(rows, CHUNK)):
        part = io.StringIO(newline="")
        csv.writer(part).writerows(some)
        yield part.getvalue().encode()


def _rows(calls: QuerySet[Call], zone: ZoneInfo) -> Iterator[list[str]]:
    for call in calls.iterator(chunk_size=CHUNK):
        yield [safe_cell(cell) for cell in _cells(call, zone)]


def _cells(call: Call, zone: ZoneInfo) -> list[object]:
    def local(value: datetime | None) -> str:
        return "" if value is None else value.astimezone(zone).isoformat(timespec="seconds")

    return [
        call.pk,
        call.campaign_id,
        call.lead_id or "",
        call.agent_id,
        call.from_number,
        call.to_number,
        local(call.started_at),
        local(call.ended_at),
        "" if call.duration_seconds is None else call.duration_seconds,
        call.billed_seconds,
        money.dollars(call.client_cost_micros),
        call.status,
        call.shown_outcome,
        call.outcome_class,
        call.disconnection_reason,
        call.user_sentiment,
        call.disclosure,
    ]
