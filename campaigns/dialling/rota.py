"""Whose turn it is: lines are shared fairly between clients, then between a client's campaigns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from campaigns.dialling.pacing import OwnCalls
    from campaigns.models import BatchCall


class Rota:
    """
    Picks the launch that may place the next call.

    The client with the fewest lines for its share comes first, whoever waited longest among equals:
    one who just began is served by the next line that falls free, however long another's list is.
    """

    def __init__(self) -> None:
        self._turn = 0
        self._served: dict[UUID, int] = {}

    def pick(
        self, launches: Iterable[BatchCall], *, own: OwnCalls, without: Collection[UUID]
    ) -> BatchCall | None:
        """Return the launch whose turn it is; None if none of them may have a line."""
        may = [one for one in launches if one.pk not in without and _may_call(one, own)]
        return min(may, key=lambda one: self._order(one, own), default=None)

    def served(self, launch: BatchCall) -> None:
        """Note that this launch has placed a call."""
        self._turn += 1
        self._served[launch.pk] = self._served[launch.client_id] = self._turn

    def _order(self, one: BatchCall, own: OwnCalls) -> tuple[float, int, float, int]:
        client_load = own.by_client[one.client_id] / one.client.concurrency_limit
        campaign_load = own.by_campaign[one.campaign_id] / one.campaign.concurrency_limit
        return (
            client_load,
            self._served.get(one.client_id, 0),
            campaign_load,
            self._served.get(one.pk, 0),
        )


def _may_call(one: BatchCall, own: OwnCalls) -> bool:
    return (
        one.client.is_active
        and own.by_client[one.client_id] < one.client.concurrency_limit
        and own.by_campaign[one.campaign_id] < one.campaign.concurrency_limit
    )
