"""A statement's credit: each call moves it, each column of its sums adds up, and older ones are told the same."""

from __future__ import annotations

import csv
import importlib
from datetime import UTC, date, datetime, timedelta

import pytest
from django.apps import apps
from django.template.loader import render_to_string
from django.utils import timezone

from billing import services
from billing.documents import statement_rows, sums_of
from billing.models import Statement, Wallet
from billing.paper import paper
from convomono.lib import files
from tests.factories.billing import TESTS, Launch, open_wallet, sell

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 10, 20, 15, tzinfo=UTC)
LATER = datetime(2026, 12, 2, 12, tzinfo=UTC)
SITE = "https://calls.example"
COLUMNS = ("available", "reserved", "debt", "credit")


def issue(client, month):
    row = services.ask_statement(client=client, month=date(2026, month, 1), now=LATER)
    services.make_statement(statement=row, now=LATER)
    row.refresh_from_db()
    return row


def read(statement):
    with files.open_stored(statement.csv_name) as stored:
        *rows, closing = csv.DictReader(stored.read().decode("utf-8-sig").splitlines())
    return rows, closing


@pytest.fixture
def two_months(acme):
    """October: calls within a launch, one far beyond it that leaves a debt. November: it is paid."""
    open_wallet(acme, now=DAY - timedelta(days=60))
    sell(acme, seconds=500, now=DAY)
    launch = Launch(acme, 300, now=DAY)
    launch.dial(now=DAY).end(44.2, now=DAY)
    dial = launch.dial(now=DAY)
    dial.end(17, now=DAY)
    launch.dial(now=DAY).end(700, now=DAY)
    november = DAY + timedelta(days=20)
    sell(acme, seconds=1000, now=november)
    services.refund_call(
        client_id=acme.pk,
        call_id=dial.call_id,
        seconds=5,
        reason="Bad line",
        actor=TESTS,
        now=november,
    )
    Launch(acme, 120, now=november)
    return issue(acme, 10), issue(acme, 11)


def standing(statement, when):
    names = ("seconds", "reserved_seconds", "debt_seconds", "credit_seconds")
    return {
        account: getattr(statement, f"{when}_{name}")
        for account, name in zip(COLUMNS, names, strict=True)
    }


def test_takes_each_call_from_the_credit_that_was_before_it(two_months):
    """A call within its hold had the same balance before and after: no line explained the next."""
    rows, closing = read(two_months[0])

    credit = 0
    for row in rows:
        before, change, after = (
            int(row[f"credit_{name}_seconds"]) for name in ("before", "change", "after")
        )
        assert (before, before + change) == (credit, after)
        credit = after
    calls = [row for row in rows if row["type"] == "consume"]
    assert [int(row["credit_change_seconds"]) for row in calls] == [-45, -17, -700]
    assert int(closing["credit_after_seconds"]) == credit == -262
    assert closing["credit_after_minutes"] == "-4.37"


def test_adds_each_column_of_its_sums_up_to_what_is_left(two_months, acme):
    for statement in two_months:
        opening, closing = standing(statement, "opening"), standing(statement, "closing")
        for account in COLUMNS:
            moved = sum(getattr(row, f"{account}_seconds") for row in sums_of(statement))
            assert opening[account] + moved == closing[account], account

    october, november = two_months
    assert standing(october, "closing") == standing(november, "opening")
    wallet = Wallet.objects.get(client=acme)
    assert standing(november, "closing") == {
        "available": wallet.available_seconds,
        "reserved": wallet.reserved_seconds,
        "debt": wallet.debt_seconds,
        "credit": wallet.usable_seconds,
    }
    assert wallet.reserved_seconds and standing(october, "closing")["debt"]


def test_shows_signs_and_seconds_on_page_and_paper(browse, alice, two_months):
    october = two_months[0]
    for shown in (
        browse(alice).get(f"/app/billing/statements/{october.pk}/").content.decode(),
        render_to_string(*paper(october, base_url=SITE)),
    ):
        for words in ("Credit before", "Credit after", "Owed min", "-12.70", "-762 s", "+8.33"):
            assert words in shown, words
    listed = browse(alice).get("/app/billing/statements/").content.decode()
    assert "-4.37" in listed  # the credit after October


def test_tells_the_time_of_a_line_in_the_zone_that_it_names(browse, root, two_months):
    """On paper, which a worker draws, and for who looks from elsewhere it was UTC under "New York"."""
    october = two_months[0]
    page = f"/agency/clients/{october.client_id}/statements/{october.pk}/"
    with timezone.override("UTC"):
        shown = [
            render_to_string(*paper(october, base_url=SITE)),
            browse(root).get(page).content.decode(),
        ]

    for one in shown:
        assert "20 Oct 11:00:00" in one and "20 Oct 15:00:00" not in one


def test_leaves_out_what_is_owed_where_nothing_was(browse, alice, acme):
    open_wallet(acme, seconds=600, now=DAY)
    page = f"/app/billing/statements/{issue(acme, 10).pk}/"

    assert "Owed" not in browse(alice).get(page).content.decode()


def test_knows_the_credit_in_the_middle_of_a_month(two_months):
    whole = list(statement_rows(two_months[0]))

    for first in range(1, len(whole) + 1):
        (row,) = statement_rows(two_months[0], first=first, most=1)
        assert row.credit_before_seconds == whole[first - 1].credit_before_seconds


def test_tells_the_credit_of_statements_that_were_issued_before_it_was_told(two_months):
    """Their files and digests stay; page and paper tell the same as of later ones."""
    migration = importlib.import_module("billing.migrations.0005_statement_credit")
    told = {row.pk: row for row in Statement.objects.all()}
    for row in Statement.objects.all():
        for when in ("opening", "closing"):
            setattr(row, f"{when}_reserved_seconds", 0)
            setattr(row, f"{when}_debt_seconds", 0)
        for sums in row.totals.values():
            for name in ("available", "reserved", "debt"):
                del sums[f"{name}_seconds"]
        row.save()

    migration.tell_credit(apps, None)

    for row in Statement.objects.all():
        assert row.totals == told[row.pk].totals
        for when in ("opening", "closing"):
            assert standing(row, when) == standing(told[row.pk], when)
