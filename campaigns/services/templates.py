"""Templates in verbs: write, change, offer, withdraw, and what a campaign takes from one."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import record
from campaigns.dialling.breaking import Safety
from campaigns.models import CampaignTemplate, TemplateVersion
from campaigns.services.authoring import CampaignContent, content_of, make_campaign
from campaigns.services.policies import Dialling, dialling_of, write_dialling
from campaigns.settings_schema import with_defaults
from campaigns.starters import BUSINESS, fill_in
from convomono.lib.db import IntegrityError, atomic, compare_and_set, run_atomic

if TYPE_CHECKING:
    from collections.abc import Callable
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
class TemplateContent:
    """What a version of a template holds: what is said and when, and how such a campaign dials."""

    campaign: CampaignContent
    dialling: Dialling = Dialling()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Offer:
    """How a template is shown to clients, and to which: to all without `only_for`."""

    name: str
    about: str
    only_for: Client | None = None


def content_from(campaign: Campaign) -> TemplateContent:
    """Return a campaign's content for a template: the client's name gives way to "[business]"."""
    content = content_of(campaign)
    name = re.compile(re.escape(campaign.client.name), re.IGNORECASE)

    def anonymous(value: Any) -> Any:
        return _each_text(value, lambda text: name.sub(BUSINESS, text))

    words = ("name", "goal", "script_raw", "opening_line")
    kept = replace(
        content,
        **{word: anonymous(getattr(content, word)) for word in words},
        settings=anonymous({**content.settings, "transfers": []}),  # their people stay theirs
        knowledge_text="",
        shared_base_id=None,
        caller_numbers=(),
        is_any_hour=False,
    )
    return TemplateContent(kept, dialling_of(campaign))


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Change every text in lists and dicts, however deep."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(one, change) for one in value]
    if isinstance(value, dict):
        return {key: _each_text(one, change) for key, one in value.items()}
    return value


@atomic
def create_template(
    *,
    offer: Offer,
    content: TemplateContent,
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
    content: TemplateContent,
    seen_number: str = "",
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Save an edit; other words make the next version, which new campaigns get. Tell if anything changed.

    `seen_number` is the version that whoever edits had before them, if they said so.

    :raises TemplateChanged: if somebody else made a version meanwhile
    """
    if seen_number and seen_number != str(template.number):
        raise TemplateChanged
    spoken = _kept(content) != _kept(template_content(template))
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


def template_content(template: CampaignTemplate) -> TemplateContent:
    """Return what the template's current version says, with "[business]" in it. One query."""
    data = TemplateVersion.objects.get(template=template, number=template.number).content
    campaign = CampaignContent(
        name=template.name,
        settings=with_defaults(data["settings"]),
        weekdays=tuple(data["weekdays"]),
        **{name: data[name] for name in TEMPLATE_FIELDS if name not in ("settings", "weekdays")},
    )
    # Versions of before templates held it dial as any new campaign does.
    stored = data.get("dialling") or asdict(Dialling())
    safety = Safety(**{**asdict(Safety()), **stored["safety"]})
    return TemplateContent(campaign, Dialling(**{**stored, "safety": safety}))


@atomic
def start_from_template(
    *, template: CampaignTemplate, client: Client, name: str, goal: str, actor: Actor, now: datetime
) -> Campaign:
    """Create a draft with the template's words for this client's business, its hours, and how it dials."""
    held = template_content(template)
    campaign = make_campaign(
        client_id=client.pk,
        content=_for_business(held.campaign, name=name, goal=goal, business=client.name),
        actor=actor,
        now=now,
        template_id=str(template.pk),
        template_number=template.number,
    )
    write_dialling(campaign=campaign, dialling=held.dialling)
    record(actions.CAMPAIGN_CREATED, resource=campaign, actor=actor, now=now)
    return campaign


def _for_business(
    content: CampaignContent, *, name: str, goal: str, business: str
) -> CampaignContent:
    def filled(value: Any) -> Any:
        return _each_text(value, lambda text: fill_in(text, business=business))

    return replace(
        content,
        name=name,
        goal=goal or fill_in(content.goal, business=business),
        script_raw=fill_in(content.script_raw, business=business),
        opening_line=fill_in(content.opening_line, business=business),
        settings=filled(dict(content.settings)),
    )


def _write(
    template: CampaignTemplate,
    number: int,
    content: TemplateContent,
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


def _kept(content: TemplateContent) -> dict[str, Any]:
    campaign = content.campaign
    data = asdict(campaign)
    return {
        **{name: data[name] for name in TEMPLATE_FIELDS},
        "settings": dict(campaign.settings),
        "weekdays": list(campaign.weekdays),
        "dialling": asdict(content.dialling),
    }
