"""Whose turn it is: lines are shared fairly between clients, then between a client's campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.dialling.pacing import CallsPerSecond
from campaigns.models import ClientShare, SafetyPolicy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from campaigns.dialling.pacing import OwnCalls
    from campaigns.models import BatchCall

_MINUTE = 60
# A clock that runs fast has many seconds between two looks.
BURST_SECONDS = 10


class Rota:
    """
    Picks the launch that may place the next call.

    Who has fewer lines than the client is guaranteed comes first, then who has the fewest for its
    weight, whoever waited longest among equals: one who just began is served by the next line that
    falls free, however long another's list is.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._served: dict[UUID, int] = {}
        self._speeds: dict[UUID, tuple[int, CallsPerSecond]] = {}
        self._shares: dict[UUID, tuple[int, int]] = {}

    def share(self, shares: Iterable[ClientShare]) -> None:
        """Take in what clients are granted, as it is now."""
        self._shares = {one.client_id: (one.weight, one.least_lines) for one in shares}

    def pick(
        self,
        launches: Iterable[BatchCall],
        *,
        own: OwnCalls,
        without: Collection[UUID],
        now: datetime,
    ) -> BatchCall | None:
        """Return the launch whose turn it is; None if none of them may have a line."""
        may = [
            one
            for one in launches
            if one.pk not in without and _may_call(one, own) and self._is_not_too_fast(one, now)
        ]
        return min(may, key=lambda one: self._order(one, own), default=None)

    def served(self, launch: BatchCall) -> None:
        """Note that this launch has placed a call."""
        self._turn += 1
        self._served[launch.pk] = self._served[launch.client_id] = self._turn
        if launch.campaign_id in self._speeds:
            self._speeds[launch.campaign_id][1].take()

    def paced(self, launch: BatchCall) -> int:
        """Return the campaign's own calls in a minute while they hold this launch up; else 0."""
        speed = self._speeds.get(launch.campaign_id)
        return speed[0] if speed is not None and not speed[1].has_one else 0

    def _order(self, one: BatchCall, own: OwnCalls) -> tuple[bool, float, int, float, int]:
        weight, least = self._shares.get(one.client_id, (1, 1))
        lines = own.by_client[one.client_id]
        campaign_load = own.by_campaign[one.campaign_id] / one.campaign.concurrency_limit
        return (
            lines >= least,
            lines / weight,
            self._served.get(one.client_id, 0),
            campaign_load,
            self._served.get(one.pk, 0),
        )

    def _is_not_too_fast(self, one: BatchCall, now: datetime) -> bool:
        """Hold a campaign to its own number of new calls in a minute, if it has one."""
        per_minute = _calls_per_minute(one)
        if not per_minute:
            self._speeds.pop(one.campaign_id, None)
            return True
        known = self._speeds.get(one.campaign_id)
        if known is None or known[0] != per_minute:
            known = (per_minute, CallsPerSecond(per_minute / _MINUTE, burst_seconds=BURST_SECONDS))
            self._speeds[one.campaign_id] = known
        return known[1].available(now=now) > 0


def _calls_per_minute(one: BatchCall) -> int:
    try:
        return int(one.campaign.safety_policy.calls_per_minute)
    except SafetyPolicy.DoesNotExist:
        return 0


def _may_call(one: BatchCall, own: OwnCalls) -> bool:
    return (
        one.client.is_active
        and own.by_client[one.client_id] < one.client.concurrency_limit
        and own.by_campaign[one.campaign_id] < one.campaign.concurrency_limit
    )
