"""What people type about knowledge bases: names, sources, questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from campaigns.knowledge_limits import (
    FILE_BYTES,
    MEGABYTE,
    SUFFIXES,
    TEXT_CHARS,
    SourceRefused,
    check_file,
    suffix_of,
)
from campaigns.services.asking import QUESTION_CHARS
from convomono.lib.outbound import AddressRefused, check_url

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

URLS_AT_ONCE = 50
_HEAD_BYTES = 512


class KnowledgeForm(forms.Form):
    """A new knowledge base."""

    name = forms.CharField(
        label=_("Name"),
        max_length=39,
        help_text=_("Such as: Prices and opening hours. At most 39 letters."),
    )


class TextSourceForm(forms.Form):
    """A text."""

    title = forms.CharField(label=_("Title"), max_length=200)
    text = forms.CharField(
        label=_("Text"), max_length=TEXT_CHARS, widget=forms.Textarea(attrs={"rows": 8})
    )

    def clean_text(self) -> str:
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")


class UrlSourceForm(forms.Form):
    """Web pages, one address a line."""

    urls = forms.CharField(
        label=_("Addresses"),
        max_length=URLS_AT_ONCE * 1000,
        widget=forms.Textarea(attrs={"rows": 4, "inputmode": "url"}),
        help_text=_("One a line, beginning with https://. Retell reads these pages, nothing else."),
    )

    def clean_urls(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["urls"].splitlines()]
        urls = list(dict.fromkeys(line for line in lines if line))
        if len(urls) > URLS_AT_ONCE:
            raise forms.ValidationError(
                _("Add at most %(most)d addresses at once.") % {"most": URLS_AT_ONCE}
            )
        for url in urls:
            try:
                check_url(url)
            except AddressRefused as refused:
                raise forms.ValidationError(f"{url[:80]}: {refused}") from None
        return urls


class FileSourceForm(forms.Form):
    """A file that Retell can read."""

    file = forms.FileField(
        label=_("File"),
        widget=forms.FileInput(attrs={"accept": ",".join(sorted(SUFFIXES))}),
        error_messages={"empty": _("The file is empty. Save it again and upload that.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kinds = ", ".join(sorted(one.lstrip(".") for one in SUFFIXES))
        self.fields["file"].help_text = _("Up to %(most)d MB: %(kinds)s.") % {
            "most": FILE_BYTES // MEGABYTE,
            "kinds": kinds,
        }

    def clean_file(self) -> UploadedFile[bytes]:
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        head = upload.read(_HEAD_BYTES)
        upload.seek(0)
        try:
            check_file(name=upload.name or "", size_bytes=upload.size or 0, head=head)
        except SourceRefused as refused:
            raise forms.ValidationError(str(refused)) from None
        return upload

    @property
    def suffix(self) -> str:
        return suffix_of(self.cleaned_data["file"].name or "")


class QuestionForm(forms.Form):
    """A question to a knowledge base."""

    question = forms.CharField(label=_("Question"), max_length=QUESTION_CHARS)
