"""What people of the agency type before they work as a client, and what owners say of an API key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiKey, User

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client


class ActingForm(forms.Form):
    """With whose rights, why, and for how long."""

    acted_for = forms.ModelChoiceField(
        label=_("With the rights of"),
        queryset=User.objects.none(),
        empty_label=None,
        help_text=_("The audit log names this person and you."),
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=200,
        help_text=_("The client is told: “Upload of the autumn list, as asked by Alice”."),
    )
    minutes = forms.TypedChoiceField(
        label=_("For how long"),
        coerce=int,
        choices=[(15, _("15 minutes")), (30, _("30 minutes")), (60, _("One hour"))],
        initial=30,
    )

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(client=client, is_active=True).order_by("client_role", "email")
        field: Any = self.fields["acted_for"]
        field.queryset = people
        # Owners first: they may do what the agency is usually asked for.
        field.initial = people.filter(client_role=User.ClientRole.OWNER).first()
        field.label_from_instance = lambda user: f"{user} ({user.get_client_role_display()})"


class ApiKeyForm(forms.Form):
    """What a key is for, what it may do, and how long it works."""

    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        help_text=_("The program that calls with it: “CRM”. The audit log says it."),
    )
    scope = forms.ChoiceField(
        label=_("It may"),
        choices=ApiKey.Scope.choices,
        initial=ApiKey.Scope.READ,
        widget=forms.RadioSelect,
        help_text=_("As a manager may, in your own account alone."),
    )
    days = forms.TypedChoiceField(
        label=_("It works for"),
        coerce=int,
        choices=[
            (0, _("Until it is revoked")),
            (30, _("30 days")),
            (90, _("90 days")),
            (365, _("One year")),
        ],
        initial=0,
    )

    def __init__(self, *args: Any, may_launch: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_launch:
            field: Any = self.fields["scope"]
            field.choices = [one for one in field.choices if one[0] != ApiKey.Scope.LAUNCH]

    def expires_at(self, now: datetime) -> datetime | None:
        """Return until when a valid form's key works; None for one without end."""
        days: int = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None
