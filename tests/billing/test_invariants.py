"""The audit: silent on what the services wrote, and naming each corruption by its invariant."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, QuerySet

from accounts.models import Client
from billing import services
from billing.chain import seal
from billing.invariants import audit_ledger
from billing.models import (
    CallHold,
    CreditLot,
    Difference,
    Invoice,
    LotShare,
    Payment,
    Reconciliation,
    Reservation,
    Transaction,
    Wallet,
)
from convomono.lib.ids import uuid7
from telephony.models import Call
from tests.factories.billing import NOW, TESTS, Launch, open_wallet, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def books(acme, rival):
    """Every operation once: acme's ledger, with debt paid, and one launch still running."""
    open_wallet(acme, seconds=1000)
    open_wallet(rival, seconds=50)
    over, ended, running = Launch(acme, 300), Launch(acme, 240), Launch(acme, 400)
    live = running.dial()
    over.dial().end(370)  # 300 from its launch, 60 from the wallet, 10 owed
    sell(acme, seconds=500, reference="SECOND")
    first, second, third, fourth = (ended.dial() for _ in range(4))
    first.end(30)
    second.void()
    ended.close()
    third.end(0)
    services.expire_holds(now=fourth.hold.expires_at - timedelta(seconds=1))
    fourth.void()
    fourth.end(12)  # it was placed after all
    sell(acme, seconds=80, reference="WEEK", valid_days=7)
    sell(acme, seconds=70, reference="MONTH", valid_days=30)
    Launch(acme, 90).dial().end(20)  # of the week's
    sell(acme, seconds=40, reference="GONE", valid_days=1)
    services.expire_lots(now=NOW + timedelta(days=2))
    services.adjust(client=acme, seconds=-5, reason="Typo", key="1", actor=TESTS, now=NOW)
    return live


def test_finds_nothing_wrong_in_what_the_services_wrote(books):
    assert audit_ledger(now=NOW) == []
    assert services.audit_ledger() == []


@pytest.fixture(autouse=True)
def _at_that_time():
    with time_machine.travel(NOW, tick=False):
        yield


def test_says_that_the_ledger_is_clean(books, acme, capsys):
    call_command("audit_ledger")
    assert capsys.readouterr().out.strip() == (
        f"ledger clean: {Transaction.objects.count()} transactions"
    )
    call_command("audit_ledger", client="Acme Dental")
    mine = Transaction.objects.filter(client=acme).count()
    assert f"ledger clean: {mine} transactions" in capsys.readouterr().out


def test_refuses_to_audit_a_client_it_does_not_know(db):
    with pytest.raises(CommandError, match="Nobody"):
        call_command("audit_ledger", client="Nobody")


@pytest.fixture
def unguarded(books):
    """Take every guard of the database away, so that a row can be made wrong."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        for name in ("transaction_never_changed", "transaction_numbered_once"):
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        yield
        cursor.execute("PRAGMA ignore_check_constraints = OFF")


def change(rows, **values):
    assert QuerySet.update(rows, **values)


def acme_id():
    return Client.objects.get(name="Acme Dental").pk


def seal_anew():
    """Rewrite a line as somebody would who knows how seals are made, and leaves those after it alone."""
    mine = one(line("reserve")).get()
    before = Transaction.objects.get(wallet_id=mine.wallet_id, seq=mine.seq - 1).seal
    mine.campaign_id = uuid7()
    change(
        Transaction.objects.filter(pk=mine.pk),
        campaign_id=mine.campaign_id,
        seal=seal(mine, before=before),
    )


def line(key):
    return Transaction.objects.filter(client_id=acme_id(), key__startswith=key)


def one(rows):
    return rows.model.objects.filter(pk=rows.order_by("pk").first().pk)


def wallet():
    return Wallet.objects.filter(client_id=acme_id())


def reservation(status):
    return one(Reservation.objects.filter(status=status))


def busy():
    return one(Reservation.objects.filter(held_seconds__gt=0))


def hold(status, **more):
    return one(CallHold.objects.filter(status=status, **more))


def rival_id():
    return Wallet.objects.get(client__name="Rival Roofing").client_id


def refund(seconds, call_id=None):
    billed = one(line("consume")).get()
    services.adjust(
        client=billed.client, seconds=seconds, reason="Refund", key="r", actor=TESTS, now=NOW
    )
    change(line("adjust:r"), type="refund", call_id=call_id or billed.call_id)


def foreign_call():
    change(call(), client_id=rival_id())


def lose_a_payment():
    Invoice.objects.get(payment__reference="SECOND").delete()  # which protects it
    Payment.objects.get(reference="SECOND").delete()


def call(**columns):
    billed = Call.objects.filter(client=acme_id(), duration_ms=30_000)
    return billed.filter(**columns)


def lose_a_charge():
    """A call that ended, was dialled, and that nobody billed."""
    free = Call.objects.get(client=acme_id(), duration_ms=0)
    change(Call.objects.filter(pk=free.pk), duration_ms=9_000)


def differ(**columns):
    run = Reconciliation.objects.create(
        key="night",
        window_from=NOW - timedelta(days=1),
        window_until=NOW,
        next_from=NOW,
        asked_by_email="",
        asked_at=NOW - timedelta(hours=2),
    )
    said = {"kind": "missing_here", "provider_call_id": "call_x", "sentence": "", **columns}
    Difference.objects.create(reconciliation=run, found_at=run.asked_at, **said)


def lose_a_charge_of_a_call_whose_cost_differs():
    free = Call.objects.get(client=acme_id(), duration_ms=0)
    lose_a_charge()
    differ(kind="cost_differs", client_id=acme_id(), call_id=free.pk)


def lot(reference):
    return CreditLot.objects.filter(pk=CreditLot.objects.get(payment__reference=reference).pk)


def spend(reference, seconds):
    change(
        lot(reference),
        spent_seconds=F("spent_seconds") + seconds,
        available_seconds=F("available_seconds") - seconds,
    )


def swap_what_was_spent():
    """Every sum is right, but the month's minutes paid for what the week's should have."""
    spend("MONTH", 20)
    spend("WEEK", -20)


def machine():
    change(Reservation.objects.filter(client=acme_id()), bills_voicemail=False)
    change(call(), outcome_class="machine")


CORRUPTIONS = {
    "a charge is of another length than its call": (
        "L7",
        lambda: change(call(), duration_ms=31_000),
    ),
    "a charge of a machine stays": ("L7", machine),
    "a charged call is unknown": ("L8", lambda: Call.objects.filter(pk=call().get().pk).delete()),
    "a charged call is another attempt's": ("L8", lambda: change(call(), attempt_id=uuid7())),
    "a call was never billed": ("L16", lose_a_charge),
    "an unbilled call differs in cost": ("L16", lose_a_charge_of_a_call_whose_cost_differs),
    "a difference stays open": ("L16", lambda: differ(client_id=acme_id())),
    "a call that only Retell has stays open": ("L16", differ),
    "a lot has more than its payment": ("L12", lambda: change(lot("WEEK"), seconds=81)),
    "a lot has what was spent": ("L12", lambda: spend("MONTH", 20)),
    "the later lot was spent first": ("L12", swap_what_was_spent),
    "a launch lost its share": ("L12", lambda: change(LotShare.objects.all(), seconds=0)),
    "a payment with a term has no lot": (
        "L12",
        lambda: change(Payment.objects.filter(reference="SECOND"), valid_days=5),
    ),
    "minutes outlive their term": (
        "L12",
        lambda: change(lot("MONTH"), expires_at=NOW - timedelta(hours=2)),
    ),
    "minutes expired before their time": (
        "L12",
        lambda: change(lot("GONE"), expires_at=NOW + timedelta(days=9)),
    ),
    "minutes without a term expired": (
        "L12",
        lambda: change(line("expire"), payment_id=uuid7()),
    ),
    "an expiry has no reason": ("L5", lambda: change(line("expire"), reason="")),
    "the wallet counts other minutes with a term": (
        "L12",
        lambda: change(wallet(), expiring_seconds=1),
    ),
    "a line is changed": ("L1", lambda: change(one(line("purchase")), seconds=9)),
    "a line loses its balance": ("L1", lambda: change(one(line("consume")), consumed_delta=9)),
    "a type is unknown": ("L1", lambda: change(one(line("adjust")), type="gift")),
    "a sign is turned": ("L1", lambda: change(one(line("release")), seconds=-1)),
    "the wallet is given seconds": ("L1", lambda: change(wallet(), available_seconds=99_999)),
    "a payment has no line": (
        "L1",
        lambda: change(Payment.objects.filter(reference="SECOND"), seconds=1),
    ),
    "a purchase has no payment": ("L1", lose_a_payment),
    "the wallet falls below zero": ("L2", lambda: change(wallet(), debt_seconds=-1)),
    "lines fall below zero": (
        "L2",
        lambda: change(one(line("reserve")), available_delta=-9000, reserved_delta=9000),
    ),
    "a reservation falls below zero": (
        "L2",
        lambda: change(reservation("open"), free_seconds=-1),
    ),
    "a reservation does not add up": ("L3", lambda: change(busy(), held_seconds=0)),
    "a reservation grew": (
        "L3",
        lambda: change(
            reservation("open"),
            free_seconds=F("free_seconds") + 5,
            granted_seconds=F("granted_seconds") + 5,
        ),
    ),
    "seconds moved from posted to released": (
        "L3",
        lambda: change(
            one(Reservation.objects.filter(status="closed", posted_seconds=30)),
            posted_seconds=0,
            released_seconds=F("released_seconds") + 30,
        ),
    ),
    "a hold is held twice": ("L3", lambda: change(hold("voided"), status="held", resolved_at=None)),
    "a closed reservation is opened": ("L4", lambda: change(reservation("closed"), closed_at=None)),
    "an ended launch stays open": ("L4", lambda: change(reservation("closed"), status="closing")),
    "a launch ended with seconds free": (
        "L4",
        lambda: change(reservation("open"), status="closing"),
    ),
    "a hold was resolved at no time": ("L4", lambda: change(hold("posted"), resolved_at=None)),
    "a voided hold posted": ("L4", lambda: change(hold("voided"), posted_seconds=5)),
    "a posted hold has no call": ("L4", lambda: change(hold("posted"), call_id=None)),
    "a hold's line is another's": (
        "L4",
        lambda: change(hold("posted", posted_seconds__gt=0), call_id=uuid7()),
    ),
    "a charge has no dial": ("L4", lambda: change(one(line("consume")), reference_id="nobody")),
    "a correction has no reason": ("L5", lambda: change(line("adjust"), reason="")),
    "a key names no cause": ("L6", lambda: change(one(line("consume")), key="consume:other")),
    "a key is of another type": ("L6", lambda: change(one(line("release")), key="other")),
    "a debt isn't paid": ("L9", lambda: change(wallet(), debt_seconds=5)),
    "a hold posted more than it had": (
        "L9",
        lambda: change(hold("posted", posted_seconds__gt=0), posted_seconds=61),
    ),
    "a charge costs something else": ("L10", lambda: change(one(line("consume")), amount_micros=1)),
    "a charge is rounded otherwise": (
        "L10",
        lambda: change(one(line("consume")), increment_seconds=47),
    ),
    "the price in lists is old": ("L10", lambda: change(wallet(), price_per_minute_micros=1)),
    "a hold lives for ever": (
        "L11",
        lambda: change(hold("held"), expires_at=NOW - timedelta(hours=2)),
    ),
    "a refund is above its charge": ("L13", lambda: refund(9999)),
    "a refund is of no charge": ("L13", lambda: refund(1, call_id=uuid7())),
    "a line is another client's": ("L14", lambda: change(one(line("adjust")), client=rival_id())),
    "a launch is another client's": (
        "L14",
        lambda: change(reservation("open"), client=rival_id()),
    ),
    "a hold is another client's": ("L14", lambda: change(hold("held"), client=rival_id())),
    "a call is another client's": ("L14", foreign_call),
    "a number is missing": ("L15", lambda: change(line("adjust"), seq=999)),
    "a line has no number": (
        "L15",
        lambda: change(line("adjust"), seq=None, balance_after_seconds=None),
    ),
    "a balance was lost": ("L15", lambda: change(one(line("reserve")), balance_after_seconds=1)),
    "the wallet counts wrong": ("L15", lambda: change(wallet(), seq=2)),
    "a reason was rewritten": ("L5", lambda: change(one(line("adjust")), reason="Goodwill")),
    "a call was exchanged": ("L5", lambda: change(one(line("reserve")), campaign_id=uuid7())),
    "a seal is gone": ("L5", lambda: change(one(line("adjust")), seal="")),
    "an old line was sealed anew": ("L5", seal_anew),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_names_what_is_wrong(unguarded, name):
    invariant, corrupt = CORRUPTIONS[name]

    corrupt()

    assert invariant in {violation.invariant for violation in audit_ledger(now=NOW)}


def test_ends_with_a_failure_that_lists_each_violation(unguarded, capsys):
    change(wallet(), seq=2)

    with pytest.raises(CommandError, match="1 violations in"):
        call_command("audit_ledger")

    assert "L15 Acme Dental: the wallet counts 2 lines" in capsys.readouterr().out


def test_reports_one_client_and_so_many_violations_only(unguarded, acme):
    change(Wallet.objects.all(), seq=2, debt_seconds=5)

    assert {found.client for found in audit_ledger()} == {"Acme Dental", "Rival Roofing"}
    assert {found.client for found in audit_ledger(client_id=acme.pk)} == {"Acme Dental"}
    assert len(audit_ledger(most=1)) == 1


def test_reads_in_a_number_of_queries_that_calls_do_not_change(acme, django_assert_num_queries):
    open_wallet(acme, seconds=6000)
    launch = Launch(acme, 3000)
    launch.dial().end(10)
    with django_assert_num_queries(29):
        audit_ledger()
    for _ in range(20):
        launch.dial().end(10)
    with django_assert_num_queries(29):
        audit_ledger()
