"""The world's countries by code, name and dial code, and the country of a time zone: data and what people write of it."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from convomono.lib.phone import countries_dialled, is_country

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

UNKNOWN = "ZZ"  # which phonenumbers refuses as unknown
# ISO 3166-1: two letters, three, the name in English, and what else it is called, there and abroad.
_TABLE = """
AF AFG Afghanistan; AL ALB Albania|Shqipëria; DZ DZA Algeria|Algérie; AS ASM American Samoa; AD AND Andorra; AO AGO Angola;
AI AIA Anguilla; AG ATG Antigua and Barbuda|Antigua|Antigua & Barbuda; AR ARG Argentina; AM ARM Armenia|Hayastan;
AW ABW Aruba; AU AUS Australia; AT AUT Austria|Österreich|Oesterreich|Autriche; AZ AZE Azerbaijan|Azərbaycan;
BS BHS Bahamas; BH BHR Bahrain; BD BGD Bangladesh; BB BRB Barbados; BY BLR Belarus|Беларусь;
BE BEL Belgium|België|Belgique|Belgien; BZ BLZ Belize; BJ BEN Benin|Bénin; BM BMU Bermuda; BT BTN Bhutan;
BO BOL Bolivia|Plurinational State of Bolivia; BQ BES Bonaire, Sint Eustatius and Saba|Bonaire|Caribbean Netherlands;
BA BIH Bosnia and Herzegovina|Bosnia|Bosnia & Herzegovina|Bosna i Hercegovina; BW BWA Botswana; BR BRA Brazil|Brasil;
IO IOT British Indian Ocean Territory; VG VGB British Virgin Islands|Virgin Islands British; BN BRN Brunei|Brunei Darussalam;
BG BGR Bulgaria|България; BF BFA Burkina Faso; BI BDI Burundi; KH KHM Cambodia|Kampuchea; CM CMR Cameroon|Cameroun;
CA CAN Canada|Kanada; CV CPV Cape Verde|Cabo Verde; KY CYM Cayman Islands; CF CAF Central African Republic; TD TCD Chad|Tchad;
CL CHL Chile; CN CHN China|PR China|People's Republic of China|PRC|Mainland China|中国; CX CXR Christmas Island;
CC CCK Cocos Islands|Cocos (Keeling) Islands; CO COL Colombia; KM COM Comoros; CG COG Congo|Republic of the Congo|Congo-Brazzaville;
CD COD Democratic Republic of the Congo|DR Congo|DRC|Congo-Kinshasa|Congo Democratic Republic; CK COK Cook Islands;
CR CRI Costa Rica; CI CIV Ivory Coast|Côte d'Ivoire|Cote d Ivoire; HR HRV Croatia|Hrvatska; CU CUB Cuba; CW CUW Curaçao;
CY CYP Cyprus|Kýpros|Κύπρος; CZ CZE Czech Republic|Czechia|Česko|Česká republika|Tschechien; DK DNK Denmark|Danmark|Dänemark;
DJ DJI Djibouti; DM DMA Dominica; DO DOM Dominican Republic|República Dominicana; EC ECU Ecuador; EG EGY Egypt|Misr;
SV SLV El Salvador; GQ GNQ Equatorial Guinea|Guinea Ecuatorial; ER ERI Eritrea; EE EST Estonia|Eesti;
SZ SWZ Eswatini|Swaziland; ET ETH Ethiopia; FK FLK Falkland Islands|Falklands|Islas Malvinas; FO FRO Faroe Islands|Føroyar;
FJ FJI Fiji; FI FIN Finland|Suomi|Finnland; FR FRA France|Frankreich|Francia; GF GUF French Guiana|Guyane;
PF PYF French Polynesia|Polynésie française; GA GAB Gabon; GM GMB Gambia; GE GEO Georgia|Sakartvelo;
DE DEU Germany|Deutschland|Alemania|Allemagne|Germania|BRD|Federal Republic of Germany; GH GHA Ghana; GI GIB Gibraltar;
GR GRC Greece|Hellas|Hellenic Republic|Ellada|Ελλάδα|Griechenland; GL GRL Greenland|Kalaallit Nunaat; GD GRD Grenada;
GP GLP Guadeloupe; GU GUM Guam; GT GTM Guatemala; GG GGY Guernsey; GN GIN Guinea|Guinée; GW GNB Guinea-Bissau;
GY GUY Guyana; HT HTI Haiti|Haïti; HN HND Honduras; HK HKG Hong Kong|Hong Kong SAR|Hong Kong SAR China|香港;
HU HUN Hungary|Magyarország|Ungarn; IS ISL Iceland|Ísland; IN IND India|Bharat; ID IDN Indonesia;
IR IRN Iran|Islamic Republic of Iran; IQ IRQ Iraq; IE IRL Ireland|Éire|Republic of Ireland|Irland; IM IMN Isle of Man;
IL ISR Israel; IT ITA Italy|Italia|Italien|Italie; JM JAM Jamaica; JP JPN Japan|Nippon|日本; JE JEY Jersey; JO JOR Jordan;
KZ KAZ Kazakhstan|Қазақстан|Казахстан; KE KEN Kenya; KI KIR Kiribati; XK XKX Kosovo|Kosova;
KP PRK North Korea|Korea North|Democratic People's Republic of Korea; KR KOR South Korea|Korea|Korea South|Republic of Korea|Korea Republic of|한국|대한민국;
KW KWT Kuwait; KG KGZ Kyrgyzstan|Кыргызстан; LA LAO Laos|Lao People's Democratic Republic; LV LVA Latvia|Latvija;
LB LBN Lebanon|Liban; LS LSO Lesotho; LR LBR Liberia; LY LBY Libya; LI LIE Liechtenstein; LT LTU Lithuania|Lietuva;
LU LUX Luxembourg|Luxemburg|Lëtzebuerg; MO MAC Macau|Macao; MG MDG Madagascar; MW MWI Malawi; MY MYS Malaysia;
MV MDV Maldives; ML MLI Mali; MT MLT Malta; MH MHL Marshall Islands; MQ MTQ Martinique; MR MRT Mauritania;
MU MUS Mauritius; YT MYT Mayotte; MX MEX Mexico|México|Mejico|Estados Unidos Mexicanos; FM FSM Micronesia|Federated States of Micronesia;
MD MDA Moldova|Republic of Moldova; MC MCO Monaco; MN MNG Mongolia; ME MNE Montenegro|Crna Gora; MS MSR Montserrat;
MA MAR Morocco|Maroc; MZ MOZ Mozambique|Moçambique; MM MMR Myanmar|Burma; NA NAM Namibia; NR NRU Nauru; NP NPL Nepal;
NL NLD Netherlands|Nederland|Holland|Niederlande|Pays-Bas|Países Bajos; NC NCL New Caledonia|Nouvelle-Calédonie;
NZ NZL New Zealand|Aotearoa; NI NIC Nicaragua; NE NER Niger; NG NGA Nigeria; NU NIU Niue; NF NFK Norfolk Island;
MK MKD North Macedonia|Macedonia|Severna Makedonija; MP MNP Northern Mariana Islands; NO NOR Norway|Norge|Noreg|Norwegen;
OM OMN Oman; PK PAK Pakistan; PW PLW Palau; PS PSE Palestine|State of Palestine|Palestinian Territories; PA PAN Panama|Panamá;
PG PNG Papua New Guinea; PY PRY Paraguay; PE PER Peru|Perú; PH PHL Philippines|Pilipinas; PL POL Poland|Polska|Polen;
PT PRT Portugal; PR PRI Puerto Rico; QA QAT Qatar; RE REU Réunion; RO ROU Romania|România|Rumänien;
RU RUS Russia|Russian Federation|Россия|Российская Федерация; RW RWA Rwanda; BL BLM Saint Barthélemy|St Barts;
SH SHN Saint Helena|St Helena; KN KNA Saint Kitts and Nevis|St Kitts and Nevis|St Kitts & Nevis; LC LCA Saint Lucia|St Lucia;
MF MAF Saint Martin|St Martin; PM SPM Saint Pierre and Miquelon; VC VCT Saint Vincent and the Grenadines|St Vincent;
WS WSM Samoa; SM SMR San Marino; ST STP São Tomé and Príncipe; SA SAU Saudi Arabia|KSA|Kingdom of Saudi Arabia;
SN SEN Senegal|Sénégal; RS SRB Serbia|Srbija|Србија; SC SYC Seychelles; SL SLE Sierra Leone; SG SGP Singapore;
SX SXM Sint Maarten; SK SVK Slovakia|Slovak Republic|Slovensko|Slowakei; SI SVN Slovenia|Slovenija|Slowenien;
SB SLB Solomon Islands; SO SOM Somalia; ZA ZAF South Africa|RSA|Republic of South Africa|Suid-Afrika; SS SSD South Sudan;
ES ESP Spain|España|Spanien|Espagne|Espanya; LK LKA Sri Lanka; SD SDN Sudan; SR SUR Suriname; SJ SJM Svalbard and Jan Mayen;
SE SWE Sweden|Sverige|Schweden; CH CHE Switzerland|Schweiz|Suisse|Svizzera|Suiza|Swiss|Svizra; SY SYR Syria|Syrian Arab Republic;
TW TWN Taiwan|Taiwan Province of China|Taiwan ROC|臺灣|台灣; TJ TJK Tajikistan; TZ TZA Tanzania|United Republic of Tanzania;
TH THA Thailand|ประเทศไทย; TL TLS Timor-Leste|East Timor; TG TGO Togo; TK TKL Tokelau; TO TON Tonga;
TT TTO Trinidad and Tobago|Trinidad|Trinidad & Tobago; TN TUN Tunisia|Tunisie; TR TUR Turkey|Türkiye|Turkiye|Türkei;
TM TKM Turkmenistan; TC TCA Turks and Caicos Islands|Turks and Caicos|Turks & Caicos; TV TUV Tuvalu; UG UGA Uganda;
UA UKR Ukraine|Україна|Украина; AE ARE United Arab Emirates|UAE|Emirates|Dubai|Abu Dhabi;
GB GBR United Kingdom|UK|Great Britain|Britain|England|Scotland|Wales|Northern Ireland|United Kingdom of Great Britain and Northern Ireland;
US USA United States|United States of America|America|Estados Unidos|EEUU|États-Unis|USofA|Vereinigte Staaten|Stati Uniti;
UY URY Uruguay; UZ UZB Uzbekistan|Ozbekiston; VU VUT Vanuatu; VA VAT Vatican City|Holy See|Vatican;
VE VEN Venezuela|Bolivarian Republic of Venezuela; VN VNM Vietnam|Viet Nam|Việt Nam; VI VIR US Virgin Islands|United States Virgin Islands|Virgin Islands|Virgin Islands US;
WF WLF Wallis and Futuna; EH ESH Western Sahara; YE YEM Yemen; ZM ZMB Zambia; ZW ZWE Zimbabwe; AX ALA Åland Islands|Åland
"""
_NOTHING = frozenset(
    (
        *("n/a", "n.a.", "n.a", "#n/a", "none", "null", "nil", "nan", "unknown", "not known", "undefined"),
        *("other", "any", "tbd", "unbekannt", "keine", "keine angabe", "inconnu", "desconocido", "sconosciuto"),
    )
)  # fmt: skip
_LETTERED = {"d": "DE", "a": "AT", "f": "FR", "i": "IT", "el": "GR"}  # as on cars and in the Union
_DIAL = re.compile(r"(\+|00)?([1-9][0-9]{0,2})(\.0)?\Z")
_SUBDIVISION = re.compile(r"([A-Z]{2})-[A-Z0-9]{1,3}\Z")  # ISO 3166-2: US-CA
_REALM = re.compile(
    r"(the )?([\w']+ )*(republic|kingdom|principality|commonwealth|state|sultanate) of ",
    re.IGNORECASE,
)
_PARTS = re.compile(r"\s*[-–—()\[\]/:,|]+\s*|\s+(?=\+[0-9])|(?<=[0-9])\s+")


def _plain(said: str) -> str:
    """Return the letters of a name without accents, dots, blanks and the article."""
    text = "".join(filter(str.isalpha, unicodedata.normalize("NFKD", said.casefold())))
    return text.removeprefix("the") if said.casefold().startswith("the ") else text


def _all_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for line in _TABLE.replace("\n", " ").split(";"):
        two, three, words = line.strip().split(" ", 2)
        names |= dict.fromkeys([two.lower(), three.lower(), *map(_plain, words.split("|"))], two)
    return names | _LETTERED


_NAMES = _all_names()


@lru_cache(maxsize=4096)
def country_of(said: str) -> str:
    """
    Return a country's two letters by its codes, its name or "+44", also "US - United States"; else UNKNOWN.

    What names two countries names none.
    """
    return _country(said, needs_plus=True)


@lru_cache(maxsize=4096)
def country_said(said: str) -> str:
    """Do what `country_of` does in a column of countries: "44" is a dial code too, and "n/a" is empty."""
    return "" if _says_nothing(said) else _country(said, needs_plus=False)


def _says_nothing(said: str) -> bool:
    text = said.strip().casefold()
    return text in _NOTHING or not any(map(str.isalnum, text))


def _country(said: str, *, needs_plus: bool) -> str:
    text = said.strip()
    if _says_nothing(text):
        return UNKNOWN
    if is_country(text.upper()):
        return text.upper()
    part_of = _SUBDIVISION.match(text)
    if found := _named(part_of[1] if part_of else text):
        return found
    parts = [part for part in _PARTS.split(text) if part]
    meant = [_dialled(part, needs_plus=needs_plus) or _only(_named(part)) for part in parts]
    common = set(meant[0]).intersection(*meant) if meant else set()
    return next((one for one in meant[0] if one in common), UNKNOWN) if common else UNKNOWN


def _only(code: str) -> tuple[str, ...]:
    return (code,) if code else ()


def _named(said: str) -> str:
    """Return the country of a name, also of "Korea, Republic of"; empty if it is none that has numbers."""
    if any(map(str.isdigit, said)):
        return ""
    first, _comma, rest = said.partition(",")
    asked = (said, f"{rest.strip()} {first}", _REALM.sub("", said.strip()))
    code = next((found for one in asked if (found := _NAMES.get(_plain(one)))), "")
    return code if is_country(code) else ""


def _dialled(part: str, *, needs_plus: bool) -> tuple[str, ...]:
    """Return the countries behind a dial code, the main one first; none if it isn't one."""
    found = _DIAL.match(part)
    if found is None or (needs_plus and found[1] != "+"):
        return ()
    return countries_dialled(int(found[2]))


@cache
def _by_zone() -> dict[str, str]:
    """Return the country of each time zone, also by the names that zones had before."""
    room = files("tzdata") / "zoneinfo"
    rows = (line.split("\t") for line in _lines(room / "zone.tab") if not line.startswith("#"))
    found = {row[2]: row[0] for row in rows}
    links = (line.split() for line in _lines(room / "tzdata.zi") if line.startswith("L "))
    for _link, zone, other in links:
        if zone in found:
            found.setdefault(other, found[zone])
    return found


def _lines(file: Traversable) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


def country_of_zone(zone: str) -> str:
    """Return the country that a time zone is in, for one of several the one it is named in; empty for UTC and the like."""
    return _by_zone().get(zone, "")


def all_countries() -> dict[str, str]:
    """Return the English name of each country that has numbers, by its two letters, in the names' order."""
    rows = (line.strip().split(" ", 2) for line in _TABLE.replace("\n", " ").split(";"))
    named = {two: words.partition("|")[0] for two, _three, words in rows if is_country(two)}
    return dict(sorted(named.items(), key=lambda one: _plain(one[1])))
