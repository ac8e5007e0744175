"""One row of a file into a person, or the reason why not: pure, and quick enough for a million."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib import csvio
from convomono.lib.csvio import BrokenRow
from convomono.lib.phone import NumberRefused
from leads.imports.cells import (
    day_of,
    is_listed,
    is_no,
    is_yes,
    plain_cell,
    split_tags,
    without_plus,
)
from leads.imports.countries import country_said
from leads.imports.numbers import Numbers, has_words, numbers_in, phone_cell
from leads.imports.places import place_of
from leads.imports.verdict_file import FileListing
from leads.imports.verdicts import EXTENSION_DROPPED, REASONS, Verdict
from leads.imports.zones import zones_said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from convomono.lib.phone_plans import Line
    from leads.imports.targets import AskedVariable
    from leads.models import Detected, ImportMapping, ImportOptions, Lead

MAX_VARIABLE = 500
WIDTHS = {
    "first_name": 120,
    "last_name": 120,
    "full_name": 240,
    "email": 254,
    "company": 200,
    "region": 64,
    "postal_code": 16,
    "time_zone": 64,
    "external_id": 120,
}
_NUMBERS = ("phone_2", "phone_3")
_FACTS = (
    *("consent_given", "consent_on", "consent_source", "consent_seller", "consent_ip"),
    *("opted_out", "registry_listed", "registry_on", "tags"),
)
_LISTINGS = ("opted_out", "registry_listed")
# What a call asks of the lead itself; of its other fields an enrolment has to keep what the file says.
ASKED_OF_LEAD = frozenset(
    {"first_name", "last_name", "full_name", "company", "email", "phone_number"}
)


@dataclass(frozen=True)
class Plan:
    """What an import does with its rows: the columns' meaning, the options, the script's needs."""

    found: Detected
    mapping: ImportMapping
    options: ImportOptions
    variables: Sequence[str] = ()
    asked: Mapping[str, AskedVariable] = field(default_factory=dict)


class ReadRow:
    """
    A row on its way: `verdict` is empty while nothing is known against it.

    `value` is E.164 without its +, `others` further numbers in the file's order, `place` the state
    or else the country, `said` what the columns of consent, registry and tags hold. `missing` names the
    first variable that nothing fills; `no_in` is the row that says no of the number, `listed_in` the one that
    says it isn't to be called, 0 if it is this one; `unfit` says why, if something does that can't be said.
    """

    __slots__ = (
        "cells",
        "column",
        "fields",
        "lead",
        "line",
        "listed_in",
        "missing",
        "no_in",
        "number",
        "others",
        "place",
        "reason",
        "said",
        "unfit",
        "value",
        "variables",
        "verdict",
        "warnings",
        "zone_unread",
        "zones",
    )

    line: Line
    lead: Lead | None

    def __init__(self, number: int, cells: list[str]) -> None:
        self.number, self.cells = number, cells
        self.verdict = self.column = self.reason = self.missing = self.unfit = self.place = ""
        self.value = self.no_in = self.listed_in = 0
        self.fields: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        self.others: list[str] = []
        self.said: dict[str, str] = {}
        self.zones: tuple[str, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.zone_unread = False
        self.lead = None

    @property
    def e164(self) -> str:
        return f"+{self.value}"

    def refuse(self, verdict: Verdict, *, column: str = "", reason: str = "") -> None:
        self.verdict, self.column = verdict, column
        self.reason = (reason or str(REASONS[verdict]))[:300]
        if verdict != Verdict.UPDATE:
            self.warnings = ()  # nobody needs to be warned of what isn't called

    @property
    def says_no(self) -> bool:
        """Whether the file says of this person that they didn't agree: all that isn't a yes."""
        given = self.said.get("consent_given", "")
        return bool(given) and not is_yes(given)

    @property
    def takes_back(self) -> bool:
        """Whether the file says no of this person, so that they may not be called for an earlier yes either."""
        return is_no(self.said.get("consent_given", ""))

    @property
    def numbers(self) -> list[int]:
        """All numbers of this person that the row holds, as `value`."""
        return [self.value, *(int(one[1:]) for one in self.others)] if self.value else []

    def consent_day(self) -> date | None:
        """Return when this person agreed, as the file's columns say; None if they don't."""
        return day_of(self.said.get("consent_on", ""), self.line.country)


class RowReader:
    """Reads rows by one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.header = plan.found["header"]
        self.width = len(self.header)
        fields = dict(plan.mapping["fields"])
        self.phone_place = fields.pop("phone_number")
        self.country_place = fields.pop("country", None)
        self.country = plan.options["country"]
        self.lost_plus = bool(plan.options.get("lost_plus"))
        self.refused_lines = frozenset(plan.options.get("refused_lines", ()))
        self.number_places = [(name, fields.pop(name)) for name in _NUMBERS if name in fields]
        self.fact_places = [(name, fields.pop(name)) for name in _FACTS if name in fields]
        self.field_places = [(name, place, WIDTHS[name]) for name, place in fields.items()]
        places = _variable_places(plan.mapping)
        self.variable_places = [
            (name, places.get(name), plan.asked.get(name)) for name in plan.variables
        ]
        self.is_placed = "region" in fields or "postal_code" in fields
        mapped = plan.mapping["fields"]
        self.given_place = mapped.get("consent_given")
        self.listing_places = [(name, mapped[name]) for name in _LISTINGS if name in mapped]

    def read(self, number: int, cells: list[str] | BrokenRow) -> ReadRow:
        """Return the row with its number, its person and its variables, or refused."""
        if isinstance(cells, BrokenRow):
            row = ReadRow(number, [cell[: csvio.MAX_CELL] for cell in cells.cells])
            row.refuse(Verdict.ROW_UNREADABLE, reason=_("A quote is opened and never closed."))
            return row
        row = ReadRow(number, cells)
        text = "".join(cells)
        is_plain = text.isprintable() and "'" not in text and '="' not in text
        is_short = len(text) <= csvio.MAX_CELL and len(cells) <= self.width
        if not (is_short and "\ufffd" not in text) and self._is_unreadable(row):
            return row
        if not is_plain:
            cells = [plain_cell(cell) for cell in cells]
        if len(cells) < self.width:
            cells = cells + [""] * (self.width - len(cells))
        self._read_phone(row, cells)
        if not row.verdict:
            self._read_person(row, cells, is_safe="{{" not in text and "}}" not in text)
        if not row.verdict and self.variable_places:
            self._read_variables(row, cells)
        return row

    def says_no(self, cells: list[str] | BrokenRow) -> bool:
        """Tell whether the cells of a row say that the person didn't agree, without reading the rest of it."""
        said = self.consent_said(cells)
        return bool(said) and not is_yes(said)

    def says_listed(self, cells: list[str] | BrokenRow) -> bool:
        """Tell whether the cells of a row say that the person isn't to be called."""
        return not isinstance(cells, BrokenRow) and any(
            place < len(cells) and is_listed(plain_cell(cells[place]))
            for _name, place in self.listing_places
        )

    def listings(self, row: ReadRow) -> Iterator[FileListing]:
        """Yield each column by which a row says that its numbers aren't to be called."""
        for name, place in self.listing_places:
            said = plain_cell(row.cells[place]) if place < len(row.cells) else ""
            if is_listed(said):
                checked = row.said.get("registry_on", "")
                yield FileListing(name, row.number, said[:300], checked)

    def consent_said(self, cells: list[str] | BrokenRow) -> str:
        """Return what the cells of a row say of whether the person agreed, as it stands there."""
        place = self.given_place
        if place is None or isinstance(cells, BrokenRow) or place >= len(cells):
            return ""
        return plain_cell(cells[place]) if cells[place] else ""

    def _is_unreadable(self, row: ReadRow) -> bool:
        cells = row.cells
        if len(cells) > self.width and any(cell.strip() for cell in cells[self.width :]):
            row.refuse(
                Verdict.ROW_UNREADABLE,
                reason=_(
                    "The row has %(cells)d cells and the header %(columns)d. A cell with the "
                    "separator in it needs quotes."
                )
                % {"cells": len(cells), "columns": self.width},
            )
        elif any(len(cell) > csvio.MAX_CELL for cell in cells):
            row.refuse(Verdict.ROW_UNREADABLE, reason=_("A cell is longer than 32,767 characters."))
            row.cells = [cell[: csvio.MAX_CELL] for cell in cells]
        elif any("\ufffd" in cell for cell in cells):
            row.refuse(
                Verdict.ROW_UNREADABLE,
                reason=_("Some characters can't be read. Save the file as UTF-8."),
            )
        return bool(row.verdict)

    def _read_phone(self, row: ReadRow, cells: list[str]) -> None:
        country = self.country
        if self.country_place is not None and (said := cells[self.country_place].strip()):
            country = country_said(said) or country
        try:
            found = self._numbers(row, cells, self.phone_place, country)
        except NumberRefused as exc:
            another = self._another(row, cells, country)
            if another is None:
                self._refuse_phone(row, cells[self.phone_place], exc)
                return
            found = another
        row.value, row.line = found.value, found.line
        if found.has_extension:
            row.warnings = (EXTENSION_DROPPED,)
        if self.number_places or found.others:
            self._read_others(row, cells, country, found)
        if self.refused_lines and row.line.line_type in self.refused_lines:
            row.refuse(Verdict.LINE_TYPE_REFUSED, column=self.header[self.phone_place])

    def _numbers(self, row: ReadRow, cells: list[str], place: int, country: str) -> Numbers:
        cell = cells[place]
        if cells is not row.cells and place < len(row.cells):
            cell = phone_cell(row.cells[place])
        return numbers_in(cell, country, lost_plus=self.lost_plus)

    def _refuse_phone(self, row: ReadRow, cell: str, refused: NumberRefused) -> None:
        row.refuse(Verdict(refused.reason), column=self.header[self.phone_place])
        if refused.reason == "phone_too_long":
            row.reason = without_plus(cell) or row.reason
        elif refused.reason == "phone_damaged" and has_words(cell):
            row.reason = _("Words stand beside the number. Keep only the number in the cell.")

    def _another(self, row: ReadRow, cells: list[str], country: str) -> Numbers | None:
        """Return the first further number that is good, in place of the first column's."""
        for _name, place in self.number_places:
            with suppress(NumberRefused):
                return self._numbers(row, cells, place, country)
        return None

    def _read_others(self, row: ReadRow, cells: list[str], country: str, first: Numbers) -> None:
        values = list(first.others)
        for _name, place in self.number_places:
            with suppress(NumberRefused):
                found = self._numbers(row, cells, place, country)
                values += (found.value, *found.others)
        row.others = [f"+{value}" for value in dict.fromkeys(values) if value != row.value]

    def _read_person(self, row: ReadRow, cells: list[str], *, is_safe: bool) -> None:
        fields = row.fields
        for name, place, width in self.field_places:
            value = cells[place].strip()
            if value:
                if len(value) > width or not is_safe:
                    self._check(row, value, place, width)
                fields[name] = value
        for name, place in self.fact_places:
            row.said[name] = cells[place].strip()[:300]
        if row.verdict:
            return
        if "full_name" in fields:
            first, _blank, last = fields.pop("full_name").partition(" ")
            fields.setdefault("first_name", first[:120])
            fields.setdefault("last_name", last.strip()[:120])
        self._read_zones(row)

    def _read_zones(self, row: ReadRow) -> None:
        fields, line = row.fields, row.line
        row.place, row.zones = line.country, line.zones
        if self.is_placed:
            region, postal = fields.get("region", ""), fields.get("postal_code", "")
            place, zones = place_of(line.country, region, postal)
            if place:
                row.place, row.zones = f"{line.country}-{place}", zones
        if said := fields.pop("time_zone", ""):
            zones = zones_said(said, line.country, row.zones)
            row.zone_unread = not zones
            row.zones = zones or row.zones
            if len(zones) == 1:
                fields["time_zone"] = zones[0]

    def _read_variables(self, row: ReadRow, cells: list[str]) -> None:
        defaults = self.plan.options["defaults"]
        for name, place, asked in self.variable_places:
            value = cells[place].strip() if place is not None else _own(row, name)
            if place is not None and value:
                self._check(row, value, place, MAX_VARIABLE)
                if row.verdict:
                    return
            default, problem, is_required = defaults.get(name, ""), "", True
            if asked is not None:
                default = default or asked.default
                is_required = asked.is_required
                problem = asked.problem(value) if value else ""
            if default if problem else value or default:
                self._keep(row, name, value, place, is_unfit=bool(problem))
            elif (problem or is_required) and not row.missing:
                row.missing, row.unfit = name, problem

    def _keep(
        self, row: ReadRow, name: str, value: str, place: int | None, *, is_unfit: bool
    ) -> None:
        """Keep what the file says, as it stands: the lead's fields and the campaign's rules are asked at each call."""
        stand_in = self.plan.options["defaults"].get(name, "")
        if (is_unfit or not value) and stand_in:
            row.variables[name] = stand_in
        elif place is not None and value:
            row.variables[name] = value

    def _check(self, row: ReadRow, value: str, place: int, width: int) -> None:
        """Refuse what is too long, or would be read as a variable by the agent."""
        if row.verdict:
            return
        if len(value) > width:
            row.refuse(
                Verdict.ROW_UNREADABLE,
                column=self.header[place],
                reason=_("The cell is longer than %d characters.") % width,
            )
        elif "{{" in value or "}}" in value:
            row.refuse(
                Verdict.ROW_UNREADABLE,
                column=self.header[place],
                reason=_("Two braces, {{ or }}, may not stand in a cell: the agent reads it."),
            )


def tags_of(row: ReadRow, options: ImportOptions) -> list[str]:
    """Return the tags of the import and of the row's own column."""
    tags, own = options.get("tags"), row.said.get("tags")
    if not (tags or own):
        return []
    return list(dict.fromkeys([*(tags or ()), *split_tags(own or "")]))


def _variable_places(mapping: ImportMapping) -> dict[str, int]:
    """Return the columns that fill variables: a column that is a field fills one of that name too."""
    fields = {n: place for n, place in mapping["fields"].items() if n not in ASKED_OF_LEAD}
    return fields | mapping["variables"]


def _own(row: ReadRow, name: str) -> str:
    """Return what the person's own fields say of a variable of that name."""
    if name == "full_name":
        return f"{row.fields.get('first_name', '')} {row.fields.get('last_name', '')}".strip()
    if name == "phone_number":
        return row.e164
    return row.fields.get(name, "")
