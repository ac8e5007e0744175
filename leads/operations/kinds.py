"""What each kind of change does to a slice of leads, and how it is taken back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

from django.core import serializers

from convomono.lib.ids import uuid7
from convomono.lib.keys import beside
from leads.doors import campaigns
from leads.models import (
    Consent,
    Lead,
    LeadImportChange,
    LeadNote,
    LeadOperation,
    LeadOperationRow,
    LeadStatusChange,
    Suppression,
)
from leads.models.people import MOST_TAGS
from leads.services.marks import know_marks
from leads.services.scoring import rescore, weighing_of
from leads.services.statuses import Cause, Why, move_leads
from leads.services.suppressions import free_leads, is_erased, keep_listed, scope_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from django.db.models import Model

    from leads.imports.work import Pace

type Rows = list[LeadOperationRow]
Status = Lead.Status

# Why a lead was left alone, or kept at an undo; `queries` has the sentences.
HAD_TAG, HAD_NO_TAG, ENROLLED, LISTED, IN_USE, VARIABLE = (
    *("had_tag", "had_no_tag", "enrolled", "listed", "in_use"),
    "variable_missing",
)
EDITED, GONE, IN_LAUNCH, NUMBER_AGAIN = "edited", "gone", "in_launch", "number_again"
NO_NUMBER, ERASED, ASKED, TAGS_FULL = "no_number", "erased", "asked", "tags_full"


class Stale(Exception):
    """A lead of the slice changed since it was read: the slice is read and done again."""


class Change(Protocol):
    """One kind of change; `write` and `undo` run inside the caller's atomic block."""

    def plan(self, leads: Sequence[Lead]) -> Rows:
        """Return a row for each lead; those with a note are left alone."""
        ...

    def row(self, lead: Lead, *, note: str = "") -> LeadOperationRow:
        """Return the row of a lead that is left alone, and why."""
        ...

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        """
        Change the leads that have a row without a note.

        :raises Stale: if one of them isn't as it was read
        """
        ...

    def settle(self, rows: Sequence[LeadOperationRow]) -> None:
        """Do what can't stand in the block; again after a kill, so twice is once."""

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        """Take the rows back; return those that were kept, by lead, and why."""
        ...


def change_of(operation: LeadOperation, *, now: datetime, pace: Pace) -> Change:
    """Return what an operation does; an export changes nothing and has no change."""
    kinds: dict[str, Callable[[LeadOperation, datetime, Pace], Change]] = {
        LeadOperation.Kind.TAG: Tag,
        LeadOperation.Kind.UNTAG: Untag,
        LeadOperation.Kind.ENROL: Enrol,
        LeadOperation.Kind.SUPPRESS: Suppress,
        LeadOperation.Kind.DELETE: Delete,
        LeadOperation.Kind.LIST: Listing,
    }
    return kinds[operation.kind](operation, now, pace)


@dataclass
class _Base:
    operation: LeadOperation
    now: datetime  # when this run began
    pace: Pace

    def row(self, lead: Lead, *, note: str = "", **states: dict[str, Any]) -> LeadOperationRow:
        return LeadOperationRow(
            client_id=self.operation.client_id,
            operation=self.operation,
            lead_id=lead.pk,
            label=str(lead)[:200],
            note=note,
            **states,
        )

    def settle(self, rows: Sequence[LeadOperationRow]) -> None:
        """Nothing but the block."""

    def free(self, phone_numbers: Iterable[str]) -> None:
        """Give leads whose numbers come off the list by the undo the status that their calls say."""
        by_email = self.operation.undone_by_email
        free_leads(
            client_id=self.operation.client_id,
            phone_numbers=phone_numbers,
            cause=Cause(why=Why.UNDONE, by_email=by_email, at=self.now),
        )

    def found(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, Lead]:
        ids = [row.lead_id for row in rows]
        return Lead.objects.filter(beside(client_id=self.operation.client_id)).in_bulk(ids)


class Tag(_Base):
    """Adds a tag."""

    def plan(self, leads: Sequence[Lead]) -> Rows:
        tag = self.operation.params["tag"]
        return [
            self.row(lead, note=HAD_TAG)
            if tag in lead.tags
            else self.row(lead, note=TAGS_FULL)
            if len(lead.tags) >= MOST_TAGS
            else self.row(lead, before={"tags": lead.tags}, after={"tags": [*lead.tags, tag]})
            for lead in leads
        ]

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        wanted = [lead for lead in leads if not rows[lead.pk].note]
        for lead in wanted:
            if not self._set(lead, rows[lead.pk].after["tags"]):
                raise Stale
        self._follow(wanted)

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        leads, kept = self.found(rows), {}
        for row in rows:
            lead = leads.get(row.lead_id)
            if lead is None:
                kept[row.lead_id] = GONE
            elif lead.tags != row.after["tags"]:
                kept[row.lead_id] = EDITED
            elif not self._set(lead, row.before["tags"]):
                raise Stale
        self._follow([lead for lead in leads.values() if lead.pk not in kept])
        return kept

    def _follow(self, leads: Sequence[Lead]) -> None:
        """Make the tags known, and compute the scores anew: a tag may count."""
        know_marks(leads)
        rescore(leads=leads, weighing=weighing_of(self.operation.client_id))

    def _set(self, lead: Lead, tags: list[str]) -> bool:
        before, lead.tags = lead.search_text, tags
        lead.note_texts()
        # The search text holds the tags: whoever changed them meanwhile changed it too.
        return bool(
            Lead.objects.filter(pk=lead.pk, search_text=before).update(
                tags=tags,
                search_text=lead.search_text,
                marks_key=lead.marks_key,
                updated_at=self.now,
            )
        )


class Untag(Tag):
    """Takes a tag off."""

    def plan(self, leads: Sequence[Lead]) -> Rows:
        tag = self.operation.params["tag"]
        return [
            self.row(
                lead,
                before={"tags": lead.tags},
                after={"tags": [one for one in lead.tags if one != tag]},
            )
            if tag in lead.tags
            else self.row(lead, note=HAD_NO_TAG)
            for lead in leads
        ]


class Enrol(_Base):
    """Puts leads into a campaign, where they wait for its next launch."""

    @property
    def campaign_id(self) -> UUID:
        return UUID(self.operation.params["campaign_id"])

    def plan(self, leads: Sequence[Lead]) -> Rows:
        door = campaigns()
        there = door.enrolled(campaign_id=self.campaign_id, lead_ids=[lead.pk for lead in leads])
        lacking = door.lacking(campaign_id=self.campaign_id, leads=leads)
        notes = {**dict.fromkeys(lacking, VARIABLE), **dict.fromkeys(there, ENROLLED)}
        return [self.row(lead, note=notes.get(lead.pk, "")) for lead in leads]

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        """Enrolling keeps its own atomic blocks: see `settle`."""

    def settle(self, rows: Sequence[LeadOperationRow]) -> None:
        leads = self.found([row for row in rows if not row.note]).values()
        campaigns().enrol(
            client_id=self.operation.client_id,
            campaign_id=self.campaign_id,
            leads=[lead for lead in leads if lead.erased_at is None],
            now=self.pace.instant(self.now),
        )

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        ids = [row.lead_id for row in rows]
        out = campaigns().withdraw(lead_ids=ids, campaign_id=self.campaign_id)
        return {lead_id: IN_LAUNCH for lead_id in ids if lead_id not in out}


class Suppress(_Base):
    """Puts numbers on the client's do-not-call list."""

    def plan(self, leads: Sequence[Lead]) -> Rows:
        listed = set(
            Suppression.objects.filter(
                scope_key__in=[self._key(lead) for lead in leads]
            ).values_list("phone_number", flat=True)
        )
        return [
            self.row(lead, note=LISTED)
            if lead.phone_number in listed
            else self.row(
                lead, before={"status": lead.status}, after={"suppression_id": str(uuid7())}
            )
            for lead in leads
        ]

    def _key(self, lead: Lead) -> str:
        return scope_key(
            level=Suppression.Level.CLIENT,
            client_id=self.operation.client_id,
            campaign_id=None,
            phone_number=lead.phone_number,
        )

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        wanted = [lead for lead in leads if not rows[lead.pk].note]
        Suppression.objects.bulk_create(
            Suppression(
                pk=UUID(rows[lead.pk].after["suppression_id"]),
                level=Suppression.Level.CLIENT,
                client_id=self.operation.client_id,
                phone_number=lead.phone_number,
                scope_key=self._key(lead),
                source=Suppression.Source.BULK,
                reason=self.operation.params["reason"],
                operation_id=self.operation.pk,
                added_by_email=self.operation.created_by_email,
                created_at=self.now,
            )
            for lead in wanted
        )
        marked = Lead.objects.filter(pk__in=[lead.pk for lead in wanted])
        cause = Cause(why=Why.LISTED, by_email=self.operation.created_by_email, at=self.now)
        move_leads(marked, to=Status.SUPPRESSED, cause=cause, updated_at=self.now)
        listed = [self._key(lead) for lead in leads if rows[lead.pk].note == LISTED]
        keep_listed(scope_keys=listed, operation_id=self.operation.pk)

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        ours = Suppression.objects.filter(
            pk__in=[row.after["suppression_id"] for row in rows], operation_id=self.operation.pk
        )
        there = {str(pk): number for pk, number in ours.values_list("pk", "phone_number")}
        Suppression.objects.filter(pk__in=there).delete()
        self.free(there.values())
        return {row.lead_id: ASKED for row in rows if row.after["suppression_id"] not in there}


class Listing(_Base):
    """
    Puts numbers of a file on the client's do-not-call list (`leads.operations.listing`).

    A row stands for a number here: its `lead_id` is the entry's, its label the line if it was refused.
    """

    def plan(self, leads: Sequence[Lead]) -> Rows:
        raise NotImplementedError  # lines are read, not leads

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        raise NotImplementedError

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        ours = Suppression.objects.filter(
            pk__in=[row.lead_id for row in rows], operation_id=self.operation.pk
        )
        there = dict(ours.values_list("pk", "phone_number"))
        Suppression.objects.filter(pk__in=there).delete()
        self.free(there.values())
        return {row.lead_id: ASKED for row in rows if row.lead_id not in there}


class Delete(_Base):
    """Deletes leads that nobody called; what was called is part of the calls' history and stays."""

    def plan(self, leads: Sequence[Lead]) -> Rows:
        ids = [lead.pk for lead in leads]
        used, waiting = campaigns().in_use(ids), campaigns().snapshot(ids)
        kept = _with_them(ids)
        return [
            self.row(lead, note=IN_USE)
            if lead.pk in used
            else self.row(
                lead,
                before={
                    "rows": _as_json([lead, *kept.get(lead.pk, [])]),
                    "enrolments": waiting.get(lead.pk, []),
                },
            )
            for lead in leads
        ]

    def write(self, leads: Sequence[Lead], rows: Mapping[UUID, LeadOperationRow]) -> None:
        ids = [lead.pk for lead in leads if not rows[lead.pk].note]
        campaigns().withdraw(lead_ids=ids, campaign_id=None)
        if campaigns().in_use(ids):
            raise Stale  # a launch took one meanwhile
        Lead.objects.filter(pk__in=ids).delete()

    def undo(self, rows: Sequence[LeadOperationRow]) -> dict[UUID, str]:
        kept = {}
        for row in rows:
            lead, *others = [
                cast("Lead", one.object)
                for one in serializers.deserialize("json", json.dumps(row.before["rows"]))
            ]
            if is_erased(client_id=row.client_id, phone_number=lead.phone_number):
                kept[row.lead_id] = ERASED  # added again after the deletion, and erased since
                continue
            same = Lead.objects.filter(client_id=row.client_id, phone_number=lead.phone_number)
            if same.exists() or Lead.objects.filter(pk=lead.pk).exists():
                kept[row.lead_id] = NUMBER_AGAIN
                continue
            for one in (lead, *others):
                one.save(force_insert=True)
            campaigns().restore(
                lead_id=lead.pk,
                enrolments=row.before["enrolments"],
                now=self.pace.instant(self.now),
            )
        return kept


def _with_them(lead_ids: Sequence[UUID]) -> dict[UUID, list[Model]]:
    """Return what goes with each lead: consents, notes, what imports replaced, how its status changed."""
    found: dict[UUID, list[Model]] = {}
    for model in (Consent, LeadNote, LeadImportChange, LeadStatusChange):
        for row in model.objects.filter(lead_id__in=lead_ids):
            found.setdefault(row.lead_id, []).append(row)
    return found


def _as_json(rows: Sequence[Model]) -> list[dict[str, Any]]:
    return list(json.loads(serializers.serialize("json", rows)))
