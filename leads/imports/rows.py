"""One row of a file into a person, or the reason why not: pure, and quick enough for a million."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from convomono.lib import csvio
from convomono.lib.csvio import BrokenRow
from convomono.lib.phone import NumberRefused, ParsedNumber, is_country, parse_number, time_zones
from leads.imports.verdicts import REASONS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leads.models import Detected, ImportMapping, ImportOptions, Lead

MAX_VARIABLE = 500
_WIDTHS = {
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
_COUNTRIES = {
    "usa": "US",
    "unitedstates": "US",
    "unitedstatesofamerica": "US",
    "america": "US",
    "uk": "GB",
    "unitedkingdom": "GB",
    "greatbritain": "GB",
    "england": "GB",
    "canada": "CA",
    "germany": "DE",
    "deutschland": "DE",
    "france": "FR",
    "spain": "ES",
    "españa": "ES",
    "italy": "IT",
    "mexico": "MX",
    "méxico": "MX",
    "australia": "AU",
    "ireland": "IE",
    "netherlands": "NL",
    "portugal": "PT",
    "brazil": "BR",
    "india": "IN",
    "austria": "AT",
    "switzerland": "CH",
}
_ZONES = available_timezones()


@dataclass(frozen=True)
class Plan:
    """What an import does with its rows: the columns' meaning, the options, the script's needs."""

    found: Detected
    mapping: ImportMapping
    options: ImportOptions
    variables: Sequence[str] = ()


@dataclass(slots=True)
class ReadRow:
    """A row on its way: `verdict` is empty while nothing is known against it."""

    number: int
    cells: list[str]
    verdict: str = ""
    column: str = ""
    reason: str = ""
    phone: ParsedNumber | None = None
    fields: dict[str, str] = field(default_factory=dict)
    zones: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    missing: str = ""  # the first script variable that nothing fills
    lead: Lead | None = None  # the client's lead with this number, if there is one

    def refuse(self, verdict: Verdict, *, column: str = "", reason: str = "") -> None:
        self.verdict, self.column = verdict, column
        self.reason = (reason or str(REASONS[verdict]))[:300]


class RowReader:
    """Reads rows by one plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.header = plan.found["header"]
        self.width = len(self.header)
        fields = dict(plan.mapping["fields"])
        self.phone_place = fields.pop("phone_number")
        self.country_place = fields.pop("country", None)
        self.field_places = list(fields.items())

    def read(self, number: int, cells: list[str] | BrokenRow) -> ReadRow:
        """Return the row with its number, its person and its variables, or refused."""
        if isinstance(cells, BrokenRow):
            row = ReadRow(number, [])
            row.refuse(Verdict.ROW_UNREADABLE, reason=_("A quote is opened and never closed."))
            return row
        row = ReadRow(number, [cell[: csvio.MAX_CELL] for cell in cells])
        if self._is_unreadable(row, cells):
            return row
        self._read_phone(row, cells)
        if not row.verdict:
            self._read_person(row, cells)
        if not row.verdict:
            self._read_variables(row, cells)
        return row

    def _is_unreadable(self, row: ReadRow, cells: list[str]) -> bool:
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
        elif any("\ufffd" in cell for cell in cells):
            row.refuse(
                Verdict.ROW_UNREADABLE,
                reason=_("Some characters can't be read. Save the file as UTF-8."),
            )
        return bool(row.verdict)

    def _cell(self, cells: list[str], place: int) -> str:
        return csvio.clean_cell(cells[place]) if place < len(cells) else ""

    def _read_phone(self, row: ReadRow, cells: list[str]) -> None:
        country = self.plan.options["country"]
        if self.country_place is not None:
            said = self._cell(cells, self.country_place)
            country = _country(said) if said else country
        try:
            row.phone = parse_number(self._cell(cells, self.phone_place), country)
        except NumberRefused as exc:
            row.refuse(Verdict(exc.reason), column=self.header[self.phone_place])

    def _read_person(self, row: ReadRow, cells: list[str]) -> None:
        fields = row.fields
        for name, place in self.field_places:
            value = self._cell(cells, place)
            if value and self._is_safe(row, value, place, _WIDTHS[name]):
                fields[name] = value
        if full := fields.pop("full_name", ""):
            first, _blank, last = full.partition(" ")
            fields.setdefault("first_name", first[:120])
            fields.setdefault("last_name", last.strip()[:120])
        zone = fields.get("time_zone", "")
        if zone and zone not in _ZONES:
            del fields["time_zone"]
            zone = ""
        assert row.phone is not None  # read just before
        row.zones = [zone] if zone else list(time_zones(row.phone.e164))

    def _read_variables(self, row: ReadRow, cells: list[str]) -> None:
        defaults, places = self.plan.options["defaults"], self.plan.mapping["variables"]
        for name in self.plan.variables:
            place = places.get(name)
            value = self._cell(cells, place) if place is not None else _own(row, name)
            if place is not None and not self._is_safe(row, value, place, MAX_VARIABLE):
                return
            value = value or defaults.get(name, "")
            if value:
                row.variables[name] = value
            elif not row.missing:
                row.missing = name

    def _is_safe(self, row: ReadRow, value: str, place: int, width: int) -> bool:
        """Refuse what is too long, or would be read as a variable by the agent."""
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
        return not row.verdict


def _own(row: ReadRow, name: str) -> str:
    """Return what the person's own fields say of a variable of that name."""
    if name == "full_name":
        return f"{row.fields.get('first_name', '')} {row.fields.get('last_name', '')}".strip()
    if name == "phone_number" and row.phone is not None:
        return row.phone.e164
    return row.fields.get(name, "")


def _country(said: str) -> str:
    """Return the country's two letters, or what phonenumbers refuses as unknown."""
    code = said.strip().upper()
    if is_country(code):
        return code
    return _COUNTRIES.get("".join(filter(str.isalpha, said.casefold())), "ZZ")
