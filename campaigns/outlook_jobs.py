"""What workers do for the outlook of a campaign whose line is too long to be counted while a page waits."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings

from campaigns.kept_outlooks import keep_outlook
from campaigns.queries.outlook import live_launches, look_ahead
from convomono.lib import clock


def work_out(*, client_id: str, campaign_id: str, **_later: object) -> bool:
    """Look ahead for a campaign and keep it for its page; False if nothing of it is in line (any more)."""
    launches = live_launches(UUID(client_id), UUID(campaign_id))
    if not launches:
        return False
    outlook = look_ahead(
        launches,
        is_sandbox=settings.SANDBOX,
        calls_per_second=settings.RETELL_CALLS_PER_SECOND,
        now=clock.now(),
        real_now=clock.real_now(),
    )
    keep_outlook(launches, outlook)
    return True
