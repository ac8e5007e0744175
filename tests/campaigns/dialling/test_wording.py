"""Every rule that a decision can name has a sentence for people."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path

import pytest

import campaigns.calling_rules
from campaigns import rules
from campaigns.dialling.wording import RULES, inputs, reasons

FILE = Path(campaigns.calling_rules.__file__).with_name("rules.json")
OF_THE_FILE = [rule["id"] for rule in json.loads(FILE.read_text())["rules"]]


def _named_in_the_rules() -> set[str]:
    """The ids that `rules.py` writes out itself: words with a dot in strings."""
    tree = ast.parse(inspect.getsource(rules))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {
        text
        for text in texts
        if isinstance(text, str)
        and text.count(".") == 1
        and not text.endswith(".")
        and text.replace(".", "").replace("_", "").isalpha()
    }


def test_knows_every_rule_that_the_decision_names():
    named = _named_in_the_rules()

    assert {"person.gap", "consent.missing"} <= named
    assert named <= set(RULES)


@pytest.mark.parametrize("verdict", ["allow", "deny", "defer"])
@pytest.mark.parametrize("rule_id", [*OF_THE_FILE, *RULES])
def test_says_each_rule_in_words(rule_id, verdict):
    (told,) = reasons({"verdict": verdict, "rules": [rule_id]})

    assert told.sentence.endswith(".")
    assert rule_id not in told.sentence


def test_says_whether_the_rule_was_kept_or_stopped_the_call():
    kept, stopped = (
        reasons({"verdict": verdict, "rules": ["us.fl.cap"]})[0].sentence
        for verdict in ("allow", "defer")
    )

    assert "not reached" in kept
    assert "3 calls" in stopped
    assert kept != stopped


def test_takes_two_rules_apart_that_bind_together_and_says_each_once():
    told = reasons({"verdict": "allow", "rules": ["us.fl.hours any.cap", "any.cap"]})

    assert [one.rule_id for one in told] == ["us.fl.hours", "any.cap"]


def test_names_a_rule_of_an_earlier_edition():
    (told,) = reasons({"verdict": "deny", "rules": ["us.gone"]})

    assert "us.gone" in told.sentence


def test_says_what_was_looked_at():
    shown = dict(
        inputs(
            {
                "inputs": {
                    "zones": {"America/New_York": "Mon 10:15"},
                    "has_consent": True,
                    "suppressed_on": "",
                    "zones_from": "number",
                }
            }
        )
    )

    assert shown["Local time"] == "America/New York Mon 10:15"
    assert shown["Agreed to be called"] == "yes"
    assert shown["On a do-not-call list"] == "no"
