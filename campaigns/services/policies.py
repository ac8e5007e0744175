"""How a campaign retries and when it stops by itself; both hold for running launches at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from audit import actions
from audit.services import record
from campaigns import line_jobs
from campaigns.dialling.breaking import Safety
from campaigns.launch_requests import outdate_request, tell_of_edit
from campaigns.models import RetryPolicy, SafetyPolicy
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from audit.services import Actor
    from campaigns.models import Campaign

# Reasons that may have a policy of their own: those after which a lead is called again.
REASONS = (
    "dial_busy",
    "dial_no_answer",
    "user_declined",
    "voicemail_reached",
    "ivr_reached",
    "inactivity",
)
_SPEED = "calls_per_minute"


@dataclass(frozen=True, kw_only=True)
class Dialling:
    """
    What a person sets about a campaign's dialling.

    `dispositions` maps a reason of REASONS to {"most": n, "delay_seconds": s or None}; a reason
    without an entry follows the campaign's delays.
    """

    dispositions: dict[str, dict[str, int | None]] = field(default_factory=dict)
    is_other_time_of_day: bool = False
    is_business_days: bool = False
    callback_delay_seconds: int = 24 * 3600
    safety: Safety = Safety()  # noqa: RUF009 - frozen
    calls_per_minute: int = 0


def dialling_of(campaign: Campaign) -> Dialling:
    """Return what is set; the defaults where nothing is. Two queries."""
    retry = RetryPolicy.objects.filter(campaign=campaign).first() or RetryPolicy()
    safety = SafetyPolicy.objects.filter(campaign=campaign).first() or SafetyPolicy()
    return Dialling(
        dispositions=retry.dispositions,
        is_other_time_of_day=retry.is_other_time_of_day,
        is_business_days=retry.is_business_days,
        callback_delay_seconds=retry.callback_delay_seconds,
        safety=Safety(**{name: getattr(safety, name) for name in asdict(Safety())}),
        calls_per_minute=safety.calls_per_minute,
    )


def set_dialling(*, campaign: Campaign, dialling: Dialling, actor: Actor, now: datetime) -> bool:
    """Set how a campaign retries and when it stops by itself, from the next call on; tell if it changed."""
    before = dialling_of(campaign)
    if before == dialling:
        return False

    @atomic
    def block() -> None:
        write_dialling(campaign=campaign, dialling=dialling)
        outdate_request(campaign_id=campaign.pk, now=now)
        changed = _changed(asdict(before), asdict(dialling))
        tell_of_edit(campaign=campaign, changed=changed, actor=actor, now=now)
        details = {"changed": changed}
        record(actions.CAMPAIGN_CHANGED, resource=campaign, actor=actor, now=now, details=details)
        if "is_business_days" in changed:  # who waits for Monday may be called on Saturday now
            line_jobs.ask_to_decide_again(
                client_id=campaign.client_id, campaign_id=campaign.pk, now=now
            )

    block()
    return True


def write_dialling(*, campaign: Campaign, dialling: Dialling) -> None:
    """Write it inside the caller's block, which records why."""
    owner = {"client_id": campaign.client_id}
    retry: dict[str, Any] = {
        "dispositions": dialling.dispositions,
        "is_other_time_of_day": dialling.is_other_time_of_day,
        "is_business_days": dialling.is_business_days,
        "callback_delay_seconds": dialling.callback_delay_seconds,
    }
    safety = {**asdict(dialling.safety), _SPEED: dialling.calls_per_minute}
    if not RetryPolicy.objects.filter(campaign=campaign).update(**retry):
        RetryPolicy.objects.create(campaign=campaign, **owner, **retry)
    if not SafetyPolicy.objects.filter(campaign=campaign).update(**safety):
        SafetyPolicy.objects.create(campaign=campaign, **owner, **safety)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(name for name, value in after.items() if value != before[name])
