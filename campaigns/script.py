"""Scripts with {{variables}}: which they name, what they say for one lead, what a reader should check."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from campaigns.settings_schema import SAYS_SOMETHING
from telephony.disclosure.ai import tells_ai
from telephony.disclosure.ai_words import says_ai
from telephony.disclosure.naming import names
from telephony.disclosure.recording import tells_recording

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from campaigns.models import Campaign, CampaignVersion
    from leads.models import Lead

SCRIPT_MAX_CHARS = 20_000
# Retell bills prompts above 3,500 tokens by their length; about four characters make a token.
LONG_SCRIPT_CHARS = 12_000

# What one call adds to the prompt: what is said, and what was looked up.
TALK_TOKENS = 1_200
INCLUDED_TOKENS = 3_500
_CHARS_PER_TOKEN = 4

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Without an opening line the agent makes its own from the beginning of the script.
_BEGINNING_CHARS = 600

# What every lead has; a file's other columns add to it.
LEAD_VARIABLES = ("first_name", "last_name", "full_name", "company", "email", "phone_number")
# Retell fills these by itself. Source: its dynamic variables page.
PROVIDER_VARIABLES = frozenset(
    {"current_time", "current_hour", "current_calendar", "call_id", "call_type", "direction"}
    | {"user_number", "agent_number", "session_type", "session_duration"}
)


@dataclass(frozen=True)
class ScriptProblem:
    """One thing to look at: a blocker stops the campaign from being made ready."""

    code: str
    is_blocker: bool
    sentence: str


def variables(*texts: str) -> list[str]:
    """Return the names between double braces, each once, in the order they first appear."""
    found = (match.strip() for text in texts for match in _BRACES.findall(text))
    return list(dict.fromkeys(name for name in found if _NAME.fullmatch(name)))


def own_variables(*texts: str) -> list[str]:
    """Return the variables that a lead has to fill: all but those Retell fills by itself."""
    return [name for name in variables(*texts) if name not in PROVIDER_VARIABLES]


def spoken(words: Campaign | CampaignVersion) -> tuple[str, ...]:
    """Return the texts that an agent speaks from: opening, script, and the message that it leaves, if it does."""
    return words.opening_line, words.script_raw, left_message(words.settings)


def left_message(settings: Mapping[str, Any]) -> str:
    """Return what is said to a machine, or tells the agent what to say; empty where it says nothing."""
    leaves = settings.get("voicemail_action") in SAYS_SOMETHING
    return str(settings.get("voicemail_message", "")) if leaves else ""


def malformed(text: str) -> list[str]:
    """Return what stands in double braces and is no name, and each pair of braces left open."""
    wrong = [m.strip() for m in _BRACES.findall(text) if not _NAME.fullmatch(m.strip())]
    rest = _BRACES.sub("", text)
    return wrong + [mark for mark in ("{{", "}}") if mark in rest]


def unknown_variables(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the names that neither a lead's fields nor the columns of its file can fill."""
    fillable = {*LEAD_VARIABLES, *PROVIDER_VARIABLES, *known}
    return [name for name in names if name not in fillable]


def lead_values(lead: Lead) -> dict[str, str]:
    """Return the variables that a lead's own fields fill; an empty field fills none."""
    return field_values(
        lead.first_name, lead.last_name, lead.company, lead.email, phone_number=lead.phone_number
    )


# As `field_values` takes them, of an enrolment's row.
LEAD_COLUMNS = ("lead__first_name", "lead__last_name", "lead__company", "lead__email")


def field_values(
    first_name: str, last_name: str, company: str, email: str, *, phone_number: str
) -> dict[str, str]:
    """Return what `lead_values` does, of a row that was read without its lead."""
    values = {
        "first_name": first_name,
        "last_name": last_name,
        "full_name": f"{first_name} {last_name}".strip(),
        "company": company,
        "email": email,
        "phone_number": phone_number,
    }
    return {name: value for name, value in values.items() if value}


def render(text: str, values: Mapping[str, str]) -> str:
    """Fill the variables that have a value; the others stay as they are, for the eye to find."""

    def fill(match: re.Match[str]) -> str:
        return values.get(match.group(1).strip(), match.group(0))

    return _BRACES.sub(fill, text)


@dataclass(frozen=True)
class PromptSize:
    """How long a script is, and what that does to the price of a minute at Retell."""

    words: int
    tokens: int
    factor: float  # 1.0 up to 3,500 tokens, talk included

    @property
    def is_dear(self) -> bool:
        return self.factor > 1

    @property
    def more_percent(self) -> int:
        return round((self.factor - 1) * 100)

    @property
    def with_talk(self) -> int:
        return self.tokens + TALK_TOKENS


def prompt_size(*texts: str) -> PromptSize:
    """
    Estimate a script's tokens, and by how much Retell counts its minutes up.

    Source: Retell's prices; tokens beyond 3,500 (prompt, talk and look-ups) scale the billed time.
    """
    text = "\n".join(texts)
    tokens = -(-len(text) // _CHARS_PER_TOKEN)
    factor = max(1.0, (tokens + TALK_TOKENS) / INCLUDED_TOKENS)
    return PromptSize(words=len(text.split()), tokens=tokens, factor=round(factor, 2))


def voice_missing() -> ScriptProblem:
    """Return the problem of a campaign without a voice."""
    return ScriptProblem("voice_missing", True, _("No voice is chosen."))


def check(
    *, script: str, opening_line: str, business: str, languages: Iterable[str]
) -> list[ScriptProblem]:
    """
    Return what is wrong with a script (blockers) and what a careful reader would ask (warnings).

    `languages` are what the agent speaks, as `settings_schema.languages` has them.
    """
    problems = []
    if not script.strip():
        problems.append(ScriptProblem("script_empty", True, _("The script is empty.")))
    for text in dict.fromkeys([*malformed(script), *malformed(opening_line)]):
        sentence = _("“%(text)s” is no variable: write {{first_name}}, in letters, digits and _.")
        problems.append(ScriptProblem("variable_malformed", True, sentence % {"text": text[:40]}))
    if len(script) > LONG_SCRIPT_CHARS:
        sentence = _("The script is very long: each call costs more and answers come later.")
        problems.append(ScriptProblem("script_long", False, sentence))
    opening = opening_line.strip() or script[:_BEGINNING_CHARS]
    if not names(opening, business):
        sentence = _("The opening doesn't name %(business)s: say at the start who is calling.")
        problems.append(ScriptProblem("business_missing", False, sentence % {"business": business}))
    problems += _notices_missing(opening_line.strip(), script, business, tuple(languages))
    return problems


def _notices_missing(
    opening_line: str, script: str, business: str, languages: tuple[str, ...]
) -> list[ScriptProblem]:
    """Return which notices nothing provides for: the opening line's own words, or without one the script's."""
    problems = []
    says = (
        tells_ai(opening_line, languages, business=business)
        if opening_line
        else says_ai(script, languages)
    )
    if not says:
        sentence = _("The opening doesn't say that an AI is calling. Many places require it.")
        problems.append(ScriptProblem("ai_notice_missing", False, sentence))
    if tells_recording(opening_line or script, languages) is False:
        sentence = _("The opening doesn't say that the call is recorded. Many places require it.")
        problems.append(ScriptProblem("recording_notice_missing", False, sentence))
    return problems
