"""The steps of the wizard that say what a campaign is for, what is said and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns import script
from campaigns.forms.instants import InstantField
from campaigns.forms.step import StepForm, sound_text
from campaigns.models import BatchCall

if TYPE_CHECKING:
    from collections.abc import Sequence


class GoalForm(StepForm):
    """What it is called and what it is for."""

    columns = ("name", "goal")

    name = forms.CharField(label=_("Name"), max_length=120)
    goal = forms.CharField(
        label=_("Goal"),
        max_length=200,
        required=False,
        help_text=_("For your team: what this campaign is for."),
    )


class NewCampaignForm(GoalForm):
    """The first step of a campaign that isn't there yet: it may start from a template."""

    template = forms.ChoiceField(
        label=_("Start from"), required=False, widget=forms.RadioSelect, choices=()
    )

    def __init__(self, *args: Any, templates: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["template"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(templates)
        field.initial = templates[0][0] if templates else ""
        self.order_fields(["template", "name", "goal"])


class ScriptForm(StepForm):
    """The opening line, said word for word, and what the agent knows, asks and answers."""

    columns = ("opening_line", "script_raw")

    opening_line = forms.CharField(
        label=_("Opening line"),
        max_length=600,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Said word for word when somebody answers. Say who calls, and that it is an AI."
        ),
    )
    script_raw = forms.CharField(
        label=_("Script"),
        max_length=script.SCRIPT_MAX_CHARS,
        widget=forms.Textarea(attrs={"rows": 16}),
        help_text=_(
            "What the agent knows, asks and answers. {{first_name}} is filled from the lead."
        ),
    )

    def clean_script_raw(self) -> str:
        return sound_text(self.cleaned_data["script_raw"])

    def clean_opening_line(self) -> str:
        return sound_text(self.cleaned_data["opening_line"])


class KnowledgeForm(StepForm):
    """What the agent may look up."""

    columns = ("knowledge_text",)

    knowledge_text = forms.CharField(
        label=_("Facts of this campaign"),
        max_length=50_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=_(
            "Facts that the agent may look up: prices, hours, answers to common questions."
        ),
    )

    shared_base = forms.TypedChoiceField(
        label=_("Knowledge base"),
        required=False,
        widget=forms.RadioSelect,
        coerce=UUID,
        empty_value=None,
        help_text=_("Shared by your campaigns; one edit there reaches all of them."),
    )

    def __init__(self, *args: Any, bases: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["shared_base"]
        assert isinstance(field, forms.TypedChoiceField)
        field.choices = [("", _("None")), *bases]

    def more_initial(self) -> dict[str, Any]:
        return {"shared_base": str(self.content.shared_base_id or "")}

    def more_changes(self) -> dict[str, Any]:
        return {"shared_base_id": self.cleaned_data["shared_base"]}

    def clean_knowledge_text(self) -> str:
        return str(self.cleaned_data["knowledge_text"]).replace("\r\n", "\n")


class LaunchForm(forms.Form):
    """The numbers a person agreed to, and the key that makes pressing twice one launch."""

    starts_at = InstantField(
        label=_("Start at"),
        required=False,
        help_text=_("Empty: at once. The minutes are reserved now."),
    )
    mode = forms.ChoiceField(
        choices=BatchCall.Mode, required=False, widget=forms.HiddenInput, initial="dispatcher"
    )
    launch_key = forms.UUIDField(widget=forms.HiddenInput)
    leads = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
    seconds = forms.IntegerField(widget=forms.HiddenInput, min_value=1)
