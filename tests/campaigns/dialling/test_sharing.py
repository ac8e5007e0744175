"""Lines shared between clients: weights, guaranteed lines, a campaign's own speed, one budget per person."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Client
from audit.models import AuditLog
from campaigns.models import Attempt, BatchCall, ClientShare, SafetyPolicy
from campaigns.services.sharing import set_share
from telephony.models import PhoneNumber
from tests.campaigns.dialling.conftest import policy
from tests.factories.accounts import ClientFactory
from tests.factories.campaigns import NOW, TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig


def lines(rig: Rig) -> Counter[str]:
    return Counter(attempt.client.name for attempt in rig.ringing())


def fill(rig: Rig, steps: int = 4) -> None:
    for _ in range(steps):
        rig.step()


@pytest.mark.django_db
def test_shares_lines_by_weight(rig: Rig, ready: Callable[..., BatchCall], rival: Client) -> None:
    first = ready(leads=40)
    ready(leads=40, client=rival, number="+12125550177", start=100)
    set_share(client=first.client, weight=3, least_lines=1, actor=TESTS, now=NOW)
    Client.objects.update(concurrency_limit=100)
    rig.retell.limit = 20

    fill(rig)

    assert lines(rig) == {first.client.name: 15, rival.name: 5}


@pytest.mark.django_db
def test_serves_who_has_less_than_is_guaranteed_before_all_others(
    rig: Rig, ready: Callable[..., BatchCall], rival: Client
) -> None:
    big = ready(leads=40)
    set_share(client=big.client, weight=100, least_lines=0, actor=TESTS, now=NOW)
    rig.retell.limit = 10
    fill(rig)
    assert lines(rig) == {big.client.name: 10}
    ready(leads=10, client=rival, number="+12125550177", start=100)
    set_share(client=rival, weight=1, least_lines=4, actor=TESTS, now=NOW)

    for attempt in rig.ringing()[:5]:
        rig.end(attempt, "user_hangup")
    fill(rig, 3)

    # By weight the next five were the big client's; four are guaranteed to the other.
    assert lines(rig) == {big.client.name: 6, rival.name: 4}


@pytest.mark.slow
@pytest.mark.django_db
def test_serves_ten_small_clients_soon_beside_a_large_one(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=200, reserve=50_000)
    rig.retell.limit = 20
    fill(rig)
    began = rig.now
    small = [ClientFactory.create(name=f"Small {number}") for number in range(9)]
    for number, client in enumerate(small):
        ready(client=client, leads=3, number=f"+121255501{number:02d}", start=300 + 10 * number)

    first: dict[str, timedelta] = {}
    while len(first) < len(small) and rig.now - began < timedelta(minutes=2):
        rig.step()
        for attempt in rig.ringing():
            if attempt.client.name.startswith("Small"):
                first.setdefault(attempt.client.name, rig.now - began)
        # A call ends every half second or so, the oldest first.
        for attempt in rig.ringing()[:2]:
            rig.end(attempt, "user_hangup")

    assert len(first) == len(small)
    assert min(first.values()) <= timedelta(seconds=2)
    assert max(first.values()) <= timedelta(seconds=10)  # nine share what two a second set free


@pytest.mark.django_db
def test_keeps_a_campaigns_own_speed_and_says_so(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=60)
    SafetyPolicy.objects.create(
        client=batch_call.client, campaign=batch_call.campaign, calls_per_minute=6
    )
    rig.retell.limit = 100
    Client.objects.update(concurrency_limit=100)

    for _ in range(60):
        rig.step()

    assert 5 <= len(rig.retell.dials) <= 7
    rig.step()
    batch_call.refresh_from_db()
    assert (batch_call.waiting_reason, batch_call.waiting_facts) == ("campaign_speed", {"limit": 6})


@pytest.mark.django_db(transaction=True)
def test_never_calls_a_person_twice_within_the_gap_however_many_try(
    rig: Rig, ready: Callable[..., BatchCall], rival: Client
) -> None:
    for client, number in ((None, "+12125550199"), (rival, "+12125550177")):
        batch_call = ready(**({"client": client} if client else {}), number=number, leads=3)
        policy(batch_call.campaign, gap_seconds=900)
    dispatchers = [rig.dispatcher() for _ in range(20)]
    # Each believes that it alone dials: the lease is taken away from what guards the person.
    for one in dispatchers:
        one._lease.acquire = lambda **_now: True  # type: ignore[method-assign]
        one._lease.is_safe = lambda **_now: True  # type: ignore[method-assign]
    start = threading.Barrier(len(dispatchers))
    failed: list[BaseException] = []

    def dial(dispatcher) -> None:
        try:
            start.wait()
            for second in range(5):
                dispatcher.step(now=NOW + timedelta(seconds=second))
        except BaseException as error:  # noqa: BLE001 - the test shows what it was
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=dial, args=[one]) for one in dispatchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failed
    rang = Counter(one.to_number for one in rig.retell.dials)
    assert rang and max(rang.values()) == 1, rang
    assert len(rang) == 3  # both clients want the same three people
    assert Attempt.objects.filter(status="placed").count() == 3


@pytest.mark.django_db
def test_shows_who_has_the_lines_and_lets_the_agency_grant_them(
    client, rig: Rig, ready: Callable[..., BatchCall], root, bob
) -> None:
    batch_call = ready(leads=5)
    fill(rig, 2)
    client.force_login(bob)
    assert (
        batch_call.client.name in client.get(reverse("agency-campaigns:line-list")).content.decode()
    )
    lines = client.get(reverse("agency-campaigns:line-list")).text
    assert 'ws-connect="/ws/agency/lists/"' in lines
    assert "htmx:oobAfterSwap from:#changed" in lines
    still = client.get(reverse("agency-campaigns:line-list"), {"updates": "off"}).text
    assert "every 5s" not in still
    address = reverse("agency-campaigns:line-share", args=[batch_call.client_id])
    assert client.get(address).status_code == 403
    client.force_login(root)

    assert client.post(address, {"weight": "0", "least_lines": "1"}).status_code == 422
    for _ in range(2):
        client.post(address, {"weight": "4", "least_lines": "2"})

    share = ClientShare.objects.get()
    assert (share.weight, share.least_lines, share.changed_by_email) == (4, 2, root.email)
    assert AuditLog.objects.filter(action="client.changed").count() == 1
    assert PhoneNumber.objects.exists()


@pytest.mark.django_db
def test_asks_as_many_queries_for_many_clients(client, root, acme) -> None:
    client.force_login(root)
    client.get(reverse("agency-campaigns:line-list"))
    counts = []
    for number in (1, 20):
        for one in range(number):
            ClientFactory.create(name=f"Client {number} {one}")
        with CaptureQueriesContext(connection) as queries:
            client.get(reverse("agency-campaigns:line-list"))
        counts.append(len(queries))

    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_counts_what_it_started_between_two_counts_of_its_own_calls(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    ready(leads=6, concurrency_limit=2)
    dispatcher = rig.dispatcher()
    rig.tick()

    for _look in range(4):  # at one moment of real time: the rows aren't counted again
        dispatcher.step(now=rig.now)
        rig.now += timedelta(seconds=1)

    assert len(rig.ringing()) == 2
    rig.end(rig.ringing()[0])
    rig.step()
    assert len(rig.ringing()) == 2
    assert len(rig.retell.placed) == 3
