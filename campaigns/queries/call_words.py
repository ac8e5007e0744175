"""A call's charge, its transfer and its pauses as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from django.utils.translation import gettext as _

from convomono.lib.display import duration, phone, usd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from billing.models import Transaction
    from telephony.models import Call

_MS = 1000


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
        said["rule"] = _rounding(line)
    words = sentence % said
    if (line.seconds, line.amount_micros) == (call.billed_seconds, call.client_cost_micros):
        return words
    return f"{words} {_('It was corrected since.')}"


def _rounding(line: Transaction) -> str:
    parts = []
    if line.minimum_seconds:
        parts.append(_("at least %(time)s") % {"time": duration(line.minimum_seconds)})
    if line.increment_seconds > 1:
        parts.append(_("in begun units of %(time)s") % {"time": duration(line.increment_seconds)})
    return ", ".join(parts) or _("begun seconds count whole")


def transfer_sentence(call: Call) -> str:
    """Say what became of a transfer, and to whom it was; empty where none was tried."""
    if not call.transfer_status:
        return ""
    label = call.get_transfer_status_display()
    whom = call.transfer_destination
    if not whom:
        return label
    to = whom if whom.lower().startswith("sip:") else phone(whom)
    return _("%(what)s: %(to)s") % {"what": label, "to": to}


def latency_sentence(latency: Mapping[str, Any]) -> str:
    """Say how long the agent took to answer, by Retell's end-to-end figures; empty if unknown."""
    told = latency.get("e2e")
    if not isinstance(told, dict):
        return ""
    half, most = told.get("p50"), told.get("p90")
    if not _is_time(half):
        return ""
    if not _is_time(most):
        return _("It answered after %(half)s s, as a rule.") % {"half": f"{half / _MS:.1f}"}
    return _("It answered after %(half)s s as a rule, and nine times of ten within %(most)s s.") % {
        "half": f"{half / _MS:.1f}",
        "most": f"{most / _MS:.1f}",
    }


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
