"""The outlook of a campaign for a page: kept for seconds, worked out at once for a short line, by a worker for a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.kept_outlooks import is_fresh, keep_outlook, kept_outlook
from campaigns.outlook_jobs import work_out
from campaigns.queries.outlook import look_ahead
from convomono.lib.jobs import enqueue_once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from campaigns.models import BatchCall
    from campaigns.queries.outlook import Outlook

# Longer lines are counted by a worker: no page waits for them.
MOST_AT_ONCE = 20_000


def outlook_of(
    launches: Sequence[BatchCall],
    *,
    is_sandbox: bool,
    calls_per_second: float,
    now: datetime,
    real_now: datetime,
) -> Outlook | None:
    """
    Return what launches of one campaign that aren't over still take; None while a worker finds out.

    Of a long line it may be as old as counting it again would take a hundred times.
    """
    in_line = sum(row.in_progress_count for row in launches)
    kept = kept_outlook(launches)
    if kept is not None and is_fresh(kept, in_line=in_line, real_now=real_now):
        return kept
    if in_line > MOST_AT_ONCE:
        first = launches[0]
        enqueue_once(work_out, client_id=str(first.client_id), campaign_id=str(first.campaign_id))
        return kept
    outlook = look_ahead(
        launches,
        is_sandbox=is_sandbox,
        calls_per_second=calls_per_second,
        now=now,
        real_now=real_now,
    )
    keep_outlook(launches, outlook)
    return outlook
