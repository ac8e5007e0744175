"""What the agency types of a template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import agent_choices, script
from campaigns.forms.step import StepForm, sound_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.services.authoring import CampaignContent
    from campaigns.voices import VoiceChoice


class TemplateSearchForm(forms.Form):
    """The campaign to make a template of."""

    q = forms.CharField(
        label=_("Campaign or client"), required=False, max_length=120, widget=forms.SearchInput
    )


class TemplateForm(StepForm):
    """A template's name and words; "[business]" stands for the client's name."""

    columns = ("goal", "opening_line", "script_raw", "voice_id", "max_attempts")
    chosen = ("conversion", "language")

    title = forms.CharField(
        label=_("Name"), max_length=120, help_text=_("What clients read when they choose.")
    )
    about = forms.CharField(
        label=_("In one sentence"),
        max_length=200,
        required=False,
        help_text=_("Such as: calls people who know you and offers a day."),
    )
    only_for = forms.ChoiceField(label=_("For"), required=False)
    goal = forms.CharField(label=_("Goal"), max_length=200, required=False)
    opening_line = forms.CharField(
        label=_("Opening line"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("[business] becomes the client's name. Say that an AI calls."),
    )
    script_raw = forms.CharField(
        label=_("Script"),
        max_length=script.SCRIPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 16}),
        help_text=_(
            "[business] becomes the client's name; {{first_name}} is filled from the lead."
        ),
    )
    conversion = forms.CharField(
        label=_("What counts as a conversion"), max_length=300, required=False
    )
    voice_id = forms.ChoiceField(label=_("Voice"), required=False)
    language = forms.ChoiceField(label=_("Language"), choices=agent_choices.LANGUAGES)
    max_attempts = forms.IntegerField(label=_("Attempts per lead"), min_value=1, max_value=10)

    def __init__(
        self,
        *args: Any,
        content: CampaignContent,
        shown: dict[str, str],
        voices: Sequence[VoiceChoice],
        clients: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        self.shown = shown
        super().__init__(*args, content=content, **kwargs)
        self.voice_names = {voice.voice_id: voice.name for voice in voices}
        if content.voice_id:
            self.voice_names.setdefault(content.voice_id, content.voice_name or content.voice_id)
        choices = {
            "voice_id": [("", _("The client chooses")), *self.voice_names.items()],
            "only_for": [("", _("All clients")), *clients],
        }
        for name, options in choices.items():
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = options

    def more_initial(self) -> dict[str, Any]:
        return self.shown

    def clean_script_raw(self) -> str:
        return sound_text(self.cleaned_data["script_raw"])

    def clean_opening_line(self) -> str:
        return sound_text(self.cleaned_data["opening_line"])

    def more_changes(self) -> dict[str, Any]:
        return {"voice_name": self.voice_names.get(self.cleaned_data["voice_id"], "")}
