"""The content security policy: strict on both faces, relaxed in the back office alone."""

from __future__ import annotations

HEADER = "Content-Security-Policy"


def test_forbids_inline_scripts_and_evaluation_on_both_faces(browse, root):
    for address in ("/agency/", "/account/login/", "/app/"):
        policy = browse(root).get(address)[HEADER]
        assert "unsafe" not in policy, address
        assert "'self'" in policy


def test_lets_the_back_office_evaluate(browse, root):
    assert "'unsafe-eval'" in browse(root).get("/admin/")[HEADER]


def test_lets_the_page_of_the_api_set_styles_and_nothing_more(browse, root):
    policy = browse(root).get("/api/v1/docs/")[HEADER]

    assert "'unsafe-eval'" not in policy
    assert "script-src 'self'" in policy
