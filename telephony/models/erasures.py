"""Calls of people who were erased, until Retell's copy is deleted; a model of its own beside `models.py`."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from convomono.lib.models import BaseModel


class CallErasure(BaseModel):
    """
    A call whose person was erased: nothing of what was said may come back, and Retell's copy goes too.

    Written with the erasure. Status: `pending` until Retell has deleted its copy (`done`) or refused for
    days (`failed`, `error` says why). Not before `next_try_at`: the books of its day are compared first.
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        DONE = "done", _("Deleted")
        FAILED = "failed", _("Failed")

    provider_call_id = models.CharField(max_length=100, unique=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    next_try_at = models.DateTimeField()
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["status", "next_try_at"], name="call_erasure_due")]

    def __str__(self) -> str:
        return self.provider_call_id
