"""Low balances: told once in the app and once by mail, by share and by the hours they last."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from accounts.models import Notification
from billing import jobs, notices
from billing.models import BalanceNotice
from billing.rules import crossed_hours
from tests.factories.billing import NOW, Launch, open_wallet, sell


@pytest.fixture
def low(acme, alice, mia, charlie):
    """Acme has 450 of 1,000 seconds left; its contact and its owner are to hear of it."""
    acme.contact_email = "billing@acme.test"
    acme.save()
    open_wallet(acme, seconds=1000)
    Launch(acme, 600).dial(600).end(550)


def test_mails_contact_and_owners_once(low):
    assert notices.send_notices(now=NOW) == 2
    assert notices.send_notices(now=NOW) == 0

    assert [letter.to for letter in mail.outbox] == [["alice@acme.test"], ["billing@acme.test"]]
    assert mail.outbox[0].subject == "50% of your minutes are left"


def test_tries_again_when_the_mail_server_is_away(low, monkeypatch):
    def away(*_args):
        raise ConnectionRefusedError

    monkeypatch.setattr(notices, "send_mail", away)
    for _ in range(notices.MOST_TRIES + 2):
        assert notices.send_notices(now=NOW) == 0
    monkeypatch.undo()

    assert BalanceNotice.objects.get().tries_count == notices.MOST_TRIES
    BalanceNotice.objects.update(tries_count=1)
    assert notices.send_notices(now=NOW) == 2


def test_tells_for_how_many_hours_minutes_last_once_per_purchase(low, acme):
    later = NOW + timedelta(minutes=10)
    for _ in range(2):
        notices.watch_runways(now=later)  # 450 s left, 550 s used in an hour

    titles = list(Notification.objects.order_by("pk").values_list("title", flat=True))
    assert titles[1:] == ["Your minutes last for about 2 more hours of calling"]
    sell(acme, seconds=3000, now=later)
    notices.watch_runways(now=later)
    assert Notification.objects.filter(title__contains="8 more hours").count() == 1
    assert BalanceNotice.objects.count() == Notification.objects.count() == 3


def test_tells_nobody_who_calls_nobody_or_has_nothing(acme, rival):
    open_wallet(acme, seconds=60)
    open_wallet(rival, seconds=60)
    Launch(rival, 60).dial().end(60)
    Notification.objects.all().delete()

    assert notices.watch_runways(now=NOW) == 0


@pytest.mark.parametrize(
    ("runway", "hours"), [(None, None), (0.5, 2), (2, 2), (2.1, 8), (24, 24), (24.5, None)]
)
def test_names_the_shortest_time_that_it_lasts(runway, hours):
    assert crossed_hours(runway=runway) == hours


def test_runs_as_a_job(low):
    assert jobs.tell_low_balances() == 2
