"""Clients and people in the Django admin: refused and recorded as on the agency's own pages."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from accounts.models import Client, User
from audit.models import AuditLog
from tests.factories.accounts import ClientFactory, UserFactory


@pytest.fixture
def change(browse, root):
    """Post a person's form as the super admin; no value means the box is empty."""
    browser = browse(root)

    def post(user, **values):
        data = {"email": user.email, "name": user.name, **values}
        return browser.post(f"/admin/accounts/user/{user.pk}/change/", data)

    return post


def test_says_which_rights_were_given(change, mia):
    answer = change(
        mia,
        role="client",
        client=mia.client_id,
        client_role="owner",
        can_launch="on",
        is_active="on",
    )
    assert answer.status_code == 302
    details = AuditLog.objects.get(action="user.changed").details
    assert details["client_role"] == {"before": "manager", "after": "owner"}
    assert details["can_launch"] == {"before": False, "after": True}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"role": "admin", "client": True}, "have no client"),
        ({"role": "super_admin", "client_role": "owner"}, "have no client"),
        ({"role": "client"}, "needs the client and a role"),
        ({"role": "client", "client": True}, "needs the client and a role"),
    ],
)
def test_makes_nobody_half_of_the_agency_and_half_of_a_client(change, mia, values, words):
    given = {**values, "client": mia.client_id} if values.get("client") else values
    answer = change(mia, is_active="on", **given)
    assert answer.status_code == 200
    assert words in answer.text
    mia.refresh_from_db()
    assert mia.role == "client"


@pytest.mark.parametrize("values", [{"role": "admin", "is_active": "on"}, {"role": "super_admin"}])
def test_keeps_the_last_super_admin(change, root, values):
    answer = change(root, **values)
    assert "last super admin" in answer.text
    assert User.objects.get(pk=root.pk).is_superuser
    UserFactory.create(
        email="second@convomono.test", role="super_admin", client=None, client_role=""
    )
    assert change(root, **values).status_code == 302


def test_keeps_whoever_is_of_the_agency_out_of_a_clients_pages(browse, acme):
    """Such a row can't be made any more; the gate holds for one that is there."""
    half = UserFactory.create(email="half@convomono.test", role="admin", client=acme)
    assert browse(half).get("/app/leads/").status_code == 403


def test_changes_a_client_as_the_agencys_own_page_does(browse, root, acme):
    ClientFactory.create(name="Taken")
    browser = browse(root)
    address = f"/admin/accounts/client/{acme.pk}/change/"
    form = {"name": "Acme", "time_zone": "Europe/Berlin", "concurrency_limit": "5", "note": "n"}

    assert browser.post(address, form).status_code == 302
    acme.refresh_from_db()
    assert (acme.name, acme.time_zone, acme.note) == ("Acme", "Europe/Berlin", "n")
    details = AuditLog.objects.get(action="client.changed").details
    assert details["name"] == {"before": "Acme Dental", "after": "Acme"}

    assert "no IANA time zone" in browser.post(address, form | {"time_zone": "Mars/Base"}).text
    assert "has this name" in browser.post(address, form | {"name": "taken"}).text
    assert Client.objects.get(pk=acme.pk).time_zone == "Europe/Berlin"


def test_lets_somebody_in_who_lost_their_phone_once_and_on_record(browse, root, alice, mia):
    for person in (alice, mia):
        TOTP.activate(person, generate_totp_secret())
    RecoveryCodes.activate(alice)
    browser = browse(root)
    asked = {"action": "remove_second_factors", "_selected_action": [str(alice.pk)]}

    for _ in range(2):
        assert browser.post("/admin/accounts/user/", asked).status_code == 302

    assert [one.user for one in Authenticator.objects.all()] == [mia]
    entry = AuditLog.objects.get(action="user.second_factor_removed")
    assert (entry.resource_id, entry.user_email) == (alice.pk, root.email)


def test_offers_no_table_of_second_factors(browse, root):
    assert browse(root).get("/admin/mfa/authenticator/").status_code == 404
