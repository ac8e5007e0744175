"""What people type about calling rules: a client's own limits, and the word of a review."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.calling_rules import DAY_MINUTES, WEEK_DAYS, Limits
from campaigns.queries.calling_rules import KINDS, jurisdictions_on_file
from convomono.lib.days import DayField

if TYPE_CHECKING:
    from datetime import date

# What no rule of any place allows: a client who asks for it is told, and not silently cut.
EARLIEST, LATEST, MOST_A_DAY = 8 * 60, 21 * 60, 3
MOST_A_WEEK = WEEK_DAYS * MOST_A_DAY
WEEKDAYS = (
    (0, _("Mon")),
    (1, _("Tue")),
    (2, _("Wed")),
    (3, _("Thu")),
    (4, _("Fri")),
    (5, _("Sat")),
    (6, _("Sun")),
)


class LimitsForm(forms.Form):
    """A client's own limits for all its campaigns; looser than every rule is refused."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Days"), choices=WEEKDAYS, coerce=int, widget=forms.CheckboxSelectMultiple
    )
    opens_at = forms.TimeField(
        label=_("Not before"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    closes_at = forms.TimeField(
        label=_("Not after"), widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    calls_per_day = forms.IntegerField(
        label=_("Calls to a person in 24 hours"),
        min_value=1,
        max_value=MOST_A_DAY,
        help_text=_("At most 3, over all campaigns and clients."),
    )
    calls_per_week = forms.IntegerField(
        label=_("Calls to a person in 7 days"),
        required=False,
        min_value=1,
        max_value=MOST_A_WEEK,
        help_text=_("Empty: as many as the days allow. Over all campaigns and clients."),
    )
    gap_minutes = forms.IntegerField(
        label=_("Minutes between two calls to a person"), min_value=0, max_value=10_080
    )

    def clean_opens_at(self) -> time:
        at: time = self.cleaned_data["opens_at"]
        if at.hour * 60 + at.minute < EARLIEST:
            raise forms.ValidationError(_("No rule allows calls before 8:00."))
        return at

    def clean_closes_at(self) -> time:
        at: time = self.cleaned_data["closes_at"]
        if not 0 < at.hour * 60 + at.minute <= LATEST:
            raise forms.ValidationError(_("No rule allows calls after 21:00."))
        return at

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        opens, closes = data.get("opens_at"), data.get("closes_at")
        if opens and closes and opens >= closes:
            self.add_error("closes_at", _("Choose a time later than the beginning."))
        return data

    def limits(self) -> Limits:
        """Return what was typed; only after is_valid()."""
        data = self.cleaned_data
        opens, closes = data["opens_at"], data["closes_at"]
        return Limits(
            weekdays=frozenset(data["weekdays"]),
            opens_minute=opens.hour * 60 + opens.minute,
            closes_minute=closes.hour * 60 + closes.minute,
            calls_per_day=data["calls_per_day"],
            calls_per_week=data["calls_per_week"] or 0,
            gap_seconds=data["gap_minutes"] * 60,
        )


def initial_of(limits: Limits) -> dict[str, Any]:
    """Return what the form shows for limits, or for none."""
    opens, closes = max(limits.opens_minute, EARLIEST), min(limits.closes_minute, LATEST)
    return {
        "weekdays": sorted(limits.weekdays),
        "opens_at": time(opens // 60, opens % 60),
        "closes_at": time(closes // 60 % 24, closes % DAY_MINUTES % 60),
        "calls_per_day": limits.calls_per_day or MOST_A_DAY,
        "calls_per_week": limits.calls_per_week or None,
        "gap_minutes": limits.gap_seconds // 60,
    }


class RuleFilterForm(forms.Form):
    """What the list of rules is narrowed by."""

    place = forms.ChoiceField(label=_("Place"), required=False)
    kind = forms.ChoiceField(
        label=_("Kind"), required=False, choices=[("", _("All")), *KINDS.items()]
    )
    status = forms.ChoiceField(
        label=_("Review"),
        required=False,
        choices=[("", _("All")), ("unreviewed", _("Unreviewed")), ("reviewed", _("Reviewed"))],
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["place"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", _("All")), *jurisdictions_on_file()]


class ReviewForm(forms.Form):
    """Somebody's word that they reviewed this version of a rule."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reviewed_on = DayField(label=_("Reviewed on"))
    note = forms.CharField(
        label=_("Note"),
        max_length=400,
        required=False,
        help_text=_("Whose opinion it rests on, or where that is kept."),
    )

    def __init__(self, *args: Any, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today

    def clean_reviewed_on(self) -> date:
        on: date = self.cleaned_data["reviewed_on"]
        if on > self.today:
            raise forms.ValidationError(_("Choose a day that isn't in the future."))
        return on
