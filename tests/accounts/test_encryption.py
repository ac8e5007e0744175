"""Seeds of one-time codes: unreadable in the database, and moved to a new key by a command."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from cryptography.fernet import Fernet  # noqa: TID251 - makes a key as people do
from django.core.management import CommandError, call_command

from leads.models import Suppression
from leads.services.suppressions import hashed_numbers, suppressed_numbers
from tests.conftest import NOW as TODAY
from tests.factories.webhooks import EndpointFactory
from webhooks.models import Endpoint

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def secret(alice, settings):
    """What alice's phone knows, stored under the older key."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    known = generate_totp_secret()
    TOTP.activate(alice, known)
    RecoveryCodes.activate(alice)
    EndpointFactory.create(secret="whsec_1", client=alice.client)
    return known


def stored():
    return {one.type: one.data for one in Authenticator.objects.all()}


def test_stores_no_seed_that_can_be_read(secret):
    assert secret not in str(stored())
    assert stored()["totp"]["secret"].startswith("gAAAA")
    assert stored()["recovery_codes"]["seed"].startswith("gAAAA")


def test_lets_the_older_key_go_after_a_rotation(secret, settings):
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert call_command("rotate_encryption") == "Wrote 1 rows and the codes of 2 people."
    assert call_command("rotate_encryption") == "Wrote 1 rows and the codes of 2 people."

    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert Endpoint.objects.get().secret == "whsec_1"
    assert Authenticator.objects.get(type="totp").wrap().validate_code("x") is False
    assert Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes() == codes


def test_takes_in_seeds_of_before_they_were_encrypted(alice):
    Authenticator.objects.create(user=alice, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    call_command("rotate_encryption")
    assert stored()["totp"]["secret"].startswith("gAAAA")


def test_changes_nothing_in_a_dry_run_and_says_when_a_key_is_missing(secret, settings):
    before = stored()
    assert call_command("rotate_encryption", dry_run=True).startswith("Could read 1 rows")
    assert stored() == before
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    with pytest.raises(CommandError, match="put the removed key back"):
        call_command("rotate_encryption")


def test_counts_the_erased_people_who_are_known_by_the_older_key_alone(alice, settings):
    """Without that key nobody can tell any more that they must not be called."""
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    number = "+12125550177"
    for word in (hashed_numbers(number)[0], "+12125550178"):
        Suppression.objects.create(
            level="client",
            client=alice.client,
            phone_number=word,
            scope_key=f"client:{alice.client_id}:{word}",
            source="erasure",
            created_at=TODAY,
        )
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    for answer in (
        call_command("rotate_encryption", dry_run=True),
        call_command("rotate_encryption"),
    ):
        assert " 1 do-not-call entries of erased people" in answer
        assert "keep every older key" in answer
    asked = {"client_id": alice.client_id, "campaign_id": None, "phone_numbers": [number]}
    assert number in suppressed_numbers(**asked)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert suppressed_numbers(**asked) == {}  # what the sentence warns of
