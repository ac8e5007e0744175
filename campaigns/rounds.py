"""What is looked at again and again for campaigns, beside `jobs.py`: here stands what launches."""

from __future__ import annotations

from django.conf import settings

from campaigns.services import automating, topping_up
from convomono.lib import clock


def launch_new_leads(**_later: object) -> int:
    """Launch the new leads of campaigns whose time has come; safe to run twice."""
    return topping_up.top_up_due(now=clock.now(), is_sandbox=settings.SANDBOX)


def run_automation(**_later: object) -> int:
    """Do what rules on outcomes ask for; safe to run twice."""
    return automating.run_due(now=clock.now())


def purge_automation(**_later: object) -> int:
    """Delete what rules on outcomes did long ago; safe to run twice."""
    return automating.purge_runs(now=clock.now())
