"""Statements on paper: every column of every line is on the page."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta

import pytest

from billing import services
from billing.documents import paper
from convomono.lib.pdf import PdfUnavailable, render_pdf
from tests.factories.billing import NOW, Launch, open_wallet

SITE = "https://calls.example"


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


def test_cuts_no_column_of_a_statement_off(statement, tmp_path):
    template, context = paper(statement, base_url=SITE)
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
