"""Templates in verbs: write, change, offer, withdraw, and what a campaign takes from one."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import record
from campaigns.models import CampaignTemplate, TemplateVersion
from campaigns.services.authoring import CampaignContent, content_of
from campaigns.settings_schema import with_defaults
from campaigns.starters import BUSINESS, fill_in
from convomono.lib.db import IntegrityError, atomic, compare_and_set, run_atomic

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor
    from campaigns.models import Campaign

Status = CampaignTemplate.Status
# What a template holds of a campaign. Numbers to call from, leads and facts are a client's own.
TEMPLATE_FIELDS = (
    "goal",
    "script_raw",
    "opening_line",
    "voice_id",
    "voice_name",
    "settings",
    "weekdays",
    "opens_minute",
    "closes_minute",
    "max_attempts",
    "busy_delay_seconds",
    "no_answer_delay_seconds",
    "voicemail_delay_seconds",
    "declined_delay_seconds",
)


class TemplateChanged(Exception):
    """Somebody else has changed the template meanwhile."""


@dataclass(frozen=True)
class Offer:
    """How a template is shown to clients, and to which: to all without `only_for`."""

    name: str
    about: str
    only_for: Client | None = None


def content_from(campaign: Campaign) -> CampaignContent:
    """Return a campaign's content for a template: the client's name gives way to "[business]"."""
    content = content_of(campaign)
    name = re.compile(re.escape(campaign.client.name), re.IGNORECASE)

    def anonymous(value: Any) -> Any:
        if isinstance(value, str):
            return name.sub(BUSINESS, value)
        if isinstance(value, list):
            return [anonymous(one) for one in value]
        if isinstance(value, dict):
            return {key: anonymous(one) for key, one in value.items()}
        return value

    words = ("name", "goal", "script_raw", "opening_line")
    return replace(
        content,
        **{word: anonymous(getattr(content, word)) for word in words},
        settings=anonymous(dict(content.settings)),
        knowledge_text="",
        shared_base_id=None,
        caller_numbers=(),
        is_any_hour=False,
    )


@atomic
def create_template(
    *,
    offer: Offer,
    content: CampaignContent,
    source: Campaign | None,
    actor: Actor,
    now: datetime,
) -> CampaignTemplate:
    """Write a template's first version; no client sees it before it is offered."""
    template = CampaignTemplate.objects.create(
        name=offer.name,
        about=offer.about,
        only_for=offer.only_for,
        source_campaign_id=source.pk if source else None,
        created_by_email=actor.actor_email,
        created_at=now,
        changed_at=now,
    )
    _write(template, 1, content, actor, now)
    details = {"from": str(source.pk)} if source else {}
    record(actions.TEMPLATE_CREATED, resource=template, actor=actor, now=now, details=details)
    return template


def change_template(
    *,
    template: CampaignTemplate,
    offer: Offer,
    content: CampaignContent,
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Save an edit; other words make the next version, which new campaigns get. Tell if anything changed.

    :raises TemplateChanged: if somebody else made that version meanwhile
    """
    spoken = _kept(content) != content_data(template)
    shown = {"name": offer.name, "about": offer.about, "only_for": offer.only_for}
    if not spoken and all(getattr(template, name) == value for name, value in shown.items()):
        return False
    number = template.number + spoken

    def block() -> None:
        read = ("number", "changed_at")
        if not compare_and_set(template, *read, **shown, number=number, changed_at=now):
            raise TemplateChanged
        if spoken:
            _write(template, number, content, actor, now)
        details = {"version": number}
        record(actions.TEMPLATE_CHANGED, resource=template, actor=actor, now=now, details=details)

    try:
        run_atomic(block)
    except IntegrityError:
        raise TemplateChanged from None
    template.refresh_from_db()
    return True


def offer_template(*, template: CampaignTemplate, actor: Actor, now: datetime) -> bool:
    """Show it to clients; False if they see it already."""
    return _set_status(template, Status.OFFERED, actions.TEMPLATE_OFFERED, actor, now)


def withdraw_template(*, template: CampaignTemplate, actor: Actor, now: datetime) -> bool:
    """Show it to nobody any more; campaigns that were made from it stay. False if nobody sees it."""
    return _set_status(template, Status.WITHDRAWN, actions.TEMPLATE_WITHDRAWN, actor, now)


@atomic
def _set_status(
    template: CampaignTemplate, status: str, action: str, actor: Actor, now: datetime
) -> bool:
    changed = (
        CampaignTemplate.objects.filter(pk=template.pk)
        .exclude(status=status)
        .update(status=status, changed_at=now)
    )
    if changed:
        template.status = status
        record(action, resource=template, actor=actor, now=now)
    return bool(changed)


def content_data(template: CampaignTemplate) -> dict[str, Any]:
    """Return what the template's current version holds, by the names of TEMPLATE_FIELDS. One query."""
    version = TemplateVersion.objects.get(template=template, number=template.number)
    data: dict[str, Any] = version.content
    return data


def template_content(template: CampaignTemplate) -> CampaignContent:
    """Return the template's words with "[business]" in them. One query."""
    data = content_data(template)
    return CampaignContent(
        **{
            **data,
            "name": template.name,
            "settings": with_defaults(data["settings"]),
            "weekdays": tuple(data["weekdays"]),
        }
    )


def campaign_content(
    *, template: CampaignTemplate, name: str, goal: str, business: str
) -> CampaignContent:
    """Return the content of a new campaign: the template's words, for this business."""
    content = template_content(template)
    settings = {
        key: fill_in(value, business=business) if isinstance(value, str) else value
        for key, value in content.settings.items()
    }
    return replace(
        content,
        name=name,
        goal=goal or fill_in(content.goal, business=business),
        script_raw=fill_in(content.script_raw, business=business),
        opening_line=fill_in(content.opening_line, business=business),
        settings=settings,
    )


def _write(
    template: CampaignTemplate,
    number: int,
    content: CampaignContent,
    actor: Actor,
    now: datetime,
) -> None:
    TemplateVersion.objects.create(
        template=template,
        number=number,
        content=_kept(content),
        made_by_email=actor.actor_email,
        made_at=now,
    )


def _kept(content: CampaignContent) -> dict[str, Any]:
    data = asdict(content)
    kept = {name: data[name] for name in TEMPLATE_FIELDS}
    return {**kept, "settings": dict(content.settings), "weekdays": list(content.weekdays)}
