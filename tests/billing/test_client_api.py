"""Clients for the agency's programs: opened and changed within the limits of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import User

CLIENTS = "/api/v1/admin/clients/"


@pytest.fixture
def send(browse: Callable[[User], Browser], root: User) -> Callable[..., Any]:
    """Send JSON as the agency's owner."""

    def post(path: str = "", method: str = "post", **body: Any) -> Any:
        ask = getattr(browse(root), method)
        return ask(f"{CLIENTS}{path}", body, content_type="application/json")

    return post


def test_opens_a_client_with_its_calls_at_once(send: Callable[..., Any]) -> None:
    made = send(name="Smile", billing_rate="0.25", concurrency_limit=7)
    plain = send(name="Plain", billing_rate="100")

    assert (made.status_code, made.json()["concurrency_limit"]) == (201, 7)
    assert (plain.json()["concurrency_limit"], plain.json()["billing_rate"]) == (20, "100.0000")
    assert Client.objects.get(name="Smile").concurrency_limit == 7


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("concurrency_limit", 0),
        ("concurrency_limit", 10_001),
        ("billing_rate", "100.01"),
        ("billing_rate", "-1"),
        ("time_zone", "Mars/Base"),
    ],
)
def test_takes_no_more_than_the_page(send: Callable[..., Any], field: str, value: object) -> None:
    answer = send(**{"name": "Smile", "billing_rate": "0.25", field: value})

    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert not Client.objects.exists()


@pytest.mark.parametrize(("value", "status"), [(0, 400), (10_001, 400), (1, 200), (10_000, 200)])
def test_changes_calls_at_once_within_the_pages_limits(
    send: Callable[..., Any], acme: Client, value: int, status: int
) -> None:
    answer = send(f"{acme.pk}/", "patch", concurrency_limit=value)

    acme.refresh_from_db()
    assert answer.status_code == status
    assert acme.concurrency_limit == (value if status == 200 else 20)
