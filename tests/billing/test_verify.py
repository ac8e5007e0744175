"""Whether a paper is genuine: any file of a statement, an invoice or a credit note, for anybody who has it."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
from django.template.loader import render_to_string

from billing import jobs, services
from billing.models import Invoice, Payment, Statement
from billing.paper import paper
from convomono.lib import files
from tests.factories.billing import TESTS, open_wallet, sell

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 10, 20, 15, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 12, tzinfo=UTC)
SITE, VERIFY = "https://calls.example", "/verify/"


def text(response):
    return " ".join(response.content.decode().split())


def write_down(row, *, base_url, target, told):
    target.write(repr(paper(row, base_url=base_url)).encode())


@pytest.fixture
def papers(acme, monkeypatch):
    """An invoice, its credit note and a statement of Acme; drawing is faked, storing isn't."""
    open_wallet(acme, now=DAY)
    sell(acme, seconds=600, now=DAY)
    services.refund_payment(payment=Payment.objects.get(), reason="x", actor=TESTS, now=DAY)
    statement = services.ask_statement(client=acme, month=date(2026, 10, 1), now=LATER)
    services.make_statement(statement=statement, now=LATER)
    monkeypatch.setattr(jobs, "draw", write_down)
    made: list[tuple[str, Statement | Invoice]] = [("statement", statement)]
    made += [("invoice", row) for row in Invoice.objects.all()]
    for kind, row in made:
        type(row).objects.filter(pk=row.pk).update(pdf_status="queued")
        jobs.make_pdf(kind=kind, document_id=str(row.pk))
        row.refresh_from_db()
    return [row for _kind, row in made]


def content_of(row):
    with files.open_stored(row.pdf_name) as stored:
        return stored.read()


def test_knows_the_pdf_of_each_paper_again(browse, papers):
    """Whoever sent a genuine PDF read "Unknown: the file was changed"."""
    stranger = browse()
    for row, words in zip(
        papers,
        ("the statement of Acme Dental for October 2026 (PDF)", "INV-2026-00001", "CN-2026-00001"),
        strict=True,
    ):
        content = content_of(row)
        assert row.pdf_digest == hashlib.sha256(content).hexdigest()
        sent = text(stranger.post(VERIFY, {"statement": BytesIO(content)}))
        assert "Genuine" in sent and words in sent and "Acme Dental" in sent
        assert words in text(stranger.get(VERIFY, {"digest": row.pdf_digest}))
        changed = text(stranger.post(VERIFY, {"statement": BytesIO(content + b" ")}))
        assert "Genuine" not in changed and "Acme" not in changed
    assert "10.00 minutes, $6.00" in sent  # of the credit note


def test_leads_from_a_paper_to_where_it_is_checked(browse, alice, papers):
    statement, invoice, note = papers
    printed = render_to_string(*paper(statement, base_url=f"{SITE}/"))
    assert f'href="{SITE}/verify/?digest={statement.digest}"' in printed
    for row in (invoice, note):
        assert f'href="{SITE}/verify/"' in render_to_string(*paper(row, base_url=SITE))
    for kind, row in (("statements", statement), ("invoices", invoice)):
        page = browse(alice).get(f"/app/billing/{kind}/{row.pk}/").content.decode()
        assert f"{VERIFY}?digest={row.pdf_digest}" in page


def test_prints_the_address_of_this_installation(papers, settings):
    settings.PUBLIC_BASE_URL = "https://own.example"
    Invoice.objects.filter(pk=papers[1].pk).update(pdf_status="queued")

    jobs.make_pdf(kind="invoice", document_id=str(papers[1].pk))

    papers[1].refresh_from_db()
    assert b"https://own.example/verify/" in content_of(papers[1])


def test_keeps_the_digests_of_pdfs_that_were_made_before_digests_were_kept(papers):
    told = {row.pk: row.pdf_digest for row in papers}
    for model in (Invoice, Statement):
        model.objects.update(pdf_digest="")
    files.delete_stored(papers[2].pdf_name)

    for _twice in range(2):
        jobs.resume_pdfs()

    for row in papers[:2]:
        row.refresh_from_db()
        assert row.pdf_digest == told[row.pk]
    papers[2].refresh_from_db()  # its file is gone: it may be asked for again
    assert (papers[2].pdf_status, papers[2].pdf_name) == ("none", "")
