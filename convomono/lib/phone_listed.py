"""Numbers as a do-not-call list takes them: any that somebody may have called from, also those nobody may call."""

from __future__ import annotations

from contextlib import suppress

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from convomono.lib.phone import NumberRefused, parse_number
from convomono.lib.phone_spelling import plain_text, with_plus, without_words

# Valid, and never called: whoever has one may ask not to be called all the same.
_NEVER_CALLED = frozenset({"phone_toll_free", "phone_premium"})


def listed_number(text: str, country: str = "US") -> str:
    """
    Return a number in E.164 to be put on a do-not-call list, or looked for there; toll-free ones too.

    :raises NumberRefused: with the reason, if it is no valid number
    """
    try:
        return parse_number(text, country).e164
    except NumberRefused as refused:
        if refused.reason not in _NEVER_CALLED:
            raise
        bare = without_words(plain_text(text))
        for spelling in (bare, with_plus(bare)):
            with suppress(NumberParseException):
                number = phonenumbers.parse(spelling, country)
                if phonenumbers.is_valid_number(number):
                    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
        raise
