"""How talk becomes a charge, in sentences: the same on the call's page, in the ledger and beside the price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from convomono.lib.display import duration, usd

if TYPE_CHECKING:
    from billing.models import Rate, Transaction
    from telephony.models import Call


def charge_sentence(call: Call, line: Transaction | None) -> str:
    """Say how the talk became the charge, by the price of its ledger line; empty while unknown."""
    if not call.is_over or call.duration_seconds is None:
        return ""
    if line is None:
        return _("Nothing was charged.") if call.outcome_class else ""
    said = {
        "talk": duration(call.duration_seconds),
        "billed": duration(line.seconds),
        "price": usd(line.price_per_minute_micros),
        "cost": usd(line.amount_micros),
    }
    sentence = _("%(talk)s of talk at %(price)s a minute come to %(cost)s.")
    if line.seconds != call.duration_seconds:
        sentence = _(
            "%(talk)s of talk are billed as %(billed)s (%(rule)s) at %(price)s a minute: %(cost)s."
        )
        said["rule"] = rounding_words(line.increment_seconds, line.minimum_seconds)
    words = sentence % said
    if (line.seconds, line.amount_micros) == (call.billed_seconds, call.client_cost_micros):
        return words
    return f"{words} {_('It was corrected since.')}"


def line_sentence(line: Transaction, call: Call | None) -> str:
    """Say how a charge or a refund came about; empty for other lines. The rest of a charge is told by itself."""
    if not line.price_per_minute_micros:
        return ""
    if line.type == line.Type.CONSUME and call is not None and not line.corrects_id:
        words = charge_sentence(call, line)
        if words:
            return words
    said = {
        "billed": duration(line.seconds),
        "price": usd(line.price_per_minute_micros),
        "cost": usd(line.amount_micros),
    }
    return _("%(billed)s at %(price)s a minute: %(cost)s.") % said


def rounding_words(increment_seconds: int, minimum_seconds: int) -> str:
    """Say in which steps talk is billed, and the least of a call."""
    parts = []
    if minimum_seconds:
        parts.append(_("at least %(time)s") % {"time": duration(minimum_seconds)})
    if increment_seconds > 1:
        parts.append(_("in begun units of %(time)s") % {"time": duration(increment_seconds)})
    return ", ".join(parts) or _("begun seconds count whole")


def terms_words(rate: Rate) -> str:
    """Say what a price bills: its steps, the least of a call, and whether voicemail is free."""
    rounding = rounding_words(rate.increment_seconds, rate.minimum_seconds)
    voicemail = _("voicemail billed") if rate.bills_voicemail else _("voicemail free")
    return f"{rounding}; {voicemail}"
