"""The campaign list, the page a campaign is written on, and who may see and do what there."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from campaigns.models import Campaign
from campaigns.services.authoring import content_of
from campaigns.views import campaigns as views
from telephony.provider import Unavailable
from tests.factories.campaigns import enrol, launch, make_draft, make_ready, run_batch
from tests.fakes import FakeRetell

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def voices(monkeypatch):
    """Voices to choose from, and none remembered."""
    cache.clear()
    fake = FakeRetell()
    monkeypatch.setattr(views, "retell_gateway", lambda: fake)
    return fake


def typed(**fields):
    """What a browser sends for a sound campaign."""
    return {
        "name": "Autumn check-ups",
        "goal": "An appointment",
        "conversion": "The person agreed to a day.",
        "opening_line": "Hi {{first_name}}, this is the AI assistant of Acme Dental.",
        "script_raw": "You are an AI of Acme Dental. Ask for a day.",
        "voice_id": "",
        "language": "en-US",
        "voice_speed": "1.0",
        "knowledge_text": "Open from 8 to 18.",
        "weekdays": ["0", "1"],
        "opens_at": "09:00",
        "closes_at": "18:30",
        "max_attempts": "2",
        "busy_minutes": "20",
        "no_answer_minutes": "240",
        "voicemail_minutes": "1440",
        "declined_minutes": "1440",
        "voicemail_action": "hangup",
        "voicemail_message": "",
        "max_call_minutes": "5",
        "ring_seconds": "30",
        "concurrency_limit": "10",
        **fields,
    }


# -- The list --------------------------------------------------------------------------------------


def test_lists_campaigns_with_what_they_do(browse, vera):
    make_draft(vera.client, name="Winter")

    page = browse(vera).get("/app/campaigns/").content.decode()

    assert "Winter" in page
    assert "A draft: make it ready" in page
    assert "New campaign" not in page  # viewers look


def test_filters_and_searches(browse, alice):
    make_draft(alice.client, name="Winter")
    make_ready(alice.client, name="Spring")

    browser = browse(alice)

    assert "Spring" not in browser.get("/app/campaigns/?status=draft").content.decode()
    assert "Winter" not in browser.get("/app/campaigns/?q=spr").content.decode()
    assert "No campaign matches" in browser.get("/app/campaigns/?status=live").content.decode()


def test_asks_as_many_queries_for_twenty_as_for_one(
    browse, alice, equipped, django_assert_num_queries
):
    browser = browse(alice)
    for number in range(20):
        campaign = make_ready(equipped, name=f"Campaign {number}")
        enrol(campaign, 1, start=number)
        if number % 2:
            run_batch(launch(campaign, seconds=300))
        if number in {0, 19}:
            browser.get("/app/campaigns/")
            with django_assert_num_queries(7):
                browser.get("/app/campaigns/")


def test_answers_htmx_with_the_table_alone(browse, alice):
    browser = browse(alice)

    fragment = browser.get("/app/campaigns/", **HTMX).content.decode()
    boosted = browser.get("/app/campaigns/", HTTP_HX_BOOSTED="true", **HTMX).content.decode()

    assert fragment.lstrip().startswith("<section")
    assert "<html" in boosted


# -- Writing ---------------------------------------------------------------------------------------


def test_creates_a_campaign_by_a_plain_form(browse, mia, voices):
    voice = voices.list_voices()[0]
    answer = browse(mia).post("/app/campaigns/new/", typed(voice_id=voice.voice_id))

    campaign = Campaign.objects.get()
    assert answer["Location"] == f"/app/campaigns/{campaign.pk}/"
    content = content_of(campaign)
    assert (content.voice_name, content.weekdays) == (voice.name, (0, 1))
    assert (content.opens_minute, content.closes_minute) == (540, 1110)
    assert content.settings["conversion"] == "The person agreed to a day."
    assert content.knowledge_text == "Open from 8 to 18."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"script_raw": "Hello {{two words}}"}, "is no variable"),
        ({"opens_at": "18:00", "closes_at": "09:00"}, "later than the beginning"),
        ({"voicemail_action": "leave_message"}, "Write the message"),
        ({"voice_id": "no-such-voice"}, "Select a valid choice"),
        ({"weekdays": []}, "This field is required"),
        ({"max_call_minutes": "600"}, "less than or equal to 60"),
    ],
)
def test_keeps_what_was_typed_when_it_refuses(browse, mia, fields, words):
    answer = browse(mia).post("/app/campaigns/new/", typed(**fields))

    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page
    assert "Open from 8 to 18." in page
    assert not Campaign.objects.exists()


def test_saves_an_edit_and_says_when_nothing_changed(browse, mia):
    browser = browse(mia)
    browser.post("/app/campaigns/new/", typed())
    campaign = Campaign.objects.get()
    edit = f"/app/campaigns/{campaign.pk}/edit/"

    assert browser.get(edit).status_code == 200
    again = browser.post(edit, typed(), follow=True)
    changed = browser.post(edit, typed(name="Winter"), follow=True)

    assert "Nothing was changed." in again.content.decode()
    assert "Saved." in changed.content.decode()
    assert Campaign.objects.get().name == "Winter"


def test_shows_the_form_while_retell_is_away(browse, mia, voices):
    voices.fail("list_voices", Unavailable("Connection refused."))

    page = browse(mia).get("/app/campaigns/new/").content.decode()

    assert "tell its voices just now" in page


def test_checks_the_script_while_it_is_typed(browse, mia):
    answer = browse(mia).post(
        "/app/campaigns/script-check/",
        {"opening_line": "Hi {{first_name}} <b>", "script_raw": "Offer {{plan}}."},
        **HTMX,
    )

    page = answer.content.decode()
    assert "Hi Ada &lt;b&gt;" in page
    assert "{{plan}}" in page
    assert "Nothing names Acme Dental" in page
    assert page.lstrip().startswith("<section")


def test_makes_ready_duplicates_and_archives(browse, mia):
    campaign = make_draft(mia.client)
    browser, url = browse(mia), f"/app/campaigns/{campaign.pk}/"

    browser.post(f"{url}prepare/")
    campaign.refresh_from_db()
    assert campaign.status == "preparing"
    browser.post(f"{url}duplicate/")
    assert Campaign.objects.filter(name="Autumn check-ups (copy)", status="draft").exists()
    browser.post(f"{url}archive/")
    campaign.refresh_from_db()
    assert campaign.status == "archived"


def test_leads_to_the_form_when_it_cannot_be_made_ready(browse, mia):
    campaign = make_draft(mia.client, voice_id="")

    answer = browse(mia).post(f"/app/campaigns/{campaign.pk}/prepare/", follow=True)

    assert "No voice is chosen." in answer.content.decode()
    assert answer.redirect_chain[-1][0].endswith("/edit/")


# -- Who may ---------------------------------------------------------------------------------------

READS = ["", "leads/"]
MANAGES = ["edit/", "prepare/", "duplicate/", "archive/", "pause/", "stop/"]
LAUNCHES = ["launch/", "resume/"]


@pytest.mark.parametrize("path", [*READS, *MANAGES, *LAUNCHES])
def test_hides_another_clients_campaign(browse, charlie, alice, path):
    url = f"/app/campaigns/{make_draft(alice.client).pk}/{path}"
    browser = browse(charlie)

    answer = browser.get(url) if path in READS else browser.post(url)

    assert answer.status_code == 404


@pytest.mark.parametrize("path", [*MANAGES, *LAUNCHES])
def test_lets_viewers_only_look(browse, vera, path):
    url = f"/app/campaigns/{make_draft(vera.client).pk}/"
    browser = browse(vera)

    assert browser.get(url).status_code == 200
    assert browser.post(f"{url}{path}").status_code == 403
    assert browser.get("/app/campaigns/new/").status_code == 403


@pytest.mark.parametrize("path", LAUNCHES)
def test_lets_only_those_launch_who_may(browse, mia, path):
    url = f"/app/campaigns/{make_draft(mia.client).pk}/{path}"

    assert browse(mia).post(url).status_code == 403


def test_sends_strangers_to_the_sign_in_page(browse, db):
    for path in ("campaigns/", "campaigns/new/", "calls/"):
        assert browse().get(f"/app/{path}")["Location"].startswith("/account/login/")


@pytest.mark.parametrize("path", ["prepare/", "duplicate/", "archive/", "pause/", "resume/"])
def test_changes_nothing_by_get(browse, alice, path):
    url = f"/app/campaigns/{make_draft(alice.client).pk}/{path}"

    assert browse(alice).get(url).status_code == 405
