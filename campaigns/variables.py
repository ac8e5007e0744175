"""Script variables with a kind, a length and a default: what may be said for one, without any I/O."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, TypedDict

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.utils.functional import _StrPromise

MOST_CHARS = 500
_NUMBER = re.compile(r"[+-]?\d{1,3}(?:[ ,]?\d{3})*(?:[.,]\d+)?")
_MONEY = re.compile(
    r"(?:[$£€]|[A-Z]{3} ?)?\d{1,3}(?:[ ,]?\d{3})*(?:[.,]\d{1,2})?(?: ?(?:[$£€]|[A-Z]{3}))?"
)
_DAY = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_YES_NO = frozenset({"yes", "no", "true", "false", "1", "0"})


@dataclass(frozen=True)
class VariableRule:
    """What a client said of one variable of a script; a required one may have a default."""

    name: str
    kind: str = "text"
    is_required: bool = True
    default: str = ""
    max_chars: int = 200


class StoredRule(TypedDict):
    """A rule as a version keeps it."""

    name: str
    kind: str
    is_required: bool
    default: str
    max_chars: int


def stored(rules: Iterable[VariableRule]) -> list[dict[str, object]]:
    """Return rules as a version keeps them (`StoredRule`), by name."""
    return [asdict(rule) for rule in sorted(rules, key=lambda rule: rule.name)]


def read_rules(kept: Iterable[StoredRule]) -> list[VariableRule]:
    """Return the rules that a version keeps."""
    return [VariableRule(**row) for row in kept]


_UNRULED = VariableRule("", max_chars=MOST_CHARS)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return bool(_DAY.fullmatch(text))
    return True


KINDS: dict[str, tuple[_StrPromise, Callable[[str], object]]] = {
    "text": (_("Text"), lambda _text: True),
    "number": (_("Number"), _NUMBER.fullmatch),
    "money": (_("Amount of money"), _MONEY.fullmatch),
    "date": (_("Date"), _is_date),
    "yes_no": (_("Yes or no"), lambda text: text.casefold() in _YES_NO),
}
PROBLEMS: dict[str, _StrPromise] = {
    "braces": _("Two braces may not stand here: the agent reads it."),
    "too_long": _("This is longer than the variable may be."),
    "wrong_kind": _("This isn't of the kind that the variable is."),
    "missing": _("The script can't be said without this."),
}


def value_problem(rule: VariableRule, value: str) -> str:
    """Return what is wrong with a value: a code of PROBLEMS, or empty. An empty value is asked apart."""
    if "{{" in value or "}}" in value:
        return "braces"
    if len(value) > min(rule.max_chars, MOST_CHARS):
        return "too_long"
    return "" if not value or KINDS[rule.kind][1](value) else "wrong_kind"


def filled(rules: Iterable[VariableRule], values: Mapping[str, str]) -> dict[str, str]:
    """
    Return the values as a call may say them: what doesn't fit gives way to the default, or is left out.

    Values without a rule are kept, without braces and at most 500 characters long.
    """
    by_name = {rule.name: rule for rule in rules}
    said = {
        name: str(value)
        for name, value in values.items()
        if not value_problem(by_name.get(name, _UNRULED), str(value))
    }
    for rule in by_name.values():
        if rule.default and not said.get(rule.name):
            said[rule.name] = rule.default
    return said


def merged(own: Mapping[str, str], given: Mapping[str, object]) -> dict[str, str]:
    """
    Return a lead's values in a campaign as they were given: its own fields as they are now, unless the
    campaign was given another value of that name (by a column of its file, or a program). An empty one is none.
    """
    return {**own, **{name: str(value) for name, value in given.items() if str(value)}}


def said_values(
    rules: Iterable[VariableRule], *, own: Mapping[str, str], given: Mapping[str, object]
) -> dict[str, str]:
    """Return what a call says of a lead: `merged`, and the rules as they are now. All that shows or counts it asks here."""
    return filled(rules, merged(own, given))


def problems(rules: Iterable[VariableRule], values: Mapping[str, str]) -> dict[str, str]:
    """Return by name what is wrong with the values, or required, without a default, and missing."""
    found = {}
    for rule in rules:
        value = str(values.get(rule.name, ""))
        if problem := value_problem(rule, value):
            found[rule.name] = problem
        elif rule.is_required and not value and not rule.default:
            found[rule.name] = "missing"
    return found
