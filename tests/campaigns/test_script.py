"""Scripts: their variables, what they say for one lead, what a careful reader asks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from campaigns import script
from campaigns.agent_choices import LANGUAGES
from leads.models import Lead
from telephony.disclosure.ai_words import says_ai


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("Hello {{first_name}} of {{ company }}.", ["first_name", "company"]),
        ("{{a}} {{b}} {{a}}", ["a", "b"]),
        ("{{1st}} {{two words}} {{}}", []),
        ("{first_name}", []),
        ("{{a\n}}", ["a"]),
    ],
)
def test_finds_variables_once_in_order(text, names):
    assert script.variables(text) == names


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("{{first_name}}", []),
        ("{{two words}}", ["two words"]),
        ("{{first_name", ["{{"]),
        ("first_name}}", ["}}"]),
        ("{{}}", [""]),
    ],
)
def test_names_what_is_no_variable(text, wrong):
    assert script.malformed(text) == wrong


def test_leaves_retells_own_variables_to_retell():
    assert script.own_variables("{{current_time}} {{first_name}}") == ["first_name"]


def test_knows_lead_fields_and_columns_of_the_file():
    found = script.unknown_variables(["first_name", "plan", "colour"], known=["plan"])

    assert found == ["colour"]


def test_renders_a_lead_and_leaves_what_is_missing_visible():
    lead = Lead(first_name="Ada", last_name="Byron", phone_number="+12025550100")

    text = script.render("{{ full_name }} of {{company}}", script.lead_values(lead))

    assert text == "Ada Byron of {{company}}"


@given(st.text(), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_renders_any_text_without_an_error(text, values):
    assert isinstance(script.render(text, values), str)


def codes(**fields):
    given_fields = {
        "script": "An AI calls for Acme Dental. The call is recorded.",
        "opening_line": "",
        "business": "Acme Dental Ltd",
        "languages": ("en-US",),
    }
    return [(p.code, p.is_blocker) for p in script.check(**{**given_fields, **fields})]


UNNAMED, NO_AI, UNRECORDED = (
    (f"{what}_missing", False) for what in ("business", "ai_notice", "recording_notice")
)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"script": " "}, [("script_empty", True), UNNAMED, NO_AI, UNRECORDED]),
        ({"opening_line": "Acme Dental here. This call is recorded."}, [NO_AI]),
        ({"script": "An AI calls. The call is recorded."}, [UNNAMED]),
        (
            {"opening_line": "{{x y}} I'm an AI of Acme Dental. We record this call."},
            [("variable_malformed", True)],
        ),
        # named where nobody hears it at the start
        ({"opening_line": "An AI is calling. This call is recorded."}, [UNNAMED]),
        ({"script": "An AI. The call is recorded." + "x" * 600 + " Acme Dental"}, [UNNAMED]),
        (
            {"script": "An AI for Acme Dental. This call is recorded. " + "x" * 12_001},
            [("script_long", False)],
        ),
        # "said" and "captain" hold the letters, but don't say it
        ({"script": "Acme Dental said the captain. We record this call."}, [NO_AI]),
        # what is sold isn't who calls
        ({"opening_line": "Acme Dental here about our AI. We record this call."}, [NO_AI]),
        ({"opening_line": "Hi, this is the AI assistant of Acme Dental."}, [UNRECORDED]),
        ({"opening_line": "An AI of Acme Dental here.", "languages": ("fi-FI", "en-GB")}, []),
    ],
)
def test_checks_a_script(fields, found):
    assert codes(**fields) == found


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", "This is Riley, an AI assistant."),
        ("en-GB", "an A.I. assistant"),
        ("en-US", "This is an automated call."),
        ("en-AU", "I am a virtual dental receptionist"),
        ("es-ES", "Soy Lucía, una inteligencia artificial de Acme."),
        ("es-419", "Soy la asistente virtual de Acme."),
        ("fr-FR", "Je suis une IA qui appelle pour Acme."),
        ("fr-CA", "Je suis l'assistante vocale d'Acme."),
        ("de-DE", "Hier spricht die KI von Acme."),
        ("de-DE", "Hier ist der digitale Assistent von Acme"),
        ("de-DE", "Sie sprechen mit einem KI-Assistenten."),
        ("it-IT", "Sono un'intelligenza artificiale."),
        ("pt-BR", "Sou um robô da Acme."),
        ("nl-BE", "U spreekt met een virtuele assistent."),
        ("pl-PL", "Mówi asystent sztucznej inteligencji."),
        ("sv-SE", "Jag är en virtuell assistent."),
        ("fi-FI", "Olen Acmen tekoälyavustaja."),
        ("cs-CZ", "Jsem umělá inteligence."),
        ("ru-RU", "Это голосовой помощник Acme."),
        ("uk-UA", "Я штучний інтелект."),
        ("tr-TR", "Yapay zekâ ile konuşuyorsunuz."),
        ("ar-SA", "أنا مساعد افتراضي"),
        ("hi-IN", "मैं एक एआई सहायक हूँ"),
        ("ja-JP", "AIアシスタントがお電話しています。"),
        ("zh-CN", "您好, 我是人工智能助理。"),
        ("ko-KR", "저는 인공지능입니다."),
        ("th-TH", "ฉันเป็นปัญญาประดิษฐ์"),
        ("vi-VN", "Tôi là trợ lý ảo."),
    ],
)
def test_hears_that_an_ai_calls_in_the_language_that_is_spoken(language, text):
    assert says_ai(text, [language])


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", "This is Riley from Acme Digital."),
        ("en-US", "She said the captain was virtually there."),
        ("en-US", "Hi, it is Aimee."),
        ("fr-FR", "J'ai une question pour vous."),
        ("it-IT", "Parlo ai clienti di Acme."),
        ("de-DE", "Hier ist Kira von Acme."),
        ("es-ES", "Llamo de Acme, María."),
        ("pl-PL", "Dzwonię z Acme, chodzi o wizytę."),
        ("ja-JP", "アクメ歯科です。"),
        ("zh-CN", "您好, 这里是牙科诊所。"),
        ("fr-FR", "Sie sprechen mit einer KI."),
    ],
)
def test_hears_no_notice_where_there_is_none(language, text):
    assert not says_ai(text, [language])


def test_knows_the_words_of_every_language_that_is_offered():
    for code, _name in LANGUAGES:
        assert says_ai("This is an AI.", [code])
        assert not says_ai("Acme Dental, {{first_name}}.", [code])


def test_hears_the_notice_in_any_language_that_the_agent_speaks():
    assert says_ai("Soy una inteligencia artificial.", ["en-US", "es-419"])
