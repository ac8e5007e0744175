"""Writes the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from audit.models import AuditLog
from convomono.lib import live

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.db.models import Model


class Actor(Protocol):
    """Whoever did it: a person, or a part of the system."""

    @property
    def actor_id(self) -> UUID | None: ...
    @property
    def actor_email(self) -> str: ...
    @property
    def actor_type(self) -> str: ...


class System:
    """The actor of what nobody pressed a button for; its name says which part acted."""

    actor_id: UUID | None = None
    actor_type = "system"

    def __init__(self, name: str) -> None:
        self.actor_email = name


def record(
    action: str,
    *,
    resource: Model,
    actor: Actor,
    now: datetime,
    details: dict[str, Any] | None = None,
) -> AuditLog:
    """
    Add one row to the audit log, inside the transaction of the change it tells of.

    `details` is what changed, in plain JSON values; never a secret, a transcript, a name or a whole number
    of a lead: no erasure reaches these rows. A resource whose own words say more has an `audited_as`. The
    tenant is read from the resource. Open pages that show it are told.
    """
    client_id = getattr(resource, "client_id", None)
    if client_id is None and resource._meta.label == "accounts.Client":
        client_id = resource.pk
    # Somebody of the agency at work for a client's person: both are named.
    acted_for: Actor | None = getattr(actor, "acted_for", None)
    person = acted_for or actor
    kind = resource._meta.model_name or ""
    live.row_changed(kind=kind, row_id=resource.pk, client_id=client_id)
    return AuditLog.objects.create(
        user_id=person.actor_id,
        user_email=person.actor_email,
        user_type=person.actor_type,
        impersonator_id=actor.actor_id if acted_for else None,
        impersonator_email=actor.actor_email if acted_for else "",
        client_id=client_id,
        action=action,
        resource_type=resource._meta.label_lower,
        resource_id=resource.pk,
        resource=str(getattr(resource, "audited_as", resource))[:200],
        details=details or {},
        created_at=now,
    )
