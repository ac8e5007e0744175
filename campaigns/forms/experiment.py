"""What somebody wants to try against the published version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import script
from campaigns.forms.step import sound_text
from campaigns.models import Experiment
from campaigns.services.experimenting import Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.models import CampaignVersion
    from campaigns.script import ScriptProblem
    from campaigns.voices import VoiceChoice

_FIELDS = {"script": "script_raw", "opening_line": "opening_line", "voice": "voice_id"}


class ExperimentForm(forms.Form):
    """One part is tried; the fields of the others are left as they are."""

    part = forms.ChoiceField(
        label=_("What is different"), choices=Experiment.Part, widget=forms.RadioSelect
    )
    opening_line = forms.CharField(
        label=_("Other opening line"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    script_raw = forms.CharField(
        label=_("Other script"),
        max_length=script.SCRIPT_MAX_CHARS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 12}),
    )
    voice_id = forms.ChoiceField(label=_("Other voice"), required=False)

    def __init__(
        self, *args: Any, control: CampaignVersion, voices: Sequence[VoiceChoice], **kwargs: Any
    ) -> None:
        kwargs["initial"] = {
            "part": Experiment.Part.OPENING,
            "opening_line": control.opening_line,
            "script_raw": control.script_raw,
            "voice_id": control.voice_id,
        }
        super().__init__(*args, **kwargs)
        self.voice_names = {voice.voice_id: voice.name for voice in voices}
        self.voice_names.setdefault(control.voice_id, control.voice_name or control.voice_id)
        field = self.fields["voice_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(self.voice_names.items())
        if "is_confirmed" in self.data:
            self._ask()

    def clean_script_raw(self) -> str:
        return sound_text(self.cleaned_data["script_raw"])

    def clean_opening_line(self) -> str:
        return sound_text(self.cleaned_data["opening_line"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        name = _FIELDS.get(data.get("part", ""), "")
        if name and name not in self.errors and not data.get(name, "").strip():
            self.add_error(name, _("Write what is said instead."))
        return data

    def trial(self) -> Trial:
        """Return what is tried; only after is_valid()."""
        part = self.cleaned_data["part"]
        value = self.cleaned_data[_FIELDS[part]]
        if part == Experiment.Part.VOICE:
            return Trial(part=part, voice_id=value, voice_name=self.voice_names[value])
        confirmed = self.cleaned_data.get("is_confirmed", False)
        return Trial(part=part, text=value, is_confirmed=confirmed)

    def show(self, problems: Sequence[ScriptProblem]) -> None:
        """Say what is wrong with the words; where only notices are missing, ask for a confirmation."""
        field = _FIELDS[self.cleaned_data["part"]]
        for problem in problems:
            self.add_error(field, problem.sentence)
        if not any(problem.is_blocker for problem in problems):
            self._ask()
            self.add_error("is_confirmed", _("Add what is missing, or tick this."))

    def _ask(self) -> None:
        self.fields["is_confirmed"] = forms.BooleanField(
            label=_("Start it all the same: I know what the opening leaves out"), required=False
        )
