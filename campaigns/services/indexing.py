"""Knowledge at Retell: sent once, polled until it is indexed, found again after a lost answer, taken away."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models import BatchCall, Campaign, CampaignVersion, KnowledgeBase, KnowledgeSource
from campaigns.services.authoring import LIVE
from convomono.lib import files
from convomono.lib.db import compare_and_set
from telephony.provider import (
    KnowledgeFile,
    KnowledgeText,
    NotFound,
    ProviderError,
    UnknownOutcome,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from telephony.provider import KnowledgeBase as ProviderBase
    from telephony.retell import RetellGateway

Status = KnowledgeBase.Status
# Another worker may be sending it this long; after that, Retell is asked whether it has it.
SENDING = timedelta(seconds=90)
# So many newest versions of a family stay at Retell, for going back without waiting.
KEPT_VERSIONS = 3
AT_ONCE = 50
CHUNK = 500
_STATUS = {
    "complete": Status.COMPLETE,
    "refreshing_in_progress": Status.COMPLETE,  # the old sources stay usable
    "error": Status.ERROR,
}


def ensure_indexed(*, base: KnowledgeBase, gateway: RetellGateway, now: datetime) -> str:
    """
    Do the next step towards an indexed version and return its status.

    Sent once: before it is sent again after a lost answer, Retell's list is searched for its mark. Safe
    to run twice and to be killed anywhere.

    :raises ProviderError: if Retell refused or can't be reached; nothing is lost by that
    """
    if base.status == Status.COMPLETE and base.provider_id:
        return base.status
    if base.provider_id and base.sent_at is None and not _forget_failed(base, gateway):
        return base.status  # Retell doesn't let it go just now: tried again in the next run
    if base.provider_id:
        return _poll(base, gateway, now)
    found = _find(base, gateway) if base.sent_at is not None else None
    if found is not None:
        return _keep(base, found, gateway, now)
    if not _take_turn(base, now):
        base.refresh_from_db()
        return base.status
    return _send_now(base, gateway, now)


def _take_turn(base: KnowledgeBase, now: datetime) -> bool:
    """Be the one who sends it: another worker that sends at this moment wins by the row."""
    free = Q(sent_at=None) | Q(sent_at__lte=now - SENDING)
    return bool(
        KnowledgeBase.objects.filter(free, pk=base.pk, provider_id="").update(
            sent_at=now, status=Status.INDEXING
        )
    )


def _send_now(base: KnowledgeBase, gateway: RetellGateway, now: datetime) -> str:
    try:
        made = _send(base, gateway)
    except UnknownOutcome:
        raise  # `sent_at` stays: the next run looks for it first
    except FileNotFoundError:
        return _cannot_send(base)
    except ProviderError:
        KnowledgeBase.objects.filter(pk=base.pk, sent_at=now).update(sent_at=None)
        raise
    return _keep(base, made, gateway, now)


def _send(base: KnowledgeBase, gateway: RetellGateway) -> ProviderBase:
    sources = list(base.sources.order_by("created_at", "pk"))
    kind = KnowledgeSource.Kind
    # Open files, not their content: 25 of 50 MB each would be more than a worker has.
    with ExitStack() as opened:
        return gateway.create_knowledge_base(
            name=base.marked_name,
            texts=[
                KnowledgeText(title=s.title, text=s.text) for s in sources if s.kind == kind.TEXT
            ],
            urls=[source.url for source in sources if source.kind == kind.URL],
            files=[
                KnowledgeFile(
                    filename=source.title,
                    content=opened.enter_context(files.open_stored(source.stored_name)),
                )
                for source in sources
                if source.kind == kind.FILE
            ],
            enable_auto_refresh=base.auto_refresh,
        )


def _cannot_send(base: KnowledgeBase) -> str:
    """Say that a file isn't kept any more, as of what was put away."""
    KnowledgeBase.objects.filter(pk=base.pk).update(
        status=Status.ERROR,
        sent_at=None,
        error=_("One of its files is no longer kept. Add it again, or choose other knowledge."),
    )
    base.refresh_from_db()
    return base.status


def _find(base: KnowledgeBase, gateway: RetellGateway) -> ProviderBase | None:
    known = gateway.list_knowledge_bases()
    return next((one for one in known if one.name.endswith(base.mark)), None)


def _poll(base: KnowledgeBase, gateway: RetellGateway, now: datetime) -> str:
    try:
        found = gateway.retrieve_knowledge_base(knowledge_base_id=base.provider_id)
    except NotFound:  # somebody deleted it at Retell: it is sent anew in the next run
        KnowledgeBase.objects.filter(pk=base.pk).update(
            provider_id="", sent_at=None, status=Status.INDEXING
        )
        base.refresh_from_db()
        return base.status
    return _keep(base, found, gateway, now)


def _keep(base: KnowledgeBase, found: ProviderBase, gateway: RetellGateway, now: datetime) -> str:
    status = _STATUS.get(found.status, Status.INDEXING)
    columns: dict[str, object] = {"status": status, "provider_id": found.knowledge_base_id}
    columns["error"] = ""  # Retell was reached, whatever an earlier try met
    if status == Status.COMPLETE:
        columns["indexed_at"] = now
        _mark_missing(base, found)
    if status == Status.ERROR:
        said = "; ".join(found.errors)[:300]
        columns["error"] = said or _("Retell could not read the sources.")
    KnowledgeBase.objects.filter(pk=base.pk).update(**columns)
    base.refresh_from_db()
    if status == Status.ERROR:
        _forget_failed(base, gateway)
    return base.status


def _forget_failed(base: KnowledgeBase, gateway: RetellGateway) -> bool:
    """Delete what Retell could not read, and only then forget its id; False if it stays for now."""
    if not _delete(gateway, base.provider_id):
        return False
    KnowledgeBase.objects.filter(pk=base.pk, provider_id=base.provider_id).update(
        provider_id="", sent_at=None
    )
    base.refresh_from_db()
    return True


def _mark_missing(base: KnowledgeBase, found: ProviderBase) -> None:
    """Say of each source that Retell left out what it is."""
    if not found.source_names:
        return
    names = set(found.source_names)
    sentence = _("Retell did not take this one. Look whether it can be opened, then index again.")
    for source in base.sources.all():
        name = source.url or source.title
        KnowledgeSource.objects.filter(pk=source.pk).update(error="" if name in names else sentence)


def _delete(gateway: RetellGateway, provider_id: str) -> bool:
    """Take a knowledge base away at Retell; what is gone already is gone."""
    try:
        gateway.delete_knowledge_base(knowledge_base_id=provider_id)
    except NotFound:
        return True
    except ProviderError:
        return False  # until it works, the page of what exists at Retell shows it as left over
    return True


# -- Taking away -----------------------------------------------------------------------------------


def superseded(*, now: datetime, limit: int = AT_ONCE) -> list[KnowledgeBase]:
    """
    Return versions at Retell that nothing speaks from any more, oldest first, of all there are.

    Those that Retell still reads, or whose sending lost its answer, are among them: nobody waits for these
    once their campaign was edited or archived.
    """
    there = Q(status=Status.COMPLETE) & ~Q(provider_id="")
    at_rest = Q(sent_at=None) | Q(sent_at__lte=now - SENDING) | ~Q(provider_id="")
    rows = KnowledgeBase.objects.filter(there | (Q(status=Status.INDEXING) & at_rest))
    found: list[KnowledgeBase] = []
    last = None
    while len(found) < limit:
        later = rows if last is None else rows.filter(pk__gt=last)
        chunk = list(later.order_by("pk")[:CHUNK])  # keys are in the order of their making
        if not chunk:
            break
        last = chunk[-1].pk
        used = _used_by_campaigns(chunk)
        found += [base for base in chunk if base.pk not in used and not _is_needed(base)]
    return found[:limit]


def _used_by_campaigns(bases: Sequence[KnowledgeBase]) -> set[UUID | None]:
    """Return which of these a campaign uses that isn't archived; one query for all."""
    ids = [base.pk for base in bases]
    either = Q(knowledge_base_id__in=ids) | Q(shared_base_id__in=ids)
    live = Campaign.objects.filter(either).exclude(status=Campaign.Status.ARCHIVED)
    pairs = live.values_list("knowledge_base_id", "shared_base_id")
    return {key for pair in pairs for key in pair}


def _is_needed(base: KnowledgeBase) -> bool:
    either = Q(knowledge_base_id=base.pk) | Q(shared_base_id=base.pk)
    live = Campaign.objects.filter(either, client_id=base.client_id)
    if live.exclude(status=Campaign.Status.ARCHIVED).exists() or _is_spoken(base.pk):
        return True
    if not base.is_shared or base.archived_at is not None:
        return False
    if base.status == Status.INDEXING:
        return True  # somebody has asked for it and watches
    newer = KnowledgeBase.objects.filter(
        client_id=base.client_id, family_id=base.family_id, number__gt=base.number
    )
    return base.is_current or newer.exclude(provider_id="").count() < KEPT_VERSIONS


def _is_spoken(base_id: UUID) -> bool:
    """Tell whether a launch that isn't over calls with a version that looks things up in it."""
    either = Q(knowledge_base_id=base_id) | Q(shared_base_id=base_id)
    versions = list(CampaignVersion.objects.filter(either).values_list("pk", flat=True))
    return BatchCall.objects.filter(version_id__in=versions, status__in=LIVE).exists()


def retire(*, base: KnowledgeBase, gateway: RetellGateway) -> bool:
    """
    Take a version away at Retell, with its tester; False if Retell doesn't let us just now.

    False too if a job took it up meanwhile.
    """
    try:
        if base.tester_agent_id:
            _gone(lambda: gateway.delete_agent(agent_id=base.tester_agent_id))
        if base.tester_llm_id:
            _gone(lambda: gateway.delete_llm(llm_id=base.tester_llm_id))
        there = [base.provider_id] if base.provider_id else _lost(base, gateway)
    except ProviderError:
        return False
    if not all(_delete(gateway, provider_id) for provider_id in there):
        return False
    # By its status and id too: whoever sends or keeps it at this moment wins, and the next run looks again.
    return compare_and_set(
        base,
        "provider_id",
        "status",
        status=Status.RETIRED,
        provider_id="",
        tester_agent_id="",
        tester_llm_id="",
        tester_since=None,
        sent_at=None,
    )


def _lost(base: KnowledgeBase, gateway: RetellGateway) -> list[str]:
    """Return what a sending that lost its answer may have left at Retell."""
    if base.sent_at is None:
        return []
    known = gateway.list_knowledge_bases()
    return [one.knowledge_base_id for one in known if one.name.endswith(base.mark)]


def _gone(delete: Callable[[], None]) -> None:
    try:
        delete()
    except NotFound:
        return
