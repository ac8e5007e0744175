"""What workers do for test calls: send one, and look for those whose answer was lost."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.jobs import what_to_do
from campaigns.services import trial_sending
from convomono.lib import clock
from telephony.provider import ProviderError, RateLimited
from telephony.retell import retell_gateway


def send_trial_call(*, trial_id: str, **_later: object) -> bool:
    """Dial one test call; a second run does nothing."""
    return trial_sending.send_trial_call(
        trial_id=UUID(trial_id),
        gateway=retell_gateway(),
        explain=_explain,
        stopped=_("Calling was stopped meanwhile, or the number is on a do-not-call list now."),
        is_sandbox=settings.SANDBOX,
        now=clock.now(),
    )


def settle_trial_calls(**_later: object) -> int:
    """Settle test calls whose answer was lost; safe to run twice. Returns how many."""
    now, settled = clock.now(), 0
    for trial in trial_sending.unsettled_trials(now=now):
        gone = _("Retell never had this call: nothing rang and nothing was charged.")
        try:
            settled += trial_sending.settle_trial(
                trial=trial, gateway=retell_gateway(), gone=gone, now=now
            )
        except ProviderError:
            break  # asked again the next time
    return settled


def _explain(error: ProviderError) -> str:
    if isinstance(error, RateLimited):
        return _("All lines are busy just now. Try again in a minute.")
    return what_to_do(error)
