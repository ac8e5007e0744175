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


def asked_too_often(request: ClientRequest) -> str:
    """Count one question; return a sentence if it is one too many of the person or the client, else ""."""
    now = clock.real_now()
    if is_too_often(f"ask:{request.user.pk}", most=PER_MINUTE, seconds=_MINUTE, real_now=now):
        return _("That was often: wait a minute, then ask again.")
    if is_too_often(f"ask:{request.tenant.pk}", most=PER_DAY, seconds=_DAY, real_now=now):
        said = _("%(count)d questions were asked today, and each costs. Ask again tomorrow.")
        return said % {"count": PER_DAY}
    return ""
