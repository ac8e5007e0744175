"""What a client is mailed about its balance."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet


class BalanceNotice(ClientOwned):
    """
    A low balance that the client was told of in the app, and is to be told of by mail.

    It is written with the notification of the same `key`; `mailed_at` is empty until the mail went
    out. `tries_count` counts the times that the mail server was away.
    """

    key = models.CharField(max_length=200, unique=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    tries_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["mailed_at", "created_at"], name="notice_unsent")]

    def __str__(self) -> str:
        return self.title
