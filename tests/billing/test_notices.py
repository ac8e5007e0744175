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


@pytest.fixture
def away(monkeypatch):
    """A mail server that refuses these addresses, or everybody."""
    refused: set[str] = set()

    def send(title, body, sender, to):
        if not refused or refused & set(to):
            raise ConnectionRefusedError
        return mail.send_mail(title, body, sender, to)

    monkeypatch.setattr(notices, "send_mail", send)
    return refused


def test_is_mailed_after_the_server_was_away_for_hours(low, away, monkeypatch):
    """After ten tries, one a minute, it was never mailed."""
    tries = 0
    for minute in range(0, 300, 5):
        tries += notices.send_notices(now=NOW + timedelta(minutes=minute))
    assert tries == 0
    assert BalanceNotice.objects.get().tries_count < 12  # the pauses grow
    monkeypatch.undo()

    assert notices.send_notices(now=NOW + timedelta(hours=12)) == 2
    assert notices.send_notices(now=NOW + timedelta(hours=20)) == 0


def test_keeps_nobody_waiting_behind_an_address_that_is_refused(low, away):
    away.add("alice@acme.test")  # the first in the alphabet

    assert notices.send_notices(now=NOW) == 1
    for hour in range(1, 60, 7):
        assert notices.send_notices(now=NOW + timedelta(hours=hour)) == 0

    assert [letter.to for letter in mail.outbox] == [["billing@acme.test"]]
    told = Notification.objects.get(client=None)
    assert "could not be mailed" in told.title
    assert BalanceNotice.objects.get().given_up_at


def test_is_sent_by_one_worker_at_a_time(low, monkeypatch):
    beside = []

    def send(title, body, sender, to):
        beside.append(notices.send_notices(now=NOW))  # a second cron in the same moment
        return mail.send_mail(title, body, sender, to)

    monkeypatch.setattr(notices, "send_mail", send)

    assert notices.send_notices(now=NOW) == 2
    assert beside == [0, 0]
    assert len(mail.outbox) == 2


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
