"""Tells a client's people, or the agency, that something happened: once per cause; and who has seen it."""

from __future__ import annotations

from contextlib import suppress
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from typing import TYPE_CHECKING, Any

import structlog
from django.core.mail import EmailMessage, mailers, send_mail
from django.core.mail.backends.smtp import EmailBackend

from accounts.models import Notification, User
from convomono.lib import live
from convomono.lib.db import in_transaction, insert_once

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client

log = structlog.get_logger()

TOPIC = "notifications"
MOST_COUNTED = 99


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
        written = insert_once(row, "key")
    else:
        # A duplicate would end a MongoDB transaction, so it is looked for; the unique key stays the
        # guard.
        written = not Notification.objects.filter(key=key).exists()
        if written:
            row.save(force_insert=True)
    if written:
        _tell(client.pk if client else None)
    return written


def mail_agency(*, subject: str, text: str) -> int:
    """Mail the agency's super admins, outside of any transaction; return how many were told."""
    to = User.objects.filter(role=User.Role.SUPER_ADMIN, is_active=True)
    return mail(to.values_list("email", flat=True)[:50], subject=subject, text=text)


def mail(addresses: Iterable[str], *, subject: str, text: str) -> int:
    """
    Mail people, one mail each, outside of any transaction; return how many were told.

    A mail server that is away is logged and no error: what was to be told stands in the app too.
    """
    told = 0
    for address in addresses:  # one mail each: nobody learns the others' addresses
        try:
            told += send_mail(subject, text, None, [address])
        except (SMTPResponseException, SMTPRecipientsRefused, ValueError):
            log.exception("mail.refused", subject=subject)  # the others may be taken
        except OSError:  # smtplib's errors are of its kind
            log.exception("mail.not_sent", subject=subject)
            break  # it is away: each of the others would wait for it too
    return told


def mail_person(*, address: str, subject: str, text: str) -> bool:
    """
    Mail somebody what they wait for, outside of any transaction; False if it couldn't be sent.

    Only to the address of somebody who signs in: uploads by programs have others.
    """
    if not User.objects.filter(email=address, is_active=True).exists():
        return False
    try:
        return bool(send_mail(subject, text, None, [address]))
    except OSError:  # smtplib's errors are of its kind
        log.exception("mail.not_sent", subject=subject)
        return False


class MailUncertain(Exception):
    """The connection broke while a mail was handed over: whether the server took it nobody knows."""


def deliver(*, address: str, subject: str, text: str) -> None:
    """
    Hand one mail to the mail server, outside of any transaction.

    :raises OSError: if the server certainly did not take it; it may be sent again
    :raises ValueError: if the address is none
    :raises MailUncertain: if it may have taken it; sent again it may come twice
    """
    server = mailers.default
    server.open()
    handed: list[bool] = []  # once the server was given the text
    if isinstance(server, EmailBackend) and server.connection is not None:
        give = server.connection.data

        def data(text: Any) -> Any:
            handed.append(True)
            return give(text)

        server.connection.data = data  # type: ignore[assignment,method-assign]  # what it says is the same
    try:
        server.send_messages([EmailMessage(subject, text, None, [address])])
    except (SMTPResponseException, SMTPRecipientsRefused):
        raise  # it answered
    except OSError as broken:
        if not handed:
            raise
        raise MailUncertain from broken
    finally:
        with suppress(OSError):  # the mail is out whatever comes of saying good-bye
            server.close()


def notifications_of(user: User) -> QuerySet[Notification]:
    """Return what this person is told, newest first: their client's, or the agency's."""
    if user.is_agency_staff:
        rows = Notification.objects.filter(client=None)
    elif user.client_id is not None:
        rows = Notification.objects.filter(client_id=user.client_id)
    else:
        rows = Notification.objects.none()
    return rows.order_by("-created_at", "-pk")


def unread_count(user: User) -> int:
    """Return how many of them came since the person last looked, at most 100."""
    rows = notifications_of(user)
    if user.notifications_seen_at is not None:
        rows = rows.filter(created_at__gt=user.notifications_seen_at)
    return rows[: MOST_COUNTED + 1].count()


def mark_seen(*, user: User, now: datetime) -> bool:
    """
    Remember that the person has seen everything up to now; False for somebody at work as a client.

    Who looks in a client's place hasn't looked for its people.
    """
    if getattr(user, "acted_for", None) is not None:
        return False
    User.objects.filter(pk=user.pk).update(notifications_seen_at=now)
    user.notifications_seen_at = now
    _tell(None if user.is_agency_staff else user.client_id)
    return True


def topic_of(client_id: UUID | None) -> str:
    """Return the topic that tells of new notifications: a client's, or the agency's."""
    return live.topic(TOPIC, client_id or "agency")


def _tell(client_id: UUID | None) -> None:
    live.topics_changed(topic_of(client_id))
