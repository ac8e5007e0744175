"""Invoices with numbers that have no gap, and statements that can be checked byte by byte."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.template.loader import render_to_string
from django.test import Client as BrowserClient

from accounts.models import Client
from audit.models import AuditLog
from billing import free_calls, jobs, services
from billing.documents import (
    COLUMNS,
    Totals,
    csv_of,
    standing_before,
    statement_rows,
)
from billing.models import Invoice, Payment, Reservation, Seller, Statement
from billing.paper import paper
from billing.services import invoices
from billing.views import verify
from convomono.lib import files
from convomono.lib.ids import uuid7
from convomono.lib.pdf import PdfUnavailable
from telephony.models import Call
from tests.factories.billing import NOW, TESTS, Launch, open_wallet, sell
from tests.plans import plans

OCTOBER = date(2026, 10, 1)
IN_OCTOBER = datetime(2026, 10, 20, 15, tzinfo=UTC)
HOUR, A_DAY = timedelta(hours=1), timedelta(days=1)
LATER = datetime(2026, 11, 2, 12, tzinfo=UTC)
VERIFY, SITE = "/verify/", "https://calls.example"


def text(response):
    return response.content.decode()


def body(response):
    return b"".join(response.streaming_content)


# -- Invoices --------------------------------------------------------------------------------------


@pytest.fixture
def wallet(acme):
    return open_wallet(acme)


def numbers():
    return list(Invoice.objects.order_by("number").values_list("number", flat=True))


def test_numbers_the_invoices_of_all_clients_without_a_gap(wallet, acme, rival):
    open_wallet(rival)
    for client in (acme, rival, acme):
        sell(client, seconds=60)
    sell(acme, seconds=60, now=NOW.replace(year=2027))

    assert numbers() == ["INV-2026-00001", "INV-2026-00002", "INV-2026-00003", "INV-2027-00001"]


def test_numbers_an_invoice_by_the_year_of_the_clients_day(wallet, acme):
    """On New Year's Eve in New York the paper said 31 December, and its number the next year."""
    evening = datetime(2027, 1, 1, 3, tzinfo=UTC)
    sell(acme, seconds=60, now=evening)
    payment = Payment.objects.get()
    services.refund_payment(payment=payment, reason="x", actor=TESTS, now=evening)

    assert numbers() == ["CN-2026-00001", "INV-2026-00001"]


def test_gives_a_repeated_sale_no_second_invoice_and_a_refused_one_no_number(wallet, acme):
    for _ in range(2):
        sell(acme, seconds=60, reference="ONE")
    with pytest.raises(services.KeyReused):
        sell(acme, seconds=61, reference="ONE")
    sell(acme, seconds=60)

    assert numbers() == ["INV-2026-00001", "INV-2026-00002"]


def test_invoices_a_payment_that_is_to_come_and_takes_it_back_when_it_fails(wallet, acme):
    payment = services.await_payment(
        client=acme,
        seconds=60,
        amount_micros=5_000_000,
        method="bank",
        reference="R",
        actor=TESTS,
        now=NOW,
    )
    for _ in range(2):
        services.fail_payment(payment=payment, actor=TESTS, now=NOW)

    note = Invoice.objects.get(kind="credit_note")
    assert (note.number, note.corrects_number) == ("CN-2026-00001", "INV-2026-00001")
    assert note.amount_micros == 5_000_000


def test_writes_no_invoice_for_what_is_free(wallet, acme):
    services.purchase(
        client=acme,
        seconds=60,
        amount_micros=0,
        method="grant",
        reference="G",
        actor=TESTS,
        now=NOW,
    )
    services.refund_payment(payment=Payment.objects.get(), reason="x", actor=TESTS, now=NOW)

    assert not Invoice.objects.exists()


def test_shows_an_invoice_and_makes_its_pdf(
    browse, alice, charlie, wallet, acme, run_jobs, django_capture_on_commit_callbacks
):
    sell(acme, seconds=3600, reference="PO-77")
    invoice = Invoice.objects.get()
    browser, page = browse(alice), f"/app/billing/invoices/{invoice.pk}/"
    assert "INV-2026-00001" in text(browser.get("/app/billing/invoices/"))
    shown = text(browser.get(page))
    for words in ("PO-77", "60.00", "$36.00", "Acme Dental", "Make a PDF"):
        assert words in shown, words

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(page + "print/")
    assert "The PDF is being made" in text(browser.get(page))
    run_jobs()
    jobs.make_pdf(kind="invoice", document_id=str(invoice.pk))

    answer = browser.get(page + "pdf/")
    assert body(answer).startswith(b"%PDF-")
    assert 'filename="INV-2026-00001.pdf"' in answer["Content-Disposition"]
    part = text(browser.get(page, headers={"hx-request": "true"}))
    assert "Download PDF" in part and "<html" not in part
    assert browse(charlie).get(page + "pdf/").status_code == 404


def drawn(invoice):
    return render_to_string(
        *paper(Invoice.objects.select_related("client").get(pk=invoice.pk), base_url=SITE)
    )


def test_says_on_paper_nothing_that_changes_later(browse, alice, wallet, acme):
    """A PDF made while the payment was awaited said "Pending" for ever."""
    sale: dict[str, Any] = {
        "seconds": 60,
        "amount_micros": 5_000_000,
        "method": "bank",
        "reference": "R",
    }
    payment = services.await_payment(client=acme, actor=TESTS, now=NOW, **sale)
    invoice = Invoice.objects.get()
    before = drawn(invoice)

    services.settle_payment(payment=payment, actor=TESTS, now=NOW)

    assert drawn(invoice) == before
    assert "Pending" not in before and "Paid" not in before
    assert "Paid" in text(browse(alice).get(f"/app/billing/invoices/{invoice.pk}/"))


SELLER = {
    "name": "Bright Calls LLC",
    "address": "1 Main Street\nAlbany, NY",
    "tax_number": "EIN 12-3456789",
    "tax_name": "Sales tax",
    "tax_percent": "8.25",
}


def test_names_seller_buyer_and_the_tax_in_the_amount(browse, root, wallet, acme):
    browser = browse(root)
    assert "who sells" in text(browser.get(f"/agency/clients/{acme.pk}/invoices/"))
    assert browser.post("/agency/money/seller/", {"name": ""}).status_code == 422
    assert browser.post("/agency/money/seller/", {**SELLER, "tax_name": ""}).status_code == 422
    browser.post("/agency/money/seller/", SELLER)
    services.set_billing_address(client=acme, address="2 Oak Road", actor=TESTS, now=NOW)

    sell(acme, seconds=10_825)  # $108.25

    invoice = Invoice.objects.get()
    assert (invoice.tax_micros, invoice.net_micros) == (8_250_000, 100_000_000)
    paper_ = drawn(invoice)
    for words in ("Bright Calls LLC", "Albany, NY", "EIN 12-3456789", "2 Oak Road", "Acme Dental"):
        assert words in paper_, words
    for words in ("Sales tax 8.25%", "$8.25", "$100.00", "US dollars", "Total"):
        assert words in paper_, words
    assert "8.25" in text(browser.get("/agency/money/seller/"))


def test_says_who_sells_twice_in_the_same_moment(db, monkeypatch):
    """Two first saves at once were an error for the second."""
    said: dict[str, Any] = {"address": "", "tax_number": "", "tax_name": "", "tax_basis_points": 0}
    services.set_seller(name="First LLC", **said, actor=TESTS, now=NOW)
    looked = iter([None])
    monkeypatch.setattr(
        invoices, "find_seller", lambda: next(looked, services.find_seller())
    )  # it looked before the other had written

    services.set_seller(name="Second LLC", **said, actor=TESTS, now=NOW)

    assert Seller.objects.get().name == "Second LLC"


def test_keeps_what_an_invoice_said_when_seller_and_buyer_change(wallet, acme):
    by: dict[str, Any] = {"actor": TESTS, "now": NOW}
    said: dict[str, Any] = {"address": "", "tax_number": "", "tax_name": "VAT"}
    services.set_seller(name="Old Ltd", tax_basis_points=2000, **said, **by)
    sell(acme, seconds=60)
    services.set_seller(name="New Ltd", tax_basis_points=1000, **said, **by)
    services.set_billing_address(client=acme, address="Elsewhere", **by)

    services.refund_payment(payment=Payment.objects.get(), reason="x", **by)

    for row in Invoice.objects.all():  # the credit note takes back what was invoiced
        assert (row.sold_by, row.billed_address, row.tax_basis_points) == ("Old Ltd", "", 2000)
        assert row.tax_micros == 100_000
    assert AuditLog.objects.filter(action="seller.set").count() == 2


def test_changes_the_billing_address_with_the_clients_particulars(browse, root, wallet, acme):
    page = f"/agency/clients/{acme.pk}/change/"
    browser = browse(root)
    typed = {
        "name": acme.name,
        "time_zone": acme.time_zone,
        "concurrency_limit": 20,
        "billing_address": "3 Elm Street",
    }
    assert browser.post(page, typed).status_code == 302
    assert "3 Elm Street" in text(browser.get(page))


def test_says_why_a_pdf_could_not_be_made(browse, alice, wallet, acme, monkeypatch):
    def unavailable(*_args, **_kwargs):
        raise PdfUnavailable("PDF needs Pango.")

    sell(acme, seconds=60)
    invoice = Invoice.objects.get()
    page = f"/app/billing/invoices/{invoice.pk}/"
    browse(alice).post(page + "print/")
    monkeypatch.setattr(jobs, "draw", unavailable)

    jobs.make_pdf(kind="invoice", document_id=str(invoice.pk))

    assert "PDF needs Pango." in text(browse(alice).get(page))
    assert browse(alice).get(page + "pdf/").status_code == 404


# -- Statements ------------------------------------------------------------------------------------


@pytest.fixture
def month(acme):
    """October: 1,000 s bought, a launch of 300, a call of 44.2 s; in November a refund."""
    open_wallet(acme, now=IN_OCTOBER - timedelta(days=60))
    sell(acme, seconds=500, now=IN_OCTOBER - timedelta(days=40))  # in September
    sell(acme, seconds=1000, now=IN_OCTOBER)
    launch = Launch(acme, 300, now=IN_OCTOBER)
    dial = launch.dial(now=IN_OCTOBER)
    Call.objects.create(
        pk=dial.call_id,
        client=acme,
        provider_call_id="call_1",
        to_number="+12125550101",
        duration_ms=44_200,
        retell_cost_micros=987_654,
        created_at=IN_OCTOBER,
    )
    dial.end(44.2, now=IN_OCTOBER)
    services.refund_call(
        client_id=acme.pk, call_id=dial.call_id, seconds=5, reason="x", actor=TESTS, now=LATER
    )
    return dial


def issue(client, month=OCTOBER, now=LATER):
    row = services.ask_statement(client=client, month=month, now=now)
    services.make_statement(statement=row, now=now)
    row.refresh_from_db()
    return row


def read(statement):
    """Return a statement's CSV and its lines, without the row that closes it."""
    with files.open_stored(statement.csv_name) as stored:
        content = stored.read()
    *rows, closing = csv.DictReader(content.decode("utf-8-sig").splitlines())
    assert closing["type"] == "closing"
    return content, rows


def test_lists_every_line_with_price_rounding_and_balances(month, acme):
    statement = issue(acme)
    content, rows = read(statement)

    assert tuple(rows[0]) == COLUMNS
    assert [row["type"] for row in rows] == ["purchase", "reserve", "consume"]
    call = rows[2]
    assert (call["talked_seconds"], call["billed_seconds"]) == ("45", "45")
    assert (call["price_per_minute_usd"], call["amount_usd"]) == ("0.30", "0.2250")
    assert call["rounding"] == "1 s / 0 s"
    assert (rows[0]["balance_before_minutes"], rows[0]["balance_after_minutes"]) == (
        "8.33",
        "25.00",
    )
    assert rows[1]["balance_before_minutes"] == rows[0]["balance_after_minutes"]
    credit = ("credit_before_minutes", "credit_after_minutes")
    assert [tuple(row[name] for name in credit) for row in rows] == [
        ("8.33", "25.00"),
        ("25.00", "25.00"),
        ("25.00", "24.25"),
    ]
    assert (statement.opening_seconds, statement.closing_seconds) == (500, 1200)
    assert statement.totals["consume"] == {
        "lines": 1,
        "seconds": 45,
        "amount_micros": 225_000,
        "available_seconds": 0,
        "reserved_seconds": -45,
        "debt_seconds": 0,
    }
    assert statement.digest == hashlib.sha256(content).hexdigest()
    assert b"987654" not in content and b"0.9877" not in content
    assert b"2125550101" not in content  # who is erased stays in no paper


def test_adds_up_to_its_own_sums(acme):
    """Lines of four decimals came to 33 cents more than the sum below them."""
    open_wallet(acme, seconds=6000, price_per_minute_micros=250_000, now=IN_OCTOBER)
    launch = Launch(acme, 3000, now=IN_OCTOBER)
    for _ in range(20):
        launch.dial(now=IN_OCTOBER).end(37, now=IN_OCTOBER)

    statement = issue(acme)
    rows = [row for row in read(statement)[1] if row["type"] == "consume"]

    sums = statement.totals["consume"]
    assert sum(int(row["amount_micros"]) for row in rows) == sums["amount_micros"] == 20 * 154_167
    assert sum(int(row["seconds"]) for row in rows) == sums["seconds"]
    drawn = render_to_string(*paper(Statement.objects.get(), base_url=SITE))
    assert "$0.154167" in drawn and "$3.08334" in drawn


@pytest.mark.parametrize(
    ("before", "after"),
    [("America/New_York", "Europe/London"), ("Europe/London", "America/New_York")],
)
def test_shares_and_loses_no_line_when_the_zone_changes_between_two_months(acme, before, after):
    Client.objects.filter(pk=acme.pk).update(time_zone=before)
    acme.refresh_from_db()
    open_wallet(acme, now=IN_OCTOBER)
    for hour in range(8):  # midnight of the one zone, of the other, and hours around
        sell(acme, seconds=60, now=datetime(2026, 10, 31, 22, tzinfo=UTC) + hour * HOUR)
    october = issue(acme, now=LATER)
    Client.objects.filter(pk=acme.pk).update(time_zone=after)
    acme.refresh_from_db()

    november = issue(acme, date(2026, 11, 1), now=LATER + timedelta(days=40))

    seen = [int(row["line"]) for paper_ in (october, november) for row in read(paper_)[1]]
    assert seen == list(range(1, 9))
    assert october.closing_seconds == november.opening_seconds


def test_fits_a_month_between_two_that_were_made_before(acme):
    open_wallet(acme, now=IN_OCTOBER - timedelta(days=30))
    for days in range(10):  # the last of them is October in New York, and November in Tokyo
        sell(acme, seconds=60, now=datetime(2026, 9, 25, 20, tzinfo=UTC) + days * 4 * A_DAY)
    december = LATER + timedelta(days=40)
    issue(acme, date(2026, 9, 1), now=december)
    for zone, month in (("Asia/Tokyo", date(2026, 11, 1)), ("America/New_York", OCTOBER)):
        acme.time_zone = zone
        issue(acme, month, now=december)

    seen = [
        int(row["line"])
        for paper_ in Statement.objects.order_by("month")
        for row in read(paper_)[1]
    ]
    assert seen == list(range(1, 11))


def test_gives_a_line_that_came_late_to_the_next_month(acme):
    midnight = datetime(2026, 11, 1, 4, tzinfo=UTC)
    open_wallet(acme, seconds=600, now=IN_OCTOBER)
    with pytest.raises(services.MonthNotOver):  # its last lines may still be written
        services.ask_statement(client=acme, month=OCTOBER, now=midnight + timedelta(seconds=1))
    october = issue(acme, now=midnight + 2 * HOUR)
    sell(acme, seconds=60, now=midnight - timedelta(seconds=1))

    november = issue(acme, date(2026, 11, 1), now=LATER + timedelta(days=40))

    assert november.first_seq == october.last_seq + 1
    assert len(read(november)[1]) == 1


def test_makes_an_earlier_month_that_waits_first(month, acme):
    now = LATER + timedelta(days=40)
    services.ask_statement(client=acme, month=OCTOBER, now=now)
    november = issue(acme, date(2026, 11, 1), now=now)

    october = Statement.objects.get(month=OCTOBER)
    assert (october.status, october.last_seq + 1) == ("done", november.first_seq)


def test_names_each_call_that_cost_nothing(browse, alice, acme, rival, month):
    """Whoever compared a statement with its calls found 412 of them as one number."""

    def call(name, client=acme, at=IN_OCTOBER, **fields):
        over = {"status": "not_connected", "outcome_class": "no_contact", "created_at": at}
        return Call.objects.create(client=client, provider_call_id=name, **(over | fields))

    campaign_id = Reservation.objects.get().campaign_id
    Reservation.objects.update(label="Autumn")
    last = call("last", at=datetime(2026, 11, 1, 3, 59, tzinfo=UTC))
    machine = call(
        "machine",
        status="ended",
        outcome_class="machine",
        duration_ms=8_400,
        campaign_id=campaign_id,
    )
    first = call("first", at=datetime(2026, 10, 1, 4, tzinfo=UTC))  # midnight in New York
    call("before", at=datetime(2026, 10, 1, 3, 59, tzinfo=UTC))
    call("after", at=datetime(2026, 11, 1, 4, tzinfo=UTC))
    call("going on", status="ongoing")
    call("foreign", client=rival)
    Call.objects.filter(pk=month.call_id).update(status="ended")  # billed: it has a line
    statement = issue(acme)

    named = [row for row in read(statement)[1] if row["type"] == "free"]
    assert [row["call_id"] for row in named] == [str(one.pk) for one in (first, machine, last)]
    said = {column: value for column, value in named[1].items() if value}
    assert said == {
        "time": "2026-10-20T11:00:00-04:00",
        "type": "free",
        "campaign": "Autumn",
        "call_id": str(machine.pk),
        "talked_seconds": "9",
        "billed_seconds": "0",
        "amount_usd": "0.00",
        "amount_micros": "0",
        "minutes": "0.00",
        "seconds": "0",
        "reference_id": "machine",
        "reason": "Costs nothing",
    }
    assert (named[0]["talked_seconds"], named[0]["time"][:19]) == ("0", "2026-10-01T00:00:00")
    assert statement.totals["free:no_contact"]["lines"] == 2
    page = text(browse(alice).get(f"/app/billing/statements/{statement.pk}/"))
    for shown in (page, render_to_string(*paper(statement, base_url=SITE))):
        assert "Calls that cost nothing" in shown and "Voicemail" in shown
        assert "The CSV names each of them." in shown
    Statement.objects.update(lists_free_calls=False)  # issued before it did
    assert "names each" not in text(browse(alice).get(f"/app/billing/statements/{statement.pk}/"))


def test_names_calls_that_cost_nothing_in_parts(acme, monkeypatch):
    open_wallet(acme, now=IN_OCTOBER)
    for number in range(7):
        Call.objects.create(
            client=acme,
            provider_call_id=str(number),
            status="not_connected",
            created_at=IN_OCTOBER + timedelta(minutes=number),
        )
    monkeypatch.setattr(free_calls, "CHUNK", 3)

    rows = read(issue(acme))[1]

    assert [row["time"][14:16] for row in rows] == [f"0{number}" for number in range(7)]


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_reads_its_lines_by_their_numbers_and_not_the_whole_ledger(month, acme):
    statement = issue(acme)

    def ask() -> None:
        list(statement_rows(statement, first=2, most=1))

    (plan,) = plans(ask, of='"billing_transaction"')

    assert "wallet_id=? AND seq>" in plan and "TEMP B-TREE" not in plan, plan


def test_never_changes_when_it_is_made_again_and_leaves_no_line_between_two_months(month, acme):
    statement = issue(acme)
    first = read(statement)[0]
    sell(acme, seconds=60, now=LATER)

    again = csv_of(statement, Totals(opening=standing_before(acme, statement.first_seq)))
    assert "".join(again).encode() == first
    november = issue(acme, date(2026, 11, 1), now=LATER + timedelta(days=40))
    assert november.first_seq == statement.last_seq + 1
    assert november.opening_seconds == statement.closing_seconds
    assert [row["type"] for row in read(november)[1]] == ["refund", "purchase"]


def test_makes_one_statement_of_a_month_and_none_of_one_that_is_not_over(month, acme):
    assert issue(acme) == issue(acme)
    assert not services.make_statement(statement=Statement.objects.get(), now=LATER)
    Statement.objects.update(status="queued")  # by hand: what was issued stays as it is
    assert not services.make_statement(statement=Statement.objects.get(), now=LATER)
    for later in (date(2026, 11, 1), date(2030, 1, 1)):
        with pytest.raises(services.MonthNotOver):
            services.ask_statement(client=acme, month=later, now=LATER)


def test_knows_when_a_month_is_over_in_the_zone_of_the_client(wallet, acme):
    # An hour after midnight in New York, still on summer time: the last lines are written.
    midnight = datetime(2026, 11, 1, 5, tzinfo=UTC)

    assert services.last_month(client=acme, now=midnight) == OCTOBER
    earlier = midnight - timedelta(seconds=1)
    assert services.last_month(client=acme, now=earlier) == date(2026, 9, 1)


def test_makes_the_statements_of_all_clients_when_the_month_is_over(month, acme, rival):
    open_wallet(rival)
    for _ in range(2):
        for row in services.due_statements(now=LATER):
            services.make_statement(statement=row, now=LATER)

    assert Statement.objects.filter(status="done", month=OCTOBER).count() == 2
    assert not list(services.due_statements(now=LATER))


def test_shows_a_statement_with_csv_and_pdf_to_its_client_alone(
    browse, alice, charlie, root, month, acme, run_jobs, django_capture_on_commit_callbacks
):
    statement = issue(acme)
    browser, page = browse(alice), f"/app/billing/statements/{statement.pk}/"
    assert "October 2026" in text(browser.get("/app/billing/statements/"))
    shown = text(browser.get(page))
    for words in (
        "45 s",
        "$0.225",
        "8.33",
        "20.00",
        "24.25",
        "1,455 s",
        statement.digest,
        str(month.call_id),
    ):
        assert words in shown, words
    assert body(browser.get(page + "csv/")) == read(statement)[0]

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(page + "print/")
    run_jobs()

    assert body(browser.get(page + "pdf/")).startswith(b"%PDF-")
    agency = f"/agency/clients/{acme.pk}/statements/{statement.pk}/"
    assert str(month.call_id) in text(browse(root).get(agency))
    assert browse(charlie).get(page + "csv/").status_code == 404


def test_says_on_paper_how_many_lines_are_elsewhere_and_where(month, acme, monkeypatch):
    statement = issue(acme)
    whole = statement.last_seq - statement.first_seq + 1
    assert "are printed here" not in render_to_string(*paper(statement, base_url=SITE))
    monkeypatch.setattr("billing.paper.PAPER_LINES", whole - 2)

    paper_ = render_to_string(*paper(statement, base_url=SITE))

    assert f"The first {whole - 2} of {whole} lines are printed here." in paper_
    assert "(Billing, Statements, 2026-10)" in paper_


def test_prints_no_statement_that_is_still_being_made(browse, alice, month, acme):
    """A blank PDF stayed for good."""
    row = services.ask_statement(client=acme, month=OCTOBER, now=LATER)
    browse(alice).post(f"/app/billing/statements/{row.pk}/print/")

    row.refresh_from_db()
    assert row.pdf_status == "none"


def test_asks_for_a_month_from_the_page(
    browse, alice, month, acme, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(alice)
    for wrong, words in (("", "Choose a month"), ("2099-01", "over"), ("x", "Choose a month")):
        answer = browser.post("/app/billing/statements/ask/", {"month": wrong}, follow=True)
        assert words in text(answer)

    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post("/app/billing/statements/ask/", {"month": "2026-09"}, follow=True)
    assert "being made" in text(answer)
    run_jobs()

    assert Statement.objects.get().closing_seconds == 500


def test_pages_through_a_long_month_in_as_many_queries(
    browse, alice, acme, django_assert_num_queries
):
    open_wallet(acme, now=IN_OCTOBER)
    for _ in range(120):
        sell(acme, seconds=60, now=IN_OCTOBER)
    page = f"/app/billing/statements/{issue(acme).pk}/"
    browser = browse(alice)
    assert "?from=101" in text(browser.get(page))
    second = text(browser.get(page, {"from": "101"}))
    assert "?from=1" in second and "?from=201" not in second
    for digits in (20, 5000):  # Python reads no number of more than 4,300
        assert browser.get(page, {"from": "9" * digits}).status_code == 200

    with django_assert_num_queries(3):
        browser.get(page)


def test_reads_a_month_in_parts(month, acme):
    statement = issue(acme)

    assert [row.line.seq for row in statement_rows(statement, first=3, most=1)] == [3]


# -- Verifying -------------------------------------------------------------------------------------


def test_says_to_anybody_whether_a_statement_is_genuine(browse, month, acme):
    statement = issue(acme)
    content = read(statement)[0]
    stranger = browse()

    genuine = text(stranger.get(VERIFY, {"digest": f" {statement.digest.upper()} "}))
    assert "Genuine" in genuine and "Acme Dental" in genuine
    sent = stranger.post(VERIFY, {"statement": BytesIO(content)})
    assert "Genuine" in text(sent)

    for changed in (content + b" ", content.replace(b"20.00", b"21.00"), b""):
        answer = text(stranger.post(VERIFY, {"statement": BytesIO(changed)}))
        assert "Genuine" not in answer and "Acme" not in answer
    for digest in ("0" * 64, statement.digest[:-1], "<script>", ""):
        assert "Genuine" not in text(stranger.get(VERIFY, {"digest": digest}))


def test_tells_the_empty_months_of_two_clients_apart(browse, acme, rival):
    """A month without lines was a heading alone: anybody's empty month named the first client."""
    made = []
    for client in (acme, rival):
        open_wallet(client, now=IN_OCTOBER - timedelta(days=60))
        made += [issue(client, date(2026, 9, 1)), issue(client)]

    assert len({row.digest for row in made}) == len(made)
    answer = text(browse().post(VERIFY, {"statement": BytesIO(read(made[-1])[0])}))
    assert rival.name in answer and acme.name not in answer


def test_closes_a_statement_with_its_month_balance_and_id(month, acme):
    statement = issue(acme)
    with files.open_stored(statement.csv_name) as stored:
        *_, closing = csv.DictReader(stored.read().decode("utf-8-sig").splitlines())

    said = {column: value for column, value in closing.items() if value}
    assert said == {
        "time": "2026-10",
        "type": "closing",
        "balance_after_minutes": "20.00",
        "credit_after_minutes": "24.25",
        "credit_after_seconds": "1455",
        "reference_id": str(statement.pk),
    }


def test_names_nobody_where_two_older_statements_have_the_same_bytes(browse, month, acme, rival):
    open_wallet(rival, now=IN_OCTOBER)
    for client in (acme, rival):
        issue(client)
    Statement.objects.update(digest="ab" * 32)

    answer = text(browse().get(VERIFY, {"digest": "ab" * 32}))

    assert "Genuine" not in answer and acme.name not in answer and rival.name not in answer


@pytest.mark.parametrize("size", [2_000, 2_000_000])
def test_takes_no_more_of_a_strangers_file_than_the_largest_statement(browse, monkeypatch, size):
    """Anybody could fill the disk of an installation with files to check."""
    monkeypatch.setattr(verify, "MOST_BYTES", 1000)
    monkeypatch.setattr(verify, "TemporaryFileUploadHandler", _Counting)
    _Counting.taken = 0

    answer = browse().post(VERIFY, {"statement": BytesIO(b"x" * size)})

    assert answer.status_code == 413
    assert "larger than any paper" in text(answer)
    assert _Counting.taken == 0


class _Counting(TemporaryFileUploadHandler):
    taken = 0

    def receive_data_chunk(self, raw_data, start):
        type(self).taken += len(raw_data)
        return super().receive_data_chunk(raw_data, start)


def test_still_asks_for_the_token_of_a_form(client_with_csrf):
    assert client_with_csrf.post(VERIFY, {"digest": "x"}).status_code == 403


@pytest.fixture
def client_with_csrf():
    return BrowserClient(enforce_csrf_checks=True)


# -- Usage -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("at_that_time")
def test_shows_what_each_campaign_used(browse, alice, month, acme):
    answer = text(browse(alice).get("/app/billing/usage/", {"days": "90"}))

    assert "0.67" in answer  # 45 s less the 5 that were given back
    assert "$0.20" in answer
    assert "No calls were billed" in text(browse(alice).get("/app/billing/usage/?days=7"))
    for page in ("usage/?days=", "payments/?page="):
        assert browse(alice).get(f"/app/billing/{page}{'9' * 5000}").status_code == 200


@pytest.mark.usefixtures("at_that_time")
def test_leads_from_usage_to_the_lines_of_a_campaign(browse, alice, root, acme):
    open_wallet(acme, seconds=1000)
    launch, other = Launch(acme, 300), Launch(acme, 120)
    launch.dial().end(45)
    Reservation.objects.filter(batch_call_id=launch.batch_call_id).update(label="Autumn")
    for browser, usage, ledger in (
        (browse(alice), "/app/billing/usage/", "/app/billing/"),
        (
            browse(root),
            f"/agency/clients/{acme.pk}/usage/",
            f"/agency/clients/{acme.pk}/wallet/",
        ),
    ):
        lines = f"{ledger}?campaign={launch.campaign_id}"
        assert f'href="{lines}"' in text(browser.get(usage, {"days": "365"}))
        page = text(browser.get(f"{lines}&type=reserve", HTTP_HX_REQUEST="true"))
        assert "Only lines of Autumn." in page
        assert f'href="{ledger}?type=reserve"' in page
        assert page.count(">5.00</td>") == 1 and ">2.00</td>" not in page
        assert "Only lines" not in text(browser.get(ledger))
        assert "Only lines of a campaign." in text(browser.get(f"{ledger}?campaign={uuid7()}"))
        assert ">2.00</td>" in text(browser.get(f"{ledger}?campaign={other.campaign_id}"))


def test_makes_no_statement_of_months_before_the_account(browse, alice, acme):
    """Whoever may ask could fill the table with a row for each month since the year 1."""
    open_wallet(acme)
    Client.objects.filter(pk=acme.pk).update(created_at=NOW)
    browser = browse(alice)
    for month in ("2026-09", "0001-01", "9999-12"):
        browser.post("/app/billing/statements/ask/", {"month": month})
    assert not Statement.objects.exists()
