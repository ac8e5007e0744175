"""Whether a text names a business, as people and speech recognition write it: "Müller & Sons Ltd", "mueller and sons"."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What nobody says of a business's name: its legal form, at the end.
_FORMS: Final = frozenset(
    [
        "ab",
        "ag",
        "aps",
        "as",
        "asa",
        "bv",
        "co",
        "company",
        "corp",
        "corporation",
        "doo",
        "ek",
        "eg",
        "eingetragene",
        "ev",
        "gbr",
        "gesellschaft",
        "gmbh",
        "inc",
        "incorporated",
        "kft",
        "kg",
        "kgaa",
        "lda",
        "limited",
        "llc",
        "llp",
        "lp",
        "ltd",
        "ltda",
        "mbh",
        "nv",
        "ohg",
        "oy",
        "plc",
        "pte",
        "pty",
        "sa",
        "sarl",
        "sas",
        "se",
        "sl",
        "slu",
        "spa",
        "srl",
        "sro",
        "ug",
        "zoo",
    ]
)
_LINKS: Final = frozenset({"and", "e", "en", "et", "i", "och", "og", "und", "y"})
_TITLES: Final = frozenset(
    [
        "familie",
        "family",
        "frau",
        "fräulein",
        "herr",
        "herrn",
        "madam",
        "madame",
        "meneer",
        "mevrouw",
        "miss",
        "missus",
        "mister",
        "monsieur",
        "mr",
        "mrs",
        "ms",
        "senhor",
        "senhora",
        "señor",
        "señora",
        "signor",
        "signora",
        "signore",
        "sir",
        "sr",
        "sra",
    ]
)
_WORD: Final = re.compile(r"(?<!\w)\w(?:\.\w)+(?!\w)\.?|[^\W_]+")  # "A.C.M.E." is one word
_STOPS: Final = re.compile(r"[,;:.!?\n–—]")
_NOT: Final = re.compile(
    r"(?:\b(?:not|never|nicht|kein\w*|nie|no|pas|non|niet|geen|não)|n['\u2019]t)\b(?:\s+[\w'\u2019]+){0,3}\s*$",
    re.IGNORECASE,
)
_LONG: Final = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "å": "aa",
        "ø": "oe",
        "æ": "ae",
    }
)
_SHORT: Final = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe"})
# Of shorter names an "s" at the end makes another word.
_GENITIVE_CHARS: Final = 4


class _Word(NamedTuple):
    text: str
    start: int
    end: int
    is_capital: bool


def names(text: str, business: str) -> bool:
    """Tell whether a text names a business, and not only to say that it is another, or a person of that name."""
    return any(not _is_denied(text, start) for start, _end in _mentions(text, business))


def without_name(text: str, business: str) -> str:
    """Return a text with a neutral word wherever it names the business: what its name says is no notice."""
    for start, end in sorted(set(_mentions(text, business)), reverse=True):
        text = f"{text[:start]}Xy{text[end:]}"
    return text


@lru_cache(maxsize=64)
def _mentions(text: str, business: str) -> tuple[tuple[int, int], ...]:
    """Return from where to where each mention reaches."""
    has_capitals = text != text.lower()
    found: dict[tuple[int, int], None] = {}
    for fold in _folds(text, business):
        core, is_one_word = _core(business, fold)
        if core:
            found |= dict.fromkeys(_spans(text, core, fold, is_proper=is_one_word and has_capitals))
    return tuple(span for span in found if not _is_person(text, span[0], business))


def _folds(text: str, business: str) -> tuple[Callable[[str], str], ...]:
    """Return how words are made alike: umlauts in both spellings where there are any."""
    return (_plain,) if text.isascii() and business.isascii() else (_plain, _spelled)


def _spans(
    text: str, core: str, fold: Callable[[str], str], *, is_proper: bool
) -> Iterator[tuple[int, int]]:
    """Yield the mentions in one spelling; a name that `is_proper` is one with a capital only."""
    words = [word for word in _words(text, fold) if word.text not in _LINKS]
    for first, word in enumerate(words):
        if word.text[:1] != core[0] or (is_proper and not word.is_capital):
            continue
        joined = ""
        for last in words[first:]:
            joined += last.text
            if joined == core or _is_genitive(joined, core, last):
                yield word.start, last.end
                break
            if not core.startswith(joined):
                break


def _is_genitive(joined: str, core: str, last: _Word) -> bool:
    """Tell whether it is "Lumens" of "Lumen"."""
    may_be = len(core) >= _GENITIVE_CHARS and core[-1] not in "sxz"
    return may_be and last.is_capital and joined == f"{core}s"


@lru_cache(maxsize=512)
def _core(business: str, fold: Callable[[str], str]) -> tuple[str, bool]:
    """Return a business's name without what nobody says, run together, and whether it is one proper word."""
    words = [word for word in _words(business, fold) if word.text not in _LINKS]
    while len(words) > 1 and words[-1].text in _FORMS:
        words.pop()
    return "".join(word.text for word in words), len(words) == 1 and words[0].is_capital


def _words(text: str, fold: Callable[[str], str]) -> list[_Word]:
    found = []
    for one in _WORD.finditer(text):
        word = one[0]
        plain = word.replace(".", "")
        # Most words need no more than this of what `fold` does.
        folded = plain.lower() if plain.isascii() else fold(plain)
        found.append(_Word(folded, one.start(), one.end(), not word[0].islower()))
    return found


def _plain(word: str) -> str:
    """Fold case and accents: "Müller" is "muller"."""
    apart = unicodedata.normalize("NFKD", word.casefold().translate(_SHORT))
    return "".join(char for char in apart if not unicodedata.combining(char))


def _spelled(word: str) -> str:
    """Fold the same, with umlauts spelled out: "Müller" is "mueller"."""
    return _plain(unicodedata.normalize("NFC", word).translate(_LONG))


def _is_denied(text: str, start: int) -> bool:
    """Tell whether the clause says that it isn't this business."""
    clause = _STOPS.split(text[:start])[-1]
    return bool(_NOT.search(clause))


def _is_person(text: str, start: int, business: str) -> bool:
    """Tell whether somebody of that name is addressed: "Mr Meyer" is no word of Meyer GmbH."""
    if not _core(business, _plain)[1]:
        return False
    clause = re.split(r"[,;:!?\n]", text[:start])[-1]
    return any(word.casefold() in _TITLES for word in re.findall(r"\w+", clause)[-2:])
