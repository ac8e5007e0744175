"""A day and hour as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime

FIRST_YEAR, LAST_YEAR = 2000, 2100


class InstantField(forms.DateTimeField):
    """
    An instant from 2000 to 2100.

    Outside of them no time of a call can be meant, and at the ends of the calendar another zone's clock
    shows a year that there isn't.
    """

    def __init__(self, **kwargs: Any) -> None:
        attrs = {
            "type": "datetime-local",
            "min": f"{FIRST_YEAR}-01-01T00:00",
            "max": f"{LAST_YEAR}-12-31T23:59",
        }
        kwargs.setdefault("widget", forms.DateTimeInput(attrs=attrs, format="%Y-%m-%dT%H:%M"))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> datetime | None:
        found = super().to_python(value)
        if found is not None and not FIRST_YEAR <= found.year <= LAST_YEAR:
            said = {"first": FIRST_YEAR, "last": LAST_YEAR}
            raise forms.ValidationError(_("Choose a year from %(first)d to %(last)d.") % said)
        return found
