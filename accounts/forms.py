"""What people of the agency type before they work as a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import User

if TYPE_CHECKING:
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
