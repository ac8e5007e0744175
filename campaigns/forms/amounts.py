"""Fields that several steps of the wizard are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def amount_field(
    label: StrOrPromise,
    *,
    least: float = 0,
    most: float = 1,
    step: str = "0.1",
    help_text: StrOrPromise = "",
) -> forms.FloatField:
    """Return a field for a number between two ends, such as a share from 0 to 1."""
    return forms.FloatField(
        label=label,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attrs={"step": step}),
        help_text=help_text,
    )
