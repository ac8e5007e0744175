"""What workers do for the leads room: dry runs, commits, and picking up what a killed worker left."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import F, Q
from django.utils.translation import gettext as _

from convomono.lib import clock
from convomono.lib.files import delete_older
from convomono.lib.jobs import enqueue, enqueue_once
from leads.imports.commit import commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.undo import UNDO_FOR, undo_rows
from leads.imports.work import PAUSE_SECONDS, Pace, fail
from leads.models import (
    AgencyListing,
    Erasure,
    Lead,
    LeadImport,
    LeadOperation,
    LeadOperationRow,
    ScoreWeights,
)
from leads.operations.agency_listing import run_listing as run_agency_listing, undo_listing
from leads.operations.export import export_leads
from leads.operations.listing import run_listing
from leads.operations.work import UNFINISHED, give_up, run_operation, undo_operation
from leads.services import retention
from leads.services.forgetting import go_on_forgetting
from leads.services.requests import forget_requests
from leads.services.scoring import SLICE, rescore, weighing_of

if TYPE_CHECKING:
    from uuid import UUID

STALE_AFTER = timedelta(seconds=60)
JOB_SECONDS = 4 * 3600
ROWS_AT_ONCE = 200
TRIES = 5  # to get an import, or a change to many leads, further


def _pace() -> Pace:
    return Pace(real_now=clock.real_now, now=clock.now)


def check_import(*, import_id: UUID, **_later: object) -> None:
    """Run, or go on with, the dry run of an import; nothing if it is over or gone."""
    if row := LeadImport.objects.filter(pk=import_id).first():
        check_rows(lead_import=row, pace=_pace(), now=clock.now())
        if row.options.get("commit_after"):
            commit_import(import_id=import_id)


def commit_import(*, import_id: UUID, **_later: object) -> None:
    """Run, or go on with, the commit of an import; nothing if it is over or gone."""
    if row := LeadImport.objects.filter(pk=import_id).select_related("client").first():
        commit_rows(lead_import=row, pace=_pace(), now=clock.now())


def score_leads(*, client_id: UUID, **_later: object) -> int:
    """Compute every score of a client anew, 200 leads at a time; returns how many changed."""
    chosen = ScoreWeights.objects.filter(client_id=client_id)
    as_of = chosen.values_list("changed_at", flat=True).first()
    weighing = weighing_of(client_id)
    changed, last = 0, None
    rows = Lead.objects.filter(client_id=client_id).order_by("pk")
    while chunk := list((rows.filter(pk__gt=last) if last else rows)[:SLICE]):
        changed += rescore(leads=chunk, weighing=weighing)
        last = chunk[-1].pk
        time.sleep(PAUSE_SECONDS)  # webhooks on the same SQLite file get their turn
    if as_of is not None:  # weights that changed meanwhile are counted once more
        chosen.filter(changed_at=as_of).update(scored_at=as_of)
    return changed


def resume_scoring(**_later: object) -> int:
    """Enqueue each client whose leads weren't all counted with its latest weights, once; returns how many."""
    behind = ScoreWeights.objects.filter(Q(scored_at=None) | Q(scored_at__lt=F("changed_at")))
    ids = list(behind.values_list("client_id", flat=True)[:100])
    return sum(
        enqueue_once(score_leads, queue="imports", timeout_seconds=JOB_SECONDS, client_id=client_id)
        for client_id in ids
    )


def undo_import(*, import_id: UUID, **_later: object) -> None:
    """Take back, or go on taking back, what an import did; nothing if that is over."""
    if row := LeadImport.objects.filter(pk=import_id).select_related("client").first():
        undo_rows(lead_import=row, pace=_pace(), now=clock.now())


def end_abandoned(**_later: object) -> int:
    """End uploads that nobody has gone on with for a week; returns how many."""
    return retention.end_abandoned_imports(now=clock.now())


def purge_files(**_later: object) -> int:
    """Delete spreadsheets, verdicts and exports whose time is over, and what imports replaced; returns how many files."""
    now = clock.now()
    return retention.purge_import_files(now=now) + retention.purge_exports(now=now)


def purge_operation_rows(**_later: object) -> int:
    """
    Forget what changes to many leads replaced once they can't be undone any more; count the rows.

    A deleted lead is gone for good only then: until that day its row keeps it whole, for the undo.
    """
    over = LeadOperation.objects.filter(created_at__lt=clock.now() - UNDO_FOR, rows__isnull=False)
    ids = set(over.values_list("pk", flat=True)[:100])
    done = 0
    while keys := list(
        LeadOperationRow.objects.filter(operation__in=ids).values_list("pk", flat=True)[
            :ROWS_AT_ONCE
        ]
    ):
        done += LeadOperationRow.objects.filter(pk__in=keys).delete()[0]
    return done


def work_on_operation(*, operation_id: UUID, **_later: object) -> None:
    """Make, or go on with, a change to many leads or its undo; nothing if it is over or gone."""
    operation = LeadOperation.objects.filter(pk=operation_id).first()
    if operation is None:
        return
    pace, now = _pace(), clock.now()
    if operation.kind == LeadOperation.Kind.EXPORT:
        export_leads(operation=operation, pace=pace, now=now)
    elif operation.status == LeadOperation.Status.UNDOING:
        undo_operation(operation=operation, pace=pace, now=now)
    elif operation.kind == LeadOperation.Kind.LIST:
        run_listing(operation=operation, pace=pace, now=now)
    else:
        run_operation(operation=operation, pace=pace, now=now)


def work_on_listing(*, listing_id: UUID, **_later: object) -> None:
    """Go on with a list for the agency's do-not-call list, or with its undo; nothing if it is over or gone."""
    if listing := AgencyListing.objects.filter(pk=listing_id).first():
        pace, now = _pace(), clock.now()
        run_agency_listing(listing=listing, pace=pace, now=now)
        undo_listing(listing=listing, pace=pace, now=now)


def resume_listings(**_later: object) -> int:
    """Enqueue again each list of the agency's that nobody has worked on for a minute; returns how many."""
    stale = AgencyListing.objects.filter(
        status__in=[AgencyListing.Status.RUNNING, AgencyListing.Status.UNDOING],
        progressed_at__lt=clock.real_now() - STALE_AFTER,
    )
    ids = list(stale.values_list("pk", flat=True)[:100])
    for listing_id in ids:
        enqueue(
            work_on_listing, queue="imports", timeout_seconds=JOB_SECONDS, listing_id=listing_id
        )
    return len(ids)


def resume_operations(**_later: object) -> int:
    """
    Enqueue again each change to many leads that nobody has worked on for a minute; returns how many.

    One that was taken up five times without getting further ends with a sentence.
    """
    real_now = clock.real_now()
    stale = LeadOperation.objects.filter(
        status__in=UNFINISHED, progressed_at__lt=real_now - STALE_AFTER
    )
    taken = 0
    for row in list(stale.order_by("created_at")[:100]):
        if not enqueue_once(
            work_on_operation, queue="imports", timeout_seconds=JOB_SECONDS, operation_id=row.pk
        ):
            continue  # it waits in line, or is worked on after all: no try is over
        if row.tries_count >= TRIES:  # the job finds it ended, and does nothing
            give_up(row, now=clock.now())
            continue
        LeadOperation.objects.filter(pk=row.pk, tries_count=row.tries_count).update(
            tries_count=F("tries_count") + 1, progressed_at=real_now
        )
        taken += 1
    return taken


def purge_requests(**_later: object) -> int:
    """Forget what programs asked for under a key more than a week ago; returns how many."""
    return forget_requests(now=clock.now())


def forget_person(*, erasure_id: UUID, **_later: object) -> None:
    """Go on taking an erased person out of files; nothing if that is over."""
    if erasure := Erasure.objects.filter(pk=erasure_id, done_at=None).first():
        go_on_forgetting(erasure=erasure, now=clock.now())


def resume_forgetting(**_later: object) -> int:
    """Enqueue again each erasure that isn't over: an import went on, or a worker was killed; returns how many."""
    open_ones = list(Erasure.objects.filter(done_at=None).values_list("pk", flat=True)[:100])
    for erasure_id in open_ones:
        enqueue(forget_person, queue="imports", timeout_seconds=JOB_SECONDS, erasure_id=erasure_id)
    return len(open_ones)


def purge_parts(**_later: object) -> int:
    """Delete uploads in parts that nobody has gone on with for two days; returns how many."""
    return delete_older("parts", before=clock.real_now() - timedelta(days=2))


def resume_imports(**_later: object) -> int:
    """
    Enqueue again each import that nobody has worked on for a minute; returns how many.

    One that was taken up five times without getting further ends with a sentence. A second worker on an import that is alive after all does no harm: every step is guarded.
    """
    return resume_stale(real_now=clock.real_now())


def resume_stale(*, real_now: datetime) -> int:
    """Do what `resume_imports` does, as of this real instant."""
    stale = LeadImport.objects.filter(
        status__in=list(_JOBS),
        progressed_at__lt=real_now - STALE_AFTER,
    )
    taken = 0
    for row in stale.order_by("created_at").select_related("client")[:100]:
        if not enqueue_once(
            _JOBS[row.status], queue="imports", timeout_seconds=JOB_SECONDS, import_id=row.pk
        ):
            continue  # it waits in line, or is worked on after all: no try is over
        if row.tries_count >= TRIES:  # the job finds it ended, and does nothing
            fail(
                row, reason=_("Something went wrong again and again. Ask support."), now=clock.now()
            )
            continue
        LeadImport.objects.filter(pk=row.pk, tries_count=row.tries_count).update(
            tries_count=F("tries_count") + 1, progressed_at=real_now
        )
        taken += 1
    return taken


_JOBS = {
    LeadImport.Status.CHECKING.value: check_import,
    LeadImport.Status.COMMITTING.value: commit_import,
    LeadImport.Status.UNDOING.value: undo_import,
}
