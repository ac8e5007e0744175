"""One person's consent, notes and erasure, as people type them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.forms.consent import ConsentFields
from leads.models import Consent
from leads.services.consents import PROOF_MAX_BYTES


class ConsentForm(ConsentFields):
    """How one person agreed, and the file that proves it."""

    proof = forms.FileField(
        label=_("Proof"),
        required=False,
        help_text=_("A recording, a scan or a picture; 10 MB at most."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["consent_kind"]
        field.choices = [("", _("Choose …")), *Consent.Kind.choices]
        field.help_text = ""

    def clean_proof(self) -> Any:
        proof = self.cleaned_data["proof"]
        if proof and proof.size > PROOF_MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 10 MB."))
        return proof


class RevokeForm(forms.Form):
    """How a consent was taken back."""

    how = forms.CharField(
        label=_("How did they take it back?"),
        max_length=200,
        help_text=_("By mail, on the phone, in person: when, and to whom."),
    )


class NoteForm(forms.Form):
    """A note about a lead."""

    text = forms.CharField(
        label=_("Note"), max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )


class EraseForm(forms.Form):
    """Why a person is erased."""

    reason = forms.CharField(
        label=_("Reason"), max_length=200, help_text=_("Who asked for it, and when.")
    )
    is_sure = forms.BooleanField(label=_("I know that this can't be undone."))
