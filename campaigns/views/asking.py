"""How often people may ask agents and knowledge bases: Retell bills the agency for each press."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from convomono.lib import clock
from convomono.lib.often import is_too_often

if TYPE_CHECKING:
    from accounts.access import ClientRequest

PER_MINUTE: Final = 20
PER_DAY: Final = 500
_MINUTE, _DAY = 60, 24 * 3600


def asked_too_often(request: ClientRequest, *, questions: int = 1) -> str:
    """Count a press that asks so many; return a sentence if that is too many of the person or the client, else ""."""
    now = clock.real_now()
    if is_too_often(f"ask:{request.user.pk}", most=PER_MINUTE, seconds=_MINUTE, real_now=now):
        return _("That was often: wait a minute, then ask again.")
    day = f"ask:{request.tenant.pk}"
    if is_too_often(day, most=PER_DAY, seconds=_DAY, real_now=now, times=questions):
        said = _("%(count)d questions were asked today, and each costs. Ask again tomorrow.")
        return said % {"count": PER_DAY}
    return ""
