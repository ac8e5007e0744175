"""Taking an import back: leads nobody has touched go, known ones get their values back, the rest is named."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import F, ProtectedError
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import System, record
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.lane import run_bulk
from leads.doors import campaigns
from leads.models import Consent, Lead, LeadImport, LeadImportChange
from leads.services.marks import know_marks
from leads.services.scoring import rescore, weighing_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from leads.imports.work import Pace

Status = LeadImport.Status
Left = LeadImportChange.LeftReason
UNDO_FOR = timedelta(days=30)
BATCH = 40  # leads; with consent and enrolment within 200 rows, and about as long in the lock as a commit's chunk
_OWN = frozenset({Consent, LeadImportChange})


@dataclass
class _Step:
    """One batch: what it does to the counts, and where the next one begins."""

    counts: dict[str, Any]
    cursor: UUID | None
    left: list[LeadImportChange] = field(default_factory=list)

    def add(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number


def undo_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the undo where it stands, to its end.

    Each batch is one transaction with its counts and its place, so it may be killed at any moment.
    A do-not-call entry and a consent taken back stay as they are, whatever this import said.
    """
    if lead_import.status != Status.UNDOING:
        return
    while lead_import.undo_counts.get("phase", "leads") == "leads":
        if not _batch(lead_import, _created, pace=pace, now=now):
            return
    while lead_import.undo_counts["phase"] == "changes":
        if not _batch(lead_import, _changed, pace=pace, now=now):
            return
    _finish(lead_import, now=now)


def _batch(
    lead_import: LeadImport,
    take_back: Any,
    *,
    pace: Pace,
    now: datetime,
) -> bool:
    """Do one batch; False if another worker did it."""
    pace.rest()
    for only_one in (False, True):
        try:
            step = run_bulk(
                lambda: _guarded(lead_import, take_back, only_one, pace, now),  # noqa: B023
                has_many_pages=True,
            )
        except (ProtectedError, IntegrityError):
            continue  # enrolled this very moment: again, one by one
        except _Overtaken:
            return False
        finally:
            pace.wrote()
        lead_import.undo_counts, lead_import.undo_cursor = step.counts, step.cursor
        return True
    return False


def _guarded(
    lead_import: LeadImport,
    take_back: Any,
    only_one: bool,  # from a loop over both
    pace: Pace,
    now: datetime,
) -> _Step:
    before = lead_import.undo_cursor
    step: _Step = take_back(lead_import, 1 if only_one else BATCH, now)
    won = LeadImport.objects.filter(
        pk=lead_import.pk, status=Status.UNDOING, undo_cursor=before
    ).update(
        undo_cursor=step.cursor,
        undo_counts=step.counts,
        progressed_at=pace.real_now(),
        tries_count=0,
    )
    if not won:
        raise _Overtaken
    return step


class _Overtaken(Exception):
    """Another worker did this batch."""


def _created(lead_import: LeadImport, size: int, now: datetime) -> _Step:
    """Remove a batch of the leads that the import made."""
    step = _Step(dict(lead_import.undo_counts), lead_import.undo_cursor)
    rows = Lead.objects.filter(client_id=lead_import.client_id, lead_import_id=lead_import.pk)
    if step.cursor is not None:
        rows = rows.filter(pk__gt=step.cursor)
    columns = ("pk", "attempts_count", "last_attempted_at", "updated_at", "created_at")
    leads = list(rows.order_by("pk").only(*columns)[:size])
    if not leads:
        step.counts["phase"], step.cursor = "changes", None
        return step
    step.cursor = leads[-1].pk
    reasons = {lead.pk: reason for lead in leads if (reason := _touched(lead))}
    free = [lead.pk for lead in leads if lead.pk not in reasons]
    _withdraw(lead_import, free)
    reasons |= _in_use(free, lead_import)
    gone = [pk for pk in free if pk not in reasons]
    step.add("removed", _delete(lead_import, gone))
    for reason in reasons.values():
        step.add(reason)
    LeadImportChange.objects.bulk_create(
        LeadImportChange(
            client_id=lead_import.client_id,
            lead_import_id=lead_import.pk,
            lead_id=pk,
            stamped_at=now,
            left_reason=reason,
        )
        for pk, reason in reasons.items()
    )
    return step


def _withdraw(lead_import: LeadImport, lead_ids: Sequence[UUID]) -> None:
    """Take leads out of the import's campaign where they only wait; an archived one lets them go too."""
    if lead_import.campaign_id is not None:
        campaigns().withdraw(lead_ids=lead_ids, campaign_id=lead_import.campaign_id)


def _delete(lead_import: LeadImport, lead_ids: Sequence[UUID]) -> int:
    """
    Delete leads that nothing but this import's own rows point at, in three statements; return how many.

    Django's own delete would ask every table once more, inside the write lock. The keys are checked by the
    database at the commit.
    """
    mine = Consent.objects.filter(lead_id__in=lead_ids, lead_import_id=lead_import.pk)
    # Another import that met these leads, and whose own traces are gone, may have noted what it found.
    for rows in (mine, LeadImportChange.objects.filter(lead_id__in=lead_ids)):
        rows._raw_delete(rows.db)  # noqa: SLF001  # see above
    leads = Lead.objects.filter(pk__in=lead_ids, attempts_count=0, updated_at=F("created_at"))
    return int(leads._raw_delete(leads.db))  # noqa: SLF001  # as above


def _touched(lead: Lead) -> str:
    if lead.attempts_count or lead.last_attempted_at is not None:
        return Left.DIALLED.value
    return Left.CHANGED.value if lead.updated_at != lead.created_at else ""


def _in_use(lead_ids: Sequence[UUID], lead_import: LeadImport) -> dict[UUID, str]:
    """Return why leads are needed elsewhere: whatever points at them that this import didn't make."""
    found: dict[UUID, str] = {}
    for relation in Lead._meta.related_objects:
        model, name = relation.related_model, relation.field.attname
        manager = model._base_manager  # noqa: SLF001  # any room's rows
        rows = manager.filter(**{f"{name}__in": lead_ids})
        if model in _OWN:
            rows = rows.exclude(lead_import_id=lead_import.pk)
        reason = Left.CHANGED if model._meta.app_label == Lead._meta.app_label else Left.ENROLLED
        found |= dict.fromkeys(rows.values_list(name, flat=True), reason.value)
    return found


def _changed(lead_import: LeadImport, size: int, now: datetime) -> _Step:
    """Give a batch of the leads that were known before their values back."""
    step = _Step(dict(lead_import.undo_counts), lead_import.undo_cursor)
    rows = LeadImportChange.objects.filter(
        client_id=lead_import.client_id, lead_import_id=lead_import.pk, left_reason=""
    )
    if step.cursor is not None:
        rows = rows.filter(pk__gt=step.cursor)
    changes = list(rows.select_related("lead").order_by("pk")[:size])
    if not changes:
        step.counts["phase"], step.cursor = "done", None
        return step
    step.cursor = changes[-1].pk
    _withdraw(lead_import, [change.lead_id for change in changes])
    restored = [change for change in changes if _restore(lead_import, change, now)]
    done = {change.pk for change in restored}
    step.add("restored", len(done))
    back = list(Lead.objects.filter(pk__in=[change.lead_id for change in restored]))
    know_marks(back)
    rescore(leads=back, weighing=weighing_of(lead_import.client_id))
    for change in changes:
        if change.pk not in done:
            change.left_reason = _why_left(change)
            step.add(change.left_reason)
            LeadImportChange.objects.filter(pk=change.pk).update(left_reason=change.left_reason)
    LeadImportChange.objects.filter(pk__in=done).delete()
    return step


def _restore(lead_import: LeadImport, change: LeadImportChange, now: datetime) -> bool:
    """Take back what the import did to one lead; False if somebody has touched it since."""
    values = dict(change.before)
    status = values.pop("consent_status", None)
    if values:
        changed = Lead.objects.filter(pk=change.lead_id, updated_at=change.stamped_at).update(
            **values, updated_at=now
        )
        if not changed:
            return False
    # A consent that was taken back since is no longer this import's to remove.
    mine = Consent.objects.filter(
        client_id=lead_import.client_id,
        lead_id=change.lead_id,
        lead_import_id=lead_import.pk,
        revoked_at=None,
    )
    removed, _by_model = mine.delete()
    others = Consent.objects.filter(
        client_id=lead_import.client_id, lead_id=change.lead_id, revoked_at=None
    )
    if removed and status and not others.exists():
        Lead.objects.filter(pk=change.lead_id, consent_status=Lead.ConsentStatus.GIVEN).update(
            consent_status=status
        )
    return True


def _why_left(change: LeadImportChange) -> str:
    called_at = change.lead.last_attempted_at
    dialled = called_at is not None and called_at >= change.stamped_at
    return (Left.DIALLED if dialled else Left.CHANGED).value


@atomic
def _finish(lead_import: LeadImport, *, now: datetime) -> None:
    done = LeadImport.objects.filter(pk=lead_import.pk, status=Status.UNDOING).update(
        status=Status.UNDONE, undo_cursor=None
    )
    if not done:
        return
    counts = {name: n for name, n in lead_import.undo_counts.items() if name != "phase"}
    record(
        actions.LEADS_IMPORT_UNDONE,
        resource=lead_import,
        actor=System("imports"),
        now=now,
        details={"counts": counts},
    )
    notify(
        client=lead_import.client,
        level=Notification.Level.INFO,
        title=_("Undone: %(file)s") % {"file": lead_import.file_name},
        body=_("%(removed)s removed · %(restored)s restored · %(left)s left as they are")
        % {
            "removed": f"{counts.get('removed', 0):,}",
            "restored": f"{counts.get('restored', 0):,}",
            "left": f"{lead_import.undo_left:,}",
        },
        url=f"/app/imports/{lead_import.pk}/",
        key=f"import.undone:{lead_import.pk}",
        now=now,
    )
