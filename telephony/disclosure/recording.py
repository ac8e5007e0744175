"""Whether an opening says that the call is recorded, in the languages whose words for it are written down."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SENTENCES: Final = re.compile(r"[.!?…\n]+")
_BEFORE: Final = 16  # so much of what stands before a match may say that it isn't so


@dataclass(frozen=True, slots=True)
class _Words:
    """Ways to say it, each of which holds in a sentence without one of `denials` in it or just before."""

    hint: re.Pattern[str]  # in each sentence in which one of the others may be found
    ways: tuple[re.Pattern[str], ...]
    denials: re.Pattern[str]


def _words(hint: str, ways: tuple[str, ...], denials: str) -> _Words:
    return _Words(
        re.compile(hint, re.IGNORECASE),
        tuple(re.compile(way, re.IGNORECASE) for way in ways),
        re.compile(denials, re.IGNORECASE),
    )


def _either(call: str, recorded: str, denials: str) -> _Words:
    """Return words for a call and for recording that stand near each other, in either order."""
    near = r"[^.!?\n]{0,60}?"
    ways = (rf"\b{call}\b{near}\b{recorded}\b", rf"\b{recorded}\b{near}\b{call}\b")
    return _words(recorded, ways, denials)


_CALL_EN: Final = (
    r"(?:phone\s+)?(?:calls?|conversations?|discussion|chat|line|everything\s+(?:we|you)\s+say)"
)
_NOW_EN: Final = r"(?:is|are|may|might|will|could|can|be|being|gets?|['\u2019](?:s|re|ll))"
_CALL_DE: Final = r"(?:telefon|kunden)?(?:gespräch(?:s|es|e|en)?|anruf(?:s|es|e|en)?|telefonat(?:s|es|e|en)?|unterhaltung(?:en)?)"
_NOW_DE: Final = r"(?:wird|werden|kann|können|könnte|könnten)"
_DONE_DE: Final = r"(?:aufgezeichnet|aufgenommen|mitgeschnitten|mitgezeichnet)"
_TO_DO_DE: Final = r"(?:auf(?:zu)?zeichnen?|auf(?:zu)?nehmen?|mit(?:zu)?schneiden?)"

_LANGUAGES: Final[dict[str, _Words]] = {
    "en": _words(
        r"record|taped",
        (
            (
                rf"\b{_CALL_EN}\b(?:(?!\b(?:was|were|had|has|have|your)\b)[^.!?\n]){{0,80}}?"
                rf"{_NOW_EN}\b(?:(?!\b(?:was|were|had|has|have|your)\b)[^.!?\n]){{0,40}}?\b(?:recorded|taped)\b"
            ),
            rf"\b(?:a|this|our)\s+recorded\s+{_CALL_EN}\b",
            r"\b(?:you|we)(?:\s+(?:are|may\s+be|will\s+be)|['\u2019]re)\s+(?:being\s+)?recorded\b",
            r"\brecording\s+is\s+on\b",
            (
                rf"\b(?:we|i|i['\u2019]m|we['\u2019]re|im)(?:\s+(?:am|are|may|might|will|do|also|always|can|could|must|be))*\s+record(?:ing)?"
                rf"\s+(?:this\s*(?:$|[,;:])|(?:(?:this|these|our|all|your|the|every)\s+)*{_CALL_EN}\b)"
            ),
            r"\b(?:we|i)(?:\s+(?:do|also|always|will))*\s+record\s+(?:it|everything)\s*(?:$|[,;:])",
            rf"\brecords\s+(?:(?:its|their|all|the|our|every)\s+)*{_CALL_EN}\b",
            r"\b(?:this|it)(?:\s+is|\s+will\s+be|['\u2019]s)\s+(?:being\s+)?recorded\b(?!\s+(?:in|that)\b)",
            rf"\brecording\s+of\s+(?:this|the|our|your)\s+{_CALL_EN}\b",
        ),
        r"\b(?:not|never|no|nor|neither|without|last|previous|earlier|isnt|arent|wont|dont)\b|n['\u2019]t\b",
    ),
    "de": _words(
        r"zeichn|genommen|nehm|schnitten|schneid|schnitt|aufnahme",
        (
            rf"\b{_CALL_DE}\b[^.!?\n]{{0,60}}?\b{_NOW_DE}\b[^.!?\n]{{0,60}}?\b{_DONE_DE}\b",
            rf"\b{_CALL_DE}\b[^.!?\n]{{0,60}}?\b{_DONE_DE}\s+{_NOW_DE}\b",
            rf"\b{_NOW_DE}\s+(?:[^.!?\n\s]+\s+){{0,2}}?{_CALL_DE}\b[^.!?\n]{{0,60}}?\b{_DONE_DE}\b",
            rf"\b(?:zeichnen?|nehmen?)\b[^.!?\n]{{0,40}}?\b{_CALL_DE}\b[^.!?\n]{{0,60}}?\bauf\b",
            rf"\b{_CALL_DE}\b[^.!?\n]{{0,20}}?\b(?:zeichnen?|nehmen?)\b[^.!?\n]{{0,40}}?\bauf\b",
            rf"\b{_CALL_DE}\b[^.!?\n]{{0,20}}?\bschneiden?\b[^.!?\n]{{0,40}}?\bmit\b",
            rf"\b{_DONE_DE}\s+{_NOW_DE}\b[^.!?\n]{{0,30}}?\b{_CALL_DE}\b",
            r"\b(?:wir|ich)\s+zeichnen?\b[^.!?\n]{0,60}?\bauf\s*(?:$|[,;:])",
            r"\b(?:es|das|alles)\s+wird\s+(?:\w+\s+){0,3}?(?:aufgezeichnet|mitgeschnitten)\b",
            rf"\bschneiden?\b[^.!?\n]{{0,40}}?\b{_CALL_DE}\b[^.!?\n]{{0,60}}?\bmit\b",
            rf"\b{_CALL_DE}\b[^.!?\n]{{0,40}}?\b{_TO_DO_DE}\b",
            rf"\b(?:aufzeichnung|(?:ton)?aufnahme|mitschnitt)\b[^.!?\n]{{0,20}}?\b{_CALL_DE}\b",
            rf"\b(?:von|bei)\s+\w+\s+{_CALL_DE}\b[^.!?\n]{{0,40}}?\b(?:aufzeichnung|(?:ton)?aufnahme|mitschnitt)\b",
            rf"\baufgezeichnete[nsr]?\s+(?:{_CALL_DE}|leitung)\b",
        ),
        r"\b(?:nicht|nichts|kein\w*|nie|niemals|weder|ohne|letzte\w*|vorige\w*)\b",
    ),
    "es": _either(
        r"(?:llamadas?|conversaci(?:ón|on|ones)|línea)", r"grab\w+", r"\b(?:no|nunca|sin|tampoco)\b"
    ),
    "fr": _either(
        r"(?:appels?|conversations?|échanges?|communications?|ligne)",
        r"enregistr\w+",
        r"\b(?:ne|n['\u2019]|pas|jamais|sans)\b|\bn['\u2019]",
    ),
    "it": _either(
        r"(?:chiamat[ae]|telefonat[ae]|conversazion[ei]|linea)",
        r"registr\w+",
        r"\b(?:non|mai|senza)\b",
    ),
    "nl": _either(
        r"(?:telefoon)?(?:gesprek(?:ken)?|oproep(?:en)?)",
        r"(?:opgenomen|opnemen|opname|(?:neem|nemen)\b[^.!?\n]{0,60}?\bop)",
        r"\b(?:niet|geen|nooit|zonder)\b",
    ),
    "pt": _either(
        r"(?:ligaç(?:ão|ões)|chamadas?|conversas?)",
        r"grav(?:ad[ao]s?|ar|ando|amos|o|ação)",
        r"\b(?:não|nunca|sem)\b",
    ),
}


def tells_recording(text: str, languages: Iterable[str]) -> bool | None:
    """
    Tell whether a text says in one of these languages ("en-US") that the call is recorded.

    None: it doesn't in those whose words are known, and there are others.
    """
    codes = _codes(tuple(languages))
    for code in codes:
        words = _LANGUAGES.get(code)
        if words is not None and _says(text, words):
            return True
    return None if any(code not in _LANGUAGES for code in codes) else False


@cache
def _codes(languages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.partition("-")[0] for one in languages))


def _says(text: str, words: _Words) -> bool:
    for sentence in _SENTENCES.split(text):
        if words.hint.search(sentence) and any(
            _holds(sentence, way, words.denials) for way in words.ways
        ):
            return True
    return False


def _holds(sentence: str, way: re.Pattern[str], denials: re.Pattern[str]) -> bool:
    """Tell whether it is said this way somewhere in the sentence; a denied match may hold another one."""
    found = way.search(sentence)
    while found is not None:
        if not denials.search(sentence, max(0, found.start() - _BEFORE), found.end()):
            return True
        found = way.search(sentence, found.start() + 1)
    return False
