"""How the agent talks and listens: what Retell wouldn't take is named before it is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from campaigns import agent_choices
from campaigns.agent_settings import agent_settings, fingerprint, llm_settings
from campaigns.forms.talking import ConversationForm
from campaigns.forms.voice import VoiceForm
from campaigns.models import Campaign
from campaigns.settings_schema import DEFAULTS
from campaigns.voices import VoiceChoice
from telephony.sandbox import agent_settings as sandbox_settings
from tests.campaigns.test_wizard import CONVERSATION
from tests.factories.campaigns import campaign_content

VOICES = [
    VoiceChoice("11labs-Adrian", "Adrian", "male", "", provider="elevenlabs"),
    VoiceChoice("11labs-Anna", "Anna", "female", "", provider="elevenlabs"),
    VoiceChoice("openai-Alloy", "Alloy", "female", "", provider="openai"),
]
CODES = [code for code, _label in agent_choices.LANGUAGES]
VOICE = {
    "voice_id": "11labs-Adrian",
    "language": "en-US",
    "voice_speed": "1",
    "voice_temperature": "1",
    "volume": "1",
}


def voice_form(**sent):
    return VoiceForm(data={**VOICE, **sent}, content=campaign_content(), voices=VOICES)


def talking(settings):
    campaign = Campaign(name="x", voice_id="v", settings=settings)
    return agent_settings(campaign, webhook_url="https://x.test/", time_zone="UTC")


def conversation(settings=None, **sent):
    content = campaign_content(settings={**DEFAULTS, **(settings or {})})
    return ConversationForm(data={**CONVERSATION, **sent}, content=content)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"voice_id": "11labs-Nobody"}, "voice_id"),
        ({"voice_id": ""}, "voice_id"),
        ({"language": "multi"}, "language"),
        ({"more_languages": ["es-ES", "tlh"]}, "more_languages"),
        ({"more_languages": CODES[1:11]}, "more_languages"),
        ({"voice_speed": "0.4"}, "voice_speed"),
        ({"voice_speed": "2.1"}, "voice_speed"),
        ({"voice_temperature": "-0.1"}, "voice_temperature"),
        ({"volume": "3"}, "volume"),
        ({"voice_model": "tts-1"}, "voice_model"),
        ({"voice_model": "eleven_v99"}, "voice_model"),
        ({"fallback_voice_id": "11labs-Anna"}, "fallback_voice_id"),
        ({"fallback_voice_id": "11labs-Adrian"}, "fallback_voice_id"),
        ({"fallback_voice_id": "nobody"}, "fallback_voice_id"),
    ],
)
def test_names_what_a_voice_can_not_do(sent, field):
    assert list(voice_form(**sent).errors) == [field]


def test_takes_a_spare_voice_of_another_provider():
    form = voice_form(voice_model="eleven_v3", fallback_voice_id="openai-Alloy")

    assert form.is_valid()
    campaign = Campaign(name="x", voice_id="11labs-Adrian", settings=form.changes()["settings"])
    agent = agent_settings(campaign, webhook_url="https://x.test/", time_zone="UTC")
    assert (agent.voice_model, agent.fallback_voice_ids) == ("eleven_v3", ("openai-Alloy",))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"max_call_minutes": "0"}, "max_call_minutes"),
        ({"max_call_minutes": "121"}, "max_call_minutes"),
        ({"silence_seconds": "9"}, "silence_seconds"),
        ({"model_tier": "gpt-99"}, "model_tier"),
        ({"temperature": "1.1"}, "temperature"),
        ({"starts": "nobody"}, "starts"),
        ({"responsiveness": "1.5"}, "responsiveness"),
        ({"interruption_sensitivity": "-1"}, "interruption_sensitivity"),
        ({"backchannel_frequency": "2"}, "backchannel_frequency"),
        ({"backchannel_words": "x" * 201}, "backchannel_words"),
        ({"ambient_sound": "opera"}, "ambient_sound"),
        ({"ambient_sound_volume": "2.5"}, "ambient_sound_volume"),
        ({"reminder_seconds": "0"}, "reminder_seconds"),
        ({"reminder_max_count": "6"}, "reminder_max_count"),
        ({"begin_message_delay_ms": "5001"}, "begin_message_delay_ms"),
        ({"denoising_mode": "all"}, "denoising_mode"),
        ({"stt_mode": "psychic"}, "stt_mode"),
        ({"stt_mode": "custom", "stt_provider": "nobody"}, "stt_provider"),
        ({"stt_mode": "custom", "endpointing_ms": "3001"}, "endpointing_ms"),
        ({"stt_mode": "custom", "endpointing_ms": "9"}, "endpointing_ms"),
        ({"manners": ["rudeness"]}, "manners"),
        ({"manners": ["customer_support", "conversational"]}, "manners"),
        ({"menu_detection": "x" * 501}, "menu_detection"),
        ({"pronunciations": "Byron"}, "pronunciations"),
        ({"pronunciations": "Byron:"}, "pronunciations"),
        ({"pronunciations": "\n".join(f"w{n}: x" for n in range(41))}, "pronunciations"),
        ({"keywords": ",".join(f"w{n}" for n in range(41))}, "keywords"),
        ({"screening_purpose": ""}, "screening_purpose"),
    ],
)
def test_names_what_a_conversation_can_not_be(sent, field):
    assert list(conversation(**sent).errors) == [field]


def test_has_medical_words_in_english_alone():
    form = conversation({"language": "de-DE"})
    assert list(form.errors) == ["vocab_specialization"]
    # Chosen in English, and the language was changed since: Retell is told what it takes.
    settings = {**DEFAULTS, "vocab_specialization": "medical", "language": "de-DE"}
    campaign = Campaign(name="x", voice_id="v", settings=settings)
    agent = agent_settings(campaign, webhook_url="https://x.test/", time_zone="UTC")
    assert agent.vocab_specialization == "general"


@pytest.mark.parametrize(
    ("more", "kept", "told"),
    [
        ([], [], "en-US"),
        (["en-US"], [], "en-US"),  # the main one counts once
        (["es-419", "en-US", "de-DE"], ["es-419", "de-DE"], ("en-US", "es-419", "de-DE")),
    ],
)
def test_speaks_one_language_or_several(more, kept, told):
    form = voice_form(more_languages=more)

    assert form.is_valid()
    settings = form.changes()["settings"]
    assert (settings["language"], settings["more_languages"]) == ("en-US", kept)
    agent = talking(settings)
    assert agent.language == told


def test_takes_ten_languages_at_most():
    assert voice_form(more_languages=CODES[1:10]).is_valid()
    assert "at most 9" in str(voice_form(more_languages=CODES[1:11]).errors)


def test_keeps_the_fingerprint_of_what_was_saved_before_there_were_later_settings():
    """Another one would ask for a new version of every campaign there is."""
    llm = llm_settings(Campaign(name="x", voice_id="v", settings={}), knowledge_base_ids=())
    before = "22061d2745911eecfb4c351d7be878a457436e62590dcdf07310ef933e030ee6"

    assert fingerprint(llm=llm, agent=talking({})) == before
    for later in (
        {"voicemail_detection": "x"},
        {"menu_detection": "x"},
        {"analysis_tier": "economy"},
        {"stt_mode": "custom"},
    ):
        assert fingerprint(llm=llm, agent=talking(later)) != before


def test_keeps_the_fingerprint_of_what_was_saved_before_there_were_several():
    before = {name: value for name, value in DEFAULTS.items() if name != "more_languages"}
    llm = llm_settings(Campaign(name="x", voice_id="v", settings=before), knowledge_base_ids=())
    # As it was told then, a word: another fingerprint would publish every agent anew.
    old = fingerprint(llm=llm, agent=replace(talking(before), language="en-US"))

    assert fingerprint(llm=llm, agent=talking(before)) == old
    assert fingerprint(llm=llm, agent=talking({**before, "more_languages": []})) == old
    assert fingerprint(llm=llm, agent=talking({**before, "more_languages": ["es-419"]})) != old


@pytest.mark.parametrize(
    ("more", "told"), [(["en-GB"], "medical"), (["en-GB", "es-419"], "general")]
)
def test_has_medical_words_only_where_every_language_is_english(more, told):
    chosen = {"vocab_specialization": "medical", "more_languages": more}

    assert list(conversation(chosen, vocab_specialization="medical").errors) == (
        [] if told == "medical" else ["vocab_specialization"]
    )
    assert talking({**DEFAULTS, **chosen}).vocab_specialization == told


def test_offers_every_language_once():
    assert len(CODES) == len(set(CODES)) == 63
    assert set(CODES) == sandbox_settings.LANGUAGES
