"""A call's transfer and its pauses as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from django.utils.translation import gettext as _

from convomono.lib.display import phone

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telephony.models import Call

_MS = 1000


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
