"""An upload's way: taken in, checked, committed or cancelled; jobs do the work of each step."""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.csvio import TextSniffer
from convomono.lib.db import atomic
from convomono.lib.files import delete_stored, store
from convomono.lib.jobs import enqueue
from leads import jobs
from leads.imports.source import detect
from leads.models import ImportOptions, LeadImport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from leads.models import ImportMapping
    from leads.services.people import ConsentStatement

Status = LeadImport.Status
_CHUNK_BYTES = 256 * 1024


class ImportMovedOn(Exception):
    """Somebody asked for a step that the import is past, or not yet at."""


def start_import(
    *,
    client: Client,
    campaign_id: UUID | None,
    file_name: str,
    stream: IO[bytes],
    consent: ConsentStatement | None,
    actor: Actor,
    now: datetime,
) -> LeadImport:
    """
    Take in an uploaded file: look at all of it once, keep it, and wait for its mapping.

    :raises FileRefused: with a sentence, if it is no table of people
    """
    digest, sniffer, size = hashlib.sha256(), TextSniffer(), 0
    stream.seek(0)
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        sniffer.feed(chunk)
        size += len(chunk)
    stream.seek(0)
    found = detect(stream, sniffer)
    stream.seek(0)
    stored_name = store(
        room="leads", client_id=client.pk, suffix=f".{found['format']}", content=stream
    )
    row = LeadImport(
        client=client,
        campaign_id=campaign_id,
        file_name=file_name[-200:],
        stored_name=stored_name,
        sha256=digest.hexdigest(),
        size_bytes=size,
        detected=found,
        options=_with_consent(consent),
        rows_total=max(sniffer.lines - found["has_header"], 0) if found["format"] == "csv" else 0,
        created_by_email=actor.actor_email,
        created_at=now,
    )
    try:
        _insert(row, actor=actor, now=now)
    except Exception:
        delete_stored(stored_name)
        raise
    return row


@atomic
def _insert(row: LeadImport, *, actor: Actor, now: datetime) -> None:
    row.save(force_insert=True)
    record(actions.LEADS_UPLOADED, resource=row, actor=actor, now=now)


def _with_consent(consent: ConsentStatement | None) -> ImportOptions:
    return {
        "country": "US",
        "duplicates": "first",
        "existing": "fill",
        "tag": "",
        "defaults": {},
        "consent_kind": consent.kind if consent else "",
        "consent_source": consent.source if consent else "",
        "consent_wording": consent.wording if consent else "",
        "consent_given_at": consent.given_at.isoformat() if consent else "",
    }


def check_import(
    *,
    lead_import: LeadImport,
    mapping: ImportMapping,
    options: ImportOptions,
    now: datetime,
    real_now: datetime,
) -> None:
    """
    Start the dry run with this mapping; after one that is over, start it anew.

    :raises ImportMovedOn: if the import is being checked or committed, or has ended
    """
    _move(
        lead_import,
        [Status.UPLOADED, Status.CHECKED],
        Status.CHECKING,
        mapping=mapping,
        options=options,
        counts={},
        rows_done=0,
        rows_planned=0,
        error="",
        started_at=now,
        finished_at=None,
        progressed_at=real_now,
    )
    enqueue(
        jobs.check_import,
        queue="imports",
        timeout_seconds=jobs.JOB_SECONDS,
        import_id=lead_import.pk,
    )


@atomic
def commit_import(
    *, lead_import: LeadImport, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """
    Start to import what was checked.

    :raises ImportMovedOn: if it isn't checked, or is committed already
    """
    _move(
        lead_import,
        [Status.CHECKED],
        Status.COMMITTING,
        counts={},
        rows_done=0,
        rows_planned=0,
        pending={},
        finished_at=None,
        progressed_at=real_now,
    )
    record(actions.LEADS_IMPORT_STARTED, resource=lead_import, actor=actor, now=now)
    enqueue(
        jobs.commit_import,
        queue="imports",
        timeout_seconds=jobs.JOB_SECONDS,
        import_id=lead_import.pk,
    )


@atomic
def cancel_import(*, lead_import: LeadImport, actor: Actor, now: datetime) -> None:
    """
    Stop the import; what it has imported so far stays.

    :raises ImportMovedOn: if it has ended
    """
    open_statuses = [Status.UPLOADED, Status.CHECKING, Status.CHECKED, Status.COMMITTING]
    _move(lead_import, open_statuses, Status.CANCELLED, finished_at=now)
    record(actions.LEADS_IMPORT_CANCELLED, resource=lead_import, actor=actor, now=now)


def _move(
    lead_import: LeadImport, before: Iterable[Status], after: Status, **columns: object
) -> None:
    changed = LeadImport.objects.filter(pk=lead_import.pk, status__in=list(before)).update(
        status=after, **columns
    )
    if not changed:
        raise ImportMovedOn
    lead_import.refresh_from_db()
