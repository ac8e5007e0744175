"""Low balances: told once in the app and once by mail, by share and by the hours they last."""

from __future__ import annotations

import socket
import threading
from datetime import timedelta
from typing import BinaryIO

import pytest
from django.core import mail

from accounts import notifications
from accounts.models import Notification
from billing import jobs, notices, services
from billing.models import BalanceNotice, Payment, Transaction
from billing.rules import crossed_hours
from convomono.lib import clock
from tests.factories.billing import NOW, TESTS, Launch, open_wallet, sell


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

    send = notifications.deliver

    def deliver(*, address, **letter):
        if not refused or address in refused:
            raise ConnectionRefusedError
        send(address=address, **letter)

    monkeypatch.setattr(notices, "deliver", deliver)
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
    beside: list[object] = []
    deliver = notifications.deliver

    def slow(**letter):
        # a second cron in the same moment, and one after each minute that this one takes
        times = [NOW + timedelta(minutes=minutes) for minutes in range(11)]
        beside.extend(notices.send_notices(now=time) for time in times)
        deliver(**letter)

    monkeypatch.setattr(notices, "deliver", slow)

    assert notices.send_notices(now=NOW) == 2
    assert not any(beside)
    assert len(mail.outbox) == 2


def test_sends_no_second_mail_after_a_worker_died_as_it_sent(low, monkeypatch):
    def killed(**_letter):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(notices, "deliver", killed)
        with pytest.raises(KeyboardInterrupt):
            notices.send_notices(now=NOW)

    assert notices.send_notices(now=NOW + timedelta(hours=1)) == 1
    assert [letter.to for letter in mail.outbox] == [["billing@acme.test"]]


def test_begins_no_mail_when_its_time_is_over_and_goes_on_the_next_time(low):
    left = iter([True, True, False])

    assert notices.send_notices(now=NOW, has_time=lambda: next(left)) == 1
    assert notices.send_notices(now=NOW) == 1

    assert sorted(letter.to[0] for letter in mail.outbox) == [
        "alice@acme.test",
        "billing@acme.test",
    ]


class Slow:
    """A mail server that takes a mail and never says so, or is as slow before it takes one."""

    def __init__(self, *, silent_after: bytes) -> None:
        self.silent_after, self.taken = silent_after, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                peer, _address = self.listener.accept()
            except OSError:
                return
            with peer, peer.makefile("rb") as lines:
                self.talk(peer, lines)

    def talk(self, peer: socket.socket, lines: BinaryIO) -> None:
        peer.sendall(b"220 hello\r\n")
        in_mail = False
        for line in lines:
            in_mail = in_mail or line.startswith(b"data")
            is_end = in_mail and line == b".\r\n"
            self.taken += is_end
            if line.startswith(self.silent_after):
                continue
            if not in_mail or line.startswith(b"data") or is_end:
                peer.sendall(b"354 go on\r\n" if line.startswith(b"data") else b"250 fine\r\n")
                in_mail = in_mail and not is_end


@pytest.mark.parametrize(
    ("silent_after", "taken", "tries"),
    [(b".", 2, 0), (b"ehlo", 0, 2), (b"mail", 0, 2), (b"rcpt", 0, 2)],
)
def test_mails_nobody_twice_when_the_server_is_slow(low, settings, silent_after, taken, tries):
    """Whether a mail was taken that nobody confirmed, nobody knows: it isn't sent again."""
    server = Slow(silent_after=silent_after)
    smtp = "django.core.mail.backends.smtp.EmailBackend"
    at = {"host": "127.0.0.1", "port": server.listener.getsockname()[1], "timeout": 0.2}
    settings.MAILERS = {"default": {"BACKEND": smtp, "OPTIONS": at}}

    for hour in range(2):
        notices.send_notices(now=NOW + timedelta(hours=hour))
    server.listener.close()

    notice = BalanceNotice.objects.get()
    assert (server.taken, notice.tries_count) == (taken, tries)
    assert bool(notice.mailed_at) is bool(taken)


def test_tells_for_how_many_hours_minutes_last_once_per_purchase(low, acme):
    later = NOW + timedelta(minutes=10)
    for _ in range(2):
        notices.watch_runways(now=later)  # 450 s left, 550 s used in an hour

    titles = list(Notification.objects.order_by("pk").values_list("title", flat=True))
    assert titles[1:] == ["Your minutes last for less than 2 more hours of calling"]
    body = BalanceNotice.objects.order_by("pk").values_list("body", flat=True)[1]
    assert body.startswith(
        "7.50 minutes are left, about 0.8 hours at the pace of your latest calls."
    )
    sell(acme, seconds=3000, now=later)
    notices.watch_runways(now=later)
    assert Notification.objects.filter(title__contains="8 more hours").count() == 1
    assert BalanceNotice.objects.count() == Notification.objects.count() == 3


def correct(client, seconds, reason):
    services.adjust(client=client, seconds=seconds, reason=reason, key=reason, actor=TESTS, now=NOW)


def titles():
    return list(Notification.objects.order_by("pk").values_list("title", flat=True))


def test_tells_a_client_that_never_bought_anything(acme):
    """Minutes that came by corrections alone ran out unheard."""
    open_wallet(acme)
    correct(acme, 1000, "Opening balance")
    Launch(acme, 600).dial(600).end(550)

    assert titles() == ["50% of your minutes are left"]


def test_tells_again_after_a_correction_upwards_and_not_after_one_downwards(low, acme):
    correct(acme, 400, "Goodwill")  # 850 s
    Launch(acme, 430).dial(430).end(430)
    correct(acme, -360, "Typo")

    assert titles() == ["50% of your minutes are left"] * 2 + ["10% of your minutes are left"]


def test_tells_again_after_a_refund_that_fills_the_wallet_and_after_no_other(low, acme):
    call_id = Transaction.objects.get(type="consume").call_id
    assert call_id is not None

    def give_back(seconds):
        services.refund_call(
            client_id=acme.pk,
            call_id=call_id,
            seconds=seconds,
            reason=f"{seconds} s",
            actor=TESTS,
            now=NOW,
        )

    give_back(20)  # 470 s: below half still
    give_back(300)  # 770 s
    assert titles() == ["50% of your minutes are left"]
    Launch(acme, 400).dial(400).end(400)

    assert titles() == ["50% of your minutes are left"] * 2


def test_says_that_none_are_left_and_not_that_they_were_used(acme):
    """They had been paid back, and the client was told that it had used them."""
    open_wallet(acme)
    line = sell(acme, seconds=600)
    paid = Payment.objects.get(reference=line.reference_id)
    services.refund_payment(payment=paid, reason="Cancelled", actor=TESTS, now=NOW)

    assert titles() == ["None of your minutes are left"]


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


def test_runs_as_a_job(low, monkeypatch):
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert jobs.tell_low_balances() == 4  # the share and the hours, to two addresses each
