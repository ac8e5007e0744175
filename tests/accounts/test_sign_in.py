"""Signing in, being sent to one's face, and the theme."""

from __future__ import annotations


def test_sends_strangers_to_the_sign_in_page(browse, db):
    response = browse().get("/")

    assert response.status_code == 302
    assert response["Location"].startswith("/account/login/")


def test_keeps_people_of_an_inactive_client_out(browse, alice):
    browser = browse(alice)
    alice.client.status = "inactive"
    alice.client.save()

    response = browser.get("/")

    assert response["Location"] == "/account/login/"
    assert browser.get("/")["Location"].startswith("/account/login/")


def test_keeps_the_theme_in_a_cookie(browse, db):
    response = browse().post("/theme/", {"theme": "dark", "next": "https://elsewhere.test/"})

    assert response["Location"] == "/"
    assert response.cookies["theme"].value == "dark"
