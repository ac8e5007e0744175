"""What each column of a file is: guessed by its name, then by what stands in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from convomono.lib.phone import NumberRefused, read_number
from leads.imports.countries import country_of
from leads.imports.places import is_state
from leads.imports.source import FEWEST_DIGITS, is_like_phone
from leads.imports.zones import is_zone_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    "phone_2": _("Second phone number"),
    "phone_3": _("Third phone number"),
    "tags": _("Tags"),
    "consent_given": _("Agreed to be called (yes or no)"),
    "consent_on": _("Day they agreed"),
    "consent_source": _("Where they agreed"),
    "consent_seller": _("By whom they agreed to be called"),
    "consent_ip": _("IP address they agreed from"),
    "opted_out": _("Asked not to be called"),
    "registry_listed": _("On a do-not-call registry"),
    "registry_on": _("Day of the registry check"),
}
# What columns say about consent and registries, apart from the person.
FACTS = (
    *("consent_given", "consent_on", "consent_source", "consent_seller", "consent_ip"),
    *("opted_out", "registry_listed", "registry_on"),
)

_SYNONYMS: dict[str, str] = {
    "phone_number": "phone phonenumber phoneno tel telephone telephonenumber mobile mobilephone "
    "mobilenumber cell cellphone contactnumber primaryphone number phone1 phonenumber1 "
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
    "phone_2": "phone2 phonenumber2 secondphone secondaryphone alternatephone altphone workphone "
    "businessphone telephone2 mobile2 otherphone",
    "phone_3": "phone3 phonenumber3 thirdphone homephone telephone3",
    "tags": "tag tags label labels segment group",
    "consent_given": "consent optin optedin agreed consented consentgiven consentstatus optinstatus "
    "permission tcpaconsent callconsent phoneconsent calloptin phoneoptin",
    "consent_on": "consentdate consentat consenton optindate optinat optedinat dateofconsent "
    "consenttimestamp",
    "consent_source": "consentsource optinsource",
    "consent_seller": "seller sellername consentseller consentto",
    "consent_ip": "ip ipaddress ipaddr consentip optinip consentipaddress optinipaddress",
    "opted_out": "donotcall donotcallme donotcontact optout optedout optoutcall calloptout "
    "phoneoptout askednottobecalled blocked blacklisted",
    "registry_listed": "dnc onregistry dncregistry dncstatus dnclisted tps ctps",
    "registry_on": "scrubdate scrubbedon dncchecked dnccheckedon registrydate",
    "external_id": "id externalid leadid contactid crmid recordid customerid reference ref",
}
_PHONES = ("phone_number", "phone_2", "phone_3")
_TEXTS = frozenset({"full_name", "first_name", "last_name", "company"})
_BY_NAME = {word: field for field, words in _SYNONYMS.items() for word in words.split()}
_NOT_A_LETTER = re.compile(r"[\W_]+")
_ENOUGH = 0.6  # of a column's samples
_SURE = 0.8
_ZIP = re.compile(r"[0-9]{5}(-[0-9]{4})?\Z")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
_BY_VALUE: dict[str, Callable[[str], bool]] = {
    "email": lambda cell: _EMAIL.match(cell) is not None,
    "time_zone": is_zone_name,
    "region": is_state,
    "postal_code": lambda cell: _ZIP.match(cell) is not None,
    "country": lambda cell: len(cell) > 1 and country_of(cell) != "ZZ" and not is_state(cell),
}


class SaidWrong(Exception):
    """A program names a column that the file lacks, or a meaning that none can have; says which."""


def plain(name: str) -> str:
    """Return a name without case, blanks and signs, so that "First Name" is "first_name"."""
    return _NOT_A_LETTER.sub("", name.casefold())


def guess_mapping(
    found: Detected,
    *,
    variables: Sequence[str],
    remembered: ImportMapping | None,
    habits: Mapping[str, str] | None = None,
) -> ImportMapping:
    """
    Return the likeliest meaning of each column; a column is given away once.

    What the client chose for the same header the last time wins, then its `habits`: what it took a
    column of that name (`plain`) for in other files; then what stands in the column, where that can't be
    what its name says. Columns whose names begin with "_" are ours, from an error file, and mean nothing.
    """
    if remembered is not None:
        return {
            "fields": dict(remembered["fields"]),
            "variables": _for_variables(found["header"], variables)
            | {name: place for name, place in remembered["variables"].items() if name in variables},
        }
    fields: dict[str, int] = {}
    for place, name in enumerate(found["header"]):
        field = None
        if not name.startswith("_"):
            field = (habits or {}).get(plain(name)) or _named(found, place)
        if field in _PHONES and field in fields:
            field = _next_phone(found, place, fields)  # "Phone" and "Mobile": both are the person's
        if field and field not in fields:
            fields[field] = place
    if "first_name" in fields:
        fields.pop("full_name", None)
    _promote_phones(found, fields)
    _guess_by_values(found, fields)
    return {"fields": fields, "variables": _for_variables(found["header"], variables)}


def _named(found: Detected, place: int) -> str | None:
    """Return what a column's name says it is, unless numbers or addresses stand where words should."""
    field = _BY_NAME.get(plain(found["header"][place]))
    return None if field in _TEXTS and _share(found, place, _is_no_text) >= _SURE else field


def _is_no_text(cell: str) -> bool:
    return is_like_phone(cell) or _EMAIL.match(cell) is not None


def _next_phone(found: Detected, place: int, fields: Mapping[str, int]) -> str | None:
    """Return the next free place for a further number, if that is what stands in the column."""
    if _share(found, place, is_like_phone) < _ENOUGH:
        return None
    return next((one for one in _PHONES if one not in fields), None)


def said_mapping(
    found: Detected,
    guessed: ImportMapping,
    *,
    said: Mapping[str, str],
    variables: Sequence[str],
) -> ImportMapping:
    """
    Return the guess with what a program says in its place: {column name or number: field or variable}.

    An empty meaning ignores the column.

    :raises SaidWrong: if the file has no such column, the script no such variable, or two columns are one
        and the same
    """
    places = _places(found["header"])
    for name in said:
        if name not in places:
            raise SaidWrong(f"The file has no column {name!r}.")
    taken = {places[name] for name in said}
    fields = {name: place for name, place in guessed["fields"].items() if place not in taken}
    chosen = {name: place for name, place in guessed["variables"].items() if place not in taken}
    meanings = [meaning for meaning in said.values() if meaning]
    for name, meaning in said.items():
        variable = meaning.strip("{} ")
        if meanings.count(meaning) > 1:
            raise SaidWrong(f"Two columns are {meaning!r}.")
        if meaning in FIELDS:
            fields[meaning] = places[name]
        elif variable in variables:
            chosen[variable] = places[name]
        elif meaning:
            raise SaidWrong(f"No campaign is named whose script has the variable {variable!r}.")
    return {"fields": fields, "variables": chosen}


def _places(header: Sequence[str]) -> dict[str, int]:
    """Return where the columns are, by name (the first of that name) and by number."""
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    return places | {str(place): place for place in range(len(header)) if str(place) not in places}


def _for_variables(header: Sequence[str], variables: Sequence[str]) -> dict[str, int]:
    """Find the column named like each variable; a lead's own field fills one without a column."""
    places = {plain(name): place for place, name in reversed(list(enumerate(header)))}
    return {
        name: places[plain(name)]
        for name in variables
        if name not in FIELDS and plain(name) in places
    }


def _promote_phones(found: Detected, fields: dict[str, int]) -> None:
    """Put those columns first that are named as phones and hold numbers: "Home Phone" may be the only one."""
    places = [fields[name] for name in _PHONES if name in fields]
    good = [place for place in places if _share(found, place, is_like_phone) >= _ENOUGH]
    first = fields.get("phone_number")
    if not good or (first is not None and (first in good or not _is_short(found, first))):
        return
    for name in _PHONES:
        fields.pop(name, None)
    others = [place for place in places if place not in good and place != first]
    fields.update(zip(_PHONES, [*good, *others], strict=False))


def _is_short(found: Detected, place: int) -> bool:
    """Tell whether a column says something, and never as many digits as a phone has: the number of a house."""
    cells = [row[place] for row in found["samples"] if place < len(row) and row[place]]
    return bool(cells) and all(sum(map(str.isdigit, cell)) < FEWEST_DIGITS for cell in cells)


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
        elif named := next((name for name in _PHONES if name in fields), ""):
            fields["phone_number"] = fields.pop(named)  # spoilt ones: each row says how
    for field, looks_right in _BY_VALUE.items():
        taken = set(fields.values())
        shares = [(_share(found, place, looks_right), -place) for place in free]
        shares = [(share, place) for share, place in shares if -place not in taken]
        share, place = max(shares, default=(0.0, 0))
        if field not in fields and share >= _SURE:
            fields[field] = -place


def _share(found: Detected, place: int, looks_right: Callable[[str], bool]) -> float:
    cells = [row[place] for row in found["samples"] if place < len(row) and row[place]]
    if not cells:
        return 0.0
    return sum(looks_right(cell) for cell in cells) / len(cells)


def lacks_plus(found: Detected, place: int, country: str) -> bool:
    """
    Tell whether the sample's numbers lost the + before their country code.

    All of bare digits are good with one, and some too long for `country` without: a digit too many in a
    list of that country's numbers isn't that.
    """
    cells = [row[place] for row in found["samples"] if place < len(row) and row[place].isdecimal()]
    return all(_refusal(f"+{cell}", country) == "" for cell in cells) and any(
        _refusal(cell, country) == "phone_too_long" for cell in cells
    )


def _refusal(text: str, country: str) -> str:
    try:
        read_number(text, country)
    except NumberRefused as exc:
        return exc.reason
    return ""


def filled_ratio(found: Detected, place: int) -> float:
    """Return the share of the sample rows in which the column says something."""
    rows = found["samples"]
    return sum(bool(place < len(row) and row[place]) for row in rows) / len(rows) if rows else 0.0
