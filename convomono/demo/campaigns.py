"""The demonstration's campaigns: written, filled from a spreadsheet and made ready as people do it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from campaigns.jobs import prepare_agent
from campaigns.services.authoring import CampaignContent, create_campaign
from campaigns.services.lifecycle import prepare_campaign
from campaigns.settings_schema import DEFAULTS
from convomono.demo.people import write_spreadsheet
from convomono.lib import clock
from leads.imports.commit import commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.work import Pace
from leads.services.imports import (
    check_import as start_check,
    commit_import as start_commit,
    start_import,
)
from leads.services.people import ConsentStatement

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User
    from campaigns.models import Campaign
    from campaigns.settings_schema import AnalysisQuestion
    from convomono.demo.people import Person
    from leads.models import ImportMapping, LeadImport

VOICE = ("11labs-Adrian", "Adrian")
SCRIPT = """\
You are Riley, a friendly assistant who calls patients of Acme Dental. You are an AI and say so.

What to say:
- Mention that {{first_name}} is due for a {{service}}.
- Ask whether they would like to book a visit this month.
- Offer Tuesday at ten or Thursday at half past four.
- Ask whether they have any questions about the {{service}}.
- Confirm the time they chose.
- Mention that a text message with the details follows.

Rules:
- If they would rather not be called again, apologise and promise that they will not be.
- Keep each answer to two sentences.
"""
OPENING = (
    "Hi {{first_name}}, this is Riley, an AI assistant from Acme Dental, about your {{service}}. "
    "This call is recorded. Do you have a minute?"
)
KNOWLEDGE = """\
Acme Dental, 12 Maple Street. Open Monday to Friday, 8:00 to 18:00.
A check-up takes 30 minutes and costs $90, a cleaning 45 minutes and $120.
Parking is free behind the building. Patients can reschedule until the evening before.
"""
QUICK_RETRY_SECONDS = 15 * 60
# What is read out of each call besides the goal: a yes or no, and one of some choices.
QUESTIONS: list[AnalysisQuestion] = [
    {
        "name": "Insured",
        "kind": "boolean",
        "description": "The patient has dental insurance.",
        "choices": [],
    },
    {
        "name": "Obstacle",
        "kind": "enum",
        "description": "What keeps the patient from a visit this month.",
        "choices": ["nothing", "price", "no time", "another dentist"],
    },
]


def content(name: str, *, max_attempts: int = 2) -> CampaignContent:
    """Return a campaign that may call fictional numbers at any hour and tries again soon."""
    return CampaignContent(
        name=name,
        goal="Book a visit this month",
        script_raw=SCRIPT,
        opening_line=OPENING,
        voice_id=VOICE[0],
        voice_name=VOICE[1],
        settings={
            **DEFAULTS,
            "conversion": "The patient agreed to a time for a visit.",
            "questions": QUESTIONS,
        },
        knowledge_text=KNOWLEDGE,
        concurrency_limit=60,
        is_any_hour=True,
        max_attempts=max_attempts,
        busy_delay_seconds=QUICK_RETRY_SECONDS,
        no_answer_delay_seconds=QUICK_RETRY_SECONDS,
        voicemail_delay_seconds=QUICK_RETRY_SECONDS,
        declined_delay_seconds=QUICK_RETRY_SECONDS,
    )


def write_campaign(*, client: Client, name: str, actor: User, now: datetime) -> Campaign:
    """Write a draft."""
    return create_campaign(client=client, content=content(name), actor=actor, now=now)


def upload(
    *, campaign: Campaign, rows: list[Person], actor: User, now: datetime, real_now: datetime
) -> LeadImport:
    """Upload the people as a spreadsheet, map its columns, check it and commit it; return the receipt."""
    text = io.StringIO()
    write_spreadsheet(text, rows)
    consent = ConsentStatement(
        kind="written",
        source="Intake form",
        wording="I agree to automated calls from Acme Dental about my appointments.",
        given_at=now,
    )
    row = start_import(
        client=campaign.client,
        campaign_id=campaign.pk,
        file_name="patients.csv",
        stream=io.BytesIO(text.getvalue().encode()),
        consent=consent,
        actor=actor,
        now=now,
    )
    start_check(
        lead_import=row, mapping=_mapping(), options=row.options, now=now, real_now=real_now
    )
    # The worker's part at once, and at that time: the past was uploaded in the past.
    check_rows(lead_import=row, pace=Pace(real_now=clock.real_now), now=now)
    row.refresh_from_db()
    start_commit(lead_import=row, actor=actor, now=now, real_now=real_now)
    row.refresh_from_db()
    commit_rows(lead_import=row, pace=Pace(real_now=clock.real_now), now=now)
    row.refresh_from_db()
    return row


def _mapping() -> ImportMapping:
    return {
        "fields": {"first_name": 0, "last_name": 1, "phone_number": 2, "email": 3},
        "variables": {"first_name": 0, "last_name": 1, "service": 4},
    }


def make_ready(*, campaign: Campaign, actor: User, now: datetime) -> None:
    """Ask for the agent and do the worker's part at once; the knowledge may need more rounds."""
    prepare_campaign(campaign=campaign, actor=actor, now=now)
    prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
