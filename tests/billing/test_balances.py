"""What is left while calls talk: less what they have talked, never less than what is held for them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from billing.balances import balance_of
from billing.models import Wallet
from convomono.lib import clock
from convomono.lib.display import moving_minutes
from telephony.models import Call
from tests.factories.billing import Launch, open_wallet

LATER = timedelta(seconds=90)
MOVING = re.compile(r'data-talk="(\d+)" data-rate="(-?\d+)" data-until="(\d+)">([\d.,]+)<')


@pytest.fixture
def launch(acme):
    open_wallet(acme, seconds=6000)
    return Launch(acme, 3000)


def talk(launch, *, now, max_call_seconds=300, **fields):
    """Hold for a dial and have it talk since `now`."""
    dial = launch.dial(max_call_seconds, now=now)
    Call.objects.create(
        client=launch.client,
        provider_call_id=f"call_{dial.call_id.hex}",
        pk=dial.call_id,
        created_at=now,
        **{
            "attempt_id": dial.attempt_id,
            "status": "ongoing",
            "started_at": now,
            **fields,
        },
    )
    return dial


def figures(client, *, now):
    found = balance_of(Wallet.objects.get(client=client), now=now)
    return found.left_seconds, found.reserved_seconds, found.used_seconds


def test_moves_with_each_call_that_talks(launch, acme, now):
    talk(launch, now=now)
    talk(launch, now=now + timedelta(seconds=30))

    assert figures(acme, now=now + LATER) == (6000 - 150, 3000 - 150, 150)


def test_is_what_the_ledger_says_once_they_have_ended(launch, acme, now):
    dial = talk(launch, now=now)
    Call.objects.update(status="ended", duration_ms=90_000)
    dial.end(90, now=now + LATER)

    assert figures(acme, now=now + LATER) == (6000 - 90, 3000 - 90, 90)


def test_never_falls_below_what_is_held(launch, acme, now):
    """The word of an end may be late: nobody is shown minutes gone that can't be billed."""
    talk(launch, now=now, max_call_seconds=120)

    assert figures(acme, now=now + timedelta(hours=1)) == (6000 - 120, 3000 - 120, 120)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "registered", "started_at": None},
        {"status": "ongoing", "started_at": None},
        {"status": "ended"},
        {"attempt_id": None, "direction": "inbound"},
    ],
)
def test_counts_no_call_that_takes_nothing_yet(launch, acme, now, fields):
    talk(launch, now=now, **fields)

    assert figures(acme, now=now + LATER) == (6000, 3000, 0)


def test_counts_no_call_of_another_client(launch, acme, rival, now):
    open_wallet(rival, seconds=6000)
    talk(Launch(rival, 3000), now=now)
    talk(launch, now=now)

    assert figures(acme, now=now + LATER)[0] == 6000 - 90


def test_is_never_below_zero(acme, now):
    open_wallet(acme, seconds=600)
    dial = talk(Launch(acme, 600), now=now, max_call_seconds=600)
    Wallet.objects.update(debt_seconds=900)

    found = balance_of(Wallet.objects.get(client=acme), now=now + LATER)

    assert (found.left_seconds, found.least_left_seconds) == (0, 0)
    assert dial.hold.status == "held"


def test_asks_nothing_while_nothing_is_reserved(acme, now, django_assert_num_queries):
    wallet = open_wallet(acme, seconds=600)
    with django_assert_num_queries(0):
        assert balance_of(wallet, now=now).left_seconds == 600


def test_asks_as_much_for_many_calls(launch, acme, now, django_assert_num_queries):
    for calls in (1, 4):
        for _ in range(calls):
            talk(launch, now=now)
        wallet = Wallet.objects.get(client=acme)
        with django_assert_num_queries(2):
            balance_of(wallet, now=now + LATER)


def test_says_to_the_browser_how_fast_and_how_far(launch, acme, vera, browse):
    now = clock.now()
    talk(launch, now=now - LATER)
    talk(launch, now=now - LATER)

    page = browse(vera).get("/app/billing/").content.decode()

    header, reserved, used = MOVING.findall(page)
    assert int(header[0]) in range(6000 - 200, 6000 - 179)
    assert header[1:3] == ("-2", str(6000 - 600))
    assert reserved[1:3] == ("-2", str(3000 - 600))
    assert used[1:3] == ("2", "600")
    assert "with the 2 calls that talk now" in page
    assert "50.00 for new launches" in page


def test_holds_still_where_nothing_tells_of_an_end(launch, acme, root, browse):
    talk(launch, now=clock.now() - LATER)

    page = browse(root).get(f"/agency/clients/{acme.pk}/wallet/").content.decode()

    assert "50.00" in page
    assert not MOVING.search(page)


def test_stands_without_calls():
    assert moving_minutes(90, 0, 0) == "1.50"
    assert moving_minutes(90, 90, 3) == "1.50"
