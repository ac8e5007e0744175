"""Which calls a rule on outcomes means: decided on the facts of a call, for tests and in earnest alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Collection

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


class Params(TypedDict, total=False):
    """What an action needs: `tag`, `note` with `delay_minutes`, `campaign_id`, `delay_minutes`."""

    tag: str
    note: str
    delay_minutes: int
    campaign_id: str


@dataclass(frozen=True, kw_only=True)
class CallFacts:
    """What a finished call came to, and where it left its lead."""

    outcome_class: str
    reason: str
    is_converted: bool
    lead_status: str


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


def means(outcomes: Collection[str], facts: CallFacts) -> bool:
    """Tell whether a rule with these outcomes means this call."""
    return not outcome_words(facts).isdisjoint(outcomes)
