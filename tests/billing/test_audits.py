"""The nightly audit: every ledger once a night, some at a time, and the agency hears of what is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from accounts.models import Notification
from billing import invariants, jobs, services
from billing.invariants import audit_ledger
from billing.invariants.lines import LaunchSums, check_lines
from billing.invariants.lots import LotReplay
from billing.models import Difference, Reconciliation, Wallet
from billing.services import audits
from billing.services.audits import audit_due
from tests.factories.billing import NOW, TESTS, Launch, open_wallet

A_DAY = timedelta(days=1)


@pytest.fixture
def books(acme, rival):
    for client in (acme, rival):
        open_wallet(client, seconds=600)
        Launch(client, 300).dial().end(30)


def test_checks_each_ledger_once_a_night(books):
    assert audit_due(now=NOW) == 2
    assert audit_due(now=NOW + timedelta(hours=11)) == 0
    assert audit_due(now=NOW + A_DAY) == 2
    assert not Notification.objects.filter(client=None).exists()


def test_goes_on_where_its_time_was_over(books):
    left = iter([True, False])

    assert audit_due(now=NOW, has_time=lambda: next(left)) == 1
    assert audit_due(now=NOW) == 1
    assert Wallet.objects.filter(audited_at=NOW).count() == 2


def test_is_checked_only_once_the_audit_has_come_to_its_end(books, acme, monkeypatch):
    """It was written down before: a worker killed in the middle left the ledger unchecked."""

    def killed(**about):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(audits, "audit_ledger", killed)
        with pytest.raises(KeyboardInterrupt):
            audit_due(now=NOW)
    assert not Wallet.objects.exclude(audited_at=None).exists()

    assert audit_due(now=NOW + timedelta(minutes=10)) == 1  # the other one: the lease is held
    assert audit_due(now=NOW + audits.LEASE) == 1
    assert Wallet.objects.filter(audited_at__gte=NOW, audit_until=None).count() == 2
    assert "could not be checked" in Notification.objects.get(client=None).title


def test_tells_of_a_ledger_that_can_not_be_checked_and_goes_on(
    books, acme, rival, root, monkeypatch, mailoutbox
):
    check = audit_ledger

    def broken(*, client_id, now):
        if client_id == acme.pk:
            raise ZeroDivisionError
        return check(client_id=client_id, now=now)

    monkeypatch.setattr(audits, "audit_ledger", broken)
    for minutes in (0, 10, 130):  # tried again, told once
        audit_due(now=NOW + timedelta(minutes=minutes))

    assert Wallet.objects.get(client=rival).audited_at == NOW
    assert Wallet.objects.get(client=acme).audited_at is None
    told = Notification.objects.get(client=None)
    assert told.title == "The ledger could not be checked: Acme Dental"
    assert len(mailoutbox) == 1
    monkeypatch.undo()
    assert audit_due(now=NOW + timedelta(hours=5)) == 1


def test_is_audited_by_one_worker_at_a_time(books, monkeypatch):
    beside: list[object] = []
    check = audit_ledger

    def busy(**about):
        if not beside:
            beside.append(None)
            beside.append(audit_due(now=NOW))  # a second job in the same moment
        return check(**about)

    monkeypatch.setattr(audits, "audit_ledger", busy)

    assert audit_due(now=NOW) == 1
    assert beside == [None, 1]


def test_tells_the_agency_once_a_night_of_what_is_wrong(books, acme, root, mailoutbox):
    Wallet.objects.filter(client=acme).update(consumed_seconds=F("consumed_seconds") + 1)
    for hours in (0, 1, 24):
        audit_due(now=NOW + timedelta(hours=hours))

    told = Notification.objects.filter(client=None)
    assert {row.title for row in told} == {"The ledger doesn't add up: Acme Dental"}
    assert "L1 Acme Dental: the wallet has 31 s consumed" in told[0].body
    assert (told.count(), len(mailoutbox)) == (2, 2)


def test_tells_of_differences_of_nobodys_calls(books, root):
    run = Reconciliation.objects.create(
        key="k", window_from=NOW, window_until=NOW, next_from=NOW, asked_at=NOW - A_DAY
    )
    Difference.objects.create(
        reconciliation=run,
        kind="missing_here",
        provider_call_id="call_x",
        found_at=NOW - timedelta(hours=1),
    )

    audit_due(now=NOW)

    assert "call_x" in Notification.objects.get(client=None).body


def test_reads_the_lines_once_where_nothing_but_a_comparison_is_unresolved(
    books, acme, monkeypatch
):
    """A million lines take minutes; whether somebody has resolved a difference, one look tells."""
    run = Reconciliation.objects.create(
        key="k", window_from=NOW, window_until=NOW, next_from=NOW, asked_at=NOW - A_DAY
    )
    Difference.objects.create(
        reconciliation=run,
        client=acme,
        kind="seconds_differ",
        provider_call_id="call_x",
        found_at=NOW - A_DAY,
    )
    looks = []

    def counted(wallet, *args):
        looks.append(wallet.client_id)
        return check_lines(wallet, *args)

    monkeypatch.setattr(invariants, "check_lines", counted)

    (found,) = audit_ledger(client_id=acme.pk, now=NOW)

    assert found.invariant == "L16" and "call_x" in found.sentence
    assert looks == [acme.pk]


def test_runs_as_a_job(books):
    assert jobs.audit_ledgers() == 2


def test_finds_a_drift_while_lines_are_written(books, acme, monkeypatch):
    """The figures of a busy wallet differ at each look, and with them what was said of the drift."""
    Wallet.objects.filter(client=acme).update(consumed_seconds=F("consumed_seconds") + 60)
    check, looks = invariants._check, []

    def busy(*about):
        found = list(check(*about))
        looks.append(len(found))
        services.adjust(
            client=acme, seconds=1, reason="x", key=str(len(looks)), actor=TESTS, now=NOW
        )
        Wallet.objects.filter(client=acme).update(
            consumed_seconds=F("consumed_seconds") + 5, available_seconds=F("available_seconds") - 5
        )
        return iter(found)

    monkeypatch.setattr(invariants, "_check", busy)

    found = [str(one) for one in services.audit_ledger(client_id=acme.pk)]

    assert any("s consumed, its lines" in one for one in found)


def test_compares_a_wallet_with_the_lines_it_had_when_it_was_read(books, acme):
    wallet = Wallet.objects.get(client=acme)
    services.adjust(client=acme, seconds=60, reason="x", key="k", actor=TESTS, now=NOW)
    sums, replay = LaunchSums(), LotReplay(wallet)

    assert list(check_lines(wallet, sums, replay, None)) == []
