"""A spreadsheet of leads as it comes in: a file, parts of one, or pasted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.imports.packed import MAX_UNPACKED_BYTES, MEGABYTE

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

PASTE_MAX_CHARS = 2_000_000


class UploadForm(forms.Form):
    """
    A file of leads, or rows pasted from a spreadsheet.

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

    def __init__(self, *args: Any, max_bytes: int, parts_url: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_bytes = max_bytes
        if parts_url:
            self._send_in_parts(parts_url)
        self.fields["file"].help_text = _(
            "CSV, TSV, Excel (.xlsx) or one of them in a ZIP, up to %(size)d MB (unpacked too) and "
            "1,000,000 rows. A workbook may unpack to %(book)d MB: save a larger one as CSV. Columns "
            "are matched in the next step."
        ) % {
            "size": max(max_bytes // MEGABYTE, 1),
            "book": MAX_UNPACKED_BYTES // MEGABYTE,
        }

    def _send_in_parts(self, url: str) -> None:
        """Tell `upload.js` where parts go, how many bytes may, and what it says when they don't."""
        widget = self.fields["file"].widget
        widget.in_parts = True  # for `components/field.html`
        widget.attrs |= {
            "data-parts": url,
            "data-most": self.max_bytes,
            "data-large": too_large(self.max_bytes),
            "data-broken": _("The line broke. It goes on by itself …"),
            "data-stopped": _("The line stays broken. Upload again: it goes on where it stopped."),
        }

    def clean_file(self) -> UploadedFile[bytes] | None:
        upload: UploadedFile[bytes] | None = self.cleaned_data["file"]
        if upload is not None and (upload.size or 0) > self.max_bytes:
            raise forms.ValidationError(too_large(self.max_bytes))
        return upload

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        given = [name for name in ("file", "pasted", "upload") if data.get(name)]
        if not given and "file" not in self.errors:
            self.add_error("file", _("Choose a file, or paste the rows."))
        elif len(given) > 1:
            self.add_error("pasted", _("There is a file and pasted rows: keep one of them."))
        return data


def too_large(max_bytes: int) -> str:
    """Return what to do about a file above the cap."""
    return str(
        _("The file is larger than %d MB. Split it, or delete columns that aren't needed.")
        % max(max_bytes // MEGABYTE, 1)
    )
