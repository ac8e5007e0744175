"""A chunk's people as rows: new leads, changes to known ones, the consent of each, what they undo."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from convomono.lib.bulk import (
    Insert,
    new_row,
    new_values,
    row_of,
    update_each,
    update_rows,
)
from convomono.lib.ids import key_from, uuid7
from leads.doors import campaigns
from leads.imports.cells import address_in
from leads.imports.places import place_of
from leads.imports.rows import ReadRow, tags_of
from leads.imports.verdicts import CONSENT_REVOKED, Verdict
from leads.models import Consent, Lead, LeadImportChange
from leads.models.people import MOST_TAGS
from leads.services.marks import know_marks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from leads.imports.judge import ConsentDays
    from leads.imports.opting_out import Listing
    from leads.imports.work import Work
    from leads.services.scoring import Weighing

_FIELDS = (
    "first_name",
    "last_name",
    "email",
    "company",
    "region",
    "postal_code",
    "time_zone",
    "external_id",
)
CHANGEABLE = (*_FIELDS, "tags", "other_numbers", "zone_candidates", "search_text", "marks_key")


class LeadMoved(Exception):
    """Somebody changed one of the leads since it was read: read them again."""


@dataclass
class Writing:
    """What a chunk writes, made before its transaction so that this stays short."""

    leads: list[Lead] = field(default_factory=list)
    changed: list[Lead] = field(default_factory=list)
    changes: list[LeadImportChange] = field(default_factory=list)
    consents: list[dict[str, Any]] = field(default_factory=list)  # as `insert_values` takes them
    revoked: list[UUID] = field(default_factory=list)  # known leads the file says no of
    # Their consents, as `update_each` takes them: marked with the row that takes them back.
    marked: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    agreed: list[Lead] = field(default_factory=list)  # known leads whose consent this is
    met: list[Lead] = field(default_factory=list)  # known leads that stay as they are
    scored: dict[int, list[UUID]] = field(default_factory=dict)  # known leads by new score
    listing: Listing | None = None
    ready: list[Insert] = field(default_factory=list)

    def make_ready(self) -> None:
        """Convert what is inserted to what the driver takes: nothing of it changes from now on."""
        self.ready = [
            Insert.of(Lead, [lead.__dict__ for lead in self.leads]),
            Insert.of(Consent, self.consents),
            Insert.of(LeadImportChange, [change.__dict__ for change in self.changes]),
        ]

    def write(self) -> None:
        """
        Write all of it inside the caller's transaction.

        :raises IntegrityError: if one of the new leads is there by now
        :raises LeadMoved: if one of the known ones has changed
        """
        leads, consents, changes = self.ready
        leads.run()
        know_marks([*self.leads, *self.changed])
        if self.changed:
            columns = (*CHANGEABLE, "score", "updated_at")
            written = update_rows(self.changed, columns, guard="updated_at")
            if written != len(self.changed):
                raise LeadMoved
        # Written as they are: an erasure, or a consent taken back, that ends first is found on every database.
        if update_rows(self.met, ("updated_at",), guard="updated_at") != len(self.met):
            raise LeadMoved
        if self.scored:
            campaigns().prioritise(self.scored)
        if self.agreed:
            # Guarded: somebody may have taken their consent back since we read the row.
            Lead.objects.filter(
                pk__in=[lead.pk for lead in self.agreed], consent_status=Lead.ConsentStatus.NONE
            ).update(consent_status=Lead.ConsentStatus.GIVEN)
        if self.revoked:
            # All of them are among the changed: a consent since then has moved its lead.
            given = Lead.objects.filter(pk__in=self.revoked)
            given.filter(consent_status=Lead.ConsentStatus.GIVEN).update(
                consent_status=Lead.ConsentStatus.REVOKED
            )
            update_each(Consent, self.marked)
        consents.run()
        changes.run()
        if self.listing is not None:
            self.listing.write()


def writing_of(
    work: Work, rows: Sequence[ReadRow], days: ConsentDays, weighing: Weighing, *, now: datetime
) -> Writing:
    """Return what these kept rows write; each row gets its lead."""
    made = Writing()
    client_id, import_id = work.lead_import.client_id, work.lead_import.pk
    alike = {"client_id": client_id, "lead_import_id": import_id, "created_at": now}
    fresh, stated = new_values(Lead, **alike, updated_at=now), _stated(work, alike)
    revoking = {row.lead.pk: row for row in rows if row.lead and CONSENT_REVOKED in row.warnings}
    for row in rows:
        agreed_at = _agreed_at(work, row, days) if row.verdict != Verdict.NO_CONSENT else None
        if row.lead is None:
            row.lead = _new_lead(work, row, fresh, is_agreed=agreed_at is not None)
            row.lead.score = weighing.points(row.lead)
            made.leads.append(row.lead)
        else:
            _change(work, row, made, is_agreed=agreed_at is not None, now=now)
            _weigh(row.lead, made, weighing, is_agreed=agreed_at is not None)
        if agreed_at is not None:
            made.consents.append(_consent(row, agreed_at, stated))
    if revoking:
        made.revoked, made.marked = list(revoking), _marked(work, revoking, now)
    made.make_ready()
    return made


def _marked(
    work: Work, revoking: Mapping[UUID, ReadRow], now: datetime
) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the consents that these rows take back, each with what it is marked with: when, by whom, how."""
    rows = Consent.objects.filter(
        client_id=work.lead_import.client_id, lead_id__in=list(revoking), revoked_at=None
    )
    return [
        (
            {"id": key},
            {
                "revoked_at": now,
                "revoked_by_email": work.lead_import.created_by_email,
                "revoked_how": _how_revoked(work, revoking[lead_id]),
            },
        )
        for key, lead_id in rows.values_list("pk", "lead_id")
    ]


def _how_revoked(work: Work, row: ReadRow) -> str:
    """Return where the no stands: the file, its row, what the cell says."""
    return _("Import of %(file)s, row %(row)d: %(column)s is “%(said)s”") % {
        "file": work.lead_import.file_name[:100],
        "row": row.no_in or row.number,
        "column": work.plan.found["header"][work.reader.given_place or 0][:30],
        "said": row.said["consent_given"][:20],
    }


def _agreed_at(work: Work, row: ReadRow, days: ConsentDays) -> datetime | None:
    day = days.consent_on(row)
    if day is None:
        return None
    if day == days.stated:
        return _instant(work.plan.options["consent_given_at"])
    return _midnight(day, work.lead_import.client.time_zone)


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: str) -> datetime:
    """Return where a client's day begins, as where somebody types it: UTC's begins on America's day before."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(maxsize=16)
def _instant(said: str) -> datetime:
    return datetime.fromisoformat(said)  # one and the same for all rows, so it is written once


def _new_lead(work: Work, row: ReadRow, fresh: Mapping[str, Any], *, is_agreed: bool) -> Lead:
    agreed = Lead.ConsentStatus.GIVEN if is_agreed else Lead.ConsentStatus.NONE
    values = {
        **fresh,
        **row.fields,
        "id": uuid7(),
        "phone_number": row.e164,
        "other_numbers": row.others,
        "country": row.line.country,
        "line_type": row.line.line_type,
        "zone_candidates": [] if "time_zone" in row.fields else list(row.zones),
        "tags": tags_of(row, work.plan.options),
        "consent_status": agreed.value,
    }
    lead = row_of(Lead, values)
    lead.note_texts()
    return lead


def _change(work: Work, row: ReadRow, made: Writing, *, is_agreed: bool, now: datetime) -> None:
    """Put the file's values into a known lead, and keep what they replace."""
    lead = row.lead
    assert lead is not None  # the caller's choice
    before = {name: getattr(lead, name) for name in CHANGEABLE}
    is_revoked = CONSENT_REVOKED in row.warnings
    if work.plan.options["existing"] != "skip":
        _fill(work, row, lead)
    lead.note_texts()
    replaced: dict[str, Any] = {
        name: value for name, value in before.items() if value != getattr(lead, name)
    }
    if is_agreed and lead.consent_status == Lead.ConsentStatus.NONE:
        replaced["consent_status"] = lead.consent_status
    if is_agreed:
        made.agreed.append(lead)
    if is_revoked:
        lead.consent_status = (
            Lead.ConsentStatus.REVOKED
        )  # the block writes it; the score goes by it
    if not (replaced or is_agreed or is_revoked) and work.target is None:
        return
    lead.was_updated_at = lead.updated_at  # type: ignore[attr-defined]  # for update_rows
    if replaced or is_revoked:
        lead.updated_at = now
        made.changed.append(lead)
    else:
        made.met.append(lead)
    # Also of leads that only got a consent or were enrolled: an undo takes that back.
    made.changes.append(
        new_row(
            LeadImportChange,
            client_id=lead.client_id,
            lead_import_id=work.lead_import.pk,
            lead_id=lead.pk,
            before=replaced,
            stamped_at=lead.updated_at,
        )
    )


def _weigh(lead: Lead, made: Writing, weighing: Weighing, *, is_agreed: bool) -> None:
    """Give a known lead that is changed the score that follows from what the file says of it."""
    if not made.changed or made.changed[-1] is not lead:
        return
    status, none = lead.consent_status, Lead.ConsentStatus.NONE
    if is_agreed and status == none:
        lead.consent_status = Lead.ConsentStatus.GIVEN  # what the block is about to write
    points, lead.consent_status = weighing.points(lead), status
    if points != lead.score:
        lead.score = points
        made.scored.setdefault(points, []).append(lead.pk)


def _fill(work: Work, row: ReadRow, lead: Lead) -> None:
    overwrite = work.plan.options["existing"] == "overwrite"
    for name in _FIELDS:
        value = row.fields.get(name, "")
        if value and (overwrite or not getattr(lead, name)):
            setattr(lead, name, value)
    # What is known of the place now tells the hours, not what the number alone said before.
    place, zones = place_of(row.line.country, lead.region, lead.postal_code)
    if place and not lead.time_zone:
        lead.zone_candidates = list(zones)
    new = [tag for tag in tags_of(row, work.plan.options) if tag not in lead.tags]
    tags = new[: max(MOST_TAGS - len(lead.tags), 0)]
    if tags:
        lead.tags = [*lead.tags, *tags]
    others = [one for one in row.others if one not in lead.other_numbers]
    if others:
        lead.other_numbers = [*lead.other_numbers, *others]


def _consent_id(import_id: UUID, lead_id: UUID) -> UUID:
    """
    Return the one key of the consent that an import gives a lead.

    It keeps the time in the lead's key, so new consents stand together in the index. (The two
    highest of the lower 64 bits are the variant, alike in both.)
    """
    return key_from(lead_id.int ^ (import_id.int & ((1 << 62) - 1)))


def _stated(work: Work, alike: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a chunk's consents, which a row says otherwise at most in part."""
    options, lead_import = work.plan.options, work.lead_import
    return new_values(
        Consent,
        **alike,
        kind=options["consent_kind"] or Consent.Kind.EXPRESS.value,
        source=(options["consent_source"] or lead_import.file_name)[:200],
        wording=options["consent_wording"],
        seller=options.get("consent_seller", "")[:200],
        recorded_by_email=lead_import.created_by_email,
    )


def _consent(row: ReadRow, agreed_at: datetime, stated: Mapping[str, Any]) -> dict[str, Any]:
    lead, said = row.lead, row.said
    assert lead is not None  # made before
    key = _consent_id(stated["lead_import_id"], lead.pk)
    consent = {**stated, "id": key, "lead_id": lead.pk, "given_at": agreed_at}
    if said:
        consent["source"] = said.get("consent_source", "")[:200] or stated["source"]
        consent["seller"] = said.get("consent_seller", "")[:200] or stated["seller"]
        consent["given_from"] = address_in(said.get("consent_ip", ""))
    return consent
