"""How people agreed to be called, and how they took it back."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib import files
from convomono.lib.db import atomic
from leads.models import Consent, Lead
from leads.services.scoring import rescore_lead

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from leads.services.people import ConsentStatement

PROOF_MAX_BYTES = 10 * 1024 * 1024


def record_consent(
    *,
    lead: Lead,
    statement: ConsentStatement,
    proof: IO[bytes] | None,
    proof_name: str,
    actor: Actor,
    now: datetime,
) -> Consent | None:
    """
    Keep how a lead agreed to be called, with the file that proves it; the lead may be called then.

    None, and nothing is kept, of a person who was erased meanwhile.
    """
    # Before the block: storing a file may take long.
    stored = (
        files.store(room="proofs", client_id=lead.client_id, suffix=".bin", content=proof)
        if proof
        else ""
    )
    consent = _write(lead, statement, stored, proof_name[:200], actor, now)
    if consent is None and stored:
        files.delete_stored(stored)
    return consent


@atomic
def _write(  # private
    lead: Lead,
    statement: ConsentStatement,
    stored: str,
    proof_name: str,
    actor: Actor,
    now: datetime,
) -> Consent | None:
    living = Lead.objects.filter(pk=lead.pk, erased_at=None)
    if not living.update(consent_status=Lead.ConsentStatus.GIVEN, updated_at=now):
        return None
    consent = Consent.objects.create(
        client_id=lead.client_id,
        lead=lead,
        kind=statement.kind,
        source=statement.source,
        wording=statement.wording,
        seller=statement.seller,
        given_from=statement.given_from,
        given_at=statement.given_at,
        proof_stored=stored,
        proof_name=proof_name if stored else "",
        recorded_by_email=actor.actor_email,
        created_at=now,
    )
    rescore_lead(lead.pk)
    details = {"kind": statement.kind, "source": statement.source, "proof": bool(stored)}
    record(actions.CONSENT_RECORDED, resource=lead, actor=actor, now=now, details=details)
    return consent


@atomic
def revoke_consent(*, lead: Lead, how: str, actor: Actor, now: datetime) -> bool:
    """
    Note that a person took their consent back, and how: nobody calls them from now on.

    The proofs stay, marked. False if there was no consent to take back.
    """
    revoked = Lead.objects.filter(pk=lead.pk, consent_status=Lead.ConsentStatus.GIVEN).update(
        consent_status=Lead.ConsentStatus.REVOKED, updated_at=now
    )
    if not revoked:
        return False
    Consent.objects.filter(client_id=lead.client_id, lead=lead, revoked_at=None).update(
        revoked_at=now, revoked_by_email=actor.actor_email, revoked_how=how
    )
    rescore_lead(lead.pk)
    record(actions.CONSENT_REVOKED, resource=lead, actor=actor, now=now, details={"how": how})
    return True
