"""A launch that runs dry: it pauses, goes on after a purchase, or takes further minutes by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Notification
from billing import services
from billing.invariants import audit_ledger
from billing.models import Reservation, Transaction, Wallet
from billing.rules import Terms
from campaigns.jobs import resume_funded as job
from campaigns.queries.progress import add_up, why
from campaigns.services import funding, lifecycle
from tests.campaigns.dialling.conftest import Rig, statuses
from tests.campaigns.dialling.histories import KilledError, killed
from tests.factories.billing import TESTS, open_wallet, sell

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from campaigns.models import BatchCall

pytestmark = pytest.mark.django_db
ONE_MINUTE = timedelta(minutes=1)
LONG = {"max_call_duration_ms": 120_000}


@pytest.fixture
def dry(rig: Rig, ready: Callable[..., BatchCall]) -> BatchCall:
    """Five leads and minutes for two calls: both were talked to the last second."""
    batch_call = ready(leads=5, seconds=240, reserve=240, settings=LONG)
    rig.run(ends={"seconds": 120})
    batch_call.refresh_from_db()
    return batch_call


def settled(rig: Rig, batch_call: BatchCall) -> BatchCall:
    rig.run(ends={"seconds": 30})
    batch_call.refresh_from_db()
    return batch_call


def test_pauses_with_a_sentence_and_one_notice_and_keeps_everybody_in_line(
    rig: Rig, dry: BatchCall
) -> None:
    assert (dry.status, dry.pause_reason) == ("paused", "paused_credit")
    assert statuses(dry) == {"done": 2, "queued": 3}
    assert "goes on by itself" in why(dry.campaign, [dry], add_up([dry]))
    settled(rig, dry)
    notice = Notification.objects.get(title__contains="paused")
    assert notice.url == f"/app/campaigns/{dry.campaign_id}/"
    assert audit_ledger() == []


def test_tells_that_it_pauses_although_whoever_paused_it_was_killed(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready(leads=5, seconds=240, reserve=240, settings=LONG)
    with monkeypatch.context() as patch:
        patch.setattr("campaigns.services.funding.notify", killed)
        with pytest.raises(KilledError):
            rig.run(ends={"seconds": 120})
    settled(rig, batch_call)
    assert batch_call.status == "paused"
    assert Notification.objects.filter(title__contains="paused").count() == 1


def test_waits_for_what_calls_in_progress_give_back(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3, reserve=120, settings=LONG)
    for _ in range(5):
        rig.step()
    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.in_call_count) == ("running", 1)
    assert batch_call.waiting_reason == "credit"

    rig.end(rig.ringing()[0], seconds=10)
    settled(rig, batch_call)

    assert len(rig.retell.dials) >= 2


def test_goes_on_after_a_purchase_and_not_before(rig: Rig, dry: BatchCall, acme: Client) -> None:
    assert funding.resume_funded(now=rig.now) == 0
    sell(acme, seconds=3600, now=rig.now)

    assert funding.resume_funded(now=rig.now) == 1
    assert funding.resume_funded(now=rig.now) == 0
    settled(rig, dry)

    assert statuses(dry) == {"done": 5}
    assert dry.status == "finished"
    assert audit_ledger() == []


def test_leaves_available_minutes_alone_until_somebody_resumes_it(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=4, seconds=6000, reserve=120, settings=LONG)
    rig.run(ends={"seconds": 120})
    assert funding.resume_funded(now=rig.now) == 0

    lifecycle.resume_campaign(campaign=batch_call.campaign, actor=TESTS, now=rig.now)
    settled(rig, batch_call)

    assert batch_call.status == "finished"
    assert Transaction.objects.filter(type="reserve").count() == 2


def test_pauses_again_when_somebody_resumes_it_without_minutes(rig: Rig, dry: BatchCall) -> None:
    lifecycle.resume_campaign(campaign=dry.campaign, actor=TESTS, now=rig.now)

    settled(rig, dry)

    assert (dry.status, dry.queued_count) == ("paused", 3)
    assert Notification.objects.filter(title__contains="paused").count() == 1


def test_takes_further_minutes_by_itself_where_the_client_allows_it(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    batch_call = ready(leads=4, seconds=6000, reserve=120, settings=LONG)
    services.allow_extensions(client=acme, allowed=True, actor=TESTS, now=rig.now)

    rig.run(ends={"seconds": 120})
    batch_call.refresh_from_db()

    assert batch_call.status == "finished"
    assert Transaction.objects.filter(type="reserve").count() > 1
    assert not Notification.objects.filter(title__contains="paused").exists()
    assert audit_ledger() == []


def test_pauses_while_minutes_are_owed_and_goes_on_once_they_are_paid(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    batch_call = ready(leads=3, seconds=120, reserve=120, settings=LONG)
    rig.run(ends={"seconds": 150})
    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "paused_debt")
    sell(acme, seconds=20, now=rig.now)
    assert funding.resume_funded(now=rig.now) == 0

    sell(acme, seconds=3600, now=rig.now)

    assert job() == 1
    settled(rig, batch_call)
    assert batch_call.status == "finished"


def test_extends_once_and_never_what_is_over_or_has_enough(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client
) -> None:
    batch_call = ready(leads=1, seconds=600, reserve=60)

    def extend(seconds: int = 100) -> int:
        return services.extend_reservation(
            batch_call_id=batch_call.pk, seconds=seconds, actor=TESTS, now=rig.now
        )

    assert extend() == 0  # a call can still be paid for
    services.hold(
        attempt_id=batch_call.pk, batch_call_id=batch_call.pk, max_call_seconds=60, now=rig.now
    )
    assert extend() == 100
    assert extend() == 0
    row = Reservation.objects.get()
    assert (row.granted_seconds, row.free_seconds) == (160, 100)
    services.close_reservation(batch_call_id=batch_call.pk, now=rig.now)
    with pytest.raises(services.ReservationEnded):
        extend()
    assert Wallet.objects.get().available_seconds == 540
    assert audit_ledger() == []


@pytest.mark.parametrize("minimum", [90, 300])
def test_pauses_when_less_is_left_than_its_price_takes_for_the_shortest_call(
    rig: Rig, ready: Callable[..., BatchCall], acme: Client, minimum: int
) -> None:
    open_wallet(acme, seconds=minimum * 2 - 30, now=rig.now - timedelta(minutes=2))
    services.change_rate(
        client=acme, terms=Terms(300_000, 1, minimum), actor=TESTS, now=rig.now - ONE_MINUTE
    )
    batch_call = ready(leads=3, reserve=minimum * 2 - 30, settings=LONG)

    settled(rig, batch_call)

    assert len(rig.retell.dials) == 1  # 60 s and more are free, and no call can be paid of them
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "paused_credit")
    assert Notification.objects.filter(title__contains="paused").count() == 1
    assert funding.resume_funded(now=rig.now) == 0


def test_resumes_who_paid_behind_those_who_never_do(
    rig: Rig, ready: Callable[..., BatchCall], dry: BatchCall, rival: Client, monkeypatch: Any
) -> None:
    monkeypatch.setattr(funding, "AT_ONCE", 1)
    theirs = ready(
        leads=3,
        client=rival,
        seconds=120,
        reserve=120,
        start=50,
        number="+12125550198",
        settings=LONG,
    )
    rig.run(ends={"seconds": 120})
    theirs.refresh_from_db()
    assert theirs.status == dry.status == "paused"
    sell(rival, seconds=3600, now=rig.now)

    assert funding.resume_funded(now=rig.now) == 1

    theirs.refresh_from_db()
    dry.refresh_from_db()
    assert (theirs.status, dry.status) == ("running", "paused")
