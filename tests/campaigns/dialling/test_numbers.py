"""Which number a call is made from: sticky, near by, rotated, within its cap and its calls at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns.dialling.numbers import NumberPool, number_pool
from campaigns.models import Attempt, BatchCall
from telephony.models import PhoneNumber
from tests.factories.campaigns import NOW, make_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

NEW_YORK, BUFFALO, MIAMI, LONDON = "+12125550101", "+17165550101", "+13055550101", "+442079460000"


@pytest.mark.parametrize(
    ("near", "preferred", "chosen"),
    [
        ("+12125550177", "", NEW_YORK),  # same area code
        ("+19175550177", "", BUFFALO),  # same state: the least recently used of two
        ("+13055550177", "", MIAMI),
        ("+14155550177", "", BUFFALO),  # neither: the least recently used
        ("+442079460001", "", BUFFALO),
        ("", "", BUFFALO),
        ("+12125550177", MIAMI, MIAMI),  # the person knows this one
        ("+12125550177", "+19995550101", NEW_YORK),  # it isn't ours any more
    ],
)
def test_calls_from_near_by(near: str, preferred: str, chosen: str) -> None:
    pool = NumberPool(usable=[BUFFALO, NEW_YORK, MIAMI])

    assert pool.choose(preferred=preferred, near=near) == chosen


def test_spares_numbers_at_risk_while_there_are_others() -> None:
    pool = NumberPool(usable=[NEW_YORK, MIAMI], _at_risk=frozenset({NEW_YORK}))

    assert pool.choose(near="+12125550177") == MIAMI
    alone = NumberPool(usable=[NEW_YORK], _at_risk=frozenset({NEW_YORK}))
    assert alone.choose(near="+12125550177") == NEW_YORK


def test_rotates_among_equals() -> None:
    pool = NumberPool(usable=[BUFFALO, NEW_YORK, MIAMI])

    assert [pool.choose() for _ in range(4)] == [BUFFALO, NEW_YORK, MIAMI, BUFFALO]


@pytest.mark.django_db
def test_keeps_the_cap_of_a_number_that_warms_up(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=60, number=NEW_YORK, reserve=50_000, concurrency_limit=100)
    PhoneNumber.objects.update(warming_from=NOW.date())
    batch_call.client.concurrency_limit = 100
    batch_call.client.save()
    rig.retell.limit = 100

    for _ in range(5):
        rig.step()

    assert len(rig.retell.dials) == 20
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "numbers_capped"
    rig.now += timedelta(days=1)
    rig.real += timedelta(days=1)
    for attempt in rig.ringing():
        rig.end(attempt)
    for _ in range(5):
        rig.step()
    assert len(rig.retell.dials) == 50


@pytest.mark.django_db
def test_keeps_a_number_to_its_calls_at_once_and_says_so(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=20, number=NEW_YORK)
    make_number(batch_call.client, MIAMI)
    PhoneNumber.objects.update(concurrency_limit=2)

    for _ in range(4):
        rig.step()

    used = list(Attempt.objects.filter(status="placed").values_list("from_number", flat=True))
    assert sorted(used) == sorted([NEW_YORK] * 2 + [MIAMI] * 2)
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "number_lines_full"
    rig.end(rig.ringing()[0])
    rig.step()
    assert len(rig.ringing()) == 4


@pytest.mark.django_db
def test_shares_a_numbers_lines_between_campaigns(acme: Client) -> None:
    make_number(acme, NEW_YORK)
    PhoneNumber.objects.update(concurrency_limit=1)
    left: dict[str, int] = {}
    first = number_pool(client_id=acme.pk, now=NOW, left=left)
    second = number_pool(client_id=acme.pk, now=NOW, only=[NEW_YORK], left=left)

    assert first.choose() == NEW_YORK
    assert second.choose() is None
