"""What every step of the wizard shares: a part of a campaign, read from its content and written back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import script
from campaigns.settings_schema import with_defaults

if TYPE_CHECKING:
    from campaigns.services.authoring import CampaignContent


class StepForm(forms.Form):
    """
    Some fields of a campaign.

    `columns` are fields of CampaignContent and `chosen` those of its settings that the form shows
    as they are stored; what needs another unit is added by `more_initial` and `more_changes`.
    """

    columns: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()

    def __init__(self, *args: Any, content: CampaignContent, **kwargs: Any) -> None:
        self.content = content
        self.kept = with_defaults(content.settings)
        same = {name: getattr(content, name) for name in self.columns}
        settings = {name: self.kept[name] for name in self.chosen}  # type: ignore[literal-required]  # names of its keys
        kwargs["initial"] = {**same, **settings, **self.more_initial()}
        super().__init__(*args, **kwargs)

    def more_initial(self) -> dict[str, Any]:
        """Return what is shown in another unit than it is stored in."""
        return {}

    def more_changes(self) -> dict[str, Any]:
        """Return the fields of CampaignContent that are typed in another unit."""
        return {}

    def more_settings(self) -> dict[str, Any]:
        """Return the settings that are typed in another unit."""
        return {}

    def changes(self) -> dict[str, Any]:
        """Return the fields of CampaignContent that this step sets; only after is_valid()."""
        data = self.cleaned_data
        found = {name: data[name] for name in self.columns if name in data}
        settings = {name: data[name] for name in self.chosen} | self.more_settings()
        if settings:
            # What the step doesn't show stays as it was.
            found["settings"] = {**self.kept, **settings}
        return {**found, **self.more_changes()}


def sound_text(text: str) -> str:
    """
    Return the text with one kind of line break.

    :raises ValidationError: if something in double braces is no variable
    """
    if wrong := script.malformed(text):
        message = _("“%(text)s” is no variable: write {{first_name}}, in letters, digits and _.")
        raise forms.ValidationError(message, params={"text": wrong[0][:40]})
    return text.replace("\r\n", "\n")
