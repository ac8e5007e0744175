"""One lead at a time: adding it by hand or by a program, its consent, its summary."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypedDict, Unpack

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit import actions
from audit.services import record
from convomono.lib.db import IntegrityError, atomic
from convomono.lib.phone import parse_number
from leads.doors import campaigns
from leads.imports.places import likely_zones
from leads.models import Consent, Lead
from leads.services.marks import know_marks
from leads.services.scoring import rescore_called, rescore_lead, weighing_of
from leads.services.statuses import PLATFORM, Cause, Why, move_leads, status_line
from leads.services.suppressions import is_erased, is_listed, suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client
    from audit.services import Actor
    from leads.models import LeadStatusChange


ERASED = _(
    "Whoever has this number was erased because they asked for it, so nothing of them is kept. If they want to "
    "be called after all, take the number off your do-not-call list first."
)


class PersonErased(Exception):
    """Whoever has this number was erased at their wish, and nothing of them may be kept."""


class LeadExists(Exception):
    """The client has a lead with this number; `lead` is it."""

    def __init__(self, lead: Lead) -> None:
        super().__init__(str(lead.pk))
        self.lead = lead


@dataclass(frozen=True)
class LeadFields:
    """What is known of a person besides the number; empty means unknown."""

    first_name: str = ""
    last_name: str = ""
    email: str = ""
    company: str = ""
    region: str = ""
    postal_code: str = ""
    time_zone: str = ""
    external_id: str = ""


# What people and programs change of a lead.
CHANGEABLE = tuple(asdict(LeadFields()))


@dataclass(frozen=True)
class ConsentStatement:
    """What somebody says about how people agreed to be called: by whom, from which IP address, if they know."""

    kind: str
    source: str
    wording: str
    given_at: datetime
    seller: str = ""
    given_from: str = ""


class Summary(TypedDict, total=False):
    """The columns of a lead that campaigns writes."""

    status: str
    last_outcome: str
    attempts_count: int
    last_attempted_at: datetime | None
    next_attempt_at: datetime | None
    last_call_id: UUID | None


def create_lead(
    *,
    client: Client,
    phone_number: str,
    country: str,
    fields: LeadFields,
    consent: ConsentStatement | None,
    tags: list[str] | None = None,
    actor: Actor,
    now: datetime,
) -> Lead:
    """
    Add one person to a client's list; `phone_number` is what somebody typed, read as `country`'s.

    :raises NumberRefused: if it is no number that may be called
    :raises LeadExists: if the client has it already
    :raises PersonErased: see there
    """
    parsed = parse_number(phone_number, country)
    if there := Lead.objects.filter(client=client, phone_number=parsed.e164).first():
        raise LeadExists(there)
    lead = Lead(
        client=client,
        phone_number=parsed.e164,
        country=parsed.country,
        line_type=parsed.line_type,
        zone_candidates=list(
            likely_zones(
                parsed.e164,
                country=parsed.country,
                region=fields.region,
                postal_code=fields.postal_code,
            )
        ),
        tags=tags or [],
        consent_status=Lead.ConsentStatus.GIVEN if consent else Lead.ConsentStatus.NONE,
        created_at=now,
        updated_at=now,
        **asdict(fields),
    )
    lead.note_texts()
    if suppressed_numbers(client_id=client.pk, campaign_id=None, phone_numbers=[parsed.e164]):
        if is_erased(client_id=client.pk, phone_number=parsed.e164):
            raise PersonErased
        lead.status = Lead.Status.SUPPRESSED  # kept in the list, and shown for what it is
    lead.score = weighing_of(client.pk).points(lead)
    try:
        _insert(lead, consent=consent, actor=actor, now=now)
    except IntegrityError:
        raise LeadExists(Lead.objects.get(client=client, phone_number=parsed.e164)) from None
    return lead


@atomic
def _insert(lead: Lead, *, consent: ConsentStatement | None, actor: Actor, now: datetime) -> None:
    lead.save(force_insert=True)
    know_marks([lead])
    if consent is not None:
        Consent.objects.create(
            client_id=lead.client_id,
            lead=lead,
            recorded_by_email=actor.actor_email,
            created_at=now,
            **asdict(consent),
        )
    cause = Cause(why=Why.ADDED, by_email=actor.actor_email, at=now)
    status_line(
        lead_id=lead.pk, client_id=lead.client_id, before="", after=lead.status, cause=cause
    ).save(force_insert=True)
    record(actions.LEAD_ADDED, resource=lead, actor=actor, now=now)


@atomic
def change_lead(
    *,
    lead: Lead,
    fields: LeadFields,
    tags: list[str],
    tags_seen: list[str] | None = None,
    names: Sequence[str] = CHANGEABLE,
    only_gaps: bool = False,
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Write what somebody changed of a lead; False if nothing is different. Of `fields` these `names` were asked.

    With `tags_seen`, what they saw when they began, tags that came or went meanwhile aren't undone.
    With `only_gaps` what is known by now stays as it is. Of a person who was erased meanwhile nothing is written.
    """
    lead.refresh_from_db()  # inside the block: others may have changed it since it was fetched
    if lead.erased_at is not None:
        return False
    if tags_seen is not None:
        tags = _with_changes(lead.tags, before=tags_seen, after=tags)
    asked = {name: value for name, value in asdict(fields).items() if name in names}
    if only_gaps:
        asked = {name: getattr(lead, name) or value for name, value in asked.items()}
    changed = [name for name, value in asked.items() if getattr(lead, name) != value]
    if tags != lead.tags:
        changed.append("tags")
    if not changed:
        return False
    for name, value in {**asked, "tags": tags}.items():
        setattr(lead, name, value)
    # The zone too: one that is taken off leaves what place and number say, not what it said.
    if is_moved := bool({"region", "postal_code", "time_zone"} & set(changed)):
        lead.zone_candidates = list(
            likely_zones(
                lead.phone_number,
                country=lead.country,
                region=lead.region,
                postal_code=lead.postal_code,
            )
        )
    lead.note_texts()
    lead.updated_at = now
    know_marks([lead])
    Lead.objects.filter(pk=lead.pk).update(
        **asked,
        tags=tags,
        zone_candidates=lead.zone_candidates,
        search_text=lead.search_text,
        marks_key=lead.marks_key,
        updated_at=now,
    )
    if is_moved:
        campaigns().relocate(lead_id=lead.pk, zones=lead.zones, now=now)
    rescore_lead(lead.pk)
    # Names of columns alone: what they say is the person's.
    record(actions.LEAD_CHANGED, resource=lead, actor=actor, now=now, details={"changed": changed})
    return True


def _with_changes(now: list[str], *, before: list[str], after: list[str]) -> list[str]:
    """Return the tags with what somebody added and took off who saw them as they were before."""
    gone = set(before) - set(after)
    return list(dict.fromkeys([*(tag for tag in now if tag not in gone), *after]))


def has_consent(lead: Lead) -> bool:
    """Tell whether this person agreed to be called and has not taken it back."""
    return lead.consent_status == Lead.ConsentStatus.GIVEN


@atomic
def record_summary(
    *,
    lead_id: UUID,
    why: LeadStatusChange.Why = Why.CALL,
    now: datetime,
    **summary: Unpack[Summary],
) -> bool:
    """
    Write a lead's summary columns; those that aren't passed stay. `why` is kept if the status changes.

    An attempt older than the newest known one changes nothing, so events may come in any order and
    any number of times; returns whether the row was written.
    """
    rows = Lead.objects.filter(pk=lead_id, erased_at=None)
    if attempted_at := summary.get("last_attempted_at"):
        rows = rows.filter(
            Q(last_attempted_at__isnull=True) | Q(last_attempted_at__lte=attempted_at)
        )
    if "status" in summary and summary["status"] != Lead.Status.SUPPRESSED:
        marked = rows.filter(status=Lead.Status.SUPPRESSED).first()
        if marked is not None and is_listed(marked):
            del summary["status"]  # asked during the call: the list goes on to say so
    status = summary.pop("status", None)
    if status is None:
        written = rows.update(updated_at=now, **summary)
    else:
        cause = Cause(why=why, by_email=PLATFORM, at=now)
        written = move_leads(rows, to=status, cause=cause, updated_at=now, **summary)
    if written:
        rescore_called(lead_id)
    return bool(written)


def change_conversion(
    *,
    lead_id: UUID,
    is_converted: bool,
    why: LeadStatusChange.Why = Why.CALL,
    by_email: str = PLATFORM,
    now: datetime,
) -> None:
    """
    Mark a lead that was reached as won over, or one that was as reached alone; others stay.

    The score follows. Inside the caller's atomic block.
    """
    pair = (Lead.Status.REACHED, Lead.Status.CONVERTED)
    before, after = pair if is_converted else pair[::-1]
    rows = Lead.objects.filter(pk=lead_id, status=before)
    if move_leads(rows, to=after, cause=Cause(why=why, by_email=by_email, at=now)):
        rescore_called(lead_id)
