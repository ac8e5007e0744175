"""The least valid rows of the accounts room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import factory
from factory.django import DjangoModelFactory

from accounts.models import Client, User

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


class ClientFactory(DjangoModelFactory[Client]):
    """An active client."""

    name = factory.Sequence("Client {}".format)
    created_at = NOW - timedelta(days=365)

    class Meta:
        model = Client


class UserFactory(DjangoModelFactory[User]):
    """A client's person; without a client, pass role="admin" or "super_admin"."""

    email = factory.Sequence("person-{}@example.test".format)
    role = "client"

    class Meta:
        model = User
