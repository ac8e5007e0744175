"""An encrypted column: unreadable in the database, readable here, with keys that change."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet  # noqa: TID251 - makes a key as people do
from django.db import connection

from convomono.lib.crypto import InvalidToken
from tests.factories.webhooks import EndpointFactory
from webhooks.models import Endpoint

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.mark.sqlite_only("speaks SQL to the database")
def test_leaves_no_plain_text_in_the_table(db):
    EndpointFactory.create(secret="whsec_canary")
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM webhooks_endpoint")
        (stored,) = cursor.fetchone()
    assert "canary" not in stored


def test_outlives_a_change_of_keys(db, settings):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    EndpointFactory.create(secret="whsec_1")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    endpoint = Endpoint.objects.get()
    assert endpoint.secret == "whsec_1"
    endpoint.save()
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert Endpoint.objects.get().secret == "whsec_1"
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    with pytest.raises(InvalidToken):
        Endpoint.objects.get()


def test_keeps_empty_text_empty(db):
    EndpointFactory.create(previous_secret="")
    assert Endpoint.objects.get().previous_secret == ""
