"""Leads that were read ahead, and what calls change in their summaries; written together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convomono.lib.bulk import insert_rows, update_each
from convomono.lib.reading import known_rows
from leads.models import Lead
from leads.services.scoring import Weighing, weighing_of
from leads.services.statuses import PLATFORM, Cause, Why, status_line
from leads.services.suppressions import is_listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from uuid import UUID

    from leads.models import LeadStatusChange
    from leads.services.people import Summary


# What a summary, its guards and the score look at; of a lead that is in a list, the rest is read then.
_LOOKED_AT = (
    "id",
    "client_id",
    "status",
    "last_outcome",
    "attempts_count",
    "last_attempted_at",
    "score",
    "updated_at",
    "erased_at",
    "consent_status",
    "first_name",
    "last_name",
    "email",
    "company",
    "line_type",
    "time_zone",
    "tags",
)


class LeadMovedOn(Exception):
    """Somebody else changed a lead between our reading and writing; the block has to run again."""


class LeadBook:
    """
    Some leads as they are stored, and what is to be written on them.

    It reads outside any transaction; `write` compares what the leads said when they were read.
    """

    def __init__(self, lead_ids: Iterable[UUID]) -> None:
        self._leads = {lead.pk: lead for lead in known_rows(Lead, "id", lead_ids, _LOOKED_AT)}
        self._same = {pk: _guards(lead) for pk, lead in self._leads.items()}
        self._changes: dict[UUID, dict[str, Any]] = {}
        self._weighing: dict[UUID, Weighing] = {}
        self._at: dict[UUID, datetime] = {}

    def __contains__(self, lead_id: UUID) -> bool:
        return lead_id in self._leads

    def summarise(self, lead_id: UUID, summary: Summary, *, now: datetime) -> None:
        """Note a summary and the score that follows, as `record_summary` does."""
        lead = self._leads[lead_id]
        attempted_at, newest = summary["last_attempted_at"], lead.last_attempted_at
        is_older = attempted_at is not None and newest is not None and newest > attempted_at
        if lead.erased_at is not None or is_older:
            return
        columns: dict[str, Any] = {**summary, "updated_at": now}
        if lead.status == Lead.Status.SUPPRESSED != summary["status"] and is_listed(lead):
            del columns["status"]  # as there
        for name, value in columns.items():
            setattr(lead, name, value)
        self._score(lead)
        self._note(lead, {**columns, "score": lead.score}, now)

    def convert(self, lead_id: UUID, *, now: datetime) -> None:
        """Note that a person who was reached did what the campaign wants, and the score that follows."""
        lead = self._leads[lead_id]
        if lead.status == Lead.Status.REACHED:
            lead.status = Lead.Status.CONVERTED.value
            self._score(lead)
            self._note(lead, {"status": lead.status, "score": lead.score}, now)

    def write(self) -> None:
        """
        Write what was noted, inside the caller's transaction; it may run again after a conflict.

        :raises LeadMovedOn: if somebody else changed one of the leads
        """
        changes = [(self._same[pk], columns) for pk, columns in self._changes.items()]
        if update_each(Lead, changes) != len(changes):
            raise LeadMovedOn
        insert_rows(list(self._lines()))

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        for pk in self._changes:
            self._same[pk] = _guards(self._leads[pk])
        self._changes, self._at = {}, {}

    def _score(self, lead: Lead) -> None:
        if lead.client_id not in self._weighing:
            self._weighing[lead.client_id] = weighing_of(lead.client_id)
        lead.score = self._weighing[lead.client_id].points(lead)

    def _note(self, lead: Lead, columns: dict[str, Any], now: datetime) -> None:
        self._changes.setdefault(lead.pk, {}).update(columns)
        self._at[lead.pk] = now

    def _lines(self) -> Iterator[LeadStatusChange]:
        """Yield a line of history for each lead that is to have another status than it was read with."""
        for pk, at in self._at.items():
            lead, before = self._leads[pk], self._same[pk]["status"]
            if lead.status != before:
                yield status_line(
                    lead_id=pk,
                    client_id=lead.client_id,
                    before=before,
                    after=lead.status,
                    cause=Cause(why=Why.CALL, by_email=PLATFORM, at=at),
                )


def _guards(lead: Lead) -> dict[str, Any]:
    return {
        "id": lead.pk,
        "updated_at": lead.updated_at,
        "status": lead.status,
        "attempts_count": lead.attempts_count,
        "score": lead.score,
    }
