"""Tenants, the people who sign in, what the product tells them, and the keys of clients' programs."""

from __future__ import annotations

from accounts.models.keys import ApiKey
from accounts.models.people import (
    ADMIN_PERMISSION,
    CALLS_AT_ONCE,
    ActingSession,
    Client,
    ClientEvent,
    ClientOwned,
    ClientOwnedQuerySet,
    Credits,
    Notification,
    User,
    UserManager,
    Viewer,
)

__all__ = [
    "ADMIN_PERMISSION",
    "CALLS_AT_ONCE",
    "ActingSession",
    "ApiKey",
    "Client",
    "ClientEvent",
    "ClientOwned",
    "ClientOwnedQuerySet",
    "Credits",
    "Notification",
    "User",
    "UserManager",
    "Viewer",
]
