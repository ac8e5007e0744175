"""The completeness equation of every launch, looked at each minute while it runs and after it ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from campaigns.dialling import waiting
from campaigns.enrolments import LIVE, completeness, converted_count, finish_if_complete
from campaigns.leasing import nobody_dials
from campaigns.models import BatchCall
from convomono.lib import live

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.enrolments import Completeness

log = structlog.get_logger()

CHECK_EVERY = timedelta(seconds=55)  # the job comes once a minute
AFTER_THE_END = timedelta(hours=1)
AT_ONCE = 200
# Counters and rows are read one after the other, and leads move meanwhile: only what stays counts.
LOOKS = 3


def check_completeness(*, now: datetime) -> int:
    """
    Check every launch that isn't over, or was a short while ago; return how many don't add up.

    What doesn't is kept on the launch, logged, and told to the agency once.
    """
    due = Q(checked_at=None) | Q(checked_at__lte=now - CHECK_EVERY)
    recent = Q(status__in=LIVE) | Q(finished_at__gt=now - AFTER_THE_END)
    rows = BatchCall.objects.filter(due, recent, attached_at__isnull=False)
    return sum(
        not check_launch(batch_call=row, now=now)
        for row in rows.select_related("campaign").order_by("checked_at", "pk")[:AT_ONCE]
    )


def check_launch(*, batch_call: BatchCall, now: datetime) -> bool:
    """Check one launch and keep what was found, its conversions too; True if it adds up."""
    # Also one that is paused: its last leads may leave the line without a call.
    if not batch_call.is_over and finish_if_complete(batch_call_id=batch_call.pk, now=now):
        batch_call.refresh_from_db()
    mismatch = _mismatch(batch_call)
    BatchCall.objects.filter(pk=batch_call.pk).update(
        checked_at=now, mismatch=mismatch, converted_count=converted_count(batch_call.pk)
    )
    if not mismatch:
        return True
    log.error("batch.mismatch", batch_id=str(batch_call.pk), **mismatch)
    notify(
        client=None,
        level=Notification.Level.BAD,
        title=_("The leads of a launch don't add up"),
        body=_("%(campaign)s: %(what)s.")
        % {"campaign": batch_call.campaign.name, "what": mismatch_words(mismatch)},
        url="/agency/health/",
        key=f"batch.mismatch:{batch_call.pk}",
        now=now,
    )
    return False


def mismatch_words(mismatch: dict[str, list[int]]) -> str:
    """Return "queued counted 3, found 4" for each number that is off."""
    return ", ".join(
        _("%(name)s counted %(counted)d, found %(found)d")
        % {"name": name.replace("_", " "), "counted": pair[0], "found": pair[1]}
        for name, pair in mismatch.items()
    )


def _mismatch(batch_call: BatchCall) -> dict[str, list[int]]:
    """Return each number that is off in every look, as [counter, rows]; empty if all add up."""
    found: dict[str, list[int]] = {}
    for look in range(LOOKS):
        counted = completeness(batch_call.pk)
        if counted.holds:
            return {}
        batch_call.refresh_from_db()
        now_off = _differences(batch_call, counted)
        found = now_off if look == 0 else {k: v for k, v in now_off.items() if k in found}
    return found


def _differences(batch_call: BatchCall, counted: Completeness) -> dict[str, list[int]]:
    names = ("queued", "dialling", "in_call", "done", "suppressed", "exhausted", "invalid")
    pairs = {
        name: [getattr(batch_call, f"{name}_count"), getattr(counted, name)]
        for name in (*names, "cancelled")
    }
    pairs["enrolled"] = [batch_call.tasks_count, counted.in_progress + counted.ended]
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def watch_dispatcher(*, now: datetime, real_now: datetime) -> int:
    """
    Say on every running launch that nobody dials, if so, and tell the agency; return how many.

    A dispatcher that takes over writes its own reason in the next moment.
    """
    if not nobody_dials(real_now=real_now):
        return 0
    stuck = BatchCall.objects.filter(status=BatchCall.Status.RUNNING).exclude(
        waiting_reason=waiting.DISPATCHER_AWAY
    )
    campaigns = set(stuck.values_list("campaign_id", flat=True))
    said = stuck.update(
        waiting_reason=waiting.DISPATCHER_AWAY, waiting_until=None, waiting_facts={}
    )
    for campaign_id in campaigns:
        live.changed(campaign_id=campaign_id)
    if said:
        log.error("dispatcher.away", launches=said)
        notify(
            client=None,
            level=Notification.Level.BAD,
            title=_("Nobody dials: the dialling process isn't running"),
            body=_("Start it again (manage.py dispatch): launches wait, nothing is lost."),
            url="/agency/health/",
            key=f"dispatcher.away:{real_now:%Y-%m-%dT%H}",
            now=now,
        )
    return said
