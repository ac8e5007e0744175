"""How a lead agreed to be called, for programs: reading, recording, taking back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from leads.models import Consent, Lead
from leads.services.erasure import erase_lead
from tests.factories.accounts import NOW
from tests.factories.leads import ConsentFactory, LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User

JSON: Any = {"content_type": "application/json"}
AGREED = {
    "kind": "written",
    "source": "Web form",
    "wording": "Call me.",
    "given_at": "2026-11-02T10:00:00Z",
    "seller": "Acme Dental",
    "given_from": "203.0.113.7",
}


@pytest.fixture
def lead(acme: Client) -> Lead:
    return LeadFactory.create(client=acme, consent_status="none")


def address(lead: Lead, more: str = "") -> str:
    return f"/api/v1/client/leads/{lead.pk}/consents/{more}"


def test_records_a_consent_once_and_takes_it_back(
    browse: Callable[[User], Browser], mia: User, vera: User, lead: Lead
) -> None:
    browser = browse(mia)

    first, again = (browser.post(address(lead), AGREED, **JSON) for _twice in range(2))

    assert (first.status_code, again.status_code) == (201, 200)
    made = first.json()
    assert made == again.json()
    told_back = {name: made[name] for name in AGREED} | {"given_at": AGREED["given_at"]}
    assert told_back == AGREED
    assert datetime.fromisoformat(made["given_at"]) == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert browse(vera).get(address(lead)).json()["results"] == [made]
    lead.refresh_from_db()
    assert lead.consent_status == "given"

    answers = [
        browser.post(address(lead, "revoke/"), {"how": "By mail"}, **JSON) for _twice in range(2)
    ]

    assert [one.status_code for one in answers] == [204, 409]
    assert answers[1].json()["code"] == "no_consent"
    lead.refresh_from_db()
    row = Consent.objects.get()
    assert (lead.consent_status, row.revoked_how) == ("revoked", "By mail")
    assert row.revoked_by_email == mia.email
    told = AuditLog.objects.order_by("created_at", "pk").values_list("action", flat=True)
    assert list(told) == ["consent.recorded", "consent.revoked"]
    (shown,) = browser.get(address(lead)).json()["results"]
    assert shown["revoked_at"]


def test_believes_a_consent_that_was_taken_back_only_if_it_was_given_later(
    browse: Callable[[User], Browser], mia: User, lead: Lead
) -> None:
    ConsentFactory.create(lead=lead, revoked_at=NOW - timedelta(days=1))
    before = AGREED | {"given_at": (NOW - timedelta(days=2)).isoformat()}
    after = AGREED | {"given_at": (NOW - timedelta(hours=1)).isoformat()}

    refused = browse(mia).post(address(lead), before, **JSON)

    assert (refused.status_code, refused.json()["code"]) == (409, "consent_revoked")
    assert browse(mia).post(address(lead), after, **JSON).status_code == 201


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "hearsay"},
        {"source": ""},
        {"given_at": "2999-01-01T00:00:00Z"},
        {"given_at": "1999-01-01T00:00:00Z"},
        {"wording": "x" * 2001},
        {"given_from": "somewhere"},
        {"seller": "x" * 201},
    ],
)
def test_says_what_is_wrong_with_a_consent(
    browse: Callable[[User], Browser], mia: User, lead: Lead, change: dict[str, str]
) -> None:
    answer = browse(mia).post(address(lead), AGREED | change, **JSON)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["fields"].keys() == change.keys()
    assert browse(mia).post(address(lead, "revoke/"), {}, **JSON).status_code == 400


def test_is_for_the_clients_managers_and_of_nobody_erased(
    browse: Callable[[User], Browser],
    mia: User,
    vera: User,
    charlie: User,
    alice: User,
    lead: Lead,
) -> None:
    told = {"how": "By mail"}
    assert browse(vera).post(address(lead), AGREED, **JSON).status_code == 403
    assert browse(vera).post(address(lead, "revoke/"), told, **JSON).status_code == 403
    assert browse(charlie).get(address(lead)).status_code == 404
    assert browse(charlie).post(address(lead), AGREED, **JSON).status_code == 404
    assert browse(charlie).post(address(lead, "revoke/"), told, **JSON).status_code == 404
    assert browse(mia).get(address(lead, "revoke/")).status_code == 405
    erase_lead(lead=lead, reason="Asked", actor=alice, now=NOW)
    assert browse(mia).get(address(lead)).status_code == 404
    assert browse(mia).post(address(lead), AGREED, **JSON).status_code == 404
    assert not Consent.objects.exists()


def test_asks_as_few_queries_for_many_consents(
    browse: Callable[[User], Browser], vera: User, lead: Lead, django_assert_num_queries: Any
) -> None:
    browser = browse(vera)
    ConsentFactory.create(lead=lead)
    with django_assert_num_queries(4):
        browser.get(address(lead))
    ConsentFactory.create_batch(20, lead=lead)
    with django_assert_num_queries(4):
        browser.get(address(lead))
