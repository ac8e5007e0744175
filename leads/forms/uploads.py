"""A spreadsheet of leads as it comes in, and how the people in it agreed to be called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.forms.consent import ConsentFields
from leads.imports.packed import MAX_TEXTS_BYTES, MAX_UNPACKED_BYTES, MEGABYTE
from leads.models import Consent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.core.files.uploadedfile import UploadedFile

BY_ROW = "columns"  # the file's own columns say who agreed and when
PROOF_MAX_BYTES = 10 * MEGABYTE
PROOFS = {"pdf", "png", "jpg", "jpeg", "txt", "eml", "html", "docx"}
PASTE_MAX_CHARS = 2_000_000


class UploadForm(ConsentFields):
    """
    A file of leads, or rows pasted from a spreadsheet, and the consent of the people in it.

    `upload` names a file that came in parts before (`leads.views.parts`).
    """

    file = forms.FileField(
        label=_("Spreadsheet"),
        required=False,
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx,.zip"}),
        error_messages={"empty": _("The file is empty. Save the spreadsheet again.")},
    )
    pasted = forms.CharField(
        label=_("Or paste rows from a spreadsheet"),
        max_length=PASTE_MAX_CHARS,
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        help_text=_("With the row of column names first."),
    )
    upload = forms.UUIDField(required=False, widget=forms.HiddenInput)
    upload_name = forms.CharField(max_length=200, required=False, widget=forms.HiddenInput)
    consent_proof = forms.FileField(
        label=_("Proof of the consent"),
        required=False,
        widget=forms.FileInput,
        help_text=_("A form, a recording's transcript or a screenshot; up to 10 MB."),
    )
    field_order = (
        *(
            "file",
            "pasted",
            "upload",
            "upload_name",
            "consent_kind",
            "consent_source",
            "consent_on",
        ),
        *("consent_wording", "consent_proof"),
    )

    def __init__(self, *args: Any, max_bytes: int, parts_url: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_bytes = max_bytes
        if parts_url:
            self.fields["file"].widget.attrs["data-parts"] = parts_url
        kinds = self.fields["consent_kind"]
        assert isinstance(kinds, forms.ChoiceField)  # made so by ConsentFields
        by_row = (BY_ROW, _("The file says it for each person"))
        last: Any = list(cast("Iterable[Any]", kinds.choices))[-1]
        kinds.choices = [("", _("Choose …")), *Consent.Kind.choices, by_row, last]
        self.fields["file"].help_text = _(
            "CSV, TSV, Excel (.xlsx) or one of them in a ZIP, up to %(size)d MB (unpacked too) and "
            "1,000,000 rows. A workbook may unpack to %(book)d MB, %(texts)d of them texts: save a "
            "larger one as CSV. Columns are matched in the next step."
        ) % {
            "size": max(max_bytes // MEGABYTE, 1),
            "book": MAX_UNPACKED_BYTES // MEGABYTE,
            "texts": MAX_TEXTS_BYTES // MEGABYTE,
        }

    def clean_file(self) -> UploadedFile[bytes] | None:
        upload: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if upload is not None and (upload.size or 0) > self.max_bytes:
            raise forms.ValidationError(too_large(self.max_bytes))
        return upload

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
        if data.get("consent_kind") == BY_ROW:
            for name in ("consent_source", "consent_on"):
                self.errors.pop(name, None)  # each row says its own
        given = [name for name in ("file", "pasted", "upload") if data.get(name)]
        if not given and "file" not in self.errors:
            self.add_error("file", _("Choose a file, or paste the rows."))
        elif len(given) > 1:
            self.add_error("pasted", _("There is a file and pasted rows: keep one of them."))
        return data

    @property
    def is_by_row(self) -> bool:
        """Whether the file's own columns say who agreed."""
        return bool(self.cleaned_data["consent_kind"] == BY_ROW)


def too_large(max_bytes: int) -> str:
    """Return what to do about a file above the cap."""
    return str(
        _("The file is larger than %d MB. Split it, or delete columns that aren't needed.")
        % max(max_bytes // MEGABYTE, 1)
    )
