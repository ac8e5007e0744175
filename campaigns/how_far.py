"""How far a campaign's leads came, from the list to the goal: counted by reports, listed by the page of leads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models import Enrolment

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_Status = Enrolment.Status
_NOT_ELIGIBLE: Final = (_Status.INVALID, _Status.SUPPRESSED, _Status.CANCELLED)
# Who opts out on a call was eligible when it was placed.
ELIGIBLE: Final = ~Q(status__in=_NOT_ELIGIBLE) | Q(attempts_count__gt=0)
DIALLED: Final = Q(attempts_count__gt=0)
REACHED: Final = Q(was_reached=True)
CONVERTED: Final = Q(is_converted=True)

HOW_FAR: Final[dict[str, tuple[StrOrPromise, Q]]] = {
    "eligible": (_("May be dialled"), ELIGIBLE),
    "dialled": (_("Dialled"), DIALLED),
    "reached": (_("Reached"), REACHED),
    "converted": (_("Converted"), CONVERTED),
}
