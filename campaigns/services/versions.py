"""Going back to an earlier version of a campaign, and letting running launches use a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from campaigns.blanks import blanks_of
from campaigns.launch_requests import outdate_request, wants_two_people
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services import preparing
from campaigns.services.authoring import CampaignArchived
from campaigns.services.variables import replace_rules
from campaigns.variables import read_rules
from convomono.lib.db import atomic, run_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from audit.services import Actor
    from campaigns.models import CampaignVersion


class VersionNotPublished(Exception):
    """Only the version that new launches get can be taken up by running ones."""


class NobodyFills(Exception):
    """None of the leads in the launches has a value for a variable of the version; `names` says for which."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


class OwnVersion(Exception):
    """Somebody tried to be the second person for what they had published themselves."""


@atomic
def restore_version(
    *, campaign: Campaign, version: CampaignVersion, actor: Actor, now: datetime
) -> None:
    """
    Put a version's words, voice, settings, knowledge and what is said of its variables back, as a draft.

    Publishing it makes the next version: history only grows. Running launches keep theirs meanwhile.
    Hours, attempts and leads stay as they are.

    :raises CampaignArchived: if it was archived (meanwhile)
    """
    saved = (
        Campaign.objects.filter(pk=campaign.pk)
        .exclude(status=Campaign.Status.ARCHIVED)
        .update(
            script_raw=version.script_raw,
            opening_line=version.opening_line,
            voice_id=version.voice_id,
            voice_name=version.voice_name,
            settings=version.settings,
            knowledge_base_id=_kept(campaign, version.knowledge_base_id),
            shared_base_id=_kept(campaign, version.shared_base_id),
            status=Campaign.Status.DRAFT,
            prepare_error="",
            updated_at=now,
        )
    )
    if not saved:
        raise CampaignArchived
    if version.variable_rules is not None:
        replace_rules(campaign=campaign, rules=read_rules(version.variable_rules))
    outdate_request(campaign_id=campaign.pk, now=now)
    record(
        actions.CAMPAIGN_RESTORED,
        resource=campaign,
        actor=actor,
        now=now,
        details={"version": version.number},
    )
    campaign.refresh_from_db()


def use_in_launches(
    *, campaign: Campaign, version: CampaignVersion, actor: Actor, now: datetime
) -> int:
    """
    Let running launches call with the published version: as the second person, or once its variables are filled.

    Return how many took it up; 0 if all have it. Launches whose leads have nothing for a variable that is
    new keep theirs.

    :raises VersionNotPublished: if another version is the campaign's
    :raises OwnVersion: if the client wants two people, and it is whoever published it who asks
    :raises NobodyFills: if none could take it up for want of values
    """
    if wants_two_people(client_id=campaign.client_id) and _published(version, actor):
        raise OwnVersion
    blanks = blanks_of(campaign, version)

    def block() -> int:
        fresh = Campaign.objects.get(pk=campaign.pk)
        if fresh.status != Campaign.Status.READY or fresh.published_version != version.number:
            raise VersionNotPublished
        taken = preparing.adopt(version, apart_from=blanks.by_launch)
        if taken:
            details = {"version": version.number, "launches": taken}
            record(
                actions.VERSION_TAKEN_UP, resource=campaign, actor=actor, now=now, details=details
            )
        return taken

    taken = run_atomic(block)
    if blanks.by_launch and not taken:
        raise NobodyFills(blanks.names)
    return taken


def _published(version: CampaignVersion, actor: Actor) -> bool:
    """Tell whether it is whoever published a version: by themselves, for somebody, or by a key of theirs."""
    acted_for: Actor | None = getattr(actor, "acted_for", None)
    people = {actor.actor_email, acted_for.actor_email if acted_for else actor.actor_email}
    publisher = version.published_by_email
    # An API key is named with whoever made it, who is no second person.
    return publisher in people or any(publisher.endswith(f"({one})") for one in people)


def _kept(campaign: Campaign, base_id: UUID | None) -> UUID | None:
    """Return the id of a knowledge base that is still there."""
    if base_id is None:
        return None
    bases = KnowledgeBase.objects.filter(client_id=campaign.client_id, pk=base_id)
    return base_id if bases.exists() else None
