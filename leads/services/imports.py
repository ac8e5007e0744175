"""An upload's way: taken in, checked, committed or cancelled; jobs do the work of each step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from django.utils.translation import gettext as _

from audit import actions
from audit.services import record
from convomono.lib.csvio import TextSniffer
from convomono.lib.db import atomic, on_commit
from convomono.lib.files import delete_stored, new_name, open_stored, store
from convomono.lib.jobs import enqueue
from leads import jobs
from leads.imports.agreed import agreed_options
from leads.imports.countries import country_of_zone
from leads.imports.packed import MAX_UNPACKED_BYTES, FileRefused
from leads.imports.source import detect, read_again, unpacked
from leads.imports.undo import UNDO_FOR
from leads.models import ImportOptions, LeadImport, LeadImportRow
from leads.services.retention import drop_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from leads.imports.agreed import RowConsent
    from leads.models import Detected, ImportMapping
    from leads.services.people import ConsentStatement

Status = LeadImport.Status
# Ended, and may have imported something: also what was stopped, or failed, half way.
_ENDED = (Status.COMMITTED, Status.CANCELLED, Status.FAILED)
_MAPPED = (Status.UPLOADED, Status.CHECKED)  # its columns can be chosen, or chosen anew
_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Proof:
    """A file that shows how people agreed to be called."""

    file_name: str
    content: IO[bytes]


class ImportMovedOn(Exception):
    """Somebody asked for a step that the import is past, or not yet at."""


def start_import(
    *,
    client: Client,
    campaign_id: UUID | None,
    file_name: str,
    stream: IO[bytes],
    consent: ConsentStatement | RowConsent | None = None,
    max_bytes: int = MAX_UNPACKED_BYTES,
    actor: Actor,
    now: datetime,
) -> LeadImport:
    """
    Take in an uploaded file: look at all of it once, keep it, and wait for its mapping.

    Of a ZIP the one spreadsheet in it is kept, which has at most `max_bytes`. How the people agreed may be said with
    the mapping as well. The digest is that of the file as it came.

    :raises FileRefused: with a sentence, if it is no table of people
    """
    digest, sniffer, size = _looked_through(stream)
    table = unpacked(stream, max_bytes=max_bytes)
    try:
        if table is not stream:
            _outer, sniffer, _size = _looked_through(table)
        found = detect(table, sniffer)
        table.seek(0)
        stored_name = store(
            room="leads", client_id=client.pk, suffix=f".{found['format']}", content=table
        )
    finally:
        if table is not stream:
            table.close()
    row = LeadImport(
        client=client,
        campaign_id=campaign_id,
        file_name=file_name[-200:],
        stored_name=stored_name,
        sha256=digest,
        size_bytes=size,
        detected=found,
        options=_first_options(client, consent),
        rows_total=_estimate(sniffer, found),
        created_by_email=actor.actor_email,
        created_at=now,
    )
    try:
        _insert(row, actor=actor, now=now)
    except Exception:
        delete_stored(stored_name)
        raise
    return row


def _estimate(sniffer: TextSniffer, found: Detected) -> int:
    """Return about how many rows a table has below its header; 0 if a workbook doesn't say."""
    if found["format"] != "csv":
        return _workbook_estimate(found)
    return max(sniffer.lines - found["has_header"] - found.get("skipped", 0), 0)


def _workbook_estimate(found: Detected) -> int:
    """Return how many rows the sheet says it has below its header; 0 if that can't be, or it doesn't."""
    sizes = dict(zip(found.get("sheets", ()), found.get("sheet_rows", ()), strict=False))
    said = sizes.get(found.get("sheet", ""), next(iter(sizes.values()), 0))
    rows = said - found["has_header"] - found.get("skipped", 0)
    return rows if rows >= len(found["samples"]) else 0


def _looked_through(stream: IO[bytes]) -> tuple[str, TextSniffer, int]:
    """Read all of a file once; return its SHA-256, what tells its encoding, and its bytes."""
    digest, sniffer, size = hashlib.sha256(), TextSniffer(), 0
    stream.seek(0)
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        sniffer.feed(chunk)
        size += len(chunk)
    stream.seek(0)
    return digest.hexdigest(), sniffer, size


@atomic
def _insert(row: LeadImport, *, actor: Actor, now: datetime) -> None:
    row.save(force_insert=True)
    record(actions.LEADS_UPLOADED, resource=row, actor=actor, now=now)


def _first_options(client: Client, consent: ConsentStatement | RowConsent | None) -> ImportOptions:
    agreed = agreed_options(consent)
    return {
        "country": _first_country(client),
        "duplicates": "first",
        "existing": "fill",
        "tags": [],
        "refused_lines": [],
        "defaults": {},
        "consent_kind": agreed["consent_kind"],
        "consent_source": agreed["consent_source"],
        "consent_wording": agreed["consent_wording"],
        "consent_seller": agreed.get("consent_seller", ""),
        "consent_given_at": agreed["consent_given_at"],
        "consent_by_row": agreed["consent_by_row"],
        "consent_proof": "",
        "consent_proof_name": "",
    }


def _first_country(client: Client) -> str:
    """Return the country that numbers are read in until somebody says another: as last time, or where the client is."""
    committed = LeadImport.objects.filter(client=client, status=Status.COMMITTED)
    last = committed.only("options").order_by("-created_at", "-pk").first()
    if last is not None:
        return str(last.options["country"])
    return country_of_zone(client.time_zone) or "US"


def read_import_again(*, lead_import: LeadImport, reading: Mapping[str, object]) -> None:
    """
    Read the file as somebody says it is: encoding, delimiter, sheet, header.

    After a check it waits for its mapping again: the verdicts were those of other columns.

    :raises FileRefused: with a sentence, if it is no table then, or gone
    :raises ImportMovedOn: if the import is being checked or committed, or has ended
    """
    if lead_import.status not in _MAPPED:
        raise ImportMovedOn
    try:
        stream = open_stored(lead_import.stored_name)
    except FileNotFoundError:
        raise FileRefused(_("The file is gone. Upload it again.")) from None
    with stream:
        found = read_again(stream, lead_import.detected, reading=reading)
    _map_anew(lead_import, found)


@atomic
def _map_anew(lead_import: LeadImport, found: Detected) -> None:
    before = lead_import.verdicts_name
    _move(
        lead_import,
        _MAPPED,
        Status.UPLOADED,
        detected=found,
        **({"rows_total": _workbook_estimate(found)} if found["format"] == "xlsx" else {}),
        mapping={},
        counts={},
        zones={},
        rows_done=0,
        verdicts_name="",
        finished_at=None,
    )
    LeadImportRow.objects.filter(lead_import=lead_import).delete()
    if before:
        on_commit(lambda: delete_stored(before))


def check_import(
    *,
    lead_import: LeadImport,
    mapping: ImportMapping,
    options: ImportOptions,
    proof: Proof | None = None,
    actor: Actor | None = None,
    now: datetime,
    real_now: datetime,
) -> None:
    """
    Start the dry run with this mapping; after one that is over, start it anew.

    A proof of consent takes the place of the one before. If the commit is to follow by itself, `actor` is who
    asked for that.

    :raises ImportMovedOn: if the import is being checked or committed, or has ended
    """
    if proof is None:
        _check(lead_import, mapping, options, actor=actor, now=now, real_now=real_now)
        return
    owner = lead_import.client_id
    name = store(room="proofs", client_id=owner, suffix=".proof", content=proof.content)
    options = options.copy()
    options["consent_proof"], options["consent_proof_name"] = name, proof.file_name[-120:]
    try:
        _check(lead_import, mapping, options, actor=actor, now=now, real_now=real_now)
    except Exception:
        delete_stored(name)
        raise


@atomic
def _check(
    lead_import: LeadImport,
    mapping: ImportMapping,
    options: ImportOptions,
    *,
    actor: Actor | None,
    now: datetime,
    real_now: datetime,
) -> None:
    gone = [lead_import.verdicts_name]
    if (proof := lead_import.options["consent_proof"]) != options["consent_proof"]:
        gone.append(proof)
    _move(
        lead_import,
        _MAPPED,
        Status.CHECKING,
        mapping=mapping,
        options=options,
        counts={},
        zones={},
        rows_done=0,
        verdicts_name=new_name(room="leads", client_id=lead_import.client_id, suffix=".verdicts"),
        error="",
        started_at=now,
        finished_at=None,
        progressed_at=real_now,
        tries_count=0,
    )
    LeadImportRow.objects.filter(lead_import=lead_import).delete()  # mended by another mapping
    if options.get("commit_after") and actor is not None:
        record(actions.LEADS_IMPORT_STARTED, resource=lead_import, actor=actor, now=now)
    for name in filter(None, gone):
        on_commit(partial(delete_stored, name))
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
        finished_at=None,
        progressed_at=real_now,
        tries_count=0,
    )
    record(actions.LEADS_IMPORT_STARTED, resource=lead_import, actor=actor, now=now)
    enqueue(
        jobs.commit_import,
        queue="imports",
        timeout_seconds=jobs.JOB_SECONDS,
        import_id=lead_import.pk,
    )


@atomic
def cancel_import(
    *,
    lead_import: LeadImport,
    keep: bool = True,
    actor: Actor,
    now: datetime,
    real_now: datetime | None = None,
) -> None:
    """
    Stop the import; what it has imported so far stays, or is taken back if it isn't to `keep`.

    :raises ImportMovedOn: if it has ended
    """
    try:
        _move(lead_import, [Status.COMMITTING], Status.CANCELLED, finished_at=now)
        was_committing = True
    except ImportMovedOn:
        before = [Status.UPLOADED, Status.CHECKING, Status.CHECKED]
        _move(lead_import, before, Status.CANCELLED, finished_at=now, rows_done=0)
        was_committing = False
    record(actions.LEADS_IMPORT_CANCELLED, resource=lead_import, actor=actor, now=now)
    if was_committing and not keep:
        _start_undo(lead_import, actor=actor, now=now, real_now=real_now or now)


@atomic
def discard_import(*, lead_import: LeadImport, actor: Actor, now: datetime) -> None:
    """Cancel an upload that can't be checked as it was asked for, and delete its file."""
    cancel_import(lead_import=lead_import, actor=actor, now=now)
    drop_files(lead_import)


@atomic
def undo_import(
    *, lead_import: LeadImport, actor: Actor, now: datetime, real_now: datetime
) -> None:
    """
    Start to take back what the import did, at most 30 days after its end.

    :raises ImportMovedOn: if it did nothing, is being undone, or ended longer ago
    """
    if not may_undo(lead_import, now=now):
        raise ImportMovedOn
    _start_undo(lead_import, actor=actor, now=now, real_now=real_now)


def _start_undo(
    lead_import: LeadImport, *, actor: Actor, now: datetime, real_now: datetime
) -> None:
    _move(
        lead_import,
        _ENDED,
        Status.UNDOING,  # counts and cursor stay: one that failed goes on where it stood
        undone_by_email=actor.actor_email,
        progressed_at=real_now,
        tries_count=0,
    )
    record(actions.LEADS_IMPORT_UNDO_STARTED, resource=lead_import, actor=actor, now=now)
    enqueue(
        jobs.undo_import,
        queue="imports",
        timeout_seconds=jobs.JOB_SECONDS,
        import_id=lead_import.pk,
    )


def may_undo(lead_import: LeadImport, *, now: datetime) -> bool:
    """Tell whether the import did something that can still be taken back."""
    if lead_import.status not in _ENDED:
        return False
    ended = lead_import.finished_at
    return bool(lead_import.rows_done and ended is not None and now - ended <= UNDO_FOR)


def _move(
    lead_import: LeadImport, before: Iterable[Status], after: Status, **columns: object
) -> None:
    changed = LeadImport.objects.filter(pk=lead_import.pk, status__in=list(before)).update(
        status=after, **columns
    )
    if not changed:
        raise ImportMovedOn
    lead_import.refresh_from_db()
