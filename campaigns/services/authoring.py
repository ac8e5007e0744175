"""Writing a campaign: create and update."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import record
from campaigns import line_jobs
from campaigns.launch_requests import outdate_request, tell_of_edit
from campaigns.models import (
    BatchCall,
    CallingWindow,
    Campaign,
    CampaignVersion,
    KnowledgeBase,
    KnowledgeSource,
    RetryPolicy,
)
from campaigns.settings_schema import DEFAULTS, with_defaults
from campaigns.starters import fill_in
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from campaigns.starters import Starter

KNOWLEDGE_NAME_CHARS = 39  # Retell's limit
LIVE = (BatchCall.Status.SCHEDULED, BatchCall.Status.RUNNING, BatchCall.Status.PAUSED)


class CampaignArchived(Exception):
    """Somebody asked to change a campaign that is only kept."""


class CampaignLive(Exception):
    """A launch of this campaign isn't over yet."""


@dataclass(frozen=True, kw_only=True)
class CampaignContent:
    """What a person writes in a campaign; times in the units of the models."""

    name: str
    goal: str = ""
    script_raw: str = ""
    opening_line: str = ""
    voice_id: str = ""
    voice_name: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULTS))
    knowledge_text: str = ""
    shared_base_id: UUID | None = None
    concurrency_limit: int = 20
    caller_numbers: tuple[str, ...] = ()  # none: all of the client's
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)
    opens_minute: int = 9 * 60
    closes_minute: int = 20 * 60
    is_any_hour: bool = False
    max_attempts: int = 3
    busy_delay_seconds: int = 20 * 60
    no_answer_delay_seconds: int = 4 * 3600
    voicemail_delay_seconds: int = 24 * 3600
    declined_delay_seconds: int = 24 * 3600


def started_content(
    *, name: str, goal: str, starter: Starter | None, business: str
) -> CampaignContent:
    """Return the content of a new campaign: a starter's words for this business, or none."""
    if starter is None:
        return CampaignContent(name=name, goal=goal)
    return CampaignContent(
        name=name,
        goal=goal or str(starter.label),
        script_raw=fill_in(starter.script_raw, business=business),
        opening_line=fill_in(starter.opening_line, business=business),
        settings={**DEFAULTS, "conversion": starter.conversion},
    )


_CAMPAIGN = ("name", "goal", "script_raw", "opening_line", "voice_id", "voice_name")
_WINDOW = ("opens_minute", "closes_minute", "is_any_hour")
_RETRY = (
    "max_attempts",
    "busy_delay_seconds",
    "no_answer_delay_seconds",
    "voicemail_delay_seconds",
    "declined_delay_seconds",
)
# An edit of these needs a new version at Retell; hours and attempts hold at once, for every call.
_SPOKEN = (
    "script_raw",
    "opening_line",
    "voice_id",
    "settings",
    "knowledge_text",
    "shared_base_id",
)


# These hold for running launches at once.
_HOURS = frozenset({*_WINDOW, "weekdays"})
_HELD_AT_ONCE = _HOURS | {*_RETRY, "caller_numbers", "concurrency_limit"}


def _columns(content: CampaignContent) -> dict[str, Any]:
    columns = {name: getattr(content, name) for name in (*_CAMPAIGN, "concurrency_limit")}
    columns["shared_base_id"] = content.shared_base_id
    numbers = {"caller_numbers": list(content.caller_numbers)}
    return {**columns, **numbers, "settings": dict(content.settings)}


@atomic
def create_campaign(
    *,
    client: Client,
    content: CampaignContent,
    actor: Actor,
    now: datetime,
    template_id: str = "",
    template_number: int = 0,
) -> Campaign:
    """Create a draft with its calling window and retry policy; what it was started from is kept."""
    campaign = make_campaign(
        client_id=client.pk,
        content=content,
        actor=actor,
        now=now,
        template_id=template_id,
        template_number=template_number,
    )
    record(actions.CAMPAIGN_CREATED, resource=campaign, actor=actor, now=now)
    return campaign


def make_campaign(
    *,
    client_id: UUID,
    content: CampaignContent,
    actor: Actor,
    now: datetime,
    template_id: str,
    template_number: int,
) -> Campaign:
    """Write a draft's rows inside the caller's block, which records why there is one."""
    campaign = Campaign.objects.create(
        client_id=client_id,
        created_by_email=actor.actor_email,
        created_at=now,
        updated_at=now,
        knowledge_base=_knowledge(client_id=client_id, content=content, now=now),
        template_id=template_id,
        template_number=template_number,
        **_columns(content),
    )
    owner = {"campaign": campaign, "client_id": client_id}
    CallingWindow.objects.create(**owner, **_window(content))
    RetryPolicy.objects.create(**owner, **_retry(content))
    return campaign


@atomic
def update_campaign(
    *, campaign: Campaign, content: CampaignContent, actor: Actor, now: datetime
) -> bool:
    """
    Save what somebody edited; tell whether anything changed.

    An edit of what is said makes a ready campaign a draft again; calls keep the version they were
    made with. An edit of hours, attempts or the number of calls at once holds for running launches.
    Only what changed is written, of the settings each by itself, so that two people may work on two steps
    at the same time, or a page of a while ago may be saved, without taking anything back.

    :raises CampaignArchived: if it was archived (meanwhile)
    """
    before = content_of(campaign)
    changed = sorted(
        name
        for name, value in asdict(content).items()
        if name != "voice_name" and value != getattr(before, name)
    )
    # A setting that came after the campaign was saved, at its default, is no edit.
    if "settings" in changed and with_defaults(content.settings) == with_defaults(before.settings):
        changed.remove("settings")
    if not changed:
        return False
    columns = {name: value for name, value in _columns(content).items() if name in changed}
    if "settings" in changed:
        columns["settings"] = _settings_after(campaign, before, content)
    if "voice_id" in changed:
        columns["voice_name"] = content.voice_name
    if "knowledge_text" in changed:
        columns["knowledge_base"] = _knowledge_after(campaign, content, now)
    if not set(_SPOKEN).isdisjoint(changed):
        columns |= {"status": Campaign.Status.DRAFT, "prepare_error": ""}
    saved = (
        Campaign.objects.filter(pk=campaign.pk)
        .exclude(status=Campaign.Status.ARCHIVED)
        .update(**columns, updated_at=now)
    )
    if not saved:
        raise CampaignArchived
    _update_rules(campaign, content, changed, now)
    outdate_request(campaign_id=campaign.pk, now=now)
    tell_of_edit(
        campaign=campaign, changed=_HELD_AT_ONCE.intersection(changed), actor=actor, now=now
    )
    record(
        actions.CAMPAIGN_CHANGED,
        resource=campaign,
        actor=actor,
        now=now,
        details={"changed": changed},
    )
    campaign.refresh_from_db()
    return True


def content_of(campaign: Campaign) -> CampaignContent:
    """Return what a campaign holds as a person would write it; three queries at most."""
    window, retry = campaign.calling_window, campaign.retry_policy
    return CampaignContent(
        **{name: getattr(campaign, name) for name in (*_CAMPAIGN, "concurrency_limit")},
        settings=dict(campaign.settings),
        caller_numbers=tuple(campaign.caller_numbers),
        knowledge_text=knowledge_text(campaign),
        shared_base_id=campaign.shared_base_id,
        weekdays=tuple(window.weekdays),
        **{name: getattr(window, name) for name in _WINDOW},
        **{name: getattr(retry, name) for name in _RETRY},
    )


def knowledge_text(campaign: Campaign) -> str:
    """Return the text that the agent may consult; empty without a knowledge base."""
    if campaign.knowledge_base_id is None:
        return ""
    source = (
        KnowledgeSource.objects.filter(
            client_id=campaign.client_id,
            knowledge_base_id=campaign.knowledge_base_id,
            kind=KnowledgeSource.Kind.TEXT,
        )
        .order_by("created_at", "pk")
        .first()
    )
    return source.text if source else ""


def _knowledge(*, client_id: UUID, content: CampaignContent, now: datetime) -> KnowledgeBase | None:
    """Make a new knowledge base: one that Retell has indexed can't be changed."""
    if not content.knowledge_text:
        return None
    base = KnowledgeBase.objects.create(
        client_id=client_id, name=content.name[:KNOWLEDGE_NAME_CHARS], created_at=now
    )
    KnowledgeSource.objects.create(
        client_id=client_id,
        knowledge_base=base,
        kind=KnowledgeSource.Kind.TEXT,
        title=content.name,
        text=content.knowledge_text,
        size_bytes=len(content.knowledge_text.encode()),
        created_at=now,
    )
    return base


def _knowledge_after(
    campaign: Campaign, content: CampaignContent, now: datetime
) -> KnowledgeBase | None:
    """Return the knowledge base of an edited text: the draft there is, changed, or another one."""
    if campaign.knowledge_base_id is None:
        return _knowledge(client_id=campaign.client_id, content=content, now=now)
    # Written as a condition too: whoever sends it to Retell at this moment collides in the database.
    draft = KnowledgeBase.objects.filter(
        pk=campaign.knowledge_base_id,
        client_id=campaign.client_id,
        status=KnowledgeBase.Status.DRAFT,
        is_shared=False,
        sent_at=None,
        provider_id="",
    )
    named = CampaignVersion.objects.filter(
        client_id=campaign.client_id, knowledge_base_id=campaign.knowledge_base_id
    )
    if named.exists() or not draft.update(error=""):
        return _knowledge(client_id=campaign.client_id, content=content, now=now)
    if not content.knowledge_text:
        draft.delete()
        return None
    text = content.knowledge_text
    KnowledgeSource.objects.filter(
        client_id=campaign.client_id,
        knowledge_base_id=campaign.knowledge_base_id,
        kind=KnowledgeSource.Kind.TEXT,
    ).update(text=text, size_bytes=len(text.encode()))
    return campaign.knowledge_base


def _settings_after(
    campaign: Campaign, before: CampaignContent, content: CampaignContent
) -> dict[str, Any]:
    """Return the settings as they are now, with what was changed of those that were shown."""
    stored: dict[str, Any] = Campaign.objects.values_list("settings", flat=True).get(pk=campaign.pk)
    shown: Mapping[str, Any] = {**with_defaults(before.settings)}
    changed = {
        name: value
        for name, value in content.settings.items()
        if name not in shown or value != shown[name]
    }
    taken_out = before.settings.keys() - content.settings.keys()
    after = {**content.settings, **stored, **changed}
    return {name: value for name, value in after.items() if name not in taken_out}


def _update_rules(
    campaign: Campaign, content: CampaignContent, changed: Collection[str], now: datetime
) -> None:
    for model, columns in ((CallingWindow, _window(content)), (RetryPolicy, _retry(content))):
        if mine := {name: value for name, value in columns.items() if name in changed}:
            model.objects.filter(campaign=campaign).update(**mine)
    if not _HOURS.isdisjoint(changed):
        # Who waits for the old hours waits for them no more.
        line_jobs.ask_to_decide_again(
            client_id=campaign.client_id, campaign_id=campaign.pk, now=now
        )


def _window(content: CampaignContent) -> dict[str, Any]:
    columns = {name: getattr(content, name) for name in _WINDOW}
    return {**columns, "weekdays": list(content.weekdays)}


def _retry(content: CampaignContent) -> dict[str, Any]:
    return {name: getattr(content, name) for name in _RETRY}
