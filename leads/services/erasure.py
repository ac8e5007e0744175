"""Erasing a person: nothing is kept but the hash of the number, so that nobody calls it again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib import files
from convomono.lib.db import on_commit, run_atomic
from convomono.lib.jobs import enqueue
from convomono.lib.keys import beside
from leads.doors import campaigns
from leads.jobs import JOB_SECONDS, forget_person
from leads.models import (
    Consent,
    Erasure,
    Lead,
    LeadImportChange,
    LeadNote,
    LeadOperationRow,
    LeadRequest,
    LeadStatusChange,
    Suppression,
)
from leads.models.people import NOBODY
from leads.services.marks import forget_marks
from leads.services.statuses import Cause, Why, move_leads
from leads.services.suppressions import hashed_numbers, scope_key

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor

Status = Lead.Status
_EMPTY = (
    *("first_name", "last_name", "email", "company", "country", "region", "postal_code"),
    *("time_zone", "external_id", "search_text", "marks_key", "last_outcome"),
)


class CallInProgress(Exception):
    """The person is on the phone, or about to be: ask again when the call is over."""


def erase_lead(*, lead: Lead, reason: str, actor: Actor, now: datetime) -> bool:
    """
    Take everything that is known of a person out of leads, enrolments, attempts and calls.

    The rows stay without the person, since minutes were billed for them. False if it was done before.
    What is left in files of imports and exports a job takes out (`leads.services.forgetting`), what is
    left in stored webhooks and reports the rooms that own them.

    :raises CallInProgress: see there
    """
    proofs = list(
        Consent.objects.filter(client_id=lead.client_id, lead=lead)
        .exclude(proof_stored="")
        .values_list("proof_stored", flat=True)
    )

    def block() -> bool:
        erased = move_leads(
            Lead.objects.filter(pk=lead.pk, erased_at=None),
            to=Status.ERASED,
            cause=Cause(why=Why.ERASED, by_email=actor.actor_email, at=now),
            phone_number=_nobody(lead),
            other_numbers=[],
            zone_candidates=[],
            tags=[],
            line_type="unknown",
            consent_status=Lead.ConsentStatus.NONE,
            next_attempt_at=None,
            score=0,
            erased_at=now,
            updated_at=now,
            **dict.fromkeys(_EMPTY, ""),
        )
        if not erased:
            return False
        if not campaigns().forget(lead=lead, phone_number=_nobody(lead), now=now):
            raise CallInProgress
        Consent.objects.filter(client_id=lead.client_id, lead=lead).delete()
        LeadNote.objects.filter(client_id=lead.client_id, lead=lead).delete()
        # What calls said of the person goes too; that they were erased stays.
        told = LeadStatusChange.objects.filter(client_id=lead.client_id, lead=lead)
        told.exclude(after=Status.ERASED).delete()
        LeadRequest.objects.filter(client_id=lead.client_id, lead_id=lead.pk).delete()
        LeadOperationRow.objects.filter(client_id=lead.client_id, lead_id=lead.pk).update(
            label="", before={}, after={}, note="erased"
        )
        LeadImportChange.objects.filter(client_id=lead.client_id, lead=lead).update(before={})
        forget_marks(lead)
        for number in (lead.phone_number, *lead.other_numbers):
            _list_hash(lead, number, reason=reason, actor=actor, now=now)
        erasure = Erasure.objects.create(
            client_id=lead.client_id,
            lead_id=lead.pk,
            number_hash=hashed_numbers(lead.phone_number)[0],
            created_at=now,
        )
        enqueue(forget_person, queue="imports", timeout_seconds=JOB_SECONDS, erasure_id=erasure.pk)
        nameless = Lead(pk=lead.pk, client_id=lead.client_id, phone_number=_nobody(lead))
        record(
            actions.LEAD_ERASED, resource=nameless, actor=actor, now=now, details={"reason": reason}
        )
        for name in proofs:
            on_commit(partial(files.delete_stored, name))
        return True

    return run_atomic(block)


def _nobody(lead: Lead) -> str:
    """Return the word in place of the number: unique for the client, and no number."""
    return f"{NOBODY}{lead.pk.hex[-9:]}"


def _list_hash(lead: Lead, number: str, *, reason: str, actor: Actor, now: datetime) -> None:
    hashes = hashed_numbers(number)
    ours = Suppression.objects.filter(beside(client_id=lead.client_id))
    ours.filter(phone_number=number).delete()
    if ours.filter(phone_number__in=hashes).exists():
        return
    Suppression.objects.create(
        level=Suppression.Level.CLIENT,
        client_id=lead.client_id,
        phone_number=hashes[0],
        scope_key=scope_key(
            level=Suppression.Level.CLIENT,
            client_id=lead.client_id,
            campaign_id=None,
            phone_number=hashes[0],
        ),
        source=Suppression.Source.ERASURE,
        reason=reason[:200],
        added_by_email=actor.actor_email,
        created_at=now,
    )
