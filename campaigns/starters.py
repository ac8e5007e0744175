"""Sound scripts to start from, one for each common goal; nothing in them needs to be written by a newcomer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Starter:
    """A script that reads well at once; [business] stands for the client's name in it."""

    slug: str
    label: _StrPromise
    about: _StrPromise
    opening_line: str
    script_raw: str
    conversion: str


# Stands for the client's name in starters and templates.
BUSINESS = "[business]"

_RULES = """
Rules:
- You are an AI. Say so whenever somebody asks.
- If they don't want to be called, apologise, promise that they will not be called again, and end the call.
- Keep each answer to two sentences. Never invent prices, dates or promises.
"""

STARTERS = (
    Starter(
        slug="appointment",
        label=_("Book appointments"),
        about=_("Calls people who know you and offers a day."),
        opening_line=(
            "Hi {{first_name}}, this is the AI assistant of [business]. This call is recorded. "
            "I'm calling to find a day for your next visit. Do you have a minute?"
        ),
        script_raw=(
            "You are a friendly AI assistant who calls customers of [business].\n\n"
            "What to do:\n"
            "- Say that {{first_name}} is due for a visit.\n"
            "- Offer two times: one in the morning, one in the afternoon.\n"
            "- Confirm the time they chose and say that a reminder follows.\n" + _RULES
        ),
        conversion="The person agreed to a day and time for a visit.",
    ),
    Starter(
        slug="qualify",
        label=_("Find out who is interested"),
        about=_("Asks a few questions and hands the warm ones to your team."),
        opening_line=(
            "Hi {{first_name}}, this is the AI assistant of [business]. This call is recorded. "
            "You asked us for information. May I put three short questions to you?"
        ),
        script_raw=(
            "You are an AI assistant who calls people that asked [business] for information.\n\n"
            "Ask, one after the other:\n"
            "- What they are looking for.\n"
            "- When they would like to begin.\n"
            "- Whether a colleague may call them back, and when.\n\n"
            "Thank them and sum up what you heard in one sentence.\n" + _RULES
        ),
        conversion="The person wants a colleague to call them back.",
    ),
    Starter(
        slug="remind",
        label=_("Remind people"),
        about=_("Confirms an appointment, or moves it."),
        opening_line=(
            "Hi {{first_name}}, this is the AI assistant of [business] "
            "with a reminder of your appointment. This call is recorded. Will you be able to come?"
        ),
        script_raw=(
            "You are an AI assistant of [business] who reminds people of their appointment.\n\n"
            "What to do:\n"
            "- Ask whether they can come.\n"
            "- If not, ask which day suits better and say that the office confirms it.\n" + _RULES
        ),
        conversion="The person confirmed the appointment or named another day.",
    ),
    Starter(
        slug="survey",
        label=_("Ask for an opinion"),
        about=_("Three questions after a visit or a purchase."),
        opening_line=(
            "Hi {{first_name}}, this is the AI assistant of [business]. This call is recorded. "
            "May I ask how we did? It takes one minute."
        ),
        script_raw=(
            "You are an AI assistant of [business] who asks customers for their opinion.\n\n"
            "Ask, one after the other:\n"
            "- How satisfied they are, from 1 to 5.\n"
            "- What they liked, and what was missing.\n"
            "- Whether they would recommend [business].\n\n"
            "Thank them for their time.\n" + _RULES
        ),
        conversion="The person gave a rating from 1 to 5.",
    ),
)


def fill_in(text: str, *, business: str) -> str:
    """Return a starter's or a template's text with the client's name in it."""
    return text.replace(BUSINESS, business)


def find_starter(slug: str) -> Starter | None:
    """Return the starter of that name."""
    return next((starter for starter in STARTERS if starter.slug == slug), None)
