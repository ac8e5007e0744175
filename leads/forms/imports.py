"""The meaning of a file's columns and how its rows become leads, as people say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from convomono.lib.csvio import DELIMITERS, QUOTES
from leads.forms.agreement import AgreementFields
from leads.forms.consent import COUNTRIES
from leads.imports.agreed import agreed_options
from leads.imports.cells import split_tags
from leads.imports.columns import FACTS, FIELDS, filled_ratio, lacks_plus
from leads.imports.rows import MAX_VARIABLE
from leads.imports.source import MOST_TITLES
from leads.imports.targets import AskedVariable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leads.models import Detected, ImportMapping, ImportOptions

_FIELD, _VARIABLE = "field:", "variable:"


@dataclass(frozen=True)
class Column:
    """A column of the file beside the box that says what it is."""

    name: str
    samples: list[str]
    filled_percent: int
    field: forms.BoundField


@dataclass(frozen=True)
class Variable:
    """A variable of the script, the default for empty cells, and what fills it."""

    name: str
    field: forms.BoundField
    is_mapped: bool
    has_default: bool
    is_required: bool


class MappingForm(AgreementFields):
    """What each column of one file is, what fills the script, how people agreed, how duplicates are treated."""

    country = forms.ChoiceField(
        label=_("Country of the numbers"),
        choices=COUNTRIES,
        help_text=_("For numbers without + and a country code. A country column wins."),
    )
    lost_plus = forms.BooleanField(
        label=_("Country codes stand there without +"),
        required=False,
        help_text=_("447911123456 is read as +44 7911 123456 then."),
    )
    duplicates = forms.ChoiceField(
        label=_("The same number twice in the file"),
        choices=[
            ("first", _("Keep the first row")),
            ("last", _("Keep the last row")),
            ("merge", _("Keep the first, and fill its gaps from the others")),
        ],
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
        label=_("Tags for all of them"),
        max_length=200,
        required=False,
        help_text=_("To find them later in the list; a comma between two."),
    )
    refused_lines = forms.MultipleChoiceField(
        label=_("Leave out numbers that are"),
        choices=[("landline", _("Landlines")), ("mobile", _("Mobiles")), ("voip", _("Internet"))],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Where the country's numbers tell; American ones don't."),
    )

    def __init__(
        self,
        *args: Any,
        found: Detected,
        variables: Sequence[str],
        asked: Mapping[str, AskedVariable] | None = None,
        mapping: ImportMapping,
        options: ImportOptions,
        was_asked: bool = False,
        origin_note: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.found, self.variables, self.options = found, variables, options
        self.origin_note = origin_note
        self.asked = [(asked or {}).get(name, AskedVariable()) for name in variables]
        for name in ("country", "duplicates", "existing", "refused_lines"):
            self.fields[name].initial = options[name]
        self.fields["lost_plus"].initial = options.get("lost_plus", self._lacks_plus(mapping))
        self.fields["tag"].initial = ", ".join(options["tags"])
        self.show_agreement(options, was_asked=was_asked, has_day="consent_on" in mapping["fields"])
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
                initial=options["defaults"].get(name) or self.asked[number].default,
            )
        self.order_fields([name for name in self.fields if name[-1].isdigit()])  # as on the page

    def _lacks_plus(self, mapping: ImportMapping) -> bool:
        place = mapping["fields"].get("phone_number")
        return place is not None and lacks_plus(self.found, place, self.options["country"])

    def _choices(self) -> list[tuple[str, Any]]:
        own = [
            (_VARIABLE + name, "{{" + name + "}}") for name in self.variables if name not in FIELDS
        ]
        person = [(_FIELD + name, label) for name, label in FIELDS.items() if name not in FACTS]
        facts = [(_FIELD + name, FIELDS[name]) for name in FACTS]
        groups: list[tuple[str, Any]] = [
            ("", _("Ignore")),
            (str(_("Person")), person),
            (str(_("Consent and registry")), facts),
        ]
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
        if self.is_by_row and _FIELD + "consent_on" not in taken:
            self.add_error(None, _("Say which column holds the day people agreed to be called."))
        for number in range(len(self.variables)):
            default = data.get(f"default_{number}", "")
            if "{{" in default or "}}" in default:
                self.add_error(f"default_{number}", _("Two braces may not stand here."))
            elif default and (problem := self.asked[number].problem(default)):
                self.add_error(f"default_{number}", problem)
            elif self._lacks(number, default, taken):
                self.add_error(
                    f"default_{number}", _("No column fills it: choose one, or type a default.")
                )
        return data

    def _lacks(self, number: int, default: str, taken: dict[str, str]) -> bool:
        """Tell whether every row would be refused for want of this variable."""
        asked = self.asked[number]
        is_said = default or asked.default or not asked.is_required
        return not is_said and not self._fills(self.variables[number], taken)

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
        """Return the options of a valid form; the proof stays as it was."""
        data = self.cleaned_data
        defaults = {
            name: data[f"default_{number}"]
            for number, name in enumerate(self.variables)
            if data[f"default_{number}"]
        }
        options = self.options.copy()
        options["country"], options["tags"] = data["country"], split_tags(data["tag"])
        options["refused_lines"], options["lost_plus"] = data["refused_lines"], data["lost_plus"]
        options["duplicates"], options["existing"] = data["duplicates"], data["existing"]
        options["defaults"] = defaults
        return {**options, **agreed_options(self.consent())}

    def columns(self) -> list[Column]:
        """Return the file's columns for the table, each with three samples."""
        samples = self.found["samples"]
        return [
            Column(
                name=name,
                samples=[row[place] for row in samples if place < len(row) and row[place]][:3],
                filled_percent=round(filled_ratio(self.found, place) * 100),
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
                has_default=bool(self[f"default_{number}"].value() or self.asked[number].default),
                is_required=self.asked[number].is_required,
            )
            for number, name in enumerate(self.variables)
        ]

    def agreement_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in AgreementFields.field_order]

    def option_fields(self) -> list[forms.BoundField]:
        names = ("country", "lost_plus", "tag", "duplicates", "existing", "refused_lines")
        return [self[name] for name in names]


class ReadingForm(forms.Form):
    """How the file is to be read, where the guess was wrong."""

    encoding = forms.ChoiceField(label=_("Characters"), required=False)
    delimiter = forms.ChoiceField(label=_("Between the columns"), required=False)
    quoting = forms.ChoiceField(label=_("Around a cell with a separator in it"), required=False)
    sheet = forms.ChoiceField(label=_("Sheet"), required=False)
    skipped = forms.IntegerField(
        label=_("Rows above the table"),
        min_value=0,
        max_value=MOST_TITLES,
        required=False,
        help_text=_("Titles, a date, a logo: left out. Empty rows don't count."),
    )
    has_header = forms.BooleanField(label=_("The first row names the columns"), required=False)

    def __init__(self, *args: Any, found: Detected, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_text = found["format"] == "csv"
        chosen: dict[str, list[tuple[str, Any]]] = {
            "encoding": list(_ENCODINGS.items()) if is_text else [],
            "delimiter": list(zip(DELIMITERS, _DELIMITERS, strict=True)) if is_text else [],
            "quoting": list(zip(QUOTES, _QUOTES, strict=True)) if is_text else [],
            "sheet": [(name, name) for name in found.get("sheets", [])],
        }
        for name, choices in chosen.items():
            if len(choices) > 1:
                field = self.fields[name]
                assert isinstance(field, forms.ChoiceField)  # declared so above
                field.choices, field.initial = choices, found.get(name, "")
            else:
                del self.fields[name]
        self.fields["has_header"].initial = found["has_header"]
        self.fields["skipped"].initial = found.get("skipped", 0)


_ENCODINGS = {
    "utf-8": _("Unicode (UTF-8)"),
    "cp1252": _("Windows, Western Europe (cp1252)"),
    "utf-16": _("Unicode (UTF-16)"),
    "utf-16-le": _("Unicode (UTF-16, little end first)"),
    "utf-16-be": _("Unicode (UTF-16, big end first)"),
    "utf-32": _("Unicode (UTF-32)"),
    "cp1250": _("Windows, Central Europe (cp1250)"),
    "cp1251": _("Windows, Cyrillic (cp1251)"),
    "mac_roman": _("Macintosh"),
    "shift_jis": _("Japanese (Shift JIS)"),
    "gb18030": _("Chinese (GB 18030)"),
}
_QUOTES = (
    _("Double quotes"),
    _("Single quotes"),
    _("Nothing: quotes are letters"),
    _("Double quotes, and around each whole line as well"),
)
_DELIMITERS = (_("Comma"), _("Semicolon"), _("Tab"), _("Bar |"))


def _part(chosen: dict[str, int], prefix: str) -> dict[str, int]:
    return {
        meaning.removeprefix(prefix): place
        for meaning, place in chosen.items()
        if meaning.startswith(prefix)
    }
