"""A call's opening, its transfer and its pauses as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from django.utils.translation import gettext as _, gettext_lazy

from convomono.lib.display import phone
from telephony.disclosure import AI, CUT, GIVEN, MISSES, NAME, NOTICES, RECORDING, UNREAD
from telephony.rules import OutcomeClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from django.utils.functional import _StrPromise

    from telephony.models import Call

_MS = 1000
_NOTICES: dict[str, _StrPromise] = {
    NAME: gettext_lazy("who calls"),
    AI: gettext_lazy("that an AI calls"),
    RECORDING: gettext_lazy("that the call is recorded"),
}


def disclosure_sentence(call: Call) -> str:
    """Say whether a call began with what must be said first; empty if nobody picked up, or nothing was asked."""
    if call.shown_outcome != OutcomeClass.HUMAN or not call.disclosure:
        return ""
    if call.disclosure == CUT:
        return _("The call ended before it did, so it doesn't count.")
    asked = [one for one in NOTICES if one == NAME or one in call.must_say.get("notices", ())]
    if call.disclosure == UNREAD:
        return _("It can't be checked in this language whether it said %(what)s.") % {
            "what": _listed(one for one in asked if one != NAME)
        }
    if call.disclosure == GIVEN:
        return _("It said %(what)s.") % {"what": _listed(asked)}
    if call.disclosure not in MISSES:
        return ""
    said = [one for one in asked if one not in call.disclosure.split()]
    left_out = _("It left out %(what)s.") % {"what": _listed(call.disclosure.split())}
    return f"{left_out} {_('It said %(what)s.') % {'what': _listed(said)}}" if said else left_out


def _listed(notices: Iterable[str]) -> str:
    return ", ".join(str(_NOTICES[notice]) for notice in notices)


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
