"""A grant to many clients, which a worker makes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from convomono.lib.models import BaseModel


class GrantRun(BaseModel):
    """
    Minutes for nothing for more clients than a page can wait for; its key is that of the form.

    Where `needs_approval` it is `waiting` until a second person decides on all of it: then it is `queued` or
    `refused`. A worker goes through `client_ids` from `done_count` on, some at a time, until
    `claimed_until` or longer. `refused_names` are clients that got nothing: something else was done under the same key.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        QUEUED = "queued", _("Being given")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    seconds = models.PositiveBigIntegerField()
    reason = models.CharField(max_length=100)
    valid_days = models.PositiveIntegerField(null=True, blank=True)
    needs_approval = models.BooleanField(default=False)
    client_ids = models.JSONField(default=list)
    clients_count = models.PositiveIntegerField(default=0)
    done_count = models.PositiveIntegerField(default=0)
    refused_names = models.JSONField(default=list)
    asked_by_id = models.UUIDField()
    asked_by_email = models.CharField(max_length=254)
    asked_at = models.DateTimeField()
    decided_by_id = models.UUIDField(null=True, blank=True)
    decided_by_email = models.CharField(max_length=254, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["status", "-asked_at"], name="grant_run_by_age")]

    def __str__(self) -> str:
        return self.reason

    @property
    def given_count(self) -> int:
        """How many clients were given the minutes."""
        return self.done_count - len(self.refused_names)

    @property
    def total_seconds(self) -> int:
        """What all its clients are to get together."""
        return self.seconds * self.clients_count
