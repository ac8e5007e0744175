"""Follow-ups and their rules, as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from campaigns.forms.instants import InstantField
from campaigns.models import Campaign, FollowUpRule
from convomono.lib.ids import uuid7

if TYPE_CHECKING:
    from accounts.models import Client
    from leads.models import Lead


def zone_of(lead: Lead, client: Client) -> str:
    """Return the zone in which a callback is promised: the lead's if it is certain, else the client's."""
    return lead.zones[0] if len(lead.zones) == 1 else client.time_zone


def _people(client: Client) -> Any:
    return User.objects.filter(client=client, is_active=True).order_by("email")


class FollowUpForm(forms.Form):
    """When to call back, in the lead's time, what was said, and who does it."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    due_at = InstantField(
        label=_("When"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )
    note = forms.CharField(label=_("What"), max_length=500)
    assignee = forms.ModelChoiceField(
        label=_("Who"), queryset=User.objects.none(), required=False, empty_label=_("Anybody")
    )

    def __init__(self, data: Any = None, *, lead: Lead, client: Client, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {}).setdefault("key", uuid7())
        super().__init__(data, **kwargs)
        self.zone = ZoneInfo(zone_of(lead, client))
        assignee: Any = self.fields["assignee"]
        assignee.queryset = _people(client)
        self.fields["due_at"].help_text = _("In the time of %s.") % self.zone.key.replace("_", " ")

    def clean_due_at(self) -> datetime:
        # The field reads it in the zone in force; what was typed is the lead's wall clock.
        typed: datetime = self.cleaned_data["due_at"].replace(tzinfo=self.zone)
        return typed.astimezone(UTC)


class RuleForm(forms.Form):
    """After which outcome a follow-up is made, and what it says."""

    outcome = forms.ChoiceField(label=_("After a call where"), choices=FollowUpRule.Outcome.choices)
    campaign = forms.ModelChoiceField(
        label=_("In"),
        queryset=Campaign.objects.none(),
        required=False,
        empty_label=_("All campaigns"),
    )
    delay_hours = forms.IntegerField(
        label=_("Due after (hours)"), min_value=0, max_value=24 * 90, initial=24
    )
    note = forms.CharField(label=_("What is to be done"), max_length=500)
    assignee = forms.ModelChoiceField(
        label=_("Who"), queryset=User.objects.none(), required=False, empty_label=_("Anybody")
    )

    def __init__(self, data: Any = None, *, client: Client) -> None:
        super().__init__(data)
        campaign: Any = self.fields["campaign"]
        campaign.queryset = (
            Campaign.objects.filter(client=client)
            .exclude(status=Campaign.Status.ARCHIVED)
            .order_by("name")
        )
        assignee: Any = self.fields["assignee"]
        assignee.queryset = _people(client)

    def delay(self) -> timedelta:
        return timedelta(hours=self.cleaned_data["delay_hours"])
