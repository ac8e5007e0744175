"""What ends with a campaign that is archived."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from audit.models import AuditLog
from campaigns import jobs
from campaigns.models import BatchCall, Campaign, Experiment, TopUp
from campaigns.services import experimenting, lifecycle, workspace
from campaigns.services.authoring import CampaignArchived
from campaigns.services.experimenting import Trial, start_experiment
from campaigns.services.recurring import set_top_up
from campaigns.services.topping_up import top_up_due
from campaigns.settings_schema import DEFAULTS
from tests.factories.campaigns import NOW, enrol, make_draft

if TYPE_CHECKING:
    from accounts.models import Client, User

pytestmark = pytest.mark.django_db
GOAL = {**DEFAULTS, "conversion": "They agreed."}


@pytest.fixture
def campaign(alice: User, equipped: Client, retell) -> Campaign:
    made = make_draft(equipped, settings=GOAL)
    lifecycle.prepare_campaign(campaign=made, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(made.pk))
    made.refresh_from_db()
    return made


def launch_by_itself(campaign: Campaign, actor: User) -> None:
    set_top_up(
        campaign=campaign, is_active=True, every_minutes=60, next_at=NOW, most_seconds=3000,
        actor=actor, now=NOW,
    )  # fmt: skip


def archive(campaign: Campaign, actor: User) -> None:
    lifecycle.archive_campaign(campaign=campaign, actor=actor, now=NOW)


def try_out(campaign: Campaign, actor: User) -> Experiment:
    trial = Trial(part="opening_line", text="Acme Dental's AI here.", is_confirmed=True)
    return start_experiment(campaign=campaign, trial=trial, actor=actor, now=NOW)


def test_launches_no_new_leads_of_an_archived_campaign_and_complains_of_none(
    campaign: Campaign, alice: User
) -> None:
    enrol(campaign, 2)
    launch_by_itself(campaign, alice)

    archive(campaign, alice)

    assert not TopUp.objects.get().is_active
    assert AuditLog.objects.filter(action="campaign.top_up_set").count() == 2
    assert top_up_due(now=NOW, is_sandbox=True) == 0
    assert not Notification.objects.exists()


def test_launches_none_that_somebody_switches_on_while_it_is_archived(
    campaign: Campaign, alice: User, browse
) -> None:
    archive(Campaign.objects.get(), alice)
    with pytest.raises(CampaignArchived):
        launch_by_itself(campaign, alice)
    typed = {
        "is_active": "on",
        "next_at": "2099-01-01T10:00",
        "every_minutes": "60",
        "most_minutes": "5",
    }
    path = f"/app/campaigns/{campaign.pk}/top-up/"
    assert "It is archived" in browse(alice).post(path, typed, follow=True).content.decode()
    assert not TopUp.objects.exists()

    Campaign.objects.update(status="ready")
    launch_by_itself(campaign, alice)
    Campaign.objects.update(status="archived")
    enrol(campaign, 2)

    assert top_up_due(now=NOW, is_sandbox=True) == 0
    row = TopUp.objects.get()
    assert (row.is_active, row.last_result) == (False, "The campaign is archived.")
    assert not BatchCall.objects.exists()
    assert not Notification.objects.exists()


@pytest.mark.parametrize("is_prepared", [True, False])
def test_ends_a_trial_and_makes_no_agent_anew(
    campaign: Campaign, alice: User, retell, is_prepared: bool
) -> None:
    row = try_out(campaign, alice)
    if is_prepared:
        jobs.prepare_experiment(experiment_id=str(row.pk))

    archive(campaign, alice)

    row.refresh_from_db()
    assert (row.status, row.ended_at) == ("stopped", NOW)
    workspace.retire_agents(gateway=retell, now=NOW + timedelta(days=3))
    jobs.judge_experiments()
    jobs.prepare_experiment(experiment_id=str(row.pk))
    assert not retell.agents


def test_ends_a_trial_that_somebody_starts_while_it_is_archived(
    campaign: Campaign, alice: User, retell
) -> None:
    archive(Campaign.objects.get(), alice)
    versions = len(retell.agents)
    row = try_out(campaign, alice)  # a page that had read it before

    jobs.prepare_experiment(experiment_id=str(row.pk))

    row.refresh_from_db()
    assert row.status == experimenting.Status.STOPPED
    assert len(retell.agents) == versions


def test_leaves_everything_going_on_where_it_still_dials(campaign: Campaign, alice: User) -> None:
    launch_by_itself(campaign, alice)
    row = try_out(campaign, alice)
    BatchCall.objects.create(
        client=campaign.client, campaign=campaign, version=row.control, status="paused",
        launch_key=row.pk, scheduled_at=NOW, created_at=NOW,
    )  # fmt: skip

    with pytest.raises(lifecycle.CampaignLive):
        archive(campaign, alice)

    row.refresh_from_db()
    assert (row.status, TopUp.objects.get().is_active) == ("preparing", True)
