"""Where a person lives by state and ZIP, and the time zones people there may have: data."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain

from convomono.lib.phone import time_zones
from convomono.lib.split_areas import SPLIT_AREAS

_E, _C, _M, _P = "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"
_DETROIT, _INDY, _BOISE = "America/Detroit", "America/Indiana/Indianapolis", "America/Boise"

# Source: 49 CFR 71. States on a border list both zones: a dial needs both open.
_STATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "AL": ("Alabama", (_C,)),
    "AK": ("Alaska", ("America/Anchorage", "America/Adak")),
    "AZ": ("Arizona", ("America/Phoenix", _M)),
    "AR": ("Arkansas", (_C,)),
    "CA": ("California", (_P,)),
    "CO": ("Colorado", (_M,)),
    "CT": ("Connecticut", (_E,)),
    "DE": ("Delaware", (_E,)),
    "DC": ("District of Columbia", (_E,)),
    "FL": ("Florida", (_E, _C)),
    "GA": ("Georgia", (_E,)),
    "HI": ("Hawaii", ("Pacific/Honolulu",)),
    "ID": ("Idaho", (_BOISE, _P)),
    "IL": ("Illinois", (_C,)),
    "IN": ("Indiana", (_INDY, _C)),
    "IA": ("Iowa", (_C,)),
    "KS": ("Kansas", (_C, _M)),
    "KY": ("Kentucky", (_E, _C)),
    "LA": ("Louisiana", (_C,)),
    "ME": ("Maine", (_E,)),
    "MD": ("Maryland", (_E,)),
    "MA": ("Massachusetts", (_E,)),
    "MI": ("Michigan", (_DETROIT, _C)),
    "MN": ("Minnesota", (_C,)),
    "MS": ("Mississippi", (_C,)),
    "MO": ("Missouri", (_C,)),
    "MT": ("Montana", (_M,)),
    "NE": ("Nebraska", (_C, _M)),
    "NV": ("Nevada", (_P, _M)),
    "NH": ("New Hampshire", (_E,)),
    "NJ": ("New Jersey", (_E,)),
    "NM": ("New Mexico", (_M,)),
    "NY": ("New York", (_E,)),
    "NC": ("North Carolina", (_E,)),
    "ND": ("North Dakota", (_C, _M)),
    "OH": ("Ohio", (_E,)),
    "OK": ("Oklahoma", (_C,)),
    "OR": ("Oregon", (_P, _BOISE)),
    "PA": ("Pennsylvania", (_E,)),
    "PR": ("Puerto Rico", ("America/Puerto_Rico",)),
    "RI": ("Rhode Island", (_E,)),
    "SC": ("South Carolina", (_E,)),
    "SD": ("South Dakota", (_C, _M)),
    "TN": ("Tennessee", (_E, _C)),
    "TX": ("Texas", (_C, _M)),
    "UT": ("Utah", (_M,)),
    "VT": ("Vermont", (_E,)),
    "VA": ("Virginia", (_E,)),
    "VI": ("U.S. Virgin Islands", ("America/St_Thomas",)),
    "WA": ("Washington", (_P,)),
    "WV": ("West Virginia", (_E,)),
    "WI": ("Wisconsin", (_C,)),
    "WY": ("Wyoming", (_M,)),
}
_PROVINCES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "AB": ("Alberta", ("America/Edmonton",), "T"),
    "BC": ("British Columbia", ("America/Vancouver", "America/Edmonton", "America/Creston"), "V"),
    "MB": ("Manitoba", ("America/Winnipeg",), "R"),
    "NB": ("New Brunswick", ("America/Moncton",), "E"),
    "NL": ("Newfoundland and Labrador", ("America/St_Johns", "America/Goose_Bay"), "A"),
    "NS": ("Nova Scotia", ("America/Halifax",), "B"),
    "ON": ("Ontario", ("America/Toronto", "America/Winnipeg"), "KLMNP"),
    "PE": ("Prince Edward Island", ("America/Halifax",), "C"),
    "QC": ("Quebec", ("America/Toronto", "America/Halifax"), "GHJ"),
    "SK": ("Saskatchewan", ("America/Regina", "America/Edmonton"), "S"),
    "YT": ("Yukon", ("America/Whitehorse",), "Y"),
}
# The first three digits of ZIP codes: "from-to". Source: USPS publication L002 (3-digit prefixes).
_ZIPS = {
    "AL": "350-369", "AK": "995-999", "AZ": "850-865", "AR": "716-729", "CA": "900-961",
    "CO": "800-816", "CT": "060-069", "DC": "200-205 569-569", "DE": "197-199", "FL": "320-349",
    "GA": "300-319 398-399", "HI": "967-968", "ID": "832-838", "IL": "600-629", "IN": "460-479",
    "IA": "500-528", "KS": "660-679", "KY": "400-427", "LA": "700-714", "ME": "039-049",
    "MD": "206-219", "MA": "010-027 055-055", "MI": "480-499", "MN": "550-567", "MS": "386-397",
    "MO": "630-658", "MT": "590-599", "NE": "680-693", "NV": "889-898", "NH": "030-038",
    "NJ": "070-089", "NM": "870-884", "NY": "005-005 100-149", "NC": "270-289", "ND": "580-588",
    "OH": "430-459", "OK": "730-749", "OR": "970-979", "PA": "150-196", "PR": "006-007 009-009",
    "RI": "028-029", "SC": "290-299", "SD": "570-577", "TN": "370-385", "TX": "750-799 885-885",
    "UT": "840-847", "VT": "050-054 056-059", "VA": "201-201 220-246", "VI": "008-008",
    "WA": "980-994", "WV": "247-268", "WI": "530-549", "WY": "820-831",
}  # fmt: skip
# Where a border state's ZIP prefix lies on one side.
_ONE_SIDE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(map(str, (*range(320, 324), *range(326, 350))), (_E,)),  # Florida but the west
    **dict.fromkeys(("325",), (_C,)),
    **dict.fromkeys(map(str, (*range(370, 373), *range(375, 377), *range(380, 386))), (_C,)),
    **dict.fromkeys(map(str, (376, 378, 379)), (_E,)),
    **dict.fromkeys(map(str, range(750, 798)), (_C,)),
    **dict.fromkeys(("799", "885"), (_M,)),
    **dict.fromkeys(("832", "833", "834", "836", "837"), (_BOISE,)),
    **dict.fromkeys(("838",), (_P,)),
    **dict.fromkeys(map(str, range(970, 979)), (_P,)),
    **dict.fromkeys(map(str, range(480, 498)), (_DETROIT,)),
    **dict.fromkeys(map(str, range(660, 677)), (_C,)),
    **dict.fromkeys(map(str, range(680, 690)), (_C,)),
    **dict.fromkeys(("460", "461", "462", "466", "467", "468", "469", "470", "471", "472",
                     "473", "474", "478"), (_INDY,)),
    **dict.fromkeys(("400", "402", "403", "404", "405", "406", "410", "411", "412", "413",
                     "414", "415", "416", "417", "418"), (_E,)),
    **dict.fromkeys(("420", "422", "423", "424"), (_C,)),
    **dict.fromkeys(("850", "851", "852", "853", "856", "857", "863", "864"), ("America/Phoenix",)),
    **dict.fromkeys(("889", "890", "891", "894", "895", "897"), (_P,)),
    **dict.fromkeys(("997",), ("America/Anchorage",)),
}  # fmt: skip
_ZIP = 5

_NAMES = {name.casefold(): code for code, (name, _zones) in _STATES.items()}
_CANADIAN = {name.casefold(): code for code, (name, _zones, _letters) in _PROVINCES.items()}
_BY_LETTER = {letter: code for code, (_n, _z, letters) in _PROVINCES.items() for letter in letters}
_BY_ZIP = {
    f"{prefix:03}": code
    for code, spans in _ZIPS.items()
    for span in spans.split()
    for prefix in range(int(span[:3]), int(span[4:]) + 1)
}


def assigned_zones() -> frozenset[str]:
    """Return every zone that a state, a province, a ZIP or an area code that spans several gives to a lead."""
    places = (zones for _name, zones, *_letters in (*_STATES.values(), *_PROVINCES.values()))
    return frozenset(chain(*places, *_ONE_SIDE.values(), *SPLIT_AREAS.values()))


def is_state(said: str) -> bool:
    """Tell whether a cell names an American state or a Canadian province."""
    code = said.strip()
    return code.upper() in _STATES.keys() | _PROVINCES.keys() or code.casefold() in (
        _NAMES.keys() | _CANADIAN.keys()
    )


@lru_cache(maxsize=65536)
def place_of(country: str, region: str, postal_code: str) -> tuple[str, tuple[str, ...]]:
    """
    Return the state or province ("FL") a file names, and the zones of the people there.

    The ZIP is looked at first, as it may tell the side of a border; both are empty if neither says
    anything. Only the United States and Canada are known.
    """
    if country == "US":
        return _american(region, postal_code)
    if country == "CA":
        return _canadian(region, postal_code)
    return "", ()


def likely_zones(number: str, *, country: str, region: str, postal_code: str) -> tuple[str, ...]:
    """Return the zones somebody may be in: those of the state or ZIP, else of the number in E.164."""
    place, zones = place_of(country, region, postal_code)
    return zones if place else time_zones(number)


def _american(region: str, postal_code: str) -> tuple[str, tuple[str, ...]]:
    code = region.strip().upper()
    if code not in _STATES:
        code = _NAMES.get(region.strip().casefold(), "")
    digits = postal_code.partition("-")[0].strip()
    # Spreadsheets take the zeros off the ZIPs of New England.
    prefix = digits.zfill(_ZIP)[:3] if digits.isascii() and digits.isdigit() else ""
    by_zip = _BY_ZIP.get(prefix, "") if len(digits) >= _ZIP - 2 else ""
    if by_zip and (not code or code == by_zip):
        return by_zip, _ONE_SIDE.get(prefix) or _STATES[by_zip][1]
    if by_zip:  # the two say different things: all of both
        return code, tuple(dict.fromkeys([*_STATES[code][1], *_STATES[by_zip][1]]))
    return (code, _STATES[code][1]) if code else ("", ())


def _canadian(region: str, postal_code: str) -> tuple[str, tuple[str, ...]]:
    code = region.strip().upper()
    if code not in _PROVINCES:
        code = _CANADIAN.get(region.strip().casefold(), "")
    code = code or _BY_LETTER.get(postal_code.strip()[:1].upper(), "")
    return (code, _PROVINCES[code][1]) if code else ("", ())
