"""The wizard: each step saves its part and nothing else, in any order; a wrong word loses nothing."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.core.cache import cache

from campaigns import wizard
from campaigns.agent_settings import agent_settings, llm_settings
from campaigns.models import Campaign
from campaigns.services.authoring import content_of, update_campaign
from campaigns.settings_schema import DEFAULTS
from campaigns.views import wizard as views
from telephony.payloads import agent_body, llm_body
from telephony.provider import Unavailable
from tests.factories.campaigns import NOW, enrol, make_draft, make_number, make_ready
from tests.fakes import FakeRetell

HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture(autouse=True)
def voices(monkeypatch):
    """Voices to choose from, and none remembered."""
    cache.clear()
    fake = FakeRetell()
    monkeypatch.setattr(views, "retell_gateway", lambda: fake)
    return fake


CONVERSATION = {
    "max_call_minutes": "4",
    "silence_seconds": "20",
    "model_tier": "economy",
    "responsiveness": "0.8",
    "interruption_sensitivity": "0.9",
    "enable_backchannel": "on",
    "ambient_sound": "call-center",
    "keywords": "Byron, Lovelace,Byron",
    "screening_identity": "Acme Dental",
    "screening_purpose": "Your appointment",
    "menu_detection": "It says to press a key.",
    "begin_message_delay_ms": "300",
    "denoising_mode": "no-denoise",
    "stt_mode": "accurate",
    "temperature": "0.3",
    "starts": "user",
    "enable_dynamic_responsiveness": "on",
    "backchannel_frequency": "0.5",
    "backchannel_words": "right, I see",
    "ambient_sound_volume": "0.6",
    "reminder_seconds": "8",
    "reminder_max_count": "2",
    "manners": ["high_empathy", "echo_verification"],
    "vocab_specialization": "medical",
    "pronunciations": "Byron: b\nLovelace: l: v",
}
ATTEMPTS = {
    "max_attempts": "2",
    "busy_minutes": "10",
    "no_answer_minutes": "60",
    "voicemail_minutes": "120",
    "declined_minutes": "180",
    "ring_seconds": "25",
    "voicemail_action": "leave_message",
    "voicemail_message": "Hello {{first_name}}, Acme Dental's AI called.",
    "voicemail_detection": "It says to leave a message.",
}


# What Retell is told of it beside what a test below looks at.
MORE = {
    "enable_dynamic_responsiveness": True,
    "enable_dynamic_voice_speed": False,
    "backchannel_frequency": 0.5,
    "backchannel_words": ["right", "I see"],
    "ambient_sound_volume": 0.6,
    "reminder_trigger_ms": 8_000,
    "reminder_max_count": 2,
    "vocab_specialization": "medical",
    "pronunciation_dictionary": [
        {"word": "Byron", "alphabet": "ipa", "phoneme": "b"},
        {"word": "Lovelace", "alphabet": "ipa", "phoneme": "l: v"},
    ],
    "fallback_voice_ids": None,
}


def step(campaign, slug):
    return f"/app/campaigns/{campaign.pk}/edit/{slug}/"


def test_starts_with_a_template_in_the_clients_name(browse, mia):
    answer = browse(mia).post(
        "/app/campaigns/new/", {"name": "Recall", "goal": "", "template": "appointment"}
    )

    campaign = Campaign.objects.get()
    assert answer["Location"] == step(campaign, "script")
    assert "the AI assistant of Acme Dental" in campaign.opening_line
    assert "[business]" not in campaign.script_raw
    assert campaign.settings["conversion"]


def test_starts_empty_and_refuses_no_name(browse, mia):
    browser = browse(mia)

    refused = browser.post("/app/campaigns/new/", {"name": "", "template": "survey"})
    browser.post("/app/campaigns/new/", {"name": "Blank", "template": ""})

    assert refused.status_code == 422
    assert Campaign.objects.get().script_raw == ""


@pytest.mark.parametrize("slug", wizard.SLUGS)
def test_shows_every_step(browse, mia, slug):
    campaign = make_draft(mia.client)

    page = browse(mia).get(step(campaign, slug)).content.decode()

    labels = {one.slug: str(one.label) for one in wizard.STEPS}
    assert "<h1" in page
    assert labels[slug] in page
    assert page.count('aria-current="step"') == 1


def test_saves_each_step_and_nothing_else(browse, mia, voices):
    campaign, browser = make_draft(mia.client, voice_id="", voice_name=""), browse(mia)
    number = make_number(mia.client)
    sent = {
        "goal": {"name": "Winter", "goal": "Teeth"},
        "script": {"opening_line": "An AI of Acme Dental.", "script_raw": "Ask\r\nnicely."},
        "voice": {
            "voice_id": "11labs-Anna",
            "language": "en-GB",
            "more_languages": ["en-AU", "en-IN"],
            "voice_speed": "1.1",
            "voice_temperature": "0.7",
            "volume": "1.5",
            "enable_dynamic_voice_speed": "on",
            "voice_model": "eleven_v3",
        },
        "conversation": CONVERSATION,
        "knowledge": {"knowledge_text": "Open from 8 to 18."},
        "hours": {"weekdays": ["1", "0"], "opens_at": "10:00", "closes_at": "18:30"},
        "attempts": ATTEMPTS,
        "numbers": {"caller_numbers": [number.phone_number], "concurrency_limit": "7"},
        "analysis": {
            "conversion": "They agreed.",
            "analysis_tier": "strongest",
            "name_0": "Best day",
            "kind_0": "enum",
            "description_0": "Which day suits",
            "choices_0": "Monday, Friday",
        },
    }
    seen = []
    for slug, fields in sent.items():
        answer = browser.post(step(campaign, slug), fields)
        assert answer.status_code == 302, (slug, answer.content.decode()[:2000])
        seen.append(answer["Location"].split("/")[-2])

    assert seen == [
        "script",
        "voice",
        "conversation",
        "knowledge",
        "leads",
        "attempts",
        "numbers",
        "analysis",
        "test",
    ]
    content = content_of(Campaign.objects.get())
    assert (content.name, content.script_raw, content.voice_name) == (
        "Winter",
        "Ask\nnicely.",
        "Anna",
    )
    assert (content.weekdays, content.opens_minute, content.closes_minute) == ((0, 1), 600, 1110)
    assert (content.declined_delay_seconds, content.caller_numbers) == (
        10_800,
        (number.phone_number,),
    )
    assert content.knowledge_text == "Open from 8 to 18."
    assert content.settings["more_languages"] == ["en-AU", "en-IN"]
    page = browser.get(step(campaign, "voice")).content.decode()
    assert "<details open>" in page  # what was ticked is seen
    ticked = [tag for tag in page.split("<input") if 'name="more_languages"' in tag[:200]]
    assert [tag.split('value="')[1][:5] for tag in ticked if "checked" in tag[:250]] == [
        "en-AU",
        "en-IN",
    ]


def test_tells_retell_what_was_chosen(browse, mia):
    campaign, browser = make_draft(mia.client), browse(mia)
    browser.post(step(campaign, "conversation"), CONVERSATION)
    browser.post(step(campaign, "attempts"), ATTEMPTS)
    browser.post(
        step(campaign, "analysis"),
        {
            "conversion": "Agreed.",
            "analysis_tier": "economy",
            "name_2": "Age",
            "kind_2": "number",
            "description_2": "How old",
        },
    )
    campaign.refresh_from_db()

    agent = agent_settings(campaign, webhook_url="https://x.test/", time_zone="America/New_York")

    assert llm_settings(campaign, knowledge_base_ids=()).model == "gpt-5.4-nano"
    assert (agent.max_call_duration_ms, agent.end_call_after_silence_ms) == (240_000, 20_000)
    assert agent.boosted_keywords == ("Byron", "Lovelace")
    assert agent.screening == ("Acme Dental", "Your appointment")
    llm = llm_body(llm_settings(campaign, knowledge_base_ids=()))
    assert (llm["start_speaker"], llm["model_temperature"]) == ("user", 0.3)
    body = agent_body(agent)
    assert {name: body[name] for name in MORE} == MORE
    assert body["post_call_analysis_model"] == "gpt-5.4-nano"
    assert body["voicemail_option"]["detection_prompt"] == "It says to leave a message."
    assert body["ivr_option"] is None  # nothing is done with a menu: nothing tells one
    campaign.settings["hang_up_on_menus"] = True
    menus = agent_settings(campaign, webhook_url="https://x.test/", time_zone="UTC")
    assert agent_body(menus)["ivr_option"] == {
        "action": {"type": "hangup"},
        "detection_prompt": "It says to press a key.",
    }
    assert body["handbook_config"] == {
        name: {}
        for name in ("ai_disclosure", "scope_boundaries", "high_empathy", "echo_verification")
    }
    assert (agent.ring_duration_ms, agent.voicemail and agent.voicemail.action) == (
        25_000,
        "static_text",
    )
    assert [(one.name, one.kind) for one in agent.analysis][:2] == [
        ("converted", "boolean"),
        ("Age", "number"),
    ]


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ("hangup", {"action": {"type": "hangup"}}),
        ("leave_message", {"action": {"type": "static_text", "text": "Ask them to call back."}}),
        ("prompt", {"action": {"type": "prompt", "text": "Ask them to call back."}}),
        ("off", None),
    ],
)
def test_tells_retell_what_machines_hear_and_what_time_it_is(browse, mia, action, told):
    campaign, browser = make_draft(mia.client), browse(mia)
    said = {"voicemail_action": action, "voicemail_message": "Ask them to call back."}
    said["voicemail_detection"] = ""
    assert browser.post(step(campaign, "attempts"), {**ATTEMPTS, **said}).status_code == 302
    clock = {"time_zone": "Europe/Berlin"}
    assert (
        browser.post(step(campaign, "conversation"), {**CONVERSATION, **clock}).status_code == 302
    )
    campaign.refresh_from_db()

    body = agent_body(agent_settings(campaign, webhook_url="", time_zone="America/New_York"))

    assert body["voicemail_option"] == told
    assert body["timezone"] == "Europe/Berlin"


def test_takes_no_new_setting_for_an_edit(browse, mia):
    campaign = make_ready(mia.client, settings={"language": "en-US"})  # of before there were more
    sound = {"language": "en-US", "voice_speed": "1", "voice_temperature": "1", "volume": "1"}

    kept = browse(mia).post(step(campaign, "voice"), {"voice_id": "11labs-Adrian", **sound})

    assert kept.status_code == 302
    assert Campaign.objects.get().status == "ready"


@pytest.mark.parametrize(
    ("slug", "fields", "words"),
    [
        ("conversation", {**CONVERSATION, "time_zone": "Mars/Base"}, "no time zone"),
        ("attempts", {**ATTEMPTS, "voicemail_action": "prompt", "voicemail_message": ""}, "Write"),
        ("goal", {"name": ""}, "This field is required"),
        ("script", {"script_raw": "Hello {{two words}}"}, "is no variable"),
        ("script", {"script_raw": "x" * 20_001}, "at most 20000"),
        ("voice", {"voice_id": "no-such-voice"}, "Select a valid choice"),
        ("voice", {"more_languages": ["tlh"]}, "tlh is not one of"),
        ("conversation", {**CONVERSATION, "max_call_minutes": "600"}, "less than or equal to 120"),
        ("conversation", {**CONVERSATION, "screening_purpose": ""}, "Say why you call"),
        ("hours", {"weekdays": ["0"], "opens_at": "18:00", "closes_at": "09:00"}, "later than the"),
        ("hours", {"weekdays": [], "opens_at": "09:00", "closes_at": "10:00"}, "field is required"),
        ("attempts", {**ATTEMPTS, "voicemail_message": ""}, "Write the message"),
        ("attempts", {**ATTEMPTS, "voicemail_message": "{{a b}}"}, "is no variable"),
        ("numbers", {"caller_numbers": ["+12125550111"], "concurrency_limit": "1"}, "valid choice"),
        ("analysis", {"name_0": "Day", "kind_0": "enum", "choices_0": "One"}, "two choices"),
        ("analysis", {"name_0": "callback_time", "description_0": "x"}, "is taken"),
        ("analysis", {"name_0": "Converted", "description_0": "x"}, "is taken"),
    ],
)
def test_keeps_what_was_typed_when_it_refuses(browse, mia, rival, slug, fields, words):
    campaign = make_draft(mia.client)
    make_number(rival, "+12125550111")  # another client's
    before = content_of(campaign)

    answer = browse(mia).post(step(campaign, slug), fields)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert content_of(Campaign.objects.get()) == before


def test_goes_back_leaves_and_resumes_where_somebody_is_needed(browse, mia):
    campaign, browser = make_draft(mia.client, voice_id=""), browse(mia)
    script = {"opening_line": "An AI.", "script_raw": "Words."}

    back = browser.post(step(campaign, "script"), {**script, "go": "goal"})
    leave = browser.post(step(campaign, "script"), {**script, "go": "leave"})
    resumed = browser.get(f"/app/campaigns/{campaign.pk}/edit/")

    assert back["Location"] == step(campaign, "goal")
    assert leave["Location"] == f"/app/campaigns/{campaign.pk}/"
    assert resumed["Location"] == step(campaign, "voice")
    assert Campaign.objects.get().script_raw == "Words."


def test_saves_what_was_typed_before_it_goes_to_another_step(browse, mia):
    campaign, browser = make_ready(mia.client), browse(mia)

    page = browser.get(step(campaign, "script")).content.decode()
    names = re.findall(r'<button type="submit" form="step-form" name="go" value="(\w+)">', page)

    assert names == [slug for slug in wizard.SLUGS if slug != "script"]
    # Enter in a field presses the first button of its form: it goes nowhere in particular.
    first = re.search(r'<button[^>]*form="step-form"[^>]*>', page)
    assert first is not None and "name=" not in first[0]
    # Steps that only show have nothing to send.
    assert 'form="step-form"' not in browser.get(step(campaign, "leads")).content.decode()


@pytest.mark.parametrize(("fields", "status"), [({}, 302), ({"opening_line": "An AI."}, 422)])
def test_lets_people_leave_a_step_in_which_they_wrote_nothing(browse, mia, fields, status):
    campaign = make_draft(mia.client, script_raw="", opening_line="")
    sent = {"script_raw": "", "opening_line": "", "go": "hours", **fields}

    assert browse(mia).post(step(campaign, "script"), sent).status_code == status


def test_saves_by_itself_while_somebody_types(browse, mia):
    campaign, browser = make_draft(mia.client), browse(mia)

    saved = browser.post(step(campaign, "goal"), {"name": "Typed", "autosave": "1"}, **HTMX)
    wrong = browser.post(step(campaign, "goal"), {"name": "", "autosave": "1"}, **HTMX)

    assert "Saved as you type." in saved.content.decode()
    assert "Not saved yet" in wrong.content.decode()
    assert Campaign.objects.get().name == "Typed"


def test_lets_two_people_write_two_steps_at_once(browse, mia, alice):
    campaign = make_draft(mia.client)
    stale = Campaign.objects.select_related("client").get(pk=campaign.pk)
    browse(mia).post(step(campaign, "goal"), {"name": "Mia's name"})

    content = replace(content_of(stale), script_raw="Alice's AI of Acme Dental.")
    update_campaign(campaign=stale, content=content, actor=alice, now=NOW)

    campaign.refresh_from_db()
    assert (campaign.name, campaign.script_raw) == ("Mia's name", "Alice's AI of Acme Dental.")


def test_takes_nothing_back_of_what_others_saved_meanwhile(browse, mia, alice):
    campaign = make_draft(mia.client)
    stale = Campaign.objects.select_related("client", "calling_window", "retry_policy").get()
    shown = content_of(stale)
    other = replace(
        shown,
        closes_minute=19 * 60,
        weekdays=(0, 1),
        busy_delay_seconds=600,
        settings={**shown.settings, "voice_speed": 1.2},
    )
    update_campaign(campaign=campaign, content=other, actor=mia, now=NOW)

    mine = replace(
        shown,
        opens_minute=10 * 60,
        max_attempts=5,
        settings={**shown.settings, "conversion": "A day was agreed."},
    )
    update_campaign(campaign=stale, content=mine, actor=alice, now=NOW)

    now = content_of(Campaign.objects.get())
    assert (now.opens_minute, now.closes_minute, now.weekdays) == (600, 19 * 60, (0, 1))
    assert (now.max_attempts, now.busy_delay_seconds) == (5, 600)
    assert (now.settings["voice_speed"], now.settings["conversion"]) == (1.2, "A day was agreed.")


def test_speaks_to_a_real_lead_while_the_script_is_typed(browse, mia):
    campaign = make_draft(mia.client)
    enrol(campaign, 2)

    answer = browse(mia).post(
        f"/app/campaigns/{campaign.pk}/script-check/",
        {
            "opening_line": "Hi {{first_name}} <b>",
            "script_raw": f"Offer {{{{plan}}}}. {'x' * 16_000}",
        },
        **HTMX,
    )

    page = answer.content.decode()
    assert "Hi Person 1 &lt;b&gt;" in page
    assert "None of the leads looked at has a column {{plan}}" in page.replace("&#x7B;", "{")
    assert "name Acme Dental: say at the start who is calling" in page
    assert "Retell counts each minute" in page
    assert page.lstrip().startswith("<section")


def test_filters_voices_and_keeps_the_chosen_one(browse, mia):
    campaign = make_draft(mia.client)  # Adrian, male

    page = browse(mia).get(step(campaign, "voice") + "?gender=female").content.decode()

    assert "Anna" in page
    assert "Adrian" in page
    assert (
        browse(mia)
        .get(step(campaign, "voice") + "?q=anna&gender=male")
        .content.decode()
        .count('class="choice"')
        == 1
    )


def test_keeps_a_voice_that_was_chosen_and_not_saved_while_it_filters(browse, mia):
    campaign = make_ready(mia.client)  # Adrian, male
    anna = "?gender=male&voice_id=11labs-Anna"

    page = browse(mia).get(step(campaign, "voice") + anna).content.decode()

    assert re.search(r'value="11labs-Anna"[^>]*checked', page)
    assert "#voice-field [name=voice_id]" in page
    unknown = browse(mia).get(step(campaign, "voice") + "?voice_id=none").content.decode()
    assert re.search(r'value="11labs-Adrian"[^>]*checked', unknown)
    assert content_of(Campaign.objects.get()).voice_id == "11labs-Adrian"


def test_names_no_field_of_another_step_as_wrong(browse, mia):
    settings = {**DEFAULTS, "voicemail_action": "leave_message"}  # as a program could leave it
    campaign = make_draft(mia.client, settings=settings)

    answer = browse(mia).post(
        step(campaign, "conversation"), {"vocab_specialization": "medical", "go": "voice"}
    )

    assert answer.status_code == 422


def test_shows_the_voice_step_while_retell_is_away(browse, mia, voices):
    voices.fail("list_voices", Unavailable("Connection refused."))

    page = browse(mia).get(step(make_draft(mia.client, voice_id=""), "voice")).content.decode()

    assert "tell its voices just now" in page


def test_publishes_from_the_last_step(browse, mia):
    campaign, browser = make_draft(mia.client), browse(mia)

    answer = browser.post(f"/app/campaigns/{campaign.pk}/prepare/", {"from": "test"})

    assert answer["Location"] == step(campaign, "test")
    assert 'hx-trigger="every 2s"' in browser.get(step(campaign, "test")).content.decode()


def test_leads_to_the_check_once_it_is_published(browse, alice, mia):
    campaign = make_ready(alice.client)

    assert "Check and launch" in browse(alice).get(step(campaign, "test")).content.decode()
    assert "Check and launch" not in browse(mia).get(step(campaign, "test")).content.decode()


def test_has_no_unknown_step_and_no_archived_campaign(browse, mia):
    campaign, browser = make_draft(mia.client), browse(mia)

    assert browser.get(step(campaign, "nonsense")).status_code == 404
    browser.post(f"/app/campaigns/{campaign.pk}/archive/")
    assert browser.post(step(campaign, "goal"), {"name": "X"}).status_code == 302
    assert Campaign.objects.get().name == campaign.name
