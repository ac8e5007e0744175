"""American area codes whose people live in more than one time zone: data, curated by hand."""

from __future__ import annotations

_EASTERN, _CENTRAL = "America/New_York", "America/Chicago"
_MOUNTAIN, _PACIFIC = "America/Denver", "America/Los_Angeles"

# Source: NANPA's area code maps against 49 CFR 71 (the zones' borders), and Canada's. A number keeps
# its area code when its owner moves within the area, so the exchange doesn't tell the side.
SPLIT_AREAS: dict[str, tuple[str, ...]] = {
    "208": (_MOUNTAIN, "America/Boise", _PACIFIC),  # Idaho
    "986": (_MOUNTAIN, "America/Boise", _PACIFIC),
    "219": (_CENTRAL, _EASTERN),  # Indiana, north-west
    "574": (_EASTERN, _CENTRAL),
    "812": (_EASTERN, _CENTRAL),  # Indiana, south
    "930": (_EASTERN, _CENTRAL),
    "334": (_CENTRAL, _EASTERN),  # Alabama, at the river to Georgia
    "435": (_MOUNTAIN, _PACIFIC),  # Utah, at the border to Nevada
    "270": (_CENTRAL, _EASTERN),  # Kentucky
    "364": (_CENTRAL, _EASTERN),
    "606": (_EASTERN, _CENTRAL),
    "308": (_CENTRAL, _MOUNTAIN),  # Nebraska, west
    "402": (_CENTRAL, _MOUNTAIN),
    "531": (_CENTRAL, _MOUNTAIN),
    "423": (_EASTERN, _CENTRAL),  # Tennessee
    "931": (_CENTRAL, _EASTERN),
    "432": (_CENTRAL, _MOUNTAIN),  # Texas, west
    "915": (_MOUNTAIN, _CENTRAL),
    "541": (_PACIFIC, _MOUNTAIN, "America/Boise"),  # Oregon, east
    "458": (_PACIFIC, _MOUNTAIN, "America/Boise"),
    "605": (_CENTRAL, _MOUNTAIN),  # South Dakota
    "620": (_CENTRAL, _MOUNTAIN),  # Kansas
    "785": (_CENTRAL, _MOUNTAIN),
    "701": (_CENTRAL, _MOUNTAIN),  # North Dakota
    "775": (_PACIFIC, _MOUNTAIN),  # Nevada
    "850": (_EASTERN, _CENTRAL),  # Florida, panhandle
    "448": (_EASTERN, _CENTRAL),
    "906": ("America/Detroit", "America/Menominee"),  # Michigan, upper peninsula
    "928": ("America/Phoenix", _MOUNTAIN),  # Arizona: the Navajo Nation keeps summer time
    "907": ("America/Anchorage", "America/Adak"),  # Alaska
    "250": ("America/Vancouver", "America/Edmonton", "America/Creston"),  # British Columbia
    "236": ("America/Vancouver", "America/Edmonton", "America/Creston"),
    "257": ("America/Vancouver", "America/Edmonton", "America/Creston"),
    "672": ("America/Vancouver", "America/Edmonton", "America/Creston"),
    "778": ("America/Vancouver", "America/Edmonton", "America/Creston"),
    "306": ("America/Regina", "America/Edmonton"),  # Saskatchewan
    "474": ("America/Regina", "America/Edmonton"),
    "639": ("America/Regina", "America/Edmonton"),
    "807": ("America/Toronto", "America/Winnipeg"),  # Ontario, north-west
    "418": ("America/Toronto", "America/Halifax"),  # Quebec, east
    "367": ("America/Toronto", "America/Halifax"),
    "581": ("America/Toronto", "America/Halifax"),
    "709": ("America/St_Johns", "America/Goose_Bay"),  # Newfoundland and Labrador
    "879": ("America/St_Johns", "America/Goose_Bay"),
}
