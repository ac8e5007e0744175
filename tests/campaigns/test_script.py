"""Scripts: their variables, what they say for one lead, what a careful reader asks."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from campaigns import script
from leads.models import Lead


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
        "script": "An AI calls for Acme Dental.",
        "opening_line": "",
        "business": "Acme Dental",
    }
    return [(p.code, p.is_blocker) for p in script.check(**{**given_fields, **fields})]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"script": " "}, [("script_empty", True), ("business_missing", False)]),
        ({"opening_line": "Acme Dental here."}, [("ai_notice_missing", False)]),
        ({"script": "An AI calls."}, [("business_missing", False)]),
        ({"opening_line": "{{x y}} an AI"}, [("variable_malformed", True)]),
        ({"script": "AI for Acme Dental. " + "x" * 12_001}, [("script_long", False)]),
        # "said" and "captain" hold the letters, but don't say it
        ({"script": "Acme Dental said the captain."}, [("ai_notice_missing", False)]),
    ],
)
def test_checks_a_script(fields, found):
    wanted = [*found, ("ai_notice_missing", False)] if fields == {"script": " "} else found
    assert codes(**fields) == wanted
