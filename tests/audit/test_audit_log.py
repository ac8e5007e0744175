"""The audit log in the back office: who really did it can be found and taken along."""

from __future__ import annotations

import csv
import io

import pytest

from audit.models import AuditLog
from tests.conftest import NOW

PAGE = "/admin/audit/auditlog/"


@pytest.fixture
def log(acme, rival, alice, bob):
    """Bob as Alice at acme, with a name that a spreadsheet would calculate; somebody at rival."""
    common = {"user_type": "client", "action": "lead.added", "created_at": NOW}
    return [
        AuditLog.objects.create(
            user_email=alice.email,
            impersonator_email=bob.email,
            client_id=acme.pk,
            resource="=1+1",
            **common,
        ),
        AuditLog.objects.create(
            user_email="charlie@rival.test", client_id=rival.pk, resource="Ada", **common
        ),
    ]


def test_finds_what_somebody_did_in_anothers_place(browse, root, log):
    page = browse(root).get(PAGE, {"q": "bob@convomono.test"}).text
    assert f"{PAGE}export/?q=bob" in page
    assert "bob@convomono.test" in page
    assert "alice@acme.test" in page
    assert "charlie@rival.test" not in page


def test_finds_what_concerns_a_client(browse, root, log, rival):
    page = browse(root).get(PAGE, {"q": str(rival.pk)}).text
    assert "charlie@rival.test" in page
    assert "alice@acme.test" not in page


def test_gives_the_filtered_rows_as_a_file_that_calculates_nothing(browse, root, log, bob):
    asked = {"format": "0", "resource": "0"}
    names = ("user_email", "impersonator_email", "client_id", "action", "resource", "details")
    asked |= {f"auditlogresource_{name}": "on" for name in names}

    answer = browse(root).post(f"{PAGE}export/?q=bob@convomono.test", asked)

    [row] = csv.DictReader(io.StringIO(answer.content.decode()))
    assert row["impersonator_email"] == bob.email
    assert row["client_id"] == str(log[0].client_id)
    assert row["resource"] == "'=1+1"


def test_is_for_the_agencys_owner_alone(browse, bob, log):
    bob.manage_campaigns = bob.manage_clients = True
    bob.save()
    assert browse(bob).get(PAGE).status_code == 403
    assert browse(bob).get(f"{PAGE}export/").status_code == 403
