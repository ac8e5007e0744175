"""What the API and the pages of the queues refuse whoever asks."""

from __future__ import annotations

import pytest


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
