"""
Whether an opening says of the one who speaks that it is an AI: "I'm an AI assistant", but not "our AI assistant helps".

In English and German a word for a machine has to stand for the caller: near a word such as "this is" or "I'm",
without a denial or another subject between. In other languages the word alone tells, unless it is denied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from telephony.disclosure.ai_words import says_ai
from telephony.disclosure.naming import without_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_SENTENCES: Final = re.compile(r"[.!?…\n]+")
_DOTTED: Final = re.compile(r"\b([AK])\.\s?I\b\.?")  # before sentences are told apart by their dots
_NEAR: Final = 80


@dataclass(frozen=True, slots=True)
class _Grammar:
    """How a language says it: a machine, whoever speaks, what may not stand between, and no human at all."""

    hint: re.Pattern[str]  # in each sentence in which anything else may be found
    machine: re.Pattern[str]
    speaker: re.Pattern[str]
    afterwards: re.Pattern[str]  # the caller named behind the machine: "… is calling"
    article: re.Pattern[str]  # all that stands before a machine that begins its sentence
    barrier: re.Pattern[str]
    no_human: re.Pattern[str]


def _grammar(*parts: str) -> _Grammar:
    return _Grammar(*(re.compile(part, re.IGNORECASE | re.VERBOSE) for part in parts))


_ENGLISH: Final = _grammar(
    r"\b(?:ai|artif|autom|virtual|digital|comput|synth|rob|machin|voice|one\ of|human|person)|bot\b",
    r"""
    \b(?:AI|artificial\ intelligence)(?:[-\ ](?:powered|based|generated|driven|enabled))?
      (?:[-\ ](?:phone|telephone|voice|scheduling|dental|customer|virtual|care|calling|automated|appointment|service|sales))*
      [-\ ](?:assistant|agent|caller|voice|receptionist|representative|rep|helper|bot|system|attendant|operator|scheduler
        |secretary|concierge|model|program(?:me)?|host|coordinator|call)\b
    | \bone\ of\ \w+\ (?:AI|automated|virtual|digital)(?:\ \w+)?\ (?:assistants|agents|callers|voices|receptionists|bots|helpers)\b
    | \b(?:automated|automatic|virtual|digital|artificial|computer(?:i[sz]ed)?(?:-generated)?|synthetic|robotic|machine)
      (?:[-\ ]\w+){0,2}?[-\ ](?:assistant|agent|caller|voice|receptionist|representative|rep|helper|bot|system|attendant
        |operator|scheduler|secretary|concierge|model|program(?:me)?|call|message|reminder)\b
    | \bvoice[-\ ](?:assistant|agent|caller)\b
    | \b(?:AI|artificial\ intelligence|(?:chat|voice|phone)?\ ?bot|robot|computer|machine)\b
      (?=\s*(?:$|[,;:)–—-]|(?:from|of|at|for|with|by|on|in|calling|speaking|and|but|that|which|who|here|not|so|to
        |working|over|today|now|making|is\ (?:calling|speaking|talking|on)|calls(?!\ are))\b))
    """,
    r"""
    \bi\ ?(?:['\u2019]m|am)\b | \bim\b | \bthis\ is\b | \bthis\ call\b | \bmy\ name\ is\b | \b(?:the|this|my)\ voice\b
    | \byou(?:['\u2019]re|\ are|['\u2019]ll\ be|\ will\ be)\ (?:now\ |currently\ |just\ )?(?:speaking|talking|chatting|connected|listening|on)\b
    | \bhere\b | \bcalling\b | \b(?:hi|hello|hey)\b | \bgood\ (?:morning|afternoon|evening|day)\b | \bit['\u2019]s\b
    """,
    r"\b(?:here|speaking|calling|calls|on\ the\ (?:line|phone)|on\ behalf)\b",
    r"^\W*(?:[\w'\u2019]+(?:\ [\w'\u2019]+)?,\s*)?(?:an?|the|your|our)\s+$",
    r"""
    \b(?:not|no|never|nor|neither|without|rather|instead|about|regarding|concerning|offer\w*|sell\w*|buil[dt]\w*|develop\w*
      |provid\w*|because|since|whether|if|would|could|can|do|does|did|want\w*|need\w*|like|likes|heard|know|try|tried|how|what
      |why|expert|specialist|engineer|consultant|interested|in|show\w*|present|introduc\w*|demo\w*|discuss|help\w*|use|we
      |human|person)\b | n['\u2019]t\b | \bisnt\b
    """,
    r"\bi\ ?(?:['\u2019]m|am)\ not\ (?:an?\ )?(?:real\ |live\ |actual\ )*(?:person|human(?:\ being)?)(?=\s*(?:$|[,;:–—-]|but\b))",
)
_GERMAN: Final = _grammar(
    r"\b(?:ki|ai|künstl|virtuell|digital|autom|comput|synth|maschin|mensch|sprach)|bot\b|robot",
    r"""
    \b(?:KI|AI|künstliche\w*\ intelligenz)
      (?:[-\ ](?:gestützt|basiert|gesteuert|generiert|betrieben)\w*(?:\ \w+)?)?
      [-\ ]?(?:\w*assisten(?:t|tin|ten|z)|\w*agent(?:in|en)?|\w*stimme|\w*system|\w*bot|\w*helfer(?:in)?|\w*mitarbeiter(?:in)?
        |\w*telefonist(?:in)?|\w*anruf|\w*modell|\w*programm|\w*sekretär(?:in)?|\w*rezeptionist(?:in)?|\w*concierge)\b
    | \b(?:virtuell|digital|automatis|künstlich|computergeneriert|synthetisch|maschinell)\w*(?:\ \w+)?
      \ (?:\w*assisten(?:t|tin|ten|z)|\w*agent(?:in|en)?|\w*stimme|\w*system|\w*helfer(?:in)?|\w*mitarbeiter(?:in)?
        |\w*telefonist(?:in)?|\w*anruf|\w*rezeptionist(?:in)?)\b
    | \b(?:sprachassistent\w*|sprachcomputer|computer(?:stimme|programm|system))\b
    | \b(?:KI|AI|künstliche\w*\ intelligenz|\w*bot|\w*roboter|computer|maschine)\b
      (?=\s*(?:$|[,;:)–—]|-\s|(?:von|vom|der|des|dem|die|bei|beim|aus|für|und|aber|an|am|hier|im|in|mit|auf|erzeugt|generiert
        |bin|gesprochen|geführt|gemacht|durchgeführt|gestartet|getätigt|begonnen|spricht|ruft|telefoniert|namens|zur|zum|sowie)\b))
    """,
    r"""
    \bbin\b | \bhier\b | \bmein\ name\ ist\b | \bsie\ (?:sprechen|reden|hören)\b | \bdu\ (?:sprichst|redest|hörst)\b
    | \bdies(?:er\ anruf|es\ gespräch|es\ telefonat|e\ stimme)?\b | \bdas\ ist\b | \bes\ (?:spricht|meldet\ sich|ruft)\b
    | \bam\ (?:apparat|telefon|anderen\ ende)\b | \b(?:melde|rufe)\b | \bals\b | \bguten\ (?:tag|morgen|abend)\b
    | \b(?:hallo|servus|moin|grüß\ gott|grüezi)\b
    """,
    r"\b(?:ruft|spricht|meldet\ sich|am\ apparat|am\ telefon|bin)\b",
    r"^\W*(?:[\w'\u2019]+(?:\ [\w'\u2019]+)?,\s*)?(?:eine?|die|der|ihre?|unsere?)\s+$",
    r"""
    \b(?:nicht|kein\w*|nie|niemals|weder|ohne|statt|anstatt|anstelle|wegen|bezüglich|über|um|für|wir|würd\w*|möchte\w*|will
      |wollen|ob|wie|was|warum|kennen|haben|nutzen|brauchen|anbiet\w*|biete\w*|verkauf\w*|entwickl\w*|vorstell\w*|expert\w*
      |spezialist\w*|interessier\w*|mensch\w*|dank|mithilfe)\b
    """,
    r"\bbin\ (?:\w+\ ){0,2}?kein\ (?:echter\ |richtiger\ )?mensch(?=\s*(?:$|[,;:–—]|sondern\b))",
)
_GRAMMARS: Final = {"en": _ENGLISH, "de": _GERMAN}
# What follows a machine that is presented ("Amy, an AI assistant from …"), and not one that does something.
_AS_NAME: Final = re.compile(
    r"\s*(?:$|[,;:]|(?:from|for|of|at|with|by|on|here|calling|calls|speaking|who|and|is|von|vom|der|des|aus|bei|für|und|hier)\b)",
    re.IGNORECASE,
)
_SUPPOSED: Final = re.compile(  # "people think I'm a bot"
    r"\b(?:thinks?|thought|believes?|wonder\w*|if|whether|denk\w*|glaub\w*|ob)\s*$", re.IGNORECASE
)
_DENIALS: Final = re.compile(
    r"\b(?:no|nunca|pas|non|mai|niet|geen|não|nunca|inte|ikke|nie|ne|nem|не)\b", re.IGNORECASE
)


def tells_ai(text: str, languages: Iterable[str], *, business: str) -> bool:
    """Tell whether a text says in one of these languages ("en-US") that an AI or a machine speaks it."""
    plain = _DOTTED.sub(r"\1I", without_name(text, business))
    sentences = [sentence for sentence in _SENTENCES.split(plain) if sentence.strip()]
    return any(
        _tells(sentence, code) for code in _codes(tuple(languages)) for sentence in sentences
    )


@cache
def _codes(languages: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.partition("-")[0] for one in languages))


def _tells(sentence: str, code: str) -> bool:
    grammar = _GRAMMARS.get(code)
    if grammar is None:
        clauses = re.split(r"[,;:]", sentence)
        return any(says_ai(one, (code,)) and not _DENIALS.search(one) for one in clauses)
    if not grammar.hint.search(sentence):
        return False
    if grammar.no_human.search(sentence):
        return True
    return any(
        _is_speaker(sentence, found, grammar) for found in grammar.machine.finditer(sentence)
    )


def _is_speaker(sentence: str, found: re.Match[str], grammar: _Grammar) -> bool:
    """Tell whether a machine that is spoken of is the one who speaks."""
    before = sentence[max(0, found.start() - _NEAR) : found.start()]
    speakers = list(grammar.speaker.finditer(before))
    if speakers and not grammar.barrier.search(before[speakers[-1].end() :]):
        return not _SUPPOSED.search(before[: speakers[-1].start()])
    after = sentence[found.end() : found.end() + _NEAR // 2]
    if found.start() <= _NEAR and grammar.article.match(before):
        return bool(_AS_NAME.match(after)) and not grammar.barrier.search(after)
    named = grammar.afterwards.search(after)
    if named is None or grammar.barrier.search(before):
        return False
    return not grammar.barrier.search(after[: named.start()])
