"""What people and programs write round a phone number, taken off where no digit is lost: blanks, words, 00."""

from __future__ import annotations

import re
import unicodedata

_LABELS = frozenset(
    (
        *("cell", "cellphone", "cellular", "mobile", "mob", "mobil", "mobiltelefon", "handy", "gsm", "portable"),
        *("cel", "celular", "cellulare", "móvil", "movil", "telemóvel", "mobiel", "whatsapp", "wa"),
        *("tel", "telephone", "telefon", "telefono", "teléfono", "telefone", "telefoon", "téléphone", "tél", "tlf"),
        *("phone", "ph", "fon", "fone", "call", "dial", "number", "landline", "line", "main", "direct"),
        *("festnetz", "fijo", "fixe", "fisso", "fixo", "vast", "home", "house", "privat", "private", "personal"),
        *("zuhause", "casa", "maison", "domicile", "thuis", "work", "office", "business", "desk", "job"),
        *("arbeit", "büro", "buero", "geschäftlich", "dienstlich", "bureau", "travail", "oficina", "trabajo"),
        *("ufficio", "lavoro", "trabalho", "kantoor", "werk", "primary", "day", "daytime", "evening"),
        *("h", "w", "m", "c", "o", "p", "t", "d", "тел", "телефон", "моб", "раб", "дом"),  # noqa: RUF001
    )
)  # fmt: skip
_BEFORE = _LABELS | {"no", "nr", "num", "nº"}  # behind a number "no" may mean more
_WORD = re.compile(r"[^\W\d_]+")
_HEAD = re.compile(r"[^\d+]*")
_TAIL = re.compile(r"\D*\Z")
# What phonenumbers doesn't know for "ext.", behind a number of at least six digits.
_EXTENSION = re.compile(
    r"((?:\d\D{0,4}){6,})\b(?:durchwahl|dw|nebenstelle|nst|apparat|app|interno|interne|poste|ramal|toestel)"
    r"\b[\s.:#-]*(?=\d{1,6}\D*\Z)",
    re.IGNORECASE,
)
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]{1,2}\Z")
_ZEROS = re.compile(r"\+?\(?00\)?[\s.\-]*(?=[1-9(])")
_VANITY = re.compile(r"(\+?1[\s.\-]*)?\(?[2-9][0-9]{2}\)?[\s.\-]*[A-Za-z0-9][A-Za-z0-9\s.\-]*\Z")
_NANP_DIGITS = 10
_FEW_LETTERS = 3  # from which on phonenumbers takes them for digits


def plain_text(raw: str) -> str:
    """Return the text with plain blanks for all that are blank, and without signs that nobody sees."""
    if raw.isascii() and raw.isprintable():
        return raw
    return "".join(map(_plain_sign, raw)).strip()


def _plain_sign(sign: str) -> str:
    kind = unicodedata.category(sign)
    return "" if kind == "Cf" else " " if kind[0] in "ZC" else sign


def without_words(text: str) -> str:
    """Return the text without "tel", "(cell)", "work" and the like at its ends, "Durchwahl" as "ext."."""
    head = _HEAD.match(text)
    if head is None or head.end() == len(text):
        return text
    if _are_labels(head[0], _BEFORE):
        text = "(" * head[0].endswith("(") + text[head.end() :]
    if (tail := _TAIL.search(text)) and _are_labels(tail[0], _LABELS):
        text = text[: tail.start()]
    return _EXTENSION.sub(r"\1 ext. ", text)


def _are_labels(text: str, labels: frozenset[str]) -> bool:
    words = _WORD.findall(text.casefold())
    return bool(words) and labels.issuperset(words)


def is_damaged(text: str) -> bool:
    """Tell whether a spreadsheet made this of a long number: "2.12E+09" or "####"."""
    return text.startswith("#") or _SCIENTIFIC.match(text.replace(" ", "")) is not None


def is_vanity(text: str) -> bool:
    """Tell whether letters stand for digits, as in 1-800-FLOWERS: an American number of just the right length."""
    if _VANITY.match(text) is None:
        return False
    signs = "".join(filter(str.isalnum, text))
    return len(signs.removeprefix("1")) == _NANP_DIGITS


def has_words(text: str) -> bool:
    """Tell whether letters would be read as digits, or stand between some, that belong to no number."""
    words = _WORD.findall(text)
    inner = _TAIL.sub("", text)[len(_HEAD.match(text)[0]) :]  # type: ignore[index]  # it matches nothing too
    return sum(map(len, words)) >= _FEW_LETTERS or _WORD.search(inner) is not None


def with_plus(text: str) -> str:
    """Return the text with + in place of the 00 that most countries dial before a country code; else unchanged."""
    return _ZEROS.sub("+", text, count=1) if _ZEROS.match(text) else text
