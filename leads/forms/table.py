"""What the list of leads is asked for: filters, order, columns; and the views people keep of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.days import DayField
from leads.doors import campaigns
from leads.imports.places import assigned_zones
from leads.lead_table import COLUMNS, SORTS, USUAL_COLUMNS
from leads.models import Lead
from leads.queries import import_choices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import Client

_ANY = ("", _("Any"))
_USUAL = (
    *("America/New_York", "America/Chicago", "America/Denver", "America/Phoenix"),
    *("America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Toronto"),
    *("Europe/London", "Europe/Dublin", "Europe/Berlin", "Europe/Paris", "Europe/Madrid"),
    *("Australia/Sydney", "Asia/Kolkata"),
)
_ZONES = (*_USUAL, *sorted(assigned_zones() - set(_USUAL)))
# The classes of `telephony.rules.OutcomeClass`, a room that this one doesn't know.
_OUTCOMES = [
    _ANY,
    ("human", _("A person answered")),
    ("machine", _("Voicemail or menu")),
    ("no_contact", _("Nobody answered")),
    ("number_trouble", _("Number out of order")),
    ("technical", _("Technical trouble")),
    ("not_placed", _("Not placed")),
]
_FIRST = ("q", "status", "campaign", "sort")
_ASCII = re.compile(r"[\x00-\x7f]+")
# A letter of four bytes takes twelve characters in an address: 140 of search and tag, and all the choices.
_MOST_QUERY = 4000
_ALONE = {"sort", "columns", "view"}  # they choose no leads


def _day(label: Any) -> DayField:
    return DayField(label=label, required=False)


class LeadFilters(forms.Form):
    """Which leads the list shows, in what order, and what of them."""

    q = forms.CharField(
        label=_("Search"),
        required=False,
        max_length=100,
        widget=forms.SearchInput(attrs={"placeholder": _("Name, company, e-mail, number")}),
    )
    status = forms.ChoiceField(
        label=_("Status"), required=False, choices=[_ANY, *Lead.Status.choices]
    )
    campaign = forms.ChoiceField(label=_("Campaign"), required=False)
    sort = forms.ChoiceField(
        label=_("Order"),
        required=False,
        choices=list(
            zip(
                SORTS,
                (
                    *(_("Newest"), _("Oldest"), _("Highest score"), _("Name")),
                    *(_("Most attempts"), _("Last called")),
                ),
                strict=True,
            )
        ),
    )
    outcome = forms.ChoiceField(label=_("Last outcome"), required=False, choices=_OUTCOMES)
    consent = forms.ChoiceField(
        label=_("Consent"), required=False, choices=[_ANY, *Lead.ConsentStatus.choices]
    )
    tag = forms.CharField(label=_("Tag"), required=False, max_length=40)
    attempts = forms.ChoiceField(
        label=_("Attempts"),
        required=False,
        choices=[_ANY, ("0", "0"), ("1", "1"), ("2", "2"), ("3", _("3 and more"))],
    )
    score_from = forms.IntegerField(
        label=_("Score from"), required=False, min_value=0, max_value=100
    )
    zone = forms.ChoiceField(label=_("Time zone"), required=False)
    lead_import = forms.ChoiceField(label=_("Import"), required=False)
    added_from = _day(_("Added from"))
    added_to = _day(_("Added until"))
    called_from = _day(_("Called from"))
    called_to = _day(_("Called until"))
    columns = forms.MultipleChoiceField(
        label=_("Columns"),
        required=False,
        choices=list(COLUMNS.items()),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, data: Any = None, *, client: Client) -> None:
        super().__init__(data)
        self.client = client
        self._offer(
            "lead_import", import_choices(client_id=client.pk), _("The import you came from")
        )
        self._offer("campaign", campaigns().choices(client.pk), _("The campaign you came from"))
        zones = [(zone, zone.replace("_", " ")) for zone in _ZONES]
        asked = str(self.data.get("zone", ""))
        if asked and asked not in _ZONES and asked in available_timezones():  # reads a folder
            zones.append((asked, asked))
        self._choose("zone", zones)

    def _offer(self, name: str, choices: list[tuple[str, str]], other: Any) -> None:
        """Offer the newest rows, and the one that a link names."""
        asked = str(self.data.get(name, ""))
        if asked not in dict(choices) and _is_uuid(asked):
            choices = [*choices, (asked, other)]
        self._choose(name, choices)

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field: Any = self.fields[name]
        field.choices = [_ANY, *choices]

    def active(self) -> dict[str, str]:
        """Return which leads are asked for, as plain texts; what is no valid filter is left out."""
        self.is_valid()
        found = {
            name: str(value)
            for name, value in self.cleaned_data.items()
            if value not in ("", None, []) and name != "columns"
        }
        return found and {**found, "zone_of_days": self.client.time_zone}

    @property
    def is_filtered(self) -> bool:
        return bool(self.active().keys() - _ALONE - {"zone_of_days"})

    @property
    def is_refined(self) -> bool:
        """Whether one of the filters that stand folded away is in use."""
        return bool(self.active().keys() - set(_FIRST) - {"zone_of_days"})

    def shown_columns(self) -> list[str]:
        """Return the columns to show, in the table's order."""
        self.is_valid()
        chosen = self.cleaned_data.get("columns") or USUAL_COLUMNS
        return [name for name in COLUMNS if name in chosen]

    def query(self) -> str:
        """Return the query string that shows this list again, without its page."""
        self.is_valid()
        pairs: list[tuple[str, str]] = []
        for name, value in self.cleaned_data.items():
            values = value if isinstance(value, list) else [value]
            pairs += [(name, str(one)) for one in values if one not in ("", None)]
        return urlencode(pairs)

    def first_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in _FIRST)

    def further_fields(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in self.fields if name not in {*_FIRST, "columns"})


class QueryField(forms.CharField):
    """What a list is filtered by, as `LeadFilters.query()` says it, at its longest too."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(
            required=False,
            max_length=_MOST_QUERY,
            error_messages={
                "max_length": _("The filter is too long to be kept. Shorten it, and try again.")
            },
        )


class SaveViewForm(forms.Form):
    """A name for what the list shows now."""

    name = forms.CharField(
        label=_("Name of the view"),
        max_length=60,
        error_messages={"required": _("Give the view a name.")},
    )
    is_shared = forms.BooleanField(label=_("For everybody here"), required=False)
    query = QueryField()

    def refusal(self) -> str:
        """Return the first sentence about what is wrong, the filter before the name."""
        return str([*self.errors.get("query", []), *self.errors.get("name", [])][0])


def kept_query(query: str) -> str:
    """Return a query string with letters of all languages as they are: that is shorter, and means the same."""
    pairs = [f"{_with_letters(name)}={_with_letters(value)}" for name, value in parse_qsl(query)]
    return "&".join(pairs)


def _with_letters(text: str) -> str:
    return _ASCII.sub(lambda found: quote(found[0], safe=""), text)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
