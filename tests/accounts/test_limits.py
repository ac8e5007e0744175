"""What the API and the pages of the queues refuse whoever asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from campaigns.api import records

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import User


def test_refuses_a_body_that_is_larger_than_any_has_to_be(browse, mia, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = browse(mia).post(
        "/api/v1/client/campaigns/", {"name": "x" * 1000}, content_type="application/json"
    )

    assert answer.status_code == 413
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "body_too_large"


@pytest.mark.parametrize("path", ["", "queues/0/", "queues/0/failed/", "workers/0/"])
def test_keeps_the_queues_from_all_but_the_agencys_owner(browse, bob, alice, path):
    assert browse(bob).get(f"/admin/queues/{path}").status_code == 403
    assert browse(alice).get(f"/admin/queues/{path}").status_code == 403
    assert browse().get(f"/admin/queues/{path}").status_code == 302


def test_shows_the_queues_to_the_agencys_owner(browse, root):
    assert browse(root).get("/admin/queues/").status_code == 200


@pytest.mark.parametrize("name", ["campaign-list", "lead-list", "suppression-list", "import-list"])
@pytest.mark.parametrize("depth", [100, 900, 5000, 100_000])
@pytest.mark.parametrize("around", ["%s", '{"settings": %s}'])
def test_takes_json_that_is_nested_without_end_for_the_callers_mistake(
    browse: Callable[[User], Browser], mia: User, name: str, depth: int, around: str
) -> None:
    body = around % ("[" * depth + "]" * depth)
    answer = browse(mia).post(
        reverse(f"api-client:{name}"),
        body,
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["code"] == "parse_error"


def test_answers_programs_with_a_problem_for_its_own_mistake(
    browse: Callable[[User], Browser], mia: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(records, "_leads", fail)
    browser = browse(mia)
    browser.raise_request_exception = False
    answer = browser.get(reverse("api-client:lead-list"))

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert (answer.json()["status"], answer.json()["code"]) == (500, "server_error")
    assert "ZeroDivision" not in answer.text


def test_answers_programs_with_a_problem_for_an_address_that_leads_nowhere(
    browse: Callable[[User], Browser], mia: User
) -> None:
    answer = browse(mia).get("/api/v1/client/nothing/")
    page = browse(mia).get("/app/nothing/")

    assert (answer.status_code, json.loads(answer.content)["code"]) == (404, "not_found")
    assert answer["Content-Type"] == "application/problem+json"
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
