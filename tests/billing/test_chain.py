"""The chain of the ledger's lines: what is sealed, and that every way to write a line seals it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from billing import services
from billing.chain import SEALED, seal
from billing.ledger import post_consumed
from billing.models import Transaction, Wallet
from convomono.lib.ids import uuid7
from tests.factories.billing import NOW, TESTS, Launch, open_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def lines(acme):
    open_wallet(acme, seconds=600)
    launch = Launch(acme, 300)
    launch.dial().end(70)
    launch.dial().void()
    services.adjust(client=acme, seconds=-5, reason="Typo", key="1", actor=TESTS, now=NOW)
    return list(Transaction.objects.filter(client=acme).order_by("seq"))


def test_chains_each_line_to_the_one_before(lines):
    before = ""
    for line in lines:
        assert line.seal == seal(line, before=before)
        before = line.seal
    assert len({line.seal for line in lines}) == len(lines) > 3


def test_chains_wallets_apart(lines, rival):
    open_wallet(rival, seconds=50)

    first = Transaction.objects.get(client=rival)

    assert first.seal == seal(first, before="")


def test_seals_lines_that_are_written_together(acme):
    open_wallet(acme, seconds=600)
    launch = Launch(acme, 300)
    wallet = Wallet.objects.get(client=acme)
    calls = [uuid7() for _ in range(3)]
    post_consumed(
        wallet,
        [
            Transaction(
                client=acme,
                wallet=wallet,
                key=f"consume:{call}",
                type=Transaction.Type.CONSUME,
                seconds=10,
                reserved_delta=-10,
                consumed_delta=10,
                reservation_id=launch.reservation.pk,
                call_id=call,
                actor_email=TESTS.actor_email,
                created_at=NOW,
            )
            for call in calls
        ],
    )

    last = Transaction.objects.get(wallet_id=wallet.pk, seq=wallet.seq).seal
    written = Transaction.objects.filter(key__startswith="consume:").order_by("seq")
    for line in written:
        assert line.seal == seal(line, before=last)
        last = line.seal
    assert len(written) == len(calls)


OTHER = {"created_at": NOW + timedelta(seconds=1), "type": "expire", "status": "void"}


@pytest.mark.parametrize("name", SEALED)
def test_seals_every_column(lines, name):
    line = lines[2]
    was = getattr(line, name)
    other = OTHER.get(name)
    if other is None:
        other = (
            uuid7()
            if was is None or isinstance(was, UUID)
            else f"{was}1"
            if isinstance(was, str)
            else was + 1
        )
    setattr(line, name, other)

    assert line.seal != seal(line, before=lines[1].seal)


def test_seals_every_column_there_is():
    columns = {column.attname for column in Transaction._meta.concrete_fields}

    assert columns - {"seal"} == set(SEALED)


def test_is_the_same_at_the_precision_of_every_database(lines):
    line = lines[0]
    line.created_at = NOW + timedelta(microseconds=1999)
    told = seal(line, before="")
    line.created_at = NOW + timedelta(milliseconds=1)

    assert seal(line, before="") == told


def test_is_what_it_was_on_the_day_it_was_made():
    """Seals are kept for years: another way to make them would make every ledger look broken."""
    line = Transaction(
        id=UUID(int=1),
        client_id=UUID(int=2),
        wallet_id=UUID(int=3),
        seq=7,
        key="consume:x",
        type=Transaction.Type.CONSUME,
        seconds=61,
        balance_after_seconds=539,
        reason="Ünal",
        actor_email="billing",
        created_at=NOW,
    )

    assert (
        seal(line, before="ab")
        == "1e48b58f68e66d24f0c0f7110c73044456b0a7914ffc14877f62f75990fcca6c"
    )
