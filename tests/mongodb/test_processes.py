"""Eight processes at one wallet, one queue and one inbox: nothing lost, nothing twice."""

from __future__ import annotations

import multiprocessing
from datetime import timedelta

import pytest
from django.db import connections

from billing import services
from billing.invariants import audit_ledger
from billing.models import CallHold, Reservation, Transaction
from campaigns.enrolments import move_enrolment
from campaigns.models import Enrolment
from convomono.lib.db import forget_connection
from convomono.lib.ids import uuid7
from tests.factories.accounts import NOW, ClientFactory
from tests.factories.billing import TESTS, Launch, balances, open_wallet, sell
from tests.factories.campaigns import enrol, launch as launch_leads, make_ready
from tests.factories.webhooks import delivery
from webhooks import inbox
from webhooks.deliveries import read_delivery
from webhooks.models import WebhookEvent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork"),
]
PROCESSES = 8
FORK = multiprocessing.get_context("fork")


def race(work):
    """Run work() in eight processes that begin together; return what each returned."""
    connections.close_all()
    inbox.close()
    forget_connection()  # a fork must not inherit it
    gate, answers = FORK.Barrier(PROCESSES), FORK.Queue()

    def run():
        gate.wait(60)
        answers.put(work())
        connections.close_all()

    running = [FORK.Process(target=run) for _ in range(PROCESSES)]
    for process in running:
        process.start()
    found = [answers.get(timeout=90) for _ in running]
    for process in running:
        process.join(30)
    assert [process.exitcode for process in running] == [0] * PROCESSES
    return found


def test_reserves_each_launch_once_and_never_below_zero():
    client = ClientFactory.create()
    open_wallet(client, seconds=600)
    launches = [uuid7() for _ in range(12)]  # the same twelve in each process

    def reserve():
        done = []
        for launch in launches:
            try:
                services.reserve(
                    client_id=client.pk,
                    batch_call_id=launch,
                    campaign_id=launch,
                    seconds=60,
                    actor=TESTS,
                    now=NOW,
                )
            except services.InsufficientCredits:
                continue
            done.append(launch)
        return done

    answers = race(reserve)

    assert balances(client) == (0, 600, 0, 0)
    reserved = set(Reservation.objects.values_list("batch_call_id", flat=True))
    assert len(reserved) == Transaction.objects.filter(type="reserve").count() == 10
    assert {launch for done in answers for launch in done} == reserved
    assert audit_ledger() == []


def test_holds_exactly_a_hundred_of_a_thousand():
    client = ClientFactory.create()
    open_wallet(client, seconds=6000)
    launch = Launch(client, 6000)

    def hold():
        held = 0
        for _ in range(1000 // PROCESSES):
            try:
                launch.dial(60)
            except services.ReservationEmpty:
                continue
            held += 1
        return held

    answers = race(hold)

    assert sum(answers) == CallHold.objects.filter(status="held").count() == 100
    row = launch.reservation
    assert (row.free_seconds, row.held_seconds) == (0, 6000)
    assert balances(client) == (0, 6000, 0, 0)
    assert audit_ledger() == []


def test_lets_minutes_expire_once_beside_launches_that_want_them():
    client = ClientFactory.create()
    open_wallet(client, seconds=60)
    sell(client, seconds=600, valid_days=1)
    later = NOW + timedelta(days=2)

    def expire_or_launch():
        gone = services.expire_lots(now=later)
        try:
            Launch(client, 60, now=later)
        except services.InsufficientCredits:
            return gone, 0
        return gone, 1

    answers = race(expire_or_launch)

    assert Transaction.objects.filter(type="expire").count() == 1
    assert sum(launched for _gone, launched in answers) == 1
    assert balances(client) == (0, 60, 0, 0)
    assert audit_ledger(now=later) == []


def test_claims_each_enrolment_once(acme):
    open_wallet(acme, seconds=6000)
    campaign = make_ready(acme)
    enrolments = enrol(campaign, 40)
    batch_call = launch_leads(campaign)

    def claim():
        lease = uuid7()
        for enrolment in enrolments:  # the same forty in each process
            move_enrolment(
                enrolment_id=enrolment.pk,
                from_statuses=(Enrolment.Status.QUEUED,),
                to_status=Enrolment.Status.DIALLING,
                now=NOW,
                batch_call_id=batch_call.pk,  # nothing is read first, as in the dispatcher
                lease=lease,
                lease_until=NOW + timedelta(minutes=1),
            )
        return list(Enrolment.objects.filter(lease=lease).values_list("pk", flat=True))

    claimed = [key for mine in race(claim) for key in mine]

    assert len(claimed) == len(set(claimed)) == 40
    assert set(claimed) == {row.pk for row in enrolments}
    batch_call.refresh_from_db()
    assert (batch_call.queued_count, batch_call.dialling_count) == (0, 40)


def test_stores_each_delivery_once():
    deliveries = [
        read_delivery(delivery("call_ended", call_id=f"call_{number}", call_status="ended"))
        for number in range(20)
    ]

    answers = race(lambda: [inbox.store(one, now=NOW) for one in deliveries])

    assert [sum(was_new) for was_new in zip(*answers, strict=True)] == [1] * 20
    assert WebhookEvent.objects.count() == 20
