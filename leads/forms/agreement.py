"""How the people of a file agreed to be called: a statement for all, or what the file says of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.forms.consent import NO_CONSENT, ConsentFields
from leads.imports.agreed import RowConsent, agreed_day
from leads.imports.packed import MEGABYTE

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

    from leads.models import ImportOptions
    from leads.services.people import ConsentStatement

PROOF_MAX_BYTES = 10 * MEGABYTE
PROOFS = {"pdf", "png", "jpg", "jpeg", "txt", "eml", "html", "docx"}


class AgreementFields(ConsentFields):
    """The consent of the people in a file; a base for forms that know its columns."""

    consent_by_row = forms.BooleanField(
        label=_("Only those agreed of whom the file has the day"),
        required=False,
        help_text=_(
            "Others are kept as leads, and nobody calls them. Without it, what you say here holds for all "
            "of whom the file says nothing else."
        ),
    )
    consent_proof = forms.FileField(
        label=_("Proof of the consent"),
        required=False,
        widget=forms.FileInput,
        help_text=_("A form, a recording's transcript or a screenshot; up to 10 MB."),
    )
    field_order = (
        *("consent_kind", "consent_by_row", "consent_source", "consent_on"),
        *("consent_wording", "consent_seller", "consent_proof"),
    )

    def show_agreement(self, options: ImportOptions, *, was_asked: bool, has_day: bool) -> None:
        """Fill the boxes with what was said before; `has_day` is whether a column says when people agreed."""
        said: dict[str, Any] = {
            "consent_kind": options["consent_kind"] or (NO_CONSENT if was_asked else ""),
            "consent_by_row": options["consent_by_row"] if was_asked else has_day,
            "consent_source": options["consent_source"],
            "consent_wording": options["consent_wording"],
            "consent_seller": options.get("consent_seller", ""),
            "consent_on": agreed_day(options, self.zone),
        }
        for name, value in said.items():
            self.fields[name].initial = value
        if name := options["consent_proof_name"]:
            self.fields["consent_proof"].help_text = (
                _("%s is kept; choose another file to replace it.") % name
            )

    def clean_consent_proof(self) -> UploadedFile[bytes] | None:
        proof: UploadedFile[bytes] | None = self.cleaned_data["consent_proof"]
        if proof is None:
            return None
        if (proof.size or 0) > PROOF_MAX_BYTES:
            raise forms.ValidationError(_("The proof is larger than 10 MB."))
        if (proof.name or "").rpartition(".")[2].lower() not in PROOFS:
            raise forms.ValidationError(_("Send the proof as PDF, picture, text, e-mail or .docx."))
        return proof

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.is_by_row:
            for name in ("consent_source", "consent_on"):
                self.errors.pop(name, None)  # each row says its own day; the box for one is hidden
        return data

    @property
    def is_by_row(self) -> bool:
        """Whether the file's own columns say who agreed."""
        data = self.cleaned_data
        return bool(data.get("consent_by_row")) and data.get("consent_kind") != NO_CONSENT

    def consent(self) -> ConsentStatement | RowConsent | None:  # type: ignore[override]  # the wider answer
        """Return what a valid form says of the consent; None if there is none."""
        if not self.is_by_row:
            return super().consent()
        data = self.cleaned_data
        return RowConsent(
            data["consent_kind"],
            data.get("consent_source", ""),
            data["consent_wording"],
            data["consent_seller"],
        )
