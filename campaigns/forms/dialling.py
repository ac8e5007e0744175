"""What people type about retries, calls back and the circuit breaker of a campaign."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.dialling.breaking import Safety
from campaigns.services.policies import REASONS, Dialling

_WORDS = {
    "dial_busy": _("Busy"),
    "dial_no_answer": _("No answer"),
    "user_declined": _("Declined"),
    "voicemail_reached": _("Voicemail"),
    "ivr_reached": _("Phone menu"),
    "inactivity": _("Answered, silent"),
}
_SAFETY = ("failed_percent", "opted_out_percent", "negative_percent", "least_calls", "window_calls")
_COUNTS = ("missed_disclosures", "talk_minutes_per_hour")
_PERCENT: dict[str, Any] = {"min_value": 1, "max_value": 100}
LONGEST_DELAY_MINUTES = 30 * 24 * 60


class DiallingForm(forms.Form):
    """Retries by reason, their days and times, and what stops the campaign by itself."""

    is_other_time_of_day = forms.BooleanField(
        label=_("Retry at another time of the day"),
        required=False,
        help_text=_("Morning, afternoon and evening in turn, within the campaign's hours."),
    )
    is_business_days = forms.BooleanField(label=_("No retries on weekends"), required=False)
    callback_hours = forms.IntegerField(
        label=_("Call back after (hours), if no time was said"), min_value=1, max_value=30 * 24
    )
    failed_percent = forms.IntegerField(label=_("Failed calls (%)"), **_PERCENT)
    opted_out_percent = forms.IntegerField(label=_("People who opt out (%)"), **_PERCENT)
    negative_percent = forms.IntegerField(label=_("People in a bad mood (%)"), **_PERCENT)
    window_calls = forms.IntegerField(label=_("Of the last … calls"), min_value=5, max_value=1000)
    least_calls = forms.IntegerField(label=_("Not before … calls"), min_value=5, max_value=1000)
    missed_disclosures = forms.IntegerField(
        label=_("Calls that leave out what must be said first"),
        min_value=0,
        max_value=1000,
        help_text=_("Who calls, that an AI calls, that it is recorded. 0 never stops it."),
    )
    talk_minutes_per_hour = forms.IntegerField(
        label=_("Minutes of talk in an hour"),
        min_value=0,
        max_value=1_000_000,
        help_text=_("0 is no limit."),
    )
    calls_per_minute = forms.IntegerField(
        label=_("New calls in a minute"),
        min_value=0,
        max_value=60_000,
        help_text=_("0 is as fast as lines allow."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for reason in REASONS:
            self.fields[f"{reason}_most"] = forms.IntegerField(
                label=_("%(reason)s: calls at most") % {"reason": _WORDS[reason]},
                required=False,
                min_value=1,
                max_value=10,
            )
            self.fields[f"{reason}_minutes"] = forms.IntegerField(
                label=_("%(reason)s: minutes until the next") % {"reason": _WORDS[reason]},
                required=False,
                min_value=5,
                max_value=LONGEST_DELAY_MINUTES,
            )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        least, window = data.get("least_calls"), data.get("window_calls")
        if least and window and least > window:
            self.add_error("least_calls", _("Choose at most as many as are looked at."))
        missed = data.get("missed_disclosures")
        if missed and window and missed > window:
            self.add_error("missed_disclosures", _("Choose at most as many as are looked at."))
        return data

    def reasons(self) -> list[tuple[Any, Any, Any]]:
        """Return each reason's word with its two fields, for the table."""
        return [
            (_WORDS[reason], self[f"{reason}_most"], self[f"{reason}_minutes"])
            for reason in REASONS
        ]

    def times(self) -> list[Any]:
        return [
            self[name] for name in ("is_other_time_of_day", "is_business_days", "callback_hours")
        ]

    def stops(self) -> list[Any]:
        return [self[name] for name in (*_SAFETY, *_COUNTS, "calls_per_minute")]

    def dialling(self) -> Dialling:
        """Return what was typed in the units of the models; only after is_valid()."""
        data = self.cleaned_data
        return Dialling(
            dispositions={
                reason: own for reason in REASONS if (own := _own(reason, data)) is not None
            },
            is_other_time_of_day=data["is_other_time_of_day"],
            is_business_days=data["is_business_days"],
            callback_delay_seconds=data["callback_hours"] * 3600,
            safety=Safety(
                **{name: data[name] for name in (*_SAFETY, *_COUNTS)},
            ),
            calls_per_minute=data["calls_per_minute"],
        )


def _own(reason: str, data: dict[str, Any]) -> dict[str, int | None] | None:
    most, minutes = data.get(f"{reason}_most"), data.get(f"{reason}_minutes")
    if most is None and minutes is None:
        return None
    return {"most": most or 0, "delay_seconds": None if minutes is None else minutes * 60}


def initial_of(dialling: Dialling) -> dict[str, Any]:
    """Return what the form shows for what is set."""
    shown: dict[str, Any] = {
        "is_other_time_of_day": dialling.is_other_time_of_day,
        "is_business_days": dialling.is_business_days,
        "callback_hours": max(1, dialling.callback_delay_seconds // 3600),
        "calls_per_minute": dialling.calls_per_minute,
        **{name: getattr(dialling.safety, name) for name in (*_SAFETY, *_COUNTS)},
    }
    for reason, own in dialling.dispositions.items():
        shown[f"{reason}_most"] = own["most"] or None
        delay = own["delay_seconds"]
        shown[f"{reason}_minutes"] = None if delay is None else delay // 60
    return shown
