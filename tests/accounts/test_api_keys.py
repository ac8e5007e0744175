"""What a client's programs may do with an API key, and until when."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client as Browser
from rest_framework.throttling import UserRateThrottle

from accounts.api_keys import (
    MOST_KEYS,
    KeyOver,
    MayNotLaunch,
    TooManyKeys,
    create_api_key,
    revoke_api_key,
    rotate_api_key,
)
from accounts.models import ApiKey
from accounts.services import activate_client, deactivate_client
from audit.models import AuditLog
from campaigns.models import Campaign
from campaigns.services.approving import set_launch_rule
from campaigns.services.versions import OwnVersion, use_in_launches
from convomono.lib import clock
from leads.models import Lead
from tests.conftest import NOW
from tests.factories.accounts import UserFactory
from tests.factories.campaigns import make_draft, make_ready
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from accounts.models import Client, User

API = "/api/v1/client/"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set real time; it begins at NOW."""

    def set_time(instant: datetime) -> None:
        monkeypatch.setattr(clock, "real_now", lambda: instant)

    set_time(NOW)
    return set_time


def make(user: User, scope: str = "read", **fields: Any) -> tuple[ApiKey, str]:
    assert user.client is not None
    told = {"name": "CRM", "expires_at": None, "now": NOW} | fields
    return create_api_key(client=user.client, scope=scope, actor=user, **told)


def ask(secret: str, path: str, method: str = "get", **body: Any) -> Any:
    send = getattr(Browser(), method)
    told = {"data": body, "content_type": "application/json"} if method != "get" else {}
    return send(f"{API}{path}", headers={"Authorization": f"Bearer {secret}"}, **told)


def test_keeps_no_secret(alice: User) -> None:
    key, secret = make(alice)

    row = ApiKey.objects.values().get()
    assert secret.startswith("cmk_") and len(secret) > 40
    assert secret not in str(row)
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).hexdigest()
    assert secret.startswith(key.prefix) and len(key.prefix) == 12
    assert secret not in str(AuditLog.objects.values())


def test_reads_what_a_manager_reads_and_changes_nothing(alice: User, acme: Client) -> None:
    campaign = make_draft(acme)
    _key, secret = make(alice, "read")

    for path in ("campaigns/", "leads/", "calls/", "transactions/", "payments/", "imports/"):
        assert ask(secret, path).status_code == 200, path
    for path, method in (
        ("campaigns/", "post"),
        (f"campaigns/{campaign.pk}/", "patch"),
        (f"campaigns/{campaign.pk}/launch/", "post"),
        ("leads/", "post"),
        ("suppressions/", "post"),
        ("imports/", "post"),
    ):
        answer = ask(secret, path, method, name="X")
        assert answer.status_code == 403, path
        assert answer.json()["detail"] == "This API key only reads."


def test_writes_and_is_named_in_the_audit_log(alice: User, acme: Client) -> None:
    key, secret = make(alice, "write")

    made = ask(secret, "campaigns/", "post", name="Winter")
    lead = ask(secret, "leads/", "post", phone_number="+12125550142", first_name="Ada")

    assert (made.status_code, lead.status_code) == (201, 201)
    assert Campaign.objects.get().client == Lead.objects.get().client == acme
    entry = AuditLog.objects.get(action="campaign.created")
    assert (entry.user_id, entry.user_type) == (key.pk, "api_key")
    assert entry.user_email == "API key CRM (alice@acme.test)"
    assert entry.client_id == acme.pk


def test_changes_all_that_a_manager_changes(alice: User, acme: Client) -> None:
    lead = LeadFactory.create(client=acme)
    campaign = make_draft(acme)
    _key, secret = make(alice, "write")

    def answered(path: str, method: str = "post", **body: Any) -> Any:
        answer = ask(secret, path, method, **body)
        assert answer.status_code < 300, (path, answer.content)
        return answer.json() if answer.content else None

    answered(f"leads/{lead.pk}/", "patch", first_name="Eve")
    answered(f"leads/{lead.pk}/", "delete")
    answered(f"campaigns/{campaign.pk}/", "patch", goal="A day", weekdays=[1])
    answered(f"campaigns/{campaign.pk}/prepare/")
    listed = answered("suppressions/", phone_number="+12125550101", reason="CRM")
    answered(f"suppressions/{listed['suppression_id']}/", "delete", reason="A mistake")
    answered("imports/", csv="Phone\n2125550102\n", consent_kind="none")

    who = set(AuditLog.objects.exclude(action="api_key.created").values_list("user_type"))
    assert ("api_key",) in who and ("client",) not in who
    campaign.refresh_from_db()
    assert campaign.prepared_by_email == "API key CRM (alice@acme.test)"


def test_launches_only_if_whoever_made_it_may(mia: User) -> None:
    with pytest.raises(MayNotLaunch):
        make(mia, "launch")
    assert not ApiKey.objects.exists()


def test_sees_its_own_client_alone(alice: User, charlie: User, acme: Client) -> None:
    campaign, lead = make_draft(acme), LeadFactory.create(client=acme)
    _key, secret = make(charlie, "launch")

    for path in (f"campaigns/{campaign.pk}/", f"leads/{lead.pk}/"):
        assert ask(secret, path).status_code == 404
        assert ask(secret, path, "patch", name="X").status_code == 404
    assert ask(secret, "campaigns/").json()["results"] == []
    assert ask(secret, "leads/").json()["results"] == []
    answer = Browser().get("/api/v1/admin/clients/", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


@pytest.mark.parametrize("secret", ["cmk_", "cmk_nobody", "cmk_é", "cmk_" + "x" * 10_000])
def test_knows_no_other_key(alice: User, secret: str) -> None:
    answer = ask(secret.encode().decode("latin-1"), "campaigns/")

    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"] == "There is no such API key."


def test_is_refused_at_once_when_revoked(alice: User) -> None:
    key, secret = make(alice)
    assert ask(secret, "campaigns/").status_code == 200

    assert revoke_api_key(key=key, actor=alice, now=NOW)
    assert not revoke_api_key(key=key, actor=alice, now=NOW)

    answer = ask(secret, "campaigns/")
    assert (answer.status_code, answer.json()["detail"]) == (401, "This API key was revoked.")
    assert AuditLog.objects.filter(action="api_key.revoked").count() == 1


def test_is_refused_when_its_time_is_over(alice: User, at: Callable[[datetime], None]) -> None:
    _key, secret = make(alice, expires_at=NOW + timedelta(days=30))

    assert ask(secret, "campaigns/").status_code == 200
    at(NOW + timedelta(days=30))
    answer = ask(secret, "campaigns/")

    assert (answer.status_code, answer.json()["detail"]) == (401, "This API key has expired.")


def test_is_refused_while_its_clients_account_is_closed(
    alice: User, root: User, acme: Client
) -> None:
    _key, secret = make(alice)

    deactivate_client(client=acme, actor=root, now=NOW)
    answer = ask(secret, "campaigns/")
    activate_client(client=acme, actor=root, now=NOW)

    assert (answer.status_code, answer.json()["detail"]) == (
        401,
        "The account of this API key is closed.",
    )
    assert ask(secret, "campaigns/").status_code == 200


def test_goes_on_for_a_day_when_another_takes_its_place(
    alice: User, at: Callable[[datetime], None]
) -> None:
    before, old = make(alice, "write")
    made, new = rotate_api_key(key=before, actor=alice, now=NOW)

    assert (made.name, made.scope, made.expires_at) == ("CRM", "write", None)
    assert [ask(one, "campaigns/").status_code for one in (old, new)] == [200, 200]
    with pytest.raises(KeyOver):
        rotate_api_key(key=before, actor=alice, now=NOW)
    assert ApiKey.objects.count() == 2
    at(NOW + timedelta(hours=24))
    assert [ask(one, "campaigns/").status_code for one in (old, new)] == [401, 200]
    entry = AuditLog.objects.get(action="api_key.rotated")
    assert entry.details == {
        "prefix": made.prefix,
        "scope": "write",
        "in_place_of": before.prefix,
    }


def test_never_works_longer_because_another_took_its_place(alice: User) -> None:
    soon = NOW + timedelta(hours=1)
    before, _old = make(alice, expires_at=soon)

    made, _new = rotate_api_key(key=before, actor=alice, now=NOW)

    before.refresh_from_db()
    assert (before.expires_at, made.expires_at) == (soon, soon)


def test_has_no_other_in_its_place_once_it_is_over(alice: User, mia: User) -> None:
    revoked, _secret = make(alice)
    revoke_api_key(key=revoked, actor=alice, now=NOW)
    expired, _secret = make(alice, expires_at=NOW)
    launching, _secret = make(alice, "launch")

    for key in (revoked, expired):
        with pytest.raises(KeyOver):
            rotate_api_key(key=key, actor=alice, now=NOW)
    with pytest.raises(MayNotLaunch):
        rotate_api_key(key=launching, actor=mia, now=NOW)
    assert ApiKey.objects.count() == 3
    launching.refresh_from_db()
    assert launching.replaced_at is None


def test_is_one_of_twenty_at_most(alice: User) -> None:
    keys = [make(alice)[0] for _ in range(MOST_KEYS)]
    with pytest.raises(TooManyKeys):
        make(alice)
    revoke_api_key(key=keys[0], actor=alice, now=NOW)
    make(alice)


def test_notes_its_last_use_once_a_minute(
    alice: User,
    at: Callable[[datetime], None],
    django_assert_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    key, secret = make(alice)

    for seconds, queries, noted in ((0, 3, 0), (59, 2, 0), (60, 3, 60)):
        at(NOW + timedelta(seconds=seconds))
        with django_assert_num_queries(queries):
            assert ask(secret, "campaigns/").status_code == 200
        key.refresh_from_db()
        assert key.last_used_at == NOW + timedelta(seconds=noted)


def test_counts_requests_of_each_key_apart(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserRateThrottle, "THROTTLE_RATES", {"user": "3/min"})
    first, second = make(alice)[1], make(alice)[1]

    codes = [ask(first, "campaigns/").status_code for _ in range(4)]

    assert codes == [200, 200, 200, 429]
    assert ask(second, "campaigns/").status_code == 200


def test_is_held_to_600_requests_a_minute() -> None:
    assert UserRateThrottle.THROTTLE_RATES == {"user": "600/min"}


def test_lets_sessions_and_tokens_in_as_before(alice: User, vera: User) -> None:
    browser = Browser()
    browser.force_login(vera)
    assert browser.get(f"{API}campaigns/").status_code == 200
    refused = browser.get(f"{API}campaigns/", headers={"Authorization": "Bearer cmk_x"})
    assert refused.status_code == 401
    assert ask("eyJ.nonsense", "campaigns/").status_code == 401


def test_is_no_second_person_to_whoever_made_it(alice: User, acme: Client) -> None:
    set_launch_rule(client_id=acme.pk, is_active=True, above_seconds=0, actor=alice, now=NOW)
    campaign = make_ready(acme)
    version = campaign.versions.get()
    version.published_by_email = "API key CRM (alice@acme.test)"
    other = UserFactory.create(email="ce@acme.test", client=acme, client_role="owner")

    with pytest.raises(OwnVersion):
        use_in_launches(campaign=campaign, version=version, actor=alice, now=NOW)
    assert use_in_launches(campaign=campaign, version=version, actor=other, now=NOW) == 0


def test_stands_in_the_description_of_the_api(alice: User) -> None:
    schema = Browser().get("/api/v1/schema/", {"format": "json"}).json()

    scheme = schema["components"]["securitySchemes"]["apiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert {"apiKey": []} in schema["paths"]["/api/v1/client/leads/"]["get"]["security"]
