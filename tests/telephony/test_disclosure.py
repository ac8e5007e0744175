"""What the first turns of a call say: who calls, that an AI calls, that it is recorded; and what they only seem to."""

from __future__ import annotations

from itertools import chain, product
from typing import Any

import pytest
from hypothesis import given, strategies as st

from telephony.disclosure import (
    CUT,
    GIVEN,
    MISSES,
    NOTICES,
    UNREAD,
    judged,
    misses_with,
    opening_of,
)
from telephony.disclosure.ai import tells_ai
from telephony.disclosure.naming import names
from telephony.disclosure.recording import tells_recording
from tests.telephony.openings import english, german

FALSE_ALARMS_BELOW = 0.02
LANGUAGES = {"en-US": english, "de-DE": german}
LABELLED = [
    pytest.param(code, *labelled, id=f"{code} {number}")
    for code, words in LANGUAGES.items()
    for number, labelled in enumerate(words.OPENINGS, 1)
]


def asks(
    business: str = "Acme Dental",
    *,
    language: str = "en-US",
    notices: tuple[str, ...] = NOTICES[1:],
) -> dict[str, Any]:
    return {"business": business, "languages": [language], "notices": list(notices), "rules": []}


def says(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text, "words": []}


def conversation(*agent: str) -> list[dict[str, Any]]:
    """Return a transcript in which the person answers each turn of the agent's."""
    return [turn for text in agent for turn in (says("agent", text), says("user", "Yes?"))]


def verdict(code: str, business: str, spoken: str) -> str:
    return judged(conversation(*spoken.split(" | ")), asks(business, language=code))


@pytest.mark.parametrize(("code", "business", "spoken", "left_out"), LABELLED)
def test_tells_what_an_opening_leaves_out(code, business, spoken, left_out):
    assert verdict(code, business, spoken) == (left_out or GIVEN)


@pytest.mark.parametrize("code", LANGUAGES)
def test_lets_no_miss_pass_and_raises_few_false_alarms(code):
    """The labelled openings, and every way of naming joined with every way of each notice."""
    words = LANGUAGES[code]
    alarms, sound = 0, 0
    whole = [(business, spoken, miss.split()) for business, spoken, miss in words.OPENINGS]
    joined = (
        ("Acme Dental Ltd", " ".join(text for _, text in ways).format(name="Acme Dental"), miss)
        for ways in product(words.NAMED, words.AI, words.RECORDED)
        for miss in [[notice for notice, (is_said, _) in zip(NOTICES, ways, strict=True) if not is_said]]
    )  # fmt: skip
    for business, spoken, miss in chain(whole, joined):
        found = verdict(code, business, spoken)
        for notice in NOTICES:
            if notice in miss:
                assert notice in found.split(), (spoken, notice)
            else:
                sound += 1
                alarms += notice in found.split()

    assert len(words.OPENINGS) >= 60
    assert sound > 1_000
    assert alarms / sound < FALSE_ALARMS_BELOW


@pytest.mark.parametrize(
    ("text", "business", "is_named"),
    [
        ("This is acme dental", "Acme Dental Ltd.", True),
        ("This is ACME-DENTAL.", "Acme Dental, Inc.", True),
        ("This is AcmeDental.", "Acme Dental", True),
        ("Acme's assistant", "Acme", True),
        ("Hier ist Müllers Büro", "Müller GmbH & Co. KG", True),
        ("hier ist mueller", "Müller", True),
        ("Here is Societe Generale", "Société Générale S.A.", True),
        ("Smith and Sons here", "Smith & Sons", True),
        ("L'Oreal calls", "L'Oréal", True),
        ("the office of e.V.", "e.V.", True),
        ("This is Acme.", "Acme Dental", False),
        ("This is Dental Acme.", "Acme Dental", False),
        ("This is Pacme Dental.", "Acme Dental", False),
        ("This is Acme. Dental plans are dear.", "Acme Dentistry", False),
        ("This is not Acme Dental.", "Acme Dental", False),
        ("I don't call for Acme Dental.", "Acme Dental", False),
        ("Don't worry, Acme Dental here.", "Acme Dental", True),
        ("Are you Mrs. Acme?", "Acme", False),
        ("Are you Mrs. Acme, Acme Dental here?", "Acme Dental", True),
        ("You will smile.", "Smile", False),
        ("we are smile", "Smile", True),
        ("", "Acme", False),
    ],
)  # fmt: skip
def test_hears_a_name_as_it_is_written_down(text, business, is_named):
    assert names(text, business) is is_named


@pytest.mark.parametrize(
    ("language", "said", "not_said"),
    [
        ("es-ES", "Esta llamada está siendo grabada.", "Esta llamada no se graba."),
        ("fr-FR", "Cet appel est enregistré.", "Cet appel n'est pas enregistré."),
        ("it-IT", "Questa chiamata viene registrata.", "Questa chiamata non viene registrata."),
        ("nl-NL", "Dit gesprek wordt opgenomen.", "Dit gesprek wordt niet opgenomen."),
        ("pt-BR", "Esta ligação está sendo gravada.", "Esta ligação não é gravada."),
        ("en-GB", "We record calls.", "Hello."),
        ("de-AT", "Wir zeichnen Anrufe auf.", "Hallo."),
    ],
)
def test_hears_the_recording_notice_in_seven_languages(language, said, not_said):
    assert tells_recording(said, [language]) is True
    assert tells_recording(not_said, [language]) is False


def test_says_of_a_language_without_words_that_nobody_knows():
    assert tells_recording("Puhelu nauhoitetaan.", ["fi-FI"]) is None
    assert tells_recording("This call is recorded.", ["fi-FI", "en-US"]) is True
    turns = conversation("Hei, olen Acme Dentalin tekoälyavustaja. Puhelu nauhoitetaan.")
    finnish = asks("Acme Dentalin", language="fi-FI")
    assert judged(turns, finnish) == UNREAD
    assert judged(conversation("Hei, olen tekoälyavustaja, hei."), finnish) == "name"


@pytest.mark.parametrize(
    ("language", "said", "not_said"),
    [
        ("fr-FR", "Je suis une IA.", "Je ne suis pas une IA."),
        ("es-ES", "Soy un robot, no una persona.", "No soy un robot."),
        ("en-US", "This is an A.I. assistant.", "This is Emma of Emma AI."),
    ],
)
def test_hears_an_ai_in_other_languages_unless_it_is_denied(language, said, not_said):
    assert tells_ai(said, [language], business="Emma AI")
    assert not tells_ai(not_said, [language], business="Emma AI")


@pytest.mark.parametrize(
    ("notices", "spoken", "found"),
    [
        ((), "This is Acme Dental.", GIVEN),
        ((), "This is your dentist.", "name"),
        (("ai",), "This is Acme Dental.", "ai"),
        (("recording",), "This is Acme Dental.", "recording"),
        (("ai", "recording"), "This is Acme Dental.", "ai recording"),
    ],
)
def test_asks_for_no_more_than_the_rules(notices, spoken, found):
    assert judged(conversation(spoken), asks(notices=notices)) == found


def test_asks_nothing_of_a_call_that_has_nothing_to_say():
    assert judged(conversation("Hello."), {}) == ""


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([], id="no transcript"),
        pytest.param([says("user", "Hello? Acme Dental?")], id="the agent never spoke"),
        pytest.param([says("agent", " ")], id="silence"),
        pytest.param(["agent", None, 7, {"role": "agent"}, {"content": "Hi"}], id="no turns"),
        pytest.param("Agent: Hello", id="no list"),
        pytest.param([{"role": "agent", "content": ["Hello"]}], id="no text"),
    ],
)
def test_judges_nothing_where_nothing_was_said(turns):
    assert judged(turns, asks()) == ""


@pytest.mark.parametrize(
    ("turns", "found"),
    [
        pytest.param(
            [says("agent", "Hi Anna, this is Emma.")], CUT, id="hung up during the opening"
        ),
        pytest.param([says("user", "Yes?"), says("agent", "Hi, this is")], CUT, id="in a sentence"),
        pytest.param(
            [says("agent", "Hi Anna, this is Em"), says("user", "No!")], CUT, id="interrupted"
        ),
        pytest.param(
            [says("agent", "Hi Anna, this is Emma."), says("user", "No!")], "name", id="answered"
        ),
        pytest.param(
            [says("agent", "This is Acme Dental, I wanted to")], GIVEN, id="all was said by then"
        ),
        pytest.param(
            [*conversation("Hi Anna, I am calling about your teeth.", "You are due for a visit")],
            "name",
            id="two turns are an opening",
        ),
        pytest.param(
            conversation(
                "hi anna this is emma do you have a minute to talk about your teeth today"
            ),
            "name",
            id="nothing is punctuated",
        ),
        pytest.param(
            [says("agent", "Hello?"), says("agent", "Hi, Acme Dental."), says("user", "Yes?")],
            GIVEN,
            id="turns without an answer between are one",
        ),
    ],
)
def test_counts_no_call_that_ended_before_its_opening(turns, found):
    assert judged(turns, asks(notices=())) == found


def test_hears_only_the_agent():
    turns = [
        says("agent", "Hi, do you have a minute for me?"),
        says("user", "Is this the AI assistant of Acme Dental? Is this call recorded?"),
    ]
    assert judged(turns, asks()) == "name ai recording"


SENTENCES = st.sampled_from(
    [text for words in LANGUAGES.values() for ways in (words.NAMED, words.AI, words.RECORDED) for _, text in ways]
)  # fmt: skip
TURNS = st.lists(SENTENCES.map(lambda text: text.format(name="Acme Dental")), max_size=6)


@given(TURNS, TURNS, st.sampled_from(sorted(LANGUAGES)))
def test_nothing_that_follows_an_opening_makes_up_for_what_it_left_out(first, later, code):
    opening = conversation(*first)
    if not opening_of(opening).is_whole:
        return
    wanted = asks(language=code)
    assert judged([*opening, *conversation(*later)], wanted) == judged(opening, wanted)


@given(TURNS, st.text(max_size=30), st.sampled_from(sorted(LANGUAGES)))
def test_what_the_person_says_changes_nothing(spoken, answer, code):
    turns = conversation(*spoken)
    answered = [
        {**turn, "content": f"No. {answer}"} if turn["role"] == "user" else turn for turn in turns
    ]
    assert judged(answered, asks(language=code)) == judged(turns, asks(language=code))


@given(TURNS, st.sampled_from(["Acme Dental", "Ärzte & Co. KG", "A", "GmbH", "!"]))
def test_keeps_one_of_the_values_there_are(spoken, business):
    kept = judged(conversation(*spoken), asks(business))
    assert kept in {"", GIVEN, CUT, *MISSES}
    assert len(kept) <= 24


@given(st.lists(st.dictionaries(st.sampled_from(["role", "content"]), st.text() | st.none())))
def test_reads_any_transcript(turns):
    judged(turns, asks())


def test_names_each_way_of_leaving_something_out_once():
    assert len(set(MISSES)) == 7
    assert misses_with("ai") == ("ai", "name ai", "ai recording", "name ai recording")
