"""The calling rules as people read them: every line with its review, and what binds in each place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _, gettext_lazy

from campaigns.calling_rules import WEEK, all_rules, calling_rules, tightened
from campaigns.calling_rules.places import Place, states
from campaigns.models import RuleReview
from campaigns.queries.rule_words import clock_hours, rule_words, weekday_names

if TYPE_CHECKING:
    from datetime import date

    from django.utils.functional import _StrPromise

    from campaigns.calling_rules import CallingRule, CallingRules, Limits

KINDS: dict[str, _StrPromise] = {
    "hours": gettext_lazy("Hours"),
    "days": gettext_lazy("Weekdays"),
    "holidays": gettext_lazy("Holidays"),
    "cap": gettext_lazy("Calls to a person"),
    "gap": gettext_lazy("Time between calls"),
    "consent": gettext_lazy("Consent"),
    "disclosure": gettext_lazy("What must be said"),
    "abandonment": gettext_lazy("Abandoned calls"),
    "registry_age": gettext_lazy("Registries"),
    "retention": gettext_lazy("Records"),
    "optout": gettext_lazy("Opting out"),
}
# Places that are shown without a choice: where numbers of ours can call.
COUNTRIES = (("CA", gettext_lazy("Canada")), ("GB", gettext_lazy("United Kingdom")))


@dataclass(frozen=True)
class RuleRow:
    """One line of the file with what it says in words and who reviewed it, if anybody did."""

    rule: CallingRule
    kind: str
    place: str
    says: str
    review: RuleReview | None

    @property
    def is_reviewed(self) -> bool:
        return self.review is not None or self.rule.status == "reviewed"


@dataclass(frozen=True)
class PlaceRow:
    """What binds calls to one place, with the names of the lines that bind."""

    name: str
    hours: str
    days: str
    holidays: bool
    caps: str
    gap: str
    binding: tuple[str, ...]
    is_own: bool  # a limit of the client's own is among them


def rule_rows(*, kind: str = "", place: str = "", status: str = "") -> list[RuleRow]:
    """Return the file's lines with their reviews, in the file's order; one query."""
    reviews = {(row.rule_id, row.rule_version): row for row in RuleReview.objects.all()}
    rows = [_row(rule, reviews.get((rule.id, rule.version))) for rule in all_rules()]
    return [
        row
        for row in rows
        if kind in {"", row.rule.kind}
        and place in {"", row.rule.jurisdiction}
        and status in {"", "reviewed" if row.is_reviewed else "unreviewed"}
    ]


def rule_row(rule: CallingRule) -> RuleRow:
    """Return one line with its review; one query."""
    return _row(rule, RuleReview.objects.filter(rule_id=rule.id, rule_version=rule.version).first())


def jurisdictions_on_file() -> list[tuple[str, str]]:
    """Return the places that have lines of their own, for a filter."""
    return [(name, place_name(name)) for name in dict.fromkeys(r.jurisdiction for r in all_rules())]


def place_rows(*, on: date, limits: Limits) -> list[PlaceRow]:
    """Return what binds in each state and country on a day, a client's own limits included."""
    places = [(_("A US number that tells no state"), Place("US"))]
    places += [(name, Place("US", (code,))) for code, name in states().items()]
    places += [(str(name), Place(code)) for code, name in COUNTRIES]
    places.append((_("Anywhere else"), Place("ZZ")))
    return [_place_row(name, tightened(calling_rules(place, on), limits)) for name, place in places]


def place_name(jurisdiction: str) -> str:
    """Return the words for a place of the file."""
    country, _dash, state = jurisdiction.partition("-")
    if state:
        return states().get(state, state)
    names = {
        "US": _("United States"),
        "GB": _("United Kingdom"),
        "EU": _("European Union"),
        "*": _("Where no other is"),
    }
    return names.get(country, country)


def _row(rule: CallingRule, review: RuleReview | None) -> RuleRow:
    kind = str(KINDS[rule.kind])
    return RuleRow(rule, kind, place_name(rule.jurisdiction), rule_words(rule), review)


def _place_row(name: str, rules: CallingRules) -> PlaceRow:
    parts = (rules.hours_rule, rules.days_rule, rules.holidays_rule, rules.gap_rule)
    named = [*" ".join(parts).split(), *rules.cap_rules]
    return PlaceRow(
        name=name,
        hours=clock_hours(rules.opens_minute, rules.closes_minute),
        days=_("every day") if rules.weekdays == WEEK else weekday_names(rules.weekdays),
        holidays=bool(rules.holidays),
        caps=", ".join(
            _("%(calls)d in %(hours)d h") % {"calls": cap.calls, "hours": cap.hours}
            for cap in rules.caps
        ),
        gap=_("%(hours)g h") % {"hours": rules.gap_seconds / 3600} if rules.gap_seconds else "",
        binding=tuple(dict.fromkeys(named)),
        is_own=any(one.startswith("client.") for one in named),
    )
