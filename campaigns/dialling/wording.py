"""Decisions in words: every rule's sentence, and what a decision looked at, for people who read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _, gettext_lazy

from campaigns.calling_rules import find_rule
from convomono.lib.phone import display_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise

    from campaigns.calling_rules import CallingRule

_HOUR = 60

# What a rule of ours says when it stops a call, or puts it off.
RULES: dict[str, _StrPromise] = {
    "suppressed.agency": gettext_lazy("This number is on the do-not-call list."),
    "suppressed.client": gettext_lazy("This number is on your do-not-call list."),
    "suppressed.campaign": gettext_lazy("This person asked not to be called for this campaign."),
    "number.invalid": gettext_lazy("This is no number that can be dialled."),
    "zone.unknown": gettext_lazy(
        "Nobody knows which time zone this number is in, so no hour is certain to be allowed."
    ),
    "consent.missing": gettext_lazy("There is no proof that this person agreed to be called."),
    "attempts.cap": gettext_lazy("All attempts that the campaign allows were made."),
    "person.gap": gettext_lazy(
        "This person was called a short while ago, by this or another list."
    ),
    "campaign.hours": gettext_lazy("It was outside the campaign's own calling hours."),
    "campaign.weekend": gettext_lazy("The campaign makes no retries on weekends."),
    "client.hours": gettext_lazy("It was outside the hours that your account allows itself."),
    "client.days": gettext_lazy("It was a day on which your account doesn't call."),
    "client.cap": gettext_lazy("Your account's own number of calls to a person was reached."),
    "client.week": gettext_lazy(
        "Your account's own number of calls to a person in seven days was reached."
    ),
    "client.gap": gettext_lazy("Your account's own pause between two calls wasn't over."),
    "sandbox.any_hour": gettext_lazy(
        "Sandbox: a number kept for fiction may be called at any hour, nothing rings."
    ),
}
# What they say of a person who is listed under another number than the one to be dialled.
_OTHER_NUMBER: dict[str, _StrPromise] = {
    "suppressed.agency": gettext_lazy(
        "Another number of this person, %(number)s, is on the do-not-call list."
    ),
    "suppressed.client": gettext_lazy(
        "Another number of this person, %(number)s, is on your do-not-call list."
    ),
    "suppressed.campaign": gettext_lazy(
        "Under another number, %(number)s, this person asked not to be called for this campaign."
    ),
}
# What the same rules say of a call that was allowed.
_KEPT: dict[str, _StrPromise] = {
    "person.gap": gettext_lazy("The last call to this person is long enough ago."),
    "client.hours": gettext_lazy("It was within the hours that your account allows itself."),
    "client.days": gettext_lazy("It was a day on which your account calls."),
    "client.cap": gettext_lazy("Your account's own number of calls to a person wasn't reached."),
    "client.week": gettext_lazy(
        "Your account's own number of calls to a person in seven days wasn't reached."
    ),
    "client.gap": gettext_lazy("Your account's own pause between two calls was over."),
    "sandbox.any_hour": RULES["sandbox.any_hour"],
}
_ALLOWED_DAYS: dict[str, _StrPromise] = {
    "days": gettext_lazy("It was a weekday on which calls are allowed there."),
    "holidays": gettext_lazy("It was no holiday there."),
    "consent": gettext_lazy("This person agreed to be called, as the law there asks."),
}
_CLOSED_DAYS: dict[str, _StrPromise] = {
    "days": gettext_lazy("It was a weekday on which nobody is called there."),
    "holidays": gettext_lazy("It was a holiday on which nobody is called there."),
}
_INPUTS: dict[str, _StrPromise] = {
    "rules_version": gettext_lazy("Edition of the calling rules"),
    "country": gettext_lazy("Country of the number"),
    "jurisdictions": gettext_lazy("Places whose rules bind"),
    "zones": gettext_lazy("Local time"),
    "zones_from": gettext_lazy("Time zone known from"),
    "any_hour": gettext_lazy("Any hour allowed (sandbox)"),
    "suppressed_on": gettext_lazy("On a do-not-call list"),
    "suppressed_number": gettext_lazy("Listed by another number of theirs"),
    "has_consent": gettext_lazy("Agreed to be called"),
    "attempts_count": gettext_lazy("Attempts in this campaign before"),
    "calls_in_24_hours": gettext_lazy("Calls to this person in the last 24 hours"),
    "last_call_at": gettext_lazy("Last call to this person by anybody"),
    "gap_seconds": gettext_lazy("Least seconds between two calls"),
    "caps": gettext_lazy("Most calls in so many hours"),
    "max_attempts": gettext_lazy("Attempts that the campaign allows"),
    "number_by": gettext_lazy("Called from this number because"),
}
_VALUES: dict[tuple[str, str], _StrPromise] = {
    ("zones_from", "number"): gettext_lazy("the lead or its number"),
    ("zones_from", "country"): gettext_lazy("the country: all its zones have to be open"),
    ("number_by", "same"): gettext_lazy("it called this person before"),
    ("number_by", "area"): gettext_lazy("it has the same area code"),
    ("number_by", "state"): gettext_lazy("it is of the same state"),
    ("number_by", "turn"): gettext_lazy("it was its turn"),
    ("suppressed_on", ""): gettext_lazy("no"),
    ("suppressed_on", "agency"): gettext_lazy("yes"),
    ("suppressed_on", "client"): gettext_lazy("yes, yours"),
    ("suppressed_on", "campaign"): gettext_lazy("yes, of this campaign"),
}


@dataclass(frozen=True)
class Reason:
    """One rule of a decision: the sentence people read, its id, and where it is written."""

    rule_id: str
    sentence: str
    citation: str = ""


def reasons(decision: Mapping[str, Any]) -> list[Reason]:
    """Return a kept decision's rules in words; a rule that is gone from the file is named by its id."""
    allowed = decision.get("verdict") == "allow"
    ids = [one for rule in decision.get("rules", []) for one in str(rule).split()]
    other = decision.get("inputs", {}).get("suppressed_number")
    return [
        Reason(rule_id, str(_OTHER_NUMBER[rule_id]) % {"number": display_number(other)})
        if other and rule_id in _OTHER_NUMBER
        else _reason(rule_id, allowed=allowed)
        for rule_id in dict.fromkeys(ids)
    ]


def inputs(decision: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a kept decision looked at, as names and values for a reader."""
    return [
        (str(_INPUTS.get(name, name.replace("_", " ").capitalize())), _value(name, value))
        for name, value in decision.get("inputs", {}).items()
    ]


def _reason(rule_id: str, *, allowed: bool) -> Reason:
    if allowed and rule_id in _KEPT:
        return Reason(rule_id, str(_KEPT[rule_id]))
    if rule_id in RULES:
        return Reason(rule_id, str(RULES[rule_id]))
    rule = find_rule(rule_id)
    if rule is None:
        return Reason(rule_id, _("Rule %(id)s, of an earlier edition.") % {"id": rule_id})
    return Reason(rule_id, _by_law(rule, allowed=allowed), rule.citation)


def _by_law(rule: CallingRule, *, allowed: bool) -> str:
    value = rule.value
    if rule.kind == "hours":
        span = {"opens": _wall(value["opens_minute"]), "closes": _wall(value["closes_minute"])}
        if allowed:
            return _("It was within calling hours there: %(opens)s to %(closes)s.") % span
        return _("It was outside calling hours there: %(opens)s to %(closes)s.") % span
    if rule.kind == "cap":
        kept = _("At most %(calls)s calls to a person in %(hours)s hours: not reached.")
        broken = _("At most %(calls)s calls to a person in %(hours)s hours: reached.")
        return (kept if allowed else broken) % value
    if rule.kind == "gap":
        pause = {"hours": f"{value['seconds'] / 3600:g}"}
        kept = _("Automated calls are at least %(hours)s hours apart there: kept.")
        broken = _("Automated calls are at least %(hours)s hours apart there: not over yet.")
        return (kept if allowed else broken) % pause
    said = _ALLOWED_DAYS if allowed else _CLOSED_DAYS
    return str(said.get(rule.kind) or f"{rule.citation.rstrip('.')}.")


def _wall(minute: int) -> str:
    return f"{minute // _HOUR}:{minute % _HOUR:02d}"


def _value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, str) and (name, value) in _VALUES:
        return str(_VALUES[name, value])
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_value('', one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value in ("", None) else str(value)
