"""What a program tells of a lead that is there already: gaps are filled, a newer consent is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leads.models import Consent, Lead
from leads.services.consents import record_consent
from leads.services.people import CHANGEABLE, LeadFields, change_lead

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from leads.services.people import ConsentStatement


def fill_lead(
    *,
    lead: Lead,
    fields: LeadFields,
    tags: list[str],
    consent: ConsentStatement | None,
    actor: Actor,
    now: datetime,
) -> bool:
    """
    Fill in what isn't known of a lead, add tags, and record a consent; a second time changes nothing.

    What is known stays as it is, as with an import. A consent that was taken back is believed again
    only if it was given after that. Returns whether anything changed.
    """
    changed = change_lead(
        lead=lead,
        fields=fields,
        names=CHANGEABLE,
        tags=list(dict.fromkeys([*lead.tags, *tags])),
        tags_seen=lead.tags,
        only_gaps=True,
        actor=actor,
        now=now,
    )
    if consent is None or not _is_news(lead, consent):
        return changed
    record_consent(lead=lead, statement=consent, proof=None, proof_name="", actor=actor, now=now)
    return True


class ConsentTakenBack(Exception):
    """The person took a consent back after this one was given."""


def keep_consent(
    *, lead: Lead, consent: ConsentStatement, actor: Actor, now: datetime
) -> tuple[Consent | None, bool]:
    """
    Record a consent that a program tells; return it, and False if it was on record already.

    Of a person who was erased meanwhile nothing is kept: None.

    :raises ConsentTakenBack: see there
    """
    if not _is_news(lead, consent):
        rows = Consent.objects.filter(client_id=lead.client_id, lead=lead, revoked_at=None)
        there = rows.filter(kind=consent.kind, source=consent.source, given_at=consent.given_at)
        if known := there.order_by("-pk").first():
            return known, False
        raise ConsentTakenBack
    kept = record_consent(
        lead=lead, statement=consent, proof=None, proof_name="", actor=actor, now=now
    )
    return kept, True


def _is_news(lead: Lead, consent: ConsentStatement) -> bool:
    rows = Consent.objects.filter(client_id=lead.client_id, lead=lead)
    if rows.filter(kind=consent.kind, source=consent.source, given_at=consent.given_at).exists():
        return False
    return not rows.filter(revoked_at__gte=consent.given_at).exists()
