"""How people agreed to be called, and the countries numbers are read in."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.days import DayField
from leads.imports.countries import all_countries
from leads.models import Consent
from leads.services.people import ConsentStatement

NO_CONSENT = "none"
_FIRST = [  # those that most lists are of, before all others
    ("US", _("United States")),
    ("CA", _("Canada")),
    ("GB", _("United Kingdom")),
    ("IE", _("Ireland")),
    ("AU", _("Australia")),
    ("NZ", _("New Zealand")),
    ("DE", _("Germany")),
    ("AT", _("Austria")),
    ("CH", _("Switzerland")),
    ("FR", _("France")),
    ("BE", _("Belgium")),
    ("NL", _("Netherlands")),
    ("ES", _("Spain")),
    ("PT", _("Portugal")),
    ("IT", _("Italy")),
    ("PL", _("Poland")),
    ("DK", _("Denmark")),
    ("SE", _("Sweden")),
    ("NO", _("Norway")),
    ("FI", _("Finland")),
    ("MX", _("Mexico")),
    ("BR", _("Brazil")),
    ("AR", _("Argentina")),
    ("CL", _("Chile")),
    ("CO", _("Colombia")),
    ("IN", _("India")),
    ("PH", _("Philippines")),
    ("SG", _("Singapore")),
    ("ZA", _("South Africa")),
    ("IL", _("Israel")),
    ("AE", _("United Arab Emirates")),
]
COUNTRIES = [
    *_FIRST,
    *((code, name) for code, name in all_countries().items() if code not in dict(_FIRST)),
]


class ConsentFields(forms.Form):
    """How these people agreed to be called; asked wherever people are added."""

    consent_kind = forms.ChoiceField(
        label=_("How did they agree to be called?"),
        choices=[("", _("Choose …")), *Consent.Kind.choices, (NO_CONSENT, _("They haven't yet"))],
        help_text=_("Without consent they are kept as leads, and nobody calls them."),
    )
    consent_source = forms.CharField(
        label=_("Where"),
        max_length=200,
        error_messages={"required": _("Say where they agreed.")},
        help_text=_("A form, a page, an event: where somebody could look it up."),
    )
    consent_on = DayField(label=_("When"), error_messages={"required": _("Say when they agreed.")})
    consent_wording = forms.CharField(
        label=_("What they agreed to, word for word"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    consent_seller = forms.CharField(
        label=_("By whom they agreed to be called"),
        max_length=200,
        required=False,
        help_text=_("The business that the words name, if it isn't you."),
    )

    def __init__(self, *args: Any, zone: str, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone, self.today = ZoneInfo(zone), today

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("consent_kind") == NO_CONSENT:
            for name in ("consent_source", "consent_on"):
                self.errors.pop(name, None)  # nothing to say where and when of
            return data
        day = data.get("consent_on")
        if day is not None and day > self.today:
            self.add_error("consent_on", _("This day is in the future."))
        return data

    def consent(self) -> ConsentStatement | None:
        """Return the statement of a valid form; None if there is no consent."""
        data = self.cleaned_data
        if data["consent_kind"] == NO_CONSENT:
            return None
        return ConsentStatement(
            kind=data["consent_kind"],
            source=data["consent_source"],
            wording=data["consent_wording"],
            seller=data["consent_seller"],
            given_at=datetime.combine(data["consent_on"], time(), self.zone).astimezone(UTC),
        )
