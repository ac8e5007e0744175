"""With what a client's own programs call the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.people import ClientOwned, ClientOwnedQuerySet

if TYPE_CHECKING:
    from datetime import datetime


class ApiKey(ClientOwned):
    """
    A client's key to the API; each scope includes those before it.

    Of the secret only its SHA-256 is kept, and the `prefix` that people tell keys apart by. It works
    until `expires_at` (real time; empty: without end) unless it was revoked. `replaced_at` says when
    another took its place: it expires a day after that.
    """

    class Scope(models.TextChoices):
        READ = "read", _("Reads")
        WRITE = "write", _("Reads and changes")
        LAUNCH = "launch", _("Reads, changes and launches")

    name = models.CharField(max_length=40)
    scope = models.CharField(max_length=8, choices=Scope, default=Scope.READ)
    prefix = models.CharField(max_length=16)
    secret_hash = models.CharField(max_length=64, unique=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)  # to the minute
    expires_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "-created_at"], name="api_key_by_client")]

    def __str__(self) -> str:
        return self.name

    @property
    def may_write(self) -> bool:
        return self.scope != self.Scope.READ

    @property
    def may_launch(self) -> bool:
        return self.scope == self.Scope.LAUNCH

    def is_expired(self, real_now: datetime) -> bool:
        """Tell whether its time is over."""
        return self.expires_at is not None and self.expires_at <= real_now

    def is_open(self, real_now: datetime) -> bool:
        """Tell whether it still opens the API."""
        return self.revoked_at is None and not self.is_expired(real_now)
