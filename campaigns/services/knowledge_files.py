"""The files of knowledge: kept as long as a version that may be indexed again names them, and no longer."""

from __future__ import annotations

from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING

from django.db.models import Q

from campaigns.models import Campaign, CampaignVersion, KnowledgeBase, KnowledgeSource
from convomono.lib import files

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

# A file is stored before the row that names it; whoever adds one is done long before that.
FRESH_FOR = timedelta(days=1)
AT_ONCE = 200


def is_named(*, client_id: UUID, stored_name: str) -> bool:
    """Tell whether a source of any version names a file: the next version has those of the one before."""
    sources = KnowledgeSource.objects.filter(client_id=client_id, stored_name=stored_name)
    return sources.exists()


def purge_files(*, real_now: datetime) -> int:
    """
    Delete files that nothing can need any more; return how many. Safe to run twice and to be killed.

    Needed is what a version names that isn't put away, and what a campaign that isn't archived uses or could
    go back to.
    """
    done = 0
    for names in batched(files.older("knowledge", before=real_now - FRESH_FOR), AT_ONCE):
        needed = _needed(
            names
        )  # after the look into the storage: what was named meanwhile is there
        for name in names:
            if name not in needed:
                files.delete_stored(name)
                done += 1
    return done


def _needed(names: Collection[str]) -> set[str]:
    named = KnowledgeSource.objects.filter(stored_name__in=names)
    pairs = list(named.values_list("stored_name", "knowledge_base_id"))
    ids = {base_id for _name, base_id in pairs}
    put_away = KnowledgeBase.objects.filter(pk__in=ids).exclude(archived_at=None)
    gone = set(put_away.values_list("pk", flat=True))
    kept = (ids - gone) | (gone & _spoken_from(gone))
    return {name for name, base_id in pairs if base_id in kept}


def _spoken_from(base_ids: Collection[UUID]) -> set[UUID | None]:
    """Return which of these a campaign uses, or has a version that did, which isn't archived."""
    either = Q(knowledge_base_id__in=base_ids) | Q(shared_base_id__in=base_ids)
    columns = ("knowledge_base_id", "shared_base_id")
    uses = list(Campaign.objects.filter(either).values_list("pk", *columns))
    uses += CampaignVersion.objects.filter(either).values_list("campaign_id", *columns)
    campaigns = Campaign.objects.filter(pk__in={row[0] for row in uses})
    live = set(campaigns.exclude(status=Campaign.Status.ARCHIVED).values_list("pk", flat=True))
    return {key for campaign_id, *keys in uses if campaign_id in live for key in keys}
