"""Which calls a rule on outcomes means: decided on the facts of a call, for tests and in earnest alike."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from django.utils.translation import gettext, gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from django.utils.functional import _StrPromise

OUTCOMES: dict[str, _StrPromise] = {
    "converted": _("The goal was reached"),
    "human": _("A person was reached, without the goal"),
    "callback": _("The person asked to be called back"),
    "opted_out": _("The person asked not to be called again"),
    "machine": _("Voicemail or a phone menu"),
    "no_contact": _("Nobody answered, busy or declined"),
    "failed": _("A technical failure"),
    "exhausted": _("All attempts are used up"),
}


# Retell's words for how a person felt.
SENTIMENTS: dict[str, _StrPromise] = {
    "Positive": _("Positive"),
    "Neutral": _("Neutral"),
    "Negative": _("Negative"),
    "Unknown": _("Unknown"),
}
ANSWER_TESTS: dict[str, _StrPromise] = {
    "is": _("is"),
    "one_of": _("is one of"),
    "at_least": _("is at least"),
}
MOST_ANSWERS = 3

type AnswerTest = Literal["is", "one_of", "at_least"]


class AnswerCondition(TypedDict):
    """
    What a question of the analysis must have been answered.

    `values` holds one text, of "one_of" several, of "at_least" a number; yes and no are "yes" and "no".
    """

    question: str
    test: AnswerTest
    values: list[str]


class Conditions(TypedDict, total=False):
    """What a call's analysis must say beside its outcome: every answer, and one of the sentiments."""

    answers: list[AnswerCondition]
    sentiments: list[str]


class Params(TypedDict, total=False):
    """What an action needs: `tag`, `note` with `delay_minutes`, `campaign_id`, `delay_minutes`."""

    tag: str
    note: str
    delay_minutes: int
    campaign_id: str


@dataclass(frozen=True, kw_only=True)
class CallFacts:
    """
    What a finished call came to, and where it left its lead.

    `sentiment` and `answers` (by the names of the questions) are empty where nobody asked for them.
    """

    outcome_class: str
    reason: str
    is_converted: bool
    lead_status: str
    sentiment: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    is_analysed: bool = True


def outcome_words(facts: CallFacts) -> frozenset[str]:
    """Return every word of OUTCOMES that names this call."""
    found = set()
    if facts.reason == "user_requested_dnc":
        found.add("opted_out")
    if facts.reason == "user_requested_callback":
        found.add("callback")
    if facts.outcome_class == "human":
        found.add("converted" if facts.is_converted else "human")
    elif facts.outcome_class in {"machine", "no_contact"}:
        found.add(facts.outcome_class)
    elif facts.outcome_class in {"technical", "number_trouble"}:
        found.add("failed")
    if facts.lead_status == "exhausted":
        found.add("exhausted")
    return frozenset(found)


def means(
    outcomes: Collection[str], facts: CallFacts, conditions: Conditions | None = None
) -> bool:
    """Tell whether a rule with these outcomes, and these conditions besides, means this call."""
    if outcome_words(facts).isdisjoint(outcomes):
        return False
    conditions = conditions or {}
    sentiments = conditions.get("sentiments")
    if sentiments and facts.sentiment not in sentiments:
        return False
    answers = conditions.get("answers", ())
    return all(_is_answered(one, facts.answers.get(one["question"])) for one in answers)


def condition_words(conditions: Conditions) -> list[str]:
    """Return the conditions as people read them, each as a sentence without its end."""
    said = []
    for one in conditions.get("answers", ()):
        values = ", ".join(one["values"])
        words = {
            "is": gettext("%(question)s is “%(values)s”"),
            "one_of": gettext("%(question)s is one of %(values)s"),
            "at_least": gettext("%(question)s is at least %(values)s"),
        }
        said.append(words[one["test"]] % {"question": one["question"], "values": values})
    if sentiments := conditions.get("sentiments"):
        moods = ", ".join(str(SENTIMENTS.get(one, one)) for one in sentiments)
        said.append(gettext("Mood is %(moods)s") % {"moods": moods})
    return said


def number_of(answer: object) -> float | None:
    """Return an answer as a number; None if it is none."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | str):
        return None
    try:
        number = float(answer)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _is_answered(condition: AnswerCondition, answer: object) -> bool:
    given = number_of(answer)
    wanted = [number_of(value) for value in condition["values"]]
    if condition["test"] == "at_least":
        least = wanted[0]
        return given is not None and least is not None and given >= least
    if given is not None and given in wanted:
        return True
    text = _text_of(answer)
    return bool(text) and text in {value.strip().casefold() for value in condition["values"]}


def _text_of(answer: object) -> str:
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return str(answer).strip().casefold() if isinstance(answer, str | int | float) else ""
