"""Launching: minutes and leads together, once, whoever presses and wherever it breaks off."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from audit.models import AuditLog
from billing.models import Reservation, Transaction
from billing.services import InsufficientCredits
from campaigns import jobs
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.services import launching, lifecycle
from convomono.lib.clock import now as clock_now
from convomono.lib.db import atomic
from convomono.lib.ids import uuid7
from leads.services import suppress
from tests.factories.billing import balances, open_wallet
from tests.factories.campaigns import NOW, enrol, make_draft, make_number, make_ready


def launch(campaign, actor, key=None, **fields):
    return lifecycle.launch_campaign(
        campaign=campaign, launch_key=key or uuid7(), actor=actor, now=NOW, **fields
    )


def refusal(campaign, actor, **fields):
    with pytest.raises(lifecycle.LaunchRefused) as refused:
        launch(campaign, actor, **fields)
    assert not BatchCall.objects.exists()
    assert not Reservation.objects.exists()
    return [finding.code for finding in refused.value.findings]


def test_reserves_minutes_and_puts_the_leads_in_line(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 3)

    batch_call = launch(campaign, alice, seconds=1800)

    assert (batch_call.status, batch_call.tasks_count, batch_call.queued_count) == (
        "scheduled",
        3,
        3,
    )
    assert batch_call.attached_at == NOW
    assert batch_call.version.number == 1
    assert set(Enrolment.objects.values_list("batch_call_id", flat=True)) == {batch_call.pk}
    assert balances(equipped)[:2] == (58_200, 1_800)
    assert Campaign.objects.get().launching_id is None
    assert AuditLog.objects.filter(action="campaign.launched").count() == 1


def test_launches_once_for_one_key(alice, equipped):
    campaign, key = make_ready(equipped), uuid7()
    enrol(campaign, 2)

    first = launch(campaign, alice, key, seconds=1800)
    again = launch(campaign, alice, key, seconds=1800)

    assert first == again
    assert balances(equipped)[:2] == (58_200, 1_800)
    assert AuditLog.objects.filter(action="campaign.launched").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same_key", [True, False])
def test_launches_once_when_two_press_at_once(alice, equipped, same_key):
    campaign, key = make_ready(equipped), uuid7()
    enrol(campaign, 5)

    def press(number):
        try:
            mine = Campaign.objects.select_related("client").get(pk=campaign.pk)
            return launch(mine, alice, key if same_key else uuid7(), seconds=1800).pk
        except (lifecycle.LaunchInProgress, lifecycle.LaunchRefused, lifecycle.NobodyWaits):
            return None
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        pressed = list(pool.map(press, range(2)))

    batch_call = BatchCall.objects.get()
    assert {one for one in pressed if one} == {batch_call.pk}
    assert batch_call.queued_count == batch_call.tasks_count == 5
    assert balances(equipped)[1] == 1_800
    assert Transaction.objects.filter(type="reserve").count() == 1


def test_reserves_nothing_when_another_launch_took_the_leads(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    launch(campaign, alice, seconds=600)

    with pytest.raises(lifecycle.NobodyWaits):
        launching.open_batch_call(
            campaign=campaign, launch_key=uuid7(), seconds=600, actor=alice, now=NOW
        )

    assert BatchCall.objects.count() == 1
    assert balances(equipped)[1] == 600


def test_refuses_another_launch_while_leads_are_put_in_line(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    launching.open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=600, actor=alice, now=NOW
    )

    with pytest.raises(lifecycle.LaunchInProgress):
        launch(campaign, alice, seconds=600)


def test_goes_on_where_a_killed_launch_stopped(
    alice, equipped, monkeypatch, run_jobs, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(launching, "SLICE", 2)
    campaign = make_ready(equipped)
    enrol(campaign, 5)
    batch_call = launching.open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=600, actor=alice, now=NOW
    )
    launching.attach_slice(batch_call_id=batch_call.pk, now=NOW)  # and here it was killed
    BatchCall.objects.update(created_at=clock_now() - timedelta(minutes=2))

    with django_capture_on_commit_callbacks(execute=True):
        jobs.resume_campaigns()
    run_jobs()

    batch_call.refresh_from_db()
    assert batch_call.queued_count == batch_call.tasks_count == 5
    assert batch_call.attached_at is not None
    assert Campaign.objects.get().launching_id is None


def test_leaves_long_lists_to_a_worker(
    alice, equipped, monkeypatch, run_jobs, django_capture_on_commit_callbacks
):
    monkeypatch.setattr(launching, "SLICE", 1)
    campaign = make_ready(equipped)
    enrol(campaign, 7)

    with django_capture_on_commit_callbacks(execute=True):
        batch_call = launch(campaign, alice, seconds=600)

    assert (batch_call.tasks_count, batch_call.attached_at) == (5, None)
    run_jobs()
    batch_call.refresh_from_db()
    assert (batch_call.tasks_count, batch_call.queued_count) == (7, 7)


def test_undoes_the_slice_when_it_is_stopped_meanwhile(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    batch_call = launching.open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=600, actor=alice, now=NOW
    )
    lifecycle.stop_batch_call(batch_call=batch_call, actor=alice, now=NOW)

    assert launching.attach_slice(batch_call_id=batch_call.pk, now=NOW)

    assert Enrolment.objects.filter(batch_call=None, status="queued").count() == 2
    assert Campaign.objects.get().launching_id is None
    assert balances(equipped)[:2] == (60_000, 0)


def test_attaches_nobody_to_a_launch_that_was_stopped_since_it_was_read(alice, equipped):
    campaign = make_ready(equipped)
    rows = enrol(campaign, 2)
    batch_call = launching.open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=600, actor=alice, now=NOW
    )
    BatchCall.objects.update(status="cancelled")  # another process; ours was read before

    with pytest.raises(launching.LaunchOver), atomic():
        launching._attach(batch_call=batch_call, keys=[row.pk for row in rows], now=NOW)

    assert Enrolment.objects.filter(batch_call=None).count() == 2


def test_leaves_later_leads_for_the_next_launch(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    first = launch(campaign, alice, seconds=600)
    enrol(campaign, 3, start=2)

    second = launch(campaign, alice, seconds=600)

    first.refresh_from_db()
    assert (first.tasks_count, second.tasks_count) == (2, 3)


def test_refuses_without_credits(alice, acme):
    open_wallet(acme)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign)

    assert refusal(campaign, alice) == ["no_credits"]


def test_refuses_more_minutes_than_there_are(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)

    with pytest.raises(InsufficientCredits):
        launch(campaign, alice, seconds=60_001)

    assert not BatchCall.objects.exists()
    assert Campaign.objects.get().launching_id is None


def test_refuses_without_leads_number_or_price(alice, acme):
    assert refusal(make_ready(acme), alice) == ["no_leads", "no_number", "no_price"]


def test_refuses_a_draft(alice, equipped):
    campaign = make_draft(equipped)
    enrol(campaign)

    assert refusal(campaign, alice) == ["not_ready"]


def test_refuses_a_campaign_that_was_edited_since(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)
    Campaign.objects.update(status="draft")  # another person's edit; ours was read before

    with pytest.raises(lifecycle.CampaignNotReady):
        launch(campaign, alice, seconds=600)

    assert not BatchCall.objects.exists()


def test_refuses_a_variable_nobody_can_fill(alice, equipped):
    campaign = make_ready(equipped, script_raw="An AI of Acme Dental offers {{plan}}.")
    enrol(campaign, 2)

    assert refusal(campaign, alice) == ["variable_unknown"]


def test_refuses_when_all_leads_are_suppressed(alice, equipped):
    campaign = make_ready(equipped)
    [row] = enrol(campaign)
    suppress(
        level="client",
        client_id=equipped.pk,
        campaign_id=None,
        phone_number=row.phone_number,
        source="person",
        reason="Asked",
        actor=alice,
        now=NOW,
    )

    assert refusal(campaign, alice) == ["no_leads"]


def test_refuses_any_hour_outside_the_sandbox(alice, equipped):
    campaign = make_ready(equipped, is_any_hour=True)
    enrol(campaign)

    assert refusal(campaign, alice) == ["any_hour"]
    assert launch(campaign, alice, is_sandbox=True).status == "scheduled"


def test_calls_nobody_who_came_after_the_press(alice, equipped):
    """Between the press and the last slice more leads arrive: an import, a program."""
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    late = enrol(campaign, 1, start=9)[0]
    Enrolment.objects.filter(pk=late.pk).update(created_at=NOW + timedelta(seconds=1))

    batch_call = launch(campaign, alice, leads=3, seconds=1800)

    assert batch_call.queued_count == 2
    late.refresh_from_db()
    assert late.batch_call_id is None


def test_launches_no_more_leads_than_the_person_was_shown(alice, equipped, browse):
    campaign = make_ready(equipped)
    enrol(campaign, 3)
    with pytest.raises(lifecycle.LeadsChanged):
        launch(campaign, alice, leads=2, seconds=1800)
    assert not BatchCall.objects.exists()

    form = {"launch_key": uuid7(), "leads": "2", "seconds": "1800"}
    page = browse(alice).post(f"/app/campaigns/{campaign.pk}/launch/", form, follow=True)
    assert "More leads have come since" in page.text
    assert not BatchCall.objects.exists()
