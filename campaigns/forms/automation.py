"""What people type about rules on outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.automation import OUTCOMES, Params
from campaigns.forms.answer_conditions import AnswerConditionsForm, initial_of_conditions
from campaigns.models import AutomationRule, Campaign
from campaigns.services.automating import RuleContent
from convomono.lib.words import without_controls

if TYPE_CHECKING:
    from django.forms import BoundField

    from accounts.models import Client

Action = AutomationRule.Action
# What each action needs, by the names of the form's fields.
NEEDS: dict[str, tuple[str, ...]] = {
    Action.TAG: ("tag",),
    Action.FOLLOW_UP: ("note", "delay_minutes"),
    Action.ENROL: ("target",),
    Action.RETRY: ("delay_minutes",),
    Action.WAIT: ("delay_minutes",),
    Action.NOTIFY: ("note",),
    Action.WEBHOOK: (),
}


class AutomationForm(AnswerConditionsForm):
    """A rule: after which calls, in which campaign, with which answers, what is done."""

    name = forms.CharField(label=_("Name"), max_length=120)
    campaign = forms.ModelChoiceField(
        label=_("Campaign"), queryset=Campaign.objects.none(), required=False, empty_label=_("All")
    )
    outcomes = forms.MultipleChoiceField(
        label=_("After a call where"),
        choices=list(OUTCOMES.items()),
        widget=forms.CheckboxSelectMultiple,
    )
    action = forms.ChoiceField(label=_("Do this"), choices=Action.choices)
    tag = forms.CharField(
        label=_("Tag"), max_length=40, required=False, help_text=_("What the lead is tagged with.")
    )
    note = forms.CharField(
        label=_("Note"),
        max_length=300,
        required=False,
        help_text=_("What the follow-up or the message says."),
    )
    delay_minutes = forms.IntegerField(
        label=_("After (minutes)"),
        min_value=5,
        max_value=90 * 24 * 60,
        required=False,
        help_text=_("Until the follow-up is due, or the next call is made."),
    )
    target = forms.ModelChoiceField(
        label=_("Other campaign"),
        queryset=Campaign.objects.none(),
        required=False,
        empty_label=_("None"),
        help_text=_("Which one the lead is put into."),
    )

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, client=client, **kwargs)
        own = Campaign.objects.filter(client=client).exclude(status=Campaign.Status.ARCHIVED)
        for name in ("campaign", "target"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)
            field.queryset = own.order_by("name")

    @property
    def first_fields(self) -> list[BoundField]:
        """Return the fields above the conditions, for the page."""
        return [self[name] for name in ("name", "campaign", "outcomes")]

    @property
    def last_fields(self) -> list[BoundField]:
        """Return the fields below the conditions, for the page."""
        return [self[name] for name in ("action", "tag", "note", "delay_minutes", "target")]

    def clean_tag(self) -> str:
        return without_controls(str(self.cleaned_data["tag"])).strip().lstrip("#").casefold()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in NEEDS.get(data.get("action", ""), ()):
            if name not in self.errors and not data.get(name):
                self.add_error(name, _("This action needs it."))
        target = data.get("target")
        if data.get("action") == Action.ENROL and target and target == data.get("campaign"):
            self.add_error("target", _("Choose another campaign than the rule's own."))
        return data

    def content(self) -> RuleContent:
        """Return what was typed; only after is_valid()."""
        data = self.cleaned_data
        needed = NEEDS[data["action"]]
        params: Params = {}
        if "tag" in needed:
            params["tag"] = data["tag"]
        if "note" in needed:
            params["note"] = data["note"]
        if "delay_minutes" in needed:
            params["delay_minutes"] = data["delay_minutes"]
        if "target" in needed:
            params["campaign_id"] = str(data["target"].pk)
        return RuleContent(
            name=data["name"],
            campaign_id=data["campaign"].pk if data["campaign"] else None,
            outcomes=tuple(data["outcomes"]),
            action=data["action"],
            params=params,
            conditions=self.conditions(),
        )


def initial_of(rule: AutomationRule) -> dict[str, Any]:
    """Return what the form shows for a rule."""
    return {
        "name": rule.name,
        "campaign": rule.campaign_id,
        "outcomes": rule.outcomes,
        **initial_of_conditions(rule.conditions),
        "action": rule.action,
        "tag": rule.params.get("tag", ""),
        "note": rule.params.get("note", ""),
        "delay_minutes": rule.params.get("delay_minutes"),
        "target": rule.params.get("campaign_id"),
    }
