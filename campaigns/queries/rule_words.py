"""What a line of the calling rules says, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _, gettext_lazy, ngettext

from campaigns.calling_rules import DAY_MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.utils.functional import _StrPromise

    from campaigns.calling_rules import CallingRule

_DAYS = (
    gettext_lazy("Mon"),
    gettext_lazy("Tue"),
    gettext_lazy("Wed"),
    gettext_lazy("Thu"),
    gettext_lazy("Fri"),
    gettext_lazy("Sat"),
    gettext_lazy("Sun"),
)
_CONSENTS: dict[str, _StrPromise] = {
    "prior_express": gettext_lazy("Express consent beforehand"),
    "specific": gettext_lazy("Consent to such calls beforehand"),
    "prior": gettext_lazy("Consent beforehand"),
}
_SAID: dict[str, _StrPromise] = {
    "names_caller": gettext_lazy("Who calls"),
    "says_ai": gettext_lazy("That an AI calls"),
    "recording_notice": gettext_lazy("That the call is recorded"),
}


def rule_words(rule: CallingRule) -> str:
    """Return what a line of the file asks for, without where and since when; each kind has words."""
    return _WORDS[rule.kind](rule.value)


def clock_hours(opens_minute: int, closes_minute: int) -> str:
    """Return "08:00–21:00"; a word for hours that never open."""
    if opens_minute >= closes_minute:
        return _("never")
    return f"{_clock(opens_minute)}–{_clock(closes_minute)}"


def weekday_names(weekdays: Iterable[int]) -> str:
    """Return the days' short names, in the week's order."""
    return ", ".join(str(_DAYS[day]) for day in sorted(weekdays)) or _("none")


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}" if minute < DAY_MINUTES else "24:00"


def _hours(value: Mapping[str, Any]) -> str:
    return clock_hours(value["opens_minute"], value["closes_minute"])


def _holidays(value: Mapping[str, Any]) -> str:
    return _("Closed on %(n)d holidays") % {"n": len(value["days"])}


def _cap(value: Mapping[str, Any]) -> str:
    return _("%(calls)d in %(hours)d hours") % value


def _gap(value: Mapping[str, Any]) -> str:
    return _("At least %(hours)g hours") % {"hours": value["seconds"] / 3600}


def _consent(value: Mapping[str, Any]) -> str:
    said = str(_CONSENTS[value["consent"]])
    return f"{said}, {_('for marketing in writing')}" if "marketing" in value else said


def _disclosure(value: Mapping[str, Any]) -> str:
    said = [str(words) for name, words in _SAID.items() if value.get(name)]
    if "optout_seconds" in value:
        said.append(_("a way to opt out within %(optout_seconds)d seconds") % value)
    return ", ".join(said)


def _registry(value: Mapping[str, Any]) -> str:
    if "database" in value:
        return _("Compared with the database of %(database)s") % value
    return _("Compared with the registry within %(days)d days") % value


def _abandonment(value: Mapping[str, Any]) -> str:
    span = _("%(days)d days") % value if "days" in value else _("%(hours)d hours") % value
    return _("At most %(percent)d %% of the calls answered in %(span)s") % {**value, "span": span}


def _retention(value: Mapping[str, Any]) -> str:
    years = value["years"]
    return ngettext("Kept for %(n)d year", "Kept for %(n)d years", years) % {"n": years}


def _optout(value: Mapping[str, Any]) -> str:
    return _("Honoured within %(business_days)d business days") % value


_WORDS = {
    "hours": _hours,
    "days": lambda value: weekday_names(value["weekdays"]),
    "holidays": _holidays,
    "cap": _cap,
    "gap": _gap,
    "consent": _consent,
    "disclosure": _disclosure,
    "registry_age": _registry,
    "abandonment": _abandonment,
    "retention": _retention,
    "optout": _optout,
}
