"""New leads that are launched by themselves, beside people who switch that off, hold it and let it go on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Notification
from audit.models import AuditLog
from billing.models import Wallet
from campaigns.models import BatchCall, LaunchRequest, TopUp
from campaigns.services import launching, lifecycle, topping_up
from campaigns.services.approving import set_launch_rule
from campaigns.services.recurring import set_top_up
from campaigns.services.stopping import resume_dialling, stop_dialling
from campaigns.services.topping_up import top_up, top_up_due
from tests.campaigns.dialling.test_schedule import DAY, campaign, daily, setter
from tests.factories.accounts import UserFactory
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, TESTS, enrol, make_number, make_ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from campaigns.models import Campaign

__all__ = ["campaign"]  # a fixture
pytestmark = pytest.mark.django_db


def is_on() -> bool:
    return TopUp.objects.filter(is_active=True, paused_at=None).exists()


def stop(campaign: Campaign) -> None:
    lifecycle.stop_campaign(campaign=campaign, actor=setter(campaign), now=NOW)


def switch_off(campaign: Campaign) -> None:
    daily(campaign, is_active=False)


def pause(campaign: Campaign) -> None:
    lifecycle.pause_campaign(campaign=campaign, actor=setter(campaign), now=NOW)


off = pytest.mark.parametrize("end", [stop, switch_off, pause])


@off
def test_launches_nothing_that_was_switched_off_after_its_turn_had_begun(
    campaign: Campaign, end: Callable[[Campaign], None]
) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    end(campaign)

    assert not top_up(row=row, now=NOW, is_sandbox=True)

    assert not BatchCall.objects.exists()
    assert not is_on()
    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0


@off
def test_lets_one_win_of_a_stop_and_a_launch_at_the_same_moment(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, end: Callable[[Campaign], None]
) -> None:
    """Right before the transaction that makes the launch."""
    enrol(campaign, 3)
    row = daily(campaign)
    make = launching.open_batch_call

    def late(**fields: Any) -> BatchCall:
        end(campaign)
        return make(**fields)

    monkeypatch.setattr(launching, "open_batch_call", late)

    assert not top_up(row=row, now=NOW, is_sandbox=True)

    assert not BatchCall.objects.exists()
    assert Wallet.objects.get(client=campaign.client).reserved_seconds == 0
    row.refresh_from_db()
    assert (is_on(), row.last_at, row.last_result) == (False, None, "")


@off
@pytest.mark.parametrize("what", ["nobody waits", "refused", "fails"])
def test_is_not_switched_on_again_by_what_comes_of_its_last_turn(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, end: Callable[[Campaign], None], what: str
) -> None:
    daily(campaign)
    if what != "nobody waits":
        enrol(campaign, 3)
    look = launching.find_launch

    def late(**fields: Any) -> BatchCall | None:
        end(campaign)
        if what == "refused":
            campaign.client.phone_numbers.update(client=None)
        if what == "fails":
            raise RuntimeError
        return look(**fields)

    with monkeypatch.context() as patch:
        patch.setattr(launching, "find_launch", late)
        assert top_up_due(now=NOW, is_sandbox=True) == 0

    row = TopUp.objects.get()
    assert (is_on(), row.was_refused, row.last_result) == (False, False, "")
    assert not Notification.objects.exists()


def test_asks_for_no_launch_once_it_was_switched_off(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(campaign, 3)
    row = daily(campaign)
    set_launch_rule(
        client_id=campaign.client_id, is_active=True, above_seconds=0, actor=TESTS, now=NOW
    )
    ask = lifecycle.ask_for_launch

    def late(**fields: Any) -> LaunchRequest:
        stop(campaign)
        return ask(**fields)

    monkeypatch.setattr(lifecycle, "ask_for_launch", late)

    assert not top_up(row=row, now=NOW, is_sandbox=True)
    assert not LaunchRequest.objects.exists()


def over(campaign: Campaign) -> None:
    """Launch what waits by itself, and let that be over."""
    enrol(campaign, 2)
    daily(campaign)
    assert top_up_due(now=NOW, is_sandbox=True) == 1
    BatchCall.objects.update(status="finished", finished_at=NOW)


def test_is_paused_and_resumed_between_its_launches(campaign: Campaign, alice, browse) -> None:
    over(campaign)
    enrol(campaign, 1, start=10)
    path = f"/app/campaigns/{campaign.pk}/"
    browser = browse(alice)
    assert f"{path}pause/" in browser.get(path).content.decode()

    said = browser.post(f"{path}pause/", follow=True).content.decode()

    assert "Paused: new leads are launched once you resume it." in said
    assert "New leads are not launched by themselves: alice@acme.test paused that at" in said
    assert f"{path}pause/" not in said
    assert top_up_due(now=NOW + 3 * DAY, is_sandbox=True) == 0
    assert "alice@acme.test paused that at" in browser.get("/app/campaigns/").content.decode()
    assert "Paused with the campaign by" in browser.get(f"{path}top-up/").content.decode()
    assert f"{path}resume/" in said

    lifecycle.resume_campaign(campaign=campaign, actor=alice, now=NOW + 3 * DAY)

    row = TopUp.objects.get()
    assert (row.paused_at, row.paused_by_email, row.next_at) == (None, "", NOW + 4 * DAY)
    assert "paused that at" not in browser.get(path).content.decode()
    assert top_up_due(now=NOW + 4 * DAY - timedelta(minutes=1), is_sandbox=True) == 0
    assert top_up_due(now=NOW + 4 * DAY, is_sandbox=True) == 1
    told = AuditLog.objects.filter(action="campaign.top_up_set").values_list("details", flat=True)
    held = [details["is_paused"] for details in told if "is_paused" in details]
    assert sorted(held) == [False, True]


def test_says_that_it_is_paused_before_any_new_lead_waits(
    campaign: Campaign, alice, browse
) -> None:
    over(campaign)

    pause(campaign)

    said = browse(alice).get(f"/app/campaigns/{campaign.pk}/").content.decode()
    assert "setter@acme.test paused that at" in said
    with pytest.raises(lifecycle.BatchCallNotRunning):
        pause(campaign)


def test_pauses_many_that_launch_by_themselves(campaign: Campaign, alice, browse) -> None:
    over(campaign)
    typed = {"campaign": [str(campaign.pk)], "do": "pause"}

    said = browse(alice).post("/app/campaigns/bulk/", typed, follow=True).content.decode()

    assert "Done for 1 campaign." in said
    assert not is_on()


def test_holds_new_leads_beside_a_launch_that_is_paused(campaign: Campaign) -> None:
    enrol(campaign, 2)
    daily(campaign)
    assert top_up_due(now=NOW, is_sandbox=True) == 1

    pause(campaign)
    BatchCall.objects.update(status="cancelled")  # that one alone
    enrol(campaign, 2, start=10)

    assert top_up_due(now=NOW + DAY, is_sandbox=True) == 0
    stop(campaign)  # what is held is ended too
    with pytest.raises(lifecycle.BatchCallOver):
        stop(campaign)
    row = TopUp.objects.get()
    assert (row.is_active, row.paused_at) == (False, None)


@pytest.mark.parametrize("is_for_all", [True, False])
def test_waits_without_minutes_while_calling_is_stopped(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch, is_for_all: bool
) -> None:
    monkeypatch.setattr(topping_up, "AT_ONCE", 1)
    enrol(campaign, 2)
    daily(campaign)
    stopped = None if is_for_all else campaign.client
    stop_dialling(client=stopped, reason="Complaints.", actor=TESTS, now=NOW)

    for later in range(2):
        assert top_up_due(now=NOW + timedelta(minutes=later), is_sandbox=True) == 0

    row = TopUp.objects.get()
    assert (row.next_at, row.last_at, row.was_refused) == (NOW, NOW, True)
    assert row.last_result.startswith("All calling")
    assert not BatchCall.objects.exists()
    assert Wallet.objects.get(client=campaign.client).reserved_seconds == 0

    resume_dialling(client=stopped, actor=TESTS, now=NOW + timedelta(minutes=3))
    assert top_up_due(now=NOW + timedelta(minutes=3), is_sandbox=True) == 1
    row.refresh_from_db()
    assert (row.next_at, row.was_refused) == (NOW + DAY, False)


def test_holds_up_no_other_client_while_one_is_stopped(
    campaign: Campaign, rival: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topping_up, "AT_ONCE", 1)
    enrol(campaign, 2)
    daily(campaign, next_at=NOW - timedelta(minutes=1))
    open_wallet(rival, seconds=60_000)
    make_number(rival, "+13105550199")
    other = make_ready(rival, is_any_hour=True)
    enrol(other, 2, start=10)
    staff = UserFactory.create(client=rival, client_role="manager", can_launch=True)
    set_top_up(
        campaign=other, is_active=True, every_minutes=60, next_at=NOW, most_seconds=3000,
        actor=staff, now=NOW,
    )  # fmt: skip
    stop_dialling(client=campaign.client, reason="Complaints.", actor=TESTS, now=NOW)

    assert top_up_due(now=NOW, is_sandbox=True) == 1
    assert BatchCall.objects.get().campaign == other
