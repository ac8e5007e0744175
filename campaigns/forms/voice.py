"""The step of the wizard that says who speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import agent_choices, settings_schema
from campaigns.forms.amounts import amount_field
from campaigns.forms.step import StepForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from campaigns.voices import VoiceChoice


_MODELS = agent_choices.VOICE_MODELS


class VoiceForm(StepForm):
    """Who says it, in which language, how quickly."""

    columns = ("voice_id",)
    chosen = (
        "language",
        "more_languages",
        "voice_speed",
        "voice_temperature",
        "volume",
        "enable_dynamic_voice_speed",
        "voice_model",
        "fallback_voice_id",
    )

    voice_id = forms.ChoiceField(label=_("Voice"), widget=forms.RadioSelect)
    language = forms.ChoiceField(label=_("Language"), choices=agent_choices.LANGUAGES)
    more_languages = forms.MultipleChoiceField(
        label=_("Other languages it speaks"),
        required=False,
        choices=agent_choices.LANGUAGES,
        widget=forms.CheckboxSelectMultiple,
        help_text=_(
            "It answers in the one that the person speaks. Tick only what you need: "
            "with each language of another kind it mishears a little more."
        ),
    )
    voice_speed = amount_field(
        _("Speed of speech"),
        least=settings_schema.VOICE_SPEED[0],
        most=settings_schema.VOICE_SPEED[1],
        step="0.05",
    )
    voice_temperature = amount_field(_("Variation"), most=2)
    volume = amount_field(_("Volume"), most=2)

    enable_dynamic_voice_speed = forms.BooleanField(
        label=_("Speaks as fast as the person does"), required=False
    )
    voice_model = forms.ChoiceField(
        label=_("Voice model"),
        required=False,
        choices=[
            ("", _("The provider's usual one")),
            *((maker, [(one, one) for one in models]) for maker, models in _MODELS.items()),
        ],
        help_text=_("It has to be of the voice's own provider."),
    )
    fallback_voice_id = forms.ChoiceField(
        label=_("If that voice fails"),
        required=False,
        help_text=_("A voice of another provider takes over."),
    )

    def __init__(
        self, *args: Any, voices: Sequence[VoiceChoice], chosen: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.voices = list(voices)
        # Chosen and not saved yet: the filters show the voices anew.
        if any(one.voice_id == chosen for one in self.voices):
            self.initial["voice_id"] = chosen
        self.makers = {voice.voice_id: voice.provider for voice in voices}
        names = {voice.voice_id: voice.name for voice in voices}
        if self.content.voice_id:
            # Chosen before, while Retell doesn't list it just now.
            names.setdefault(
                self.content.voice_id, self.content.voice_name or self.content.voice_id
            )
        self.voice_names = names
        field = self.fields["voice_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(names.items())
        spare = self.fields["fallback_voice_id"]
        assert isinstance(spare, forms.ChoiceField)
        kept = self.kept["fallback_voice_id"]
        others = {voice.voice_id: f"{voice.name} ({voice.provider})" for voice in voices}
        spare.choices = [("", _("None")), *({kept: kept} | others if kept else others).items()]

    @property
    def shows_languages(self) -> bool:
        """Whether there is something to see among the further languages."""
        return bool(self["more_languages"].value() or self["more_languages"].errors)

    def clean_more_languages(self) -> list[str]:
        # The main one is cleaned before: ticked here too, it counts once.
        main = self.cleaned_data.get("language")
        more = [code for code in self.cleaned_data["more_languages"] if code != main]
        if len(more) > settings_schema.MOST_MORE_LANGUAGES:
            most = {"most": settings_schema.MOST_MORE_LANGUAGES}
            raise forms.ValidationError(_("Tick at most %(most)d more.") % most)
        return more

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        maker = self.makers.get(data.get("voice_id", ""), "")
        model, spare = data.get("voice_model"), data.get("fallback_voice_id")
        if model and maker and model not in _MODELS.get(maker, ()):
            self.add_error("voice_model", _("This model doesn't speak voices of %s.") % maker)
        if spare and maker and self.makers.get(spare, "") == maker:
            self.add_error("fallback_voice_id", _("Choose a voice of another provider."))
        return data

    def more_changes(self) -> dict[str, Any]:
        return {"voice_name": self.voice_names.get(self.cleaned_data["voice_id"], "")}
