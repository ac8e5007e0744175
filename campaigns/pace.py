"""How fast a campaign may dial and talk: its lines, its numbers' caps, its own speed, and how its client's dials go."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.rules import price_micros
from billing.services import RateMissing, current_rate
from campaigns.forecast import Pace, profile_of
from campaigns.models import SafetyPolicy
from telephony.models import Call, PhoneNumber
from telephony.number_health import cap_on

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from billing.rules import Terms
    from campaigns.forecast import DialProfile
    from campaigns.models import Campaign

HISTORY_CALLS = 1000
_NO_LIMIT = 1_000_000


class NumberLimits:
    """What the numbers a campaign calls from may do: calls at once, and dials on a UTC day."""

    def __init__(self, numbers: Sequence[PhoneNumber], now: datetime) -> None:
        self.today = now.astimezone(UTC).date()
        self._numbers = numbers
        at_once = [one.concurrency_limit for one in numbers]
        self.at_once = sum(at_once) if at_once and all(at_once) else _NO_LIMIT
        self.are_capped = bool(numbers) and all(self._cap(one, self.today) for one in numbers)

    def room_on(self, day: date) -> int:
        """Return how many dials they may make on a day; without a cap as many as they like."""
        used = {one.pk: one.used_count for one in self._numbers if one.used_on == day}
        return sum(
            max(0, (self._cap(one, day) or _NO_LIMIT) - used.get(one.pk, 0))
            for one in self._numbers
        )

    @staticmethod
    def _cap(one: PhoneNumber, day: date) -> int:
        return cap_on(day, daily_cap=one.daily_cap, warming_from=one.warming_from)


def numbers_of(campaign: Campaign) -> tuple[list[PhoneNumber], list[PhoneNumber]]:
    """Return the client's numbers, and those of them that were chosen for the campaign; one query."""
    numbers = list(PhoneNumber.objects.in_use().filter(client_id=campaign.client_id))
    return numbers, [one for one in numbers if one.phone_number in campaign.caller_numbers]


def recent_profile(client_id: UUID) -> DialProfile:
    """Return how the client's last thousand calls went; one query."""
    calls = Call.objects.filter(client_id=client_id).order_by("-created_at", "-pk")
    return profile_of(calls.values_list("outcome_class", "duration_ms")[:HISTORY_CALLS])


def pace_of(
    campaign: Campaign,
    *,
    lines: NumberLimits,
    calls_per_second: float,
    starts_at: datetime,
    now: datetime,
) -> Pace:
    """Return how fast a campaign dials from an instant on; it comes with its client and retry policy. One query."""
    retry = campaign.retry_policy
    return Pace(
        slots=max(
            1, min(campaign.concurrency_limit, campaign.client.concurrency_limit, lines.at_once)
        ),
        calls_per_second=_own_speed(campaign, calls_per_second),
        room_on=lines.room_on if lines.are_capped else None,
        starts_at=starts_at,
        today_ends=_midnight(campaign.client.time_zone, now),
        max_attempts=retry.max_attempts,
        pauses=(
            retry.busy_delay_seconds,
            retry.no_answer_delay_seconds,
            retry.voicemail_delay_seconds,
            retry.declined_delay_seconds,
            retry.technical_delay_seconds,
        ),
    )


def terms_of(campaign: Campaign, now: datetime) -> Terms | None:
    """Return what the client pays for talk; None before a price is agreed. One query."""
    try:
        return current_rate(client=campaign.client, now=now).terms
    except RateMissing:
        return None


def talk_price(seconds: int, terms: Terms | None) -> int:
    """Return what so much talk costs the client, in micros; 0 without a price."""
    return price_micros(seconds=seconds, terms=terms) if terms else 0


def _own_speed(campaign: Campaign, calls_per_second: float) -> float:
    """Return how many calls a second the campaign may begin, by its own setting too."""
    safety = SafetyPolicy.objects.filter(campaign=campaign).first()
    own = safety.calls_per_minute if safety else 0
    return min(calls_per_second, own / 60) if own else calls_per_second


def _midnight(time_zone: str, now: datetime) -> datetime:
    """Return the end of the client's day."""
    local = now.astimezone(ZoneInfo(time_zone))
    tomorrow = local.date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), local.tzinfo)
