"""Statements on paper: every line of the month, and every column of each, however many pages it takes."""

from __future__ import annotations

import hashlib
import re
import subprocess
from datetime import UTC, date, datetime, timedelta
from io import BytesIO

import django_rq
import pytest
from pypdf import PdfReader

from billing import jobs, paper, services
from billing.documents import statement_rows
from billing.models import Statement
from convomono.lib import files
from convomono.lib.pdf import LongPdf, PdfUnavailable, render_pdf
from tests.factories.billing import NOW, Launch, open_wallet, sell

SITE = "https://calls.example"
IN_OCTOBER = datetime(2026, 10, 20, 15, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 12, tzinfo=UTC)
PART, LINES = 40, 90


def text(response):
    return " ".join(response.content.decode().split())


@pytest.fixture
def statement(acme):
    open_wallet(acme, seconds=600_000, now=NOW - timedelta(days=40))
    launch = Launch(acme, 300_000, now=NOW - timedelta(days=40))
    launch.dial(60).end(47, now=NOW - timedelta(days=40))
    row = services.ask_statement(
        client=acme, month=(NOW - timedelta(days=40)).date().replace(day=1), now=NOW
    )
    services.make_statement(statement=row, now=NOW)
    row.refresh_from_db()
    return row


@pytest.fixture
def long(acme, monkeypatch):
    """A month of 90 lines, a second apart, of which 40 are laid out at once."""
    monkeypatch.setattr(paper, "PART_LINES", PART)
    open_wallet(acme, now=IN_OCTOBER)
    for passed in range(LINES):
        sell(acme, seconds=60, now=IN_OCTOBER + timedelta(seconds=passed))
    row = services.ask_statement(client=acme, month=date(2026, 10, 1), now=LATER)
    services.make_statement(statement=row, now=LATER)
    row.refresh_from_db()
    return row


@pytest.fixture
def no_layout(monkeypatch):
    """What is drawn without drawing it: the lines of each part; the last of a part are left to the next."""
    drawn = []

    def add(self, _template, context, *, is_last):
        drawn.append([row.line.seq for row in context["rows"]])
        return set() if is_last else {"lines-title", *(f"line-{n}" for n in drawn[-1][-3:])}

    monkeypatch.setattr(LongPdf, "add", add)
    monkeypatch.setattr(LongPdf, "write", lambda self, target: target.write(b"%PDF-"))
    return drawn


def make(row):
    Statement.objects.filter(pk=row.pk).update(pdf_status="queued")
    jobs.make_pdf(kind="statement", document_id=str(row.pk))
    row.refresh_from_db()
    if "Pango" in row.pdf_error:
        pytest.skip("needs WeasyPrint's libraries")
    return row


def test_cuts_no_column_of_a_statement_off(statement, tmp_path):
    template, context = paper.paper(statement, base_url=SITE)
    try:
        (tmp_path / "statement.pdf").write_bytes(render_pdf(template, context))
        command = ["pdftotext", "-bbox", str(tmp_path / "statement.pdf"), "-"]
        words = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (PdfUnavailable, FileNotFoundError):
        pytest.skip("needs WeasyPrint's libraries and pdftotext")

    (width,) = {float(found) for found in re.findall(r'<page width="([\d.]+)"', words)}
    edges = [float(found) for found in re.findall(r'xMax="([\d.]+)"', words)]
    assert "After" in words and "10,000.00" in words
    assert max(edges) < width - 40  # 16 mm are left free


def test_prints_every_line_of_a_long_month_once_and_in_order(long, browse):
    row = make(long)

    with files.open_stored(row.pdf_name) as stored:
        content = stored.read()
    pages = [page.extract_text() for page in PdfReader(BytesIO(content)).pages]
    times = re.findall(r"\d+ Oct [\d:]{8}", " ".join(" ".join(pages).split()))
    assert times == [f"{line.at:%-d %b %H:%M:%S}" for line in statement_rows(long)]
    count = len(pages)
    for number, page in enumerate(pages, 1):
        assert re.findall(r"(\d+) / (\d+)", page.replace("steps / least", "")) == [
            (str(number), str(count))
        ]
        assert "Credit before" in page  # the head of the table
        assert ("Before the month" in page) == (number == 1)
        assert (long.digest in "".join(page.split())) == (number == count)
    full = [len(re.findall(r"\d+ Oct [\d:]{8}", page)) for page in pages[1:-1]]
    assert len(set(full)) == 1  # no page is left short where one part ends
    assert row.pdf_digest == hashlib.sha256(content).hexdigest()
    answer = text(browse().post("/verify/", {"statement": BytesIO(content)}))
    assert "Genuine" in answer and "for October 2026 (PDF)" in answer


def test_goes_on_with_what_the_part_before_left(long, no_layout):
    make(long)

    assert no_layout[0] == list(range(1, 41))
    assert [part[0] for part in no_layout] == [1, 38, 75]
    assert no_layout[-1][-1] == LINES


def test_prints_no_more_than_it_says(long, no_layout, browse, alice, monkeypatch):
    """Page and paper name the ceiling before anybody asks, and what has every line."""
    page = f"/app/billing/statements/{long.pk}/"
    assert "every line" not in text(browse(alice).get(page))
    for module in ("billing.paper", "billing.views.documents"):
        monkeypatch.setattr(f"{module}.PAPER_LINES", 50)

    shown = text(browse(alice).get(page))
    make(long)

    assert (
        "The PDF has the first 50 of the 90 lines of this month, the CSV has every line." in shown
    )
    assert no_layout[-1][-1] == 50


def test_tells_how_far_it_is(long, no_layout, browse, alice, monkeypatch):
    page = f"/app/billing/statements/{long.pk}/"
    monkeypatch.setattr("billing.views.documents.PART_LINES", PART)
    assert "You may leave this page" in text(browse(alice).get(page))
    seen = []
    monkeypatch.setattr(
        LongPdf, "write", lambda self, target: seen.append(text(browse(alice).get(page)))
    )

    make(long)

    assert "74 of 90 lines drawn" in seen[0]
    assert "You may leave this page" in seen[0]
    assert "lines drawn" not in text(browse(alice).get(page))


def test_is_in_line_once_however_often_somebody_looks(
    long, browse, alice, empty_valkey, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        browse(alice).post(f"/app/billing/statements/{long.pk}/print/")
    for _minute in range(2):
        with django_capture_on_commit_callbacks(execute=True):
            jobs.resume_pdfs()

    (job,) = django_rq.get_queue("reports").jobs
    assert job.timeout == jobs.PDF_SECONDS
