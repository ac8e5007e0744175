"""Writing knowledge bases: their sources and their versions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.db.models import Max

from audit import actions
from audit.services import record
from campaigns.knowledge_limits import room_left
from campaigns.models import Campaign, KnowledgeBase, KnowledgeSource
from campaigns.services.knowledge_files import is_named
from convomono.lib import files
from convomono.lib.db import IntegrityError, atomic, on_commit, run_atomic

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import IO

    from accounts.models import Client
    from audit.services import Actor

Status = KnowledgeBase.Status


class KnowledgeFixed(Exception):
    """A version that was sent to Retell can't be changed: make the next one."""


class KnowledgeFull(Exception):
    """So many sources of this kind don't fit; `left` is how many do."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


class KnowledgeEmpty(Exception):
    """There is nothing to index."""


class KnowledgeNotReady(Exception):
    """Only a version that Retell has indexed can be used."""


class KnowledgeInUse(Exception):
    """Campaigns still look things up in it."""


@atomic
def create_knowledge(*, client: Client, name: str, actor: Actor, now: datetime) -> KnowledgeBase:
    """Create an empty knowledge base that the client's campaigns may share."""
    base = KnowledgeBase.objects.create(
        client=client,
        name=name,
        is_shared=True,
        created_by_email=actor.actor_email,
        created_at=now,
    )
    record(actions.KNOWLEDGE_CREATED, resource=base, actor=actor, now=now)
    return base


def add_text(
    *, base: KnowledgeBase, title: str, text: str, actor: Actor, now: datetime
) -> KnowledgeSource:
    """
    Add a text.

    :raises KnowledgeFixed: if the version was sent to Retell
    :raises KnowledgeFull: if there are 50 already
    """
    source = KnowledgeSource(
        kind=KnowledgeSource.Kind.TEXT, title=title, text=text, size_bytes=len(text.encode())
    )
    return _add(base=base, sources=[source], actor=actor, now=now)[0]


def add_urls(
    *, base: KnowledgeBase, urls: Sequence[str], actor: Actor, now: datetime
) -> list[KnowledgeSource]:
    """
    Add web pages, which Retell reads, all or none; the form has judged the addresses.

    :raises KnowledgeFixed: if the version was sent to Retell
    :raises KnowledgeFull: if there would be more than 500
    """
    kind = KnowledgeSource.Kind.URL
    sources = [KnowledgeSource(kind=kind, title=url[:200], url=url) for url in urls]
    return _add(base=base, sources=sources, actor=actor, now=now)


def add_file(
    *,
    base: KnowledgeBase,
    name: str,
    suffix: str,
    content: IO[bytes],
    size_bytes: int,
    actor: Actor,
    now: datetime,
) -> KnowledgeSource:
    """
    Keep a file that passed `check_file`, under a name of ours.

    :raises KnowledgeFixed: if the version was sent to Retell
    :raises KnowledgeFull: if there are 25 already
    """
    stored = files.store(room="knowledge", client_id=base.client_id, suffix=suffix, content=content)
    source = KnowledgeSource(
        kind=KnowledgeSource.Kind.FILE,
        title=name[-200:],
        stored_name=stored,
        size_bytes=size_bytes,
    )
    try:
        return _add(base=base, sources=[source], actor=actor, now=now)[0]
    except (KnowledgeFixed, KnowledgeFull):
        files.delete_stored(stored)
        raise


@atomic
def _add(
    *, base: KnowledgeBase, sources: list[KnowledgeSource], actor: Actor, now: datetime
) -> list[KnowledgeSource]:
    """Add sources of one kind, all or none."""
    _still_draft(base)
    kind = sources[0].kind
    left = getattr(room_left(base.sources.only("kind")), f"{kind}s")
    if left < len(sources):
        raise KnowledgeFull(max(left, 0))
    for source in sources:
        source.client_id, source.knowledge_base, source.created_at = base.client_id, base, now
    KnowledgeSource.objects.bulk_create(sources)
    titles = [source.title for source in sources]
    record(
        actions.KNOWLEDGE_SOURCE_ADDED,
        resource=base,
        actor=actor,
        now=now,
        details={"kind": kind, "title": titles[0]}
        if len(titles) == 1
        else {"kind": kind, "titles": titles},
    )
    return sources


@atomic
def remove_source(
    *, base: KnowledgeBase, source: KnowledgeSource, actor: Actor, now: datetime
) -> None:
    """
    Take a source out of a draft; earlier versions keep theirs. Twice is once.

    A file that no version names any more is deleted with it.

    :raises KnowledgeFixed: if the version was sent to Retell
    """
    _still_draft(base)
    if KnowledgeSource.objects.filter(pk=source.pk, knowledge_base=base).delete()[0]:
        record(
            actions.KNOWLEDGE_SOURCE_REMOVED,
            resource=base,
            actor=actor,
            now=now,
            details={"kind": source.kind, "title": source.title},
        )
        name = source.stored_name
        if name and not is_named(client_id=base.client_id, stored_name=name):
            on_commit(partial(files.delete_stored, name))


def _still_draft(base: KnowledgeBase) -> None:
    """Write the row too, so that an edit and the sending collide in the database."""
    drafts = KnowledgeBase.objects.filter(pk=base.pk, status=Status.DRAFT, archived_at=None)
    if not drafts.update(error=""):
        raise KnowledgeFixed


def start_version(*, base: KnowledgeBase, actor: Actor, now: datetime) -> KnowledgeBase:
    """
    Return the draft that comes after this version, with the same sources; one that is there is kept.

    :raises KnowledgeFixed: if the knowledge base was put away
    """

    def block() -> KnowledgeBase:
        family = KnowledgeBase.objects.filter(client_id=base.client_id, family_id=base.family_id)
        draft = family.filter(status=Status.DRAFT).first()
        if draft is not None:
            return draft
        if base.archived_at is not None:
            raise KnowledgeFixed
        last = family.aggregate(last=Max("number"))["last"]
        made = KnowledgeBase.objects.create(
            client_id=base.client_id,
            name=base.name,
            family_id=base.family_id,
            number=last + 1,
            is_shared=True,
            is_current=False,
            auto_refresh=base.auto_refresh,
            created_by_email=actor.actor_email,
            created_at=now,
        )
        KnowledgeSource.objects.bulk_create(
            KnowledgeSource(
                client_id=base.client_id,
                knowledge_base=made,
                kind=source.kind,
                title=source.title,
                text=source.text,
                url=source.url,
                stored_name=source.stored_name,
                size_bytes=source.size_bytes,
                created_at=now,
            )
            for source in base.sources.order_by("created_at", "pk")
        )
        record(
            actions.KNOWLEDGE_VERSION_STARTED,
            resource=made,
            actor=actor,
            now=now,
            details={"version": made.number},
        )
        return made

    try:
        return run_atomic(block)
    except IntegrityError:  # somebody else started it at this moment
        return run_atomic(block)


@atomic
def request_index(*, base: KnowledgeBase, auto_refresh: bool, actor: Actor, now: datetime) -> bool:
    """
    Hand a version to the job that sends it to Retell; False if it is there or on its way.

    A version that failed or was put away at Retell is sent again.

    :raises KnowledgeEmpty: if it has no source
    """
    if not base.sources.exists():
        raise KnowledgeEmpty
    changed = KnowledgeBase.objects.filter(
        pk=base.pk, status__in=(Status.DRAFT, Status.ERROR, Status.RETIRED), archived_at=None
    ).update(
        status=Status.INDEXING, auto_refresh=auto_refresh, error="", sent_at=None, indexed_at=None
    )
    base.refresh_from_db()
    if changed:
        record(
            actions.KNOWLEDGE_INDEXED,
            resource=base,
            actor=actor,
            now=now,
            details={"version": base.number},
        )
    return bool(changed)


class DraftWaits(Exception):
    """Somebody is writing the next version: what is read again would be that."""


def read_again(*, base: KnowledgeBase, actor: Actor, now: datetime) -> KnowledgeBase:
    """
    Have a version's sources read again, its web pages as they are now: that is its next version.

    :raises DraftWaits: if the next version is being written already
    :raises KnowledgeFixed: if the knowledge base was put away
    :raises KnowledgeEmpty: if there is nothing to read
    """
    family = KnowledgeBase.objects.filter(client_id=base.client_id, family_id=base.family_id)
    if family.filter(status=Status.DRAFT).exists():
        raise DraftWaits
    if not base.sources.exists():
        raise KnowledgeEmpty
    made = start_version(base=base, actor=actor, now=now)
    request_index(base=made, auto_refresh=base.auto_refresh, actor=actor, now=now)
    return made


@atomic
def archive_knowledge(*, base: KnowledgeBase, actor: Actor, now: datetime) -> None:
    """
    Put a knowledge base away with all its versions; a job takes them away at Retell. Twice is once.

    :raises KnowledgeInUse: if a campaign uses it
    """
    family = KnowledgeBase.objects.filter(client_id=base.client_id, family_id=base.family_id)
    ids = list(family.values_list("pk", flat=True))
    users = Campaign.objects.filter(client_id=base.client_id, shared_base_id__in=ids)
    if users.exclude(status=Campaign.Status.ARCHIVED).exists():
        raise KnowledgeInUse
    if family.filter(archived_at=None).update(archived_at=now):
        record(actions.KNOWLEDGE_ARCHIVED, resource=base, actor=actor, now=now)
