"""How a client's leads are weighed, as somebody there types it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.scoring import HIGHEST_WEIGHT, LOWEST_WEIGHT, WEIGHTS


class WeightsForm(forms.Form):
    """A number of points for each thing that counts, and the tag that does."""

    tag_name = forms.CharField(
        label=_("The tag that counts"),
        max_length=40,
        required=False,
        help_text=_("Empty: no tag does."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, weight in WEIGHTS.items():
            self.fields[name] = forms.IntegerField(
                label=weight.label, min_value=LOWEST_WEIGHT, max_value=HIGHEST_WEIGHT
            )

    def weights(self) -> dict[str, int]:
        """Return the points of a valid form."""
        return {name: self.cleaned_data[name] for name in WEIGHTS}
