"""What each column of a file is: guessed by its name, then by what stands in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from leads.imports.source import is_like_phone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.utils.functional import _StrPromise

    from leads.models import Detected, ImportMapping

FIELDS: dict[str, _StrPromise] = {
    "phone_number": _("Phone number"),
    "full_name": _("Full name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "email": _("E-mail"),
    "company": _("Company"),
    "country": _("Country"),
    "region": _("State or region"),
    "postal_code": _("ZIP or postal code"),
    "time_zone": _("Time zone"),
    "external_id": _("Your own ID"),
}

_SYNONYMS: dict[str, str] = {
    "phone_number": "phone phonenumber phoneno tel telephone telephonenumber mobile mobilephone "
    "mobilenumber cell cellphone contactnumber primaryphone workphone homephone number phone1 "
    "telefon telefono telefone rufnummer handy numero to tonumber e164",
    "full_name": "name fullname contact contactname customer customername leadname person",
    "first_name": "firstname first givenname forename fname vorname nombre prenom",
    "last_name": "lastname last surname familyname lname nachname apellido nom",
    "email": "email mail emailaddress mailaddress correo",
    "company": "company companyname organisation organization business account employer firma",
    "country": "country countrycode land pais",
    "region": "state region province county stateprovince bundesland",
    "postal_code": "zip zipcode postal postalcode postcode plz",
    "time_zone": "timezone tz zone",
    "external_id": "id externalid leadid contactid crmid recordid customerid reference ref",
}
_BY_NAME = {word: field for field, words in _SYNONYMS.items() for word in words.split()}
_NOT_A_LETTER = re.compile(r"[\W_]+")
_ENOUGH = 0.6  # of a column's samples


def plain(name: str) -> str:
    """Return a name without case, blanks and signs, so that "First Name" is "first_name"."""
    return _NOT_A_LETTER.sub("", name.casefold())


def guess_mapping(
    found: Detected, *, variables: Sequence[str], remembered: ImportMapping | None
) -> ImportMapping:
    """
    Return the likeliest meaning of each column; a column is given away once.

    What the client chose for the same header the last time wins. Columns whose names begin with
    "_" are ours, from an error file, and mean nothing.
    """
    if remembered is not None:
        return {
            "fields": dict(remembered["fields"]),
            "variables": _for_variables(found["header"], variables)
            | {name: place for name, place in remembered["variables"].items() if name in variables},
        }
    fields: dict[str, int] = {}
    for place, name in enumerate(found["header"]):
        field = None if name.startswith("_") else _BY_NAME.get(plain(name))
        if field and field not in fields:
            fields[field] = place
    if "first_name" in fields:
        fields.pop("full_name", None)
    _guess_by_values(found, fields)
    return {"fields": fields, "variables": _for_variables(found["header"], variables)}


def _for_variables(header: Sequence[str], variables: Sequence[str]) -> dict[str, int]:
    """Find the column named like each variable; a lead's own field fills one without a column."""
    places = {plain(name): place for place, name in reversed(list(enumerate(header)))}
    return {
        name: places[plain(name)]
        for name in variables
        if name not in FIELDS and plain(name) in places
    }


def _guess_by_values(found: Detected, fields: dict[str, int]) -> None:
    taken = set(fields.values())
    free = [
        place
        for place, name in enumerate(found["header"])
        if place not in taken and not name.startswith("_")
    ]
    if "phone_number" not in fields:
        shares = [(_share(found, place, is_like_phone), -place) for place in free]
        share, place = max(shares, default=(0.0, 0))
        if share >= _ENOUGH:
            fields["phone_number"] = -place
    if "email" not in fields:
        shares = [(_share(found, place, lambda cell: "@" in cell), -place) for place in free]
        share, place = max(shares, default=(0.0, 0))
        if share >= _ENOUGH:
            fields["email"] = -place


def _share(found: Detected, place: int, looks_right: Callable[[str], bool]) -> float:
    cells = [row[place] for row in found["samples"] if place < len(row) and row[place]]
    if not cells:
        return 0.0
    return sum(looks_right(cell) for cell in cells) / len(cells)


def filled_ratio(found: Detected, place: int) -> float:
    """Return the share of the sample rows in which the column says something."""
    rows = found["samples"]
    return sum(bool(place < len(row) and row[place]) for row in rows) / len(rows) if rows else 0.0
