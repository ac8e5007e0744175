"""Sweeps over many clients: one whose books are broken keeps nobody else waiting."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing import services
from billing.models import CallHold, Reservation, Wallet
from tests.factories.billing import NOW, Launch, balances, open_wallet, sell

LATER = NOW + timedelta(days=2)


@pytest.fixture
def both(acme, rival):
    for client, at in ((acme, NOW), (rival, NOW + timedelta(minutes=1))):
        open_wallet(client)
        sell(client, seconds=600, valid_days=1, now=at)
    return acme, rival


def test_lets_minutes_expire_behind_a_wallet_that_has_fewer_than_its_lot(both):
    broken, sound = both
    Wallet.objects.filter(client=broken).update(available_seconds=10)

    assert services.expire_lots(now=LATER) == 600

    assert balances(sound)[0] == 0
    assert balances(broken)[0] == 10  # the audit names it


def test_gives_holds_back_behind_one_whose_launch_does_not_add_up(both):
    broken, sound = both
    launches = {client: Launch(client, 300, now=NOW + timedelta(minutes=2)) for client in both}
    for launch in launches.values():
        launch.dial(now=NOW)
    Reservation.objects.filter(client=broken).update(held_seconds=0)

    assert services.expire_holds(now=NOW + timedelta(hours=3)) == 1

    status = dict(CallHold.objects.values_list("client_id", "status"))
    assert status == {broken.pk: "held", sound.pk: "expired"}
