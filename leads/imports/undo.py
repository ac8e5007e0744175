"""Taking an import back: leads nobody has touched go, known ones get their values back, the rest is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connection
from django.db.models import F, ProtectedError
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import System, record
from convomono.lib.bulk import update_row
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.lane import is_slice_over, run_bulk
from leads.doors import campaigns
from leads.imports.store import LeadMoved
from leads.models import Consent, Lead, LeadImport, LeadImportChange
from leads.services.marks import know_marks
from leads.services.scoring import rescore, weighing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from leads.imports.work import Pace
    from leads.services.scoring import Weighing

Status = LeadImport.Status
Left = LeadImportChange.LeftReason
UNDO_FOR = timedelta(days=30)
BATCH = 40  # leads; with consent and enrolment within 200 rows
PART = 10  # of known leads, of which each takes a few statements
_OWN = frozenset({Consent, LeadImportChange})


class _Seen(Protocol):
    """A batch that was read, and is to be taken back."""

    def take_back(self, step: _Step) -> None: ...


@dataclass
class _Step:
    """One batch: what it does to the counts, and where the next one begins."""

    counts: dict[str, Any]
    cursor: UUID | None

    def add(self, name: str, number: int = 1) -> None:
        if number:
            self.counts[name] = self.counts.get(name, 0) + number

    def end(self, *, then: str) -> None:
        """Say that nothing is left of the phase."""
        self.counts["phase"], self.cursor = then, None


def undo_rows(*, lead_import: LeadImport, pace: Pace, now: datetime) -> None:
    """
    Go on with the undo where it stands, to its end.

    Each batch is one transaction with its counts and its place, so it may be killed at any moment.
    A do-not-call entry and a consent taken back stay as they are, whatever this import said.
    """
    if lead_import.status != Status.UNDOING:
        return
    while lead_import.undo_counts.get("phase", "leads") == "leads":
        if not _batch(lead_import, _Created.look, pace=pace, now=now):
            return
    while lead_import.undo_counts["phase"] == "changes":
        if not _batch(lead_import, _Changed.look, pace=pace, now=now):
            return
    _finish(lead_import, now=now)


def _batch(
    lead_import: LeadImport,
    look: Callable[[LeadImport, int, datetime], _Seen],
    *,
    pace: Pace,
    now: datetime,
) -> bool:
    """Do one batch; False if another worker did it."""
    pace.rest()
    for size in (BATCH, 1, 1):
        see = partial(look, lead_import, size, now)
        # Where foreign keys tell of whoever came since, others needn't wait while we look.
        seen = see() if connection.features.supports_foreign_keys else None
        try:
            step = run_bulk(
                lambda: _guarded(lead_import, seen or see(), pace),  # noqa: B023
                has_many_pages=True,
            )
        except (ProtectedError, IntegrityError, LeadMoved):
            continue  # enrolled or called this very moment: again, one by one
        except _Overtaken:
            return False
        finally:
            pace.wrote()
        lead_import.undo_counts, lead_import.undo_cursor = step.counts, step.cursor
        return True
    return False


def _guarded(lead_import: LeadImport, seen: _Seen, pace: Pace) -> _Step:
    before = lead_import.undo_cursor
    step = _Step(dict(lead_import.undo_counts), before)
    seen.take_back(step)
    stands = {"id": lead_import.pk, "status": Status.UNDOING.value, "undo_cursor": before}
    goes_on = {
        "undo_cursor": step.cursor,
        "undo_counts": step.counts,
        "progressed_at": pace.real_now(),
        "tries_count": 0,
    }
    if not update_row(LeadImport, stands, goes_on):
        raise _Overtaken
    return step


class _Overtaken(Exception):
    """Another worker did this batch."""


@dataclass(frozen=True)
class _Created:
    """Leads that the import made, and why some of them stay as far as our own room can tell."""

    lead_import: LeadImport
    now: datetime
    lead_ids: list[UUID]  # in order
    touched: dict[UUID, str]
    needed: dict[UUID, str]

    @classmethod
    def look(cls, lead_import: LeadImport, size: int, now: datetime) -> _Created:
        rows = Lead.objects.filter(client_id=lead_import.client_id, lead_import_id=lead_import.pk)
        if lead_import.undo_cursor is not None:
            rows = rows.filter(pk__gt=lead_import.undo_cursor)
        columns = ("pk", "attempts_count", "last_attempted_at", "updated_at", "created_at")
        leads = list(rows.order_by("pk").only(*columns)[:size])
        touched = {lead.pk: reason for lead in leads if (reason := _touched(lead))}
        lead_ids = [lead.pk for lead in leads]
        needed = _in_use(lead_ids, lead_import, is_own=True)
        return cls(lead_import, now, lead_ids, touched, needed)

    def take_back(self, step: _Step) -> None:
        """
        Remove those that nobody needs.

        :raises LeadMoved: if somebody has touched one of them since we looked
        """
        if not self.lead_ids:
            step.end(then="changes")
            return
        step.cursor = self.lead_ids[-1]
        free = [pk for pk in self.lead_ids if pk not in self.touched]
        _withdraw(self.lead_import, free)
        elsewhere = _in_use(free, self.lead_import, is_own=False)
        reasons = self.needed | elsewhere | self.touched
        gone = [pk for pk in free if pk not in reasons]
        if _delete(self.lead_import, gone) != len(gone):
            raise LeadMoved
        step.add("removed", len(gone))
        for reason in reasons.values():
            step.add(reason)
        changes = (self._left(pk, reason) for pk, reason in reasons.items())
        LeadImportChange.objects.bulk_create(changes)

    def _left(self, lead_id: UUID, reason: str) -> LeadImportChange:
        return LeadImportChange(
            client_id=self.lead_import.client_id,
            lead_import_id=self.lead_import.pk,
            lead_id=lead_id,
            stamped_at=self.now,
            left_reason=reason,
        )


def _withdraw(lead_import: LeadImport, lead_ids: Sequence[UUID]) -> None:
    """Take leads out of the import's campaign where they only wait; an archived one lets them go too."""
    if lead_import.campaign_id is not None:
        campaigns().withdraw(lead_ids=lead_ids, campaign_id=lead_import.campaign_id)


def _delete(lead_import: LeadImport, lead_ids: Sequence[UUID]) -> int:
    """
    Delete leads that nothing but this import's own rows point at, in three statements; return how many were untouched.

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


def _in_use(lead_ids: Sequence[UUID], lead_import: LeadImport, *, is_own: bool) -> dict[UUID, str]:
    """Return why leads are needed: whatever of our own room, or of the others, points at them that this import didn't make."""
    found: dict[UUID, str] = {}
    reason = Left.CHANGED if is_own else Left.ENROLLED
    for relation in Lead._meta.related_objects:
        model, name = relation.related_model, relation.field.attname
        if (model._meta.app_label == Lead._meta.app_label) is not is_own:
            continue
        manager = model._base_manager  # noqa: SLF001  # any room's rows
        rows = manager.filter(**{f"{name}__in": lead_ids})
        if model in _OWN:
            rows = rows.exclude(lead_import_id=lead_import.pk)
        found |= dict.fromkeys(rows.values_list(name, flat=True), reason.value)
    return found


@dataclass(frozen=True)
class _Changed:
    """What the import did to leads that were known before."""

    lead_import: LeadImport
    now: datetime
    changes: list[LeadImportChange]

    @classmethod
    def look(cls, lead_import: LeadImport, size: int, now: datetime) -> _Changed:
        rows = LeadImportChange.objects.filter(
            client_id=lead_import.client_id, lead_import_id=lead_import.pk, left_reason=""
        )
        if lead_import.undo_cursor is not None:
            rows = rows.filter(pk__gt=lead_import.undo_cursor)
        return cls(lead_import, now, list(rows.order_by("pk")[:size]))

    def take_back(self, step: _Step) -> None:
        """Give leads their values back, as many as one transaction has time for."""
        if not self.changes:
            step.end(then="done")
        weighing = weighing_of(self.lead_import.client_id)
        for some in batched(self.changes, PART):
            self._restore(some, step, weighing)
            step.cursor = some[-1].pk
            if is_slice_over():
                return

    def _restore(
        self, changes: Sequence[LeadImportChange], step: _Step, weighing: Weighing
    ) -> None:
        _withdraw(self.lead_import, [change.lead_id for change in changes])
        restored = [one for one in changes if _restore(self.lead_import, one, self.now)]
        back = list(Lead.objects.filter(pk__in=[change.lead_id for change in restored]))
        there = {lead.pk for lead in back}  # others were deleted since we looked
        done = {change.pk for change in restored if change.lead_id in there}
        step.add("restored", len(done))
        know_marks(back)
        rescore(leads=back, weighing=weighing)
        left = [change for change in changes if change.pk not in done]
        for change, reason in _why_left(left):
            step.add(reason)
            LeadImportChange.objects.filter(pk=change.pk).update(left_reason=reason)
        LeadImportChange.objects.filter(pk__in=done).delete()


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


def _why_left(changes: Sequence[LeadImportChange]) -> Iterator[tuple[LeadImportChange, str]]:
    rows = Lead.objects.filter(pk__in=[change.lead_id for change in changes])
    called = dict(rows.values_list("pk", "last_attempted_at"))
    for change in changes:
        if change.lead_id not in called:
            continue  # deleted since we looked
        called_at = called[change.lead_id]
        dialled = called_at is not None and called_at >= change.stamped_at
        yield change, (Left.DIALLED if dialled else Left.CHANGED).value


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
