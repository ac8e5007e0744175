"""Tells a client's people, or the agency, that something happened: once per cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.core.mail import send_mail

from accounts.models import Notification, User
from convomono.lib.db import in_transaction, insert_once

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client

log = structlog.get_logger()


def notify(
    *,
    client: Client | None,
    level: str,
    title: str,
    body: str,
    url: str,
    key: str,
    now: datetime,
) -> bool:
    """
    Write one notification; without a client it is the agency's. The same `key` writes no second.

    Inside a transaction it is part of it. Return whether this call wrote it.
    """
    row = Notification(
        client=client, level=level, title=title, body=body, url=url, key=key, created_at=now
    )
    if not in_transaction():
        return insert_once(row, "key")
    # A duplicate would end a MongoDB transaction, so it is looked for; the unique key stays the guard.
    if Notification.objects.filter(key=key).exists():
        return False
    row.save(force_insert=True)
    return True


def mail_agency(*, subject: str, text: str) -> int:
    """
    Mail the agency's super admins, outside of any transaction; return how many were told.

    A mail server that is away is logged and no error: what was to be told stands in the app too.
    """
    to = User.objects.filter(role=User.Role.SUPER_ADMIN, is_active=True)
    addresses = list(to.values_list("email", flat=True)[:50])
    try:
        # One mail each: nobody learns the others' addresses.
        return sum(send_mail(subject, text, None, [address]) for address in addresses)
    except OSError:  # smtplib's errors are of its kind
        log.exception("mail.not_sent", subject=subject)
        return 0
