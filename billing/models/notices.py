"""What a client is mailed about its balance."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet


class BalanceNotice(ClientOwned):
    """
    A low balance that the client was told of in the app, and is to be told of by mail.

    It is written with the notification of the same `key`; `mailed_at` is empty until the mail went
    out to everybody. `sent_to` has had it. What could not be sent is tried again at `next_try_at`,
    which is a claim while somebody sends; `given_up_at` is when it was tried for the last time.
    """

    key = models.CharField(max_length=200, unique=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    tries_count = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    sent_to = models.JSONField(default=list)  # addresses
    given_up_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["mailed_at", "created_at"], name="notice_unsent")]

    def __str__(self) -> str:
        return self.title
