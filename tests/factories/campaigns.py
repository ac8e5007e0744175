"""Campaigns for tests, made through the services: a draft, a ready one, its leads, a launch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from audit.services import System
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.services import preparing
from campaigns.services.authoring import CampaignContent, create_campaign
from campaigns.services.enrolment import enrol_lead
from campaigns.services.launching import attach_slice, open_batch_call
from convomono.lib.ids import uuid7
from leads.models import Lead
from telephony.models import PhoneNumber

if TYPE_CHECKING:
    from accounts.models import Client

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
TESTS = System("tests")
SCRIPT = "You are an AI assistant of Acme Dental. Ask {{first_name}} for a day that suits."


def campaign_content(**fields: Any) -> CampaignContent:
    """Return what a person wrote, sound in every part."""
    return CampaignContent(
        **{
            "name": "Autumn check-ups",
            "goal": "An appointment",
            "script_raw": SCRIPT,
            "opening_line": "Hi {{first_name}}, this is the AI assistant of Acme Dental.",
            "voice_id": "11labs-Adrian",
            "voice_name": "Adrian",
            **fields,
        }
    )


def make_draft(client: Client, **fields: Any) -> Campaign:
    """Make a draft campaign."""
    return create_campaign(client=client, content=campaign_content(**fields), actor=TESTS, now=NOW)


def make_ready(client: Client, **fields: Any) -> Campaign:
    """Make a campaign whose agent is published, without asking Retell."""
    campaign = make_draft(client, **fields)
    preparing.request_agent(campaign=campaign, actor=TESTS, now=NOW)
    agent = preparing.find_or_make_agent(campaign=campaign, now=NOW)
    agent.provider_agent_id = f"agent_{campaign.pk.hex[-8:]}"
    agent.save()
    campaign = Campaign.objects.select_related("client").get(pk=campaign.pk)
    prep = preparing.Preparation(campaign, agent, "http://127.0.0.1/hook", "America/New_York")
    preparing.mark_ready(prep=prep, agent_version=0, fingerprint="f", now=NOW)
    campaign.refresh_from_db()
    return campaign


def make_lead(client: Client, number: int = 0, **fields: Any) -> Lead:
    """Make a lead who agreed to be called, in New York, on a number kept for fiction."""
    area, last = 201 + number // 100, number % 100
    return Lead.objects.create(
        client=client,
        created_at=NOW,
        updated_at=NOW,
        **{
            "phone_number": f"+1{area}55501{last:02d}",
            "first_name": f"Person {number}",
            "country": "US",
            "time_zone": "America/New_York",
            "consent_status": "given",
            **fields,
        },
    )


def enrol(
    campaign: Campaign, count: int = 1, *, start: int = 0, at: datetime = NOW, **fields: Any
) -> list[Enrolment]:
    """Make so many leads and put them into the campaign."""
    for number in range(start, start + count):
        lead = make_lead(campaign.client, number, **fields)
        enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=at)
    return list(Enrolment.objects.filter(campaign=campaign).order_by("phone_number"))


def make_number(client: Client | None, number: str = "+12125550199", **fields: Any) -> PhoneNumber:
    """Make a number to call from."""
    return PhoneNumber.objects.create(phone_number=number, client=client, created_at=NOW, **fields)


def launch(
    campaign: Campaign,
    *,
    seconds: int = 6000,
    now: datetime = NOW,
    mode: str = BatchCall.Mode.DISPATCHER,
) -> BatchCall:
    """Launch the campaign's waiting leads; the client's wallet has to hold that many seconds."""
    batch_call = open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=seconds, mode=mode, actor=TESTS, now=now
    )
    while not attach_slice(batch_call_id=batch_call.pk, now=now):
        pass
    batch_call.refresh_from_db()
    return batch_call


def run_batch(batch_call: BatchCall, now: datetime = NOW) -> BatchCall:
    """Let a launch run, as the dispatcher does when its time has come."""
    batch_call.status = BatchCall.Status.RUNNING
    batch_call.started_at = now
    batch_call.save()
    return batch_call
