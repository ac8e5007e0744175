"""How the status of each lead came to be what it is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from leads.models.people import Lead


class LeadStatusChange(ClientOwned):
    """
    One change of a lead's status, written with it by `leads.services.statuses`; never changed.

    `before` is empty for a lead that was added by hand or by a program. Leads that an import made
    have no such line: they began as new. `changed_by_email` is a person's address, or the name of
    the part of the platform that did it, which has no "@".
    """

    class Why(models.TextChoices):
        ADDED = "added", _("Added to the list")
        CALL = "call", _("What a call came to")
        CORRECTED = "corrected", _("A person corrected the result of a call")
        REFUSED = "refused", _("May not be called: see the attempts")
        LISTED = "listed", _("Put on the do-not-call list")
        LIFTED = "lifted", _("Taken off the do-not-call list")
        UNDONE = "undone", _("A change to the do-not-call list was undone")
        ERASED = "erased", _("The person was erased")

    # Its own index alone: a lead has few lines, and each call that ends writes some.
    lead = models.ForeignKey(Lead, models.CASCADE, related_name="status_changes")
    before = models.CharField(max_length=16, choices=Lead.Status, blank=True)
    after = models.CharField(max_length=16, choices=Lead.Status)
    why = models.CharField(max_length=9, choices=Why)
    changed_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"
