"""An upload and the meaning of its columns, as people type them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from leads.forms.consent import COUNTRIES, ConsentFields
from leads.imports.cells import split_tags
from leads.imports.columns import FIELDS, filled_ratio
from leads.imports.rows import MAX_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.files.uploadedfile import UploadedFile

    from leads.models import Detected, ImportMapping, ImportOptions

MEGABYTE = 1024 * 1024
_FIELD, _VARIABLE = "field:", "variable:"


class UploadForm(ConsentFields):
    """A file of leads and the consent of the people in it."""

    file = forms.FileField(
        label=_("Spreadsheet"),
        widget=forms.FileInput(attrs={"accept": ".csv,.tsv,.txt,.xlsx"}),
        error_messages={"empty": _("The file is empty. Save the spreadsheet again.")},
    )
    field_order = ("file", "consent_kind", "consent_source", "consent_on", "consent_wording")

    def __init__(self, *args: Any, max_bytes: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_bytes = max_bytes
        self.fields["file"].help_text = _(
            "CSV, TSV or Excel (.xlsx), up to %(size)d MB. Columns are matched in the next step."
        ) % {"size": max(max_bytes // MEGABYTE, 1)}

    def clean_file(self) -> UploadedFile[bytes]:
        upload: UploadedFile[bytes] = self.cleaned_data["file"]
        if (upload.size or 0) > self.max_bytes:
            raise forms.ValidationError(too_large(self.max_bytes))
        return upload


def too_large(max_bytes: int) -> str:
    """Return what to do about a file above the cap."""
    return str(
        _("The file is larger than %d MB. Split it, or delete columns that aren't needed.")
        % max(max_bytes // MEGABYTE, 1)
    )


@dataclass(frozen=True)
class Column:
    """A column of the file beside the box that says what it is."""

    name: str
    samples: list[str]
    filled_ratio: float
    field: forms.BoundField


@dataclass(frozen=True)
class Variable:
    """A variable of the script, the default for empty cells, and what fills it."""

    name: str
    field: forms.BoundField
    is_mapped: bool
    has_default: bool


class MappingForm(forms.Form):
    """What each column of one file is, what fills the script, and how duplicates are treated."""

    country = forms.ChoiceField(
        label=_("Country of the numbers"),
        choices=COUNTRIES,
        help_text=_("For numbers without + and a country code. A country column wins."),
    )
    duplicates = forms.ChoiceField(
        label=_("The same number twice in the file"),
        choices=[("first", _("Keep the first row")), ("last", _("Keep the last row"))],
        widget=forms.RadioSelect,
    )
    existing = forms.ChoiceField(
        label=_("People who are leads already"),
        choices=[
            ("fill", _("Fill in what is missing")),
            ("overwrite", _("Overwrite with the file")),
            ("skip", _("Leave them out")),
        ],
        widget=forms.RadioSelect,
    )
    tag = forms.CharField(
        label=_("Tag for all of them"),
        max_length=40,
        required=False,
        help_text=_("To find them later in the list."),
    )

    def __init__(
        self,
        *args: Any,
        found: Detected,
        variables: Sequence[str],
        mapping: ImportMapping,
        options: ImportOptions,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.found, self.variables, self.options = found, variables, options
        for name in ("country", "duplicates", "existing", "tag"):
            self.fields[name].initial = (
                options[name] if name != "tag" else ", ".join(options["tags"])
            )
        meanings = {place: _FIELD + name for name, place in mapping["fields"].items()}
        # A variable that is a field of the lead is filled as that field.
        meanings |= {
            place: _VARIABLE + name
            for name, place in mapping["variables"].items()
            if name not in FIELDS
        }
        choices = self._choices()
        for place, name in enumerate(found["header"]):
            self.fields[f"column_{place}"] = forms.ChoiceField(
                label=_("What is “%s”?") % (name or _("Column %d") % (place + 1)),
                choices=choices,
                required=False,
                initial=meanings.get(place, ""),
            )
        for number, name in enumerate(variables):
            self.fields[f"default_{number}"] = forms.CharField(
                label=_("If {{%s}} is empty, say") % name,
                max_length=MAX_VARIABLE,
                required=False,
                initial=options["defaults"].get(name, ""),
            )

    def _choices(self) -> list[tuple[str, Any]]:
        own = [
            (_VARIABLE + name, "{{" + name + "}}") for name in self.variables if name not in FIELDS
        ]
        fields = [(_FIELD + name, label) for name, label in FIELDS.items()]
        groups: list[tuple[str, Any]] = [("", _("Ignore")), (str(_("Person")), fields)]
        return [*groups, (str(_("Script")), own)] if own else groups

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        taken: dict[str, str] = {}
        for place, _name in enumerate(self.found["header"]):
            meaning = data.get(f"column_{place}")
            if not meaning:
                continue
            if meaning in taken:
                self.add_error(f"column_{place}", _("Another column is this already."))
            taken[meaning] = f"column_{place}"
        if _FIELD + "phone_number" not in taken:
            self.add_error(None, _("Say which column holds the phone number."))
        for number, name in enumerate(self.variables):
            default = data.get(f"default_{number}", "")
            if "{{" in default or "}}" in default:
                self.add_error(f"default_{number}", _("Two braces may not stand here."))
            elif not default and not self._fills(name, taken):
                self.add_error(
                    f"default_{number}", _("No column fills it: choose one, or type a default.")
                )
        return data

    @staticmethod
    def _fills(name: str, taken: dict[str, str]) -> bool:
        names = {_VARIABLE + name, _FIELD + name}
        if name in {"first_name", "last_name"}:
            names.add(_FIELD + "full_name")
        return bool(names & set(taken))

    def mapping(self) -> ImportMapping:
        """Return what a valid form says of the columns."""
        chosen = {
            str(self.cleaned_data[f"column_{place}"]): place
            for place, _name in enumerate(self.found["header"])
            if self.cleaned_data[f"column_{place}"]
        }
        return {
            "fields": _part(chosen, _FIELD),
            "variables": _part(chosen, _VARIABLE),
        }

    def import_options(self) -> ImportOptions:
        """Return the options of a valid form; the consent statement stays as it was uploaded."""
        data = self.cleaned_data
        defaults = {
            name: data[f"default_{number}"]
            for number, name in enumerate(self.variables)
            if data[f"default_{number}"]
        }
        options = self.options.copy()
        options["country"], options["tags"] = data["country"], split_tags(data["tag"])
        options["duplicates"], options["existing"] = data["duplicates"], data["existing"]
        options["defaults"] = defaults
        return options

    def columns(self) -> list[Column]:
        """Return the file's columns for the table, each with three samples."""
        samples = self.found["samples"]
        return [
            Column(
                name=name,
                samples=[row[place] for row in samples if place < len(row) and row[place]][:3],
                filled_ratio=filled_ratio(self.found, place),
                field=self[f"column_{place}"],
            )
            for place, name in enumerate(self.found["header"])
        ]

    def script_variables(self) -> list[Variable]:
        """Return the script's variables, each with the box for its default."""
        chosen = {
            str(self[f"column_{place}"].value()) for place in range(len(self.found["header"]))
        }
        taken = dict.fromkeys(chosen, "")
        return [
            Variable(
                name,
                self[f"default_{number}"],
                is_mapped=self._fills(name, taken),
                has_default=bool(self[f"default_{number}"].value()),
            )
            for number, name in enumerate(self.variables)
        ]

    def option_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in ("country", "duplicates", "existing", "tag")]


def _part(chosen: dict[str, int], prefix: str) -> dict[str, int]:
    return {
        meaning.removeprefix(prefix): place
        for meaning, place in chosen.items()
        if meaning.startswith(prefix)
    }
