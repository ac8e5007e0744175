"""Talking to a campaign before anybody is called."""

from __future__ import annotations

import json

import pytest

from campaigns.views import asking, trial
from convomono.lib import clock
from telephony.provider import Rejected
from tests.factories.accounts import NOW
from tests.factories.campaigns import enrol, make_draft, make_ready
from tests.fakes import FakeRetell

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def playground(monkeypatch):
    fake = FakeRetell()
    monkeypatch.setattr(trial, "retell_gateway", lambda: fake)
    return fake


def test_talks_with_the_published_version(browse, mia, playground):
    campaign = make_ready(mia.client)
    enrol(campaign, 1)
    url, browser = f"/app/campaigns/{campaign.pk}/chat/", browse(mia)
    history = json.dumps([{"role": "agent", "text": "Hi."}])

    page = browser.post(url, {"text": "Who <b>is</b> it?", "history": history}, **HTMX)

    text = page.content.decode()
    assert text.lstrip().startswith("<section")
    assert "Who &lt;b&gt;is&lt;/b&gt; it?" in text
    assert "Hello!" in text
    [(_method, sent)] = playground.asked
    assert [(one.role, one.content) for one in sent["messages"]] == [
        ("agent", "Hi."),
        ("user", "Who <b>is</b> it?"),
    ]
    whole = browser.post(url, {"text": "Hi"}).content.decode()  # without scripts
    assert "<html" in whole
    assert "Hello!" in whole


@pytest.mark.parametrize(
    "history",
    ["{", "[1]", '{"a":1}', '[{"role":"user"}]', json.dumps([{"role": "u", "text": "x"}] * 41)],
)
def test_starts_again_after_a_broken_history(browse, mia, playground, history):
    campaign = make_ready(mia.client)

    answer = browse(mia).post(
        f"/app/campaigns/{campaign.pk}/chat/", {"text": "Hi", "history": history}
    )

    assert answer.status_code == 422
    assert playground.asked == []


def test_says_what_to_do_when_retell_refuses(browse, mia, playground):
    campaign = make_ready(mia.client)
    playground.fail("playground", Rejected("Agent is suspended.", 400))

    page = browse(mia).post(f"/app/campaigns/{campaign.pk}/chat/", {"text": "Hi"})

    assert "Agent is suspended" in page.content.decode()


def test_needs_a_published_version_and_the_right_people(browse, mia, vera, charlie, playground):
    url = f"/app/campaigns/{make_draft(mia.client).pk}/chat/"

    assert "Make it ready first" in browse(mia).post(url, {"text": "Hi"}, **HTMX).content.decode()
    assert browse(vera).post(url).status_code == 403
    assert browse(charlie).post(url).status_code == 404
    assert browse(mia).get(url).status_code == 405


def test_asks_retell_no_more_often_than_a_person_types(browse, mia, playground, monkeypatch):
    monkeypatch.setattr(asking, "PER_MINUTE", 2)
    monkeypatch.setattr(clock, "real_now", lambda: NOW)
    url, browser = f"/app/campaigns/{make_ready(mia.client).pk}/chat/", browse(mia)
    pages = [browser.post(url, {"text": "Hi"}, **HTMX).content.decode() for _ in range(4)]
    assert ["wait a minute" in page for page in pages] == [False, False, True, True]
    assert len(playground.asked) == 2


def test_asks_retell_so_often_a_day_for_all_people_of_a_client(
    browse, mia, alice, playground, monkeypatch
):
    monkeypatch.setattr(asking, "PER_DAY", 1)
    url = f"/app/campaigns/{make_ready(mia.client).pk}/chat/"
    browse(mia).post(url, {"text": "Hi"}, **HTMX)
    assert "today" in browse(alice).post(url, {"text": "Hi"}, **HTMX).content.decode()
    assert len(playground.asked) == 1
