"""Days and months that people type: in years a calendar of calls can have, so that no sum overflows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

FIRST: Final = date(2000, 1, 1)
LAST: Final = date(2100, 12, 31)


class DayField(forms.DateField):
    """A day of the years 2000 to 2100, picked from the browser's own calendar."""

    def __init__(self, **kwargs: Any) -> None:
        bounds = {"min": FIRST.isoformat(), "max": LAST.isoformat()}
        kwargs.setdefault(
            "widget", forms.DateInput(attrs={"type": "date", **bounds}, format="%Y-%m-%d")
        )
        super().__init__(**kwargs)
        self.validators += [MinValueValidator(FIRST), MaxValueValidator(LAST)]


def month_or_none(typed: str) -> date | None:
    """Return the first day of a typed month, `2026-11`; None if it is none, or of other years."""
    try:
        month = datetime.strptime(typed, "%Y-%m").date()  # noqa: DTZ007  # a month has no zone
    except ValueError:
        return None
    return month if FIRST <= month <= LAST else None
