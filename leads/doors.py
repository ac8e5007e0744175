"""What the list of leads asks of campaigns; campaigns registers itself, leads knows none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import Q, QuerySet

    from leads.models import Lead

ENROLLED_KEY = "enrolled"  # of a lead that is looked for among a campaign's


class CampaignDoor(Protocol):
    """A client's campaigns, as the list of leads and its bulk changes see them."""

    def choices(self, client_id: UUID) -> list[tuple[str, str]]:
        """Return the client's campaigns that leads may be in, newest first: id and name."""
        ...

    def has(self, *, client_id: UUID, campaign_id: UUID) -> bool:
        """Tell whether the campaign is the client's, however old, and archived ones too."""
        ...

    def leads_in(self, *, client_id: UUID, campaign_id: UUID) -> Q:
        """Return the condition that keeps the leads of a campaign."""
        ...

    def number_in(self, *, client_id: UUID, campaign_id: UUID, most: int) -> int:
        """Count the leads of a campaign, up to so many."""
        ...

    def enrolled_of(
        self, leads: QuerySet[Lead], *, client_id: UUID, campaign_id: UUID
    ) -> QuerySet[Lead]:
        """Return those of the leads that are in the campaign, each once, with its key once more as `ENROLLED_KEY`: an index has them in its order."""
        ...

    def some_in(self, *, client_id: UUID, campaign_id: UUID, most: int) -> list[UUID]:
        """Return the leads of a campaign, at most so many."""
        ...

    def enrolled(self, *, campaign_id: UUID, lead_ids: Sequence[UUID]) -> set[UUID]:
        """Return those that are in the campaign."""
        ...

    def lacking(self, *, campaign_id: UUID, leads: Sequence[Lead]) -> set[UUID]:
        """Return those that lack something the campaign's script can't be said without."""
        ...

    def enrol(
        self, *, client_id: UUID, campaign_id: UUID, leads: Sequence[Lead], now: datetime
    ) -> int:
        """
        Put leads into the campaign, in blocks of its own; a second time adds none.

        `now` is the clock's instant: a launch takes only who was enrolled before it.
        """
        ...

    def in_use(self, lead_ids: Sequence[UUID]) -> set[UUID]:
        """Return those that were called, or stand in a launch's line."""
        ...

    def standing(self, lead_ids: Sequence[UUID]) -> dict[UUID, str]:
        """Return the status of those whom calls have reached or won over; others have none."""
        ...

    def snapshot(self, lead_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
        """Return what would bring back the waiting enrolments of these leads, in plain JSON values."""
        ...

    def withdraw(self, *, lead_ids: Sequence[UUID], campaign_id: UUID | None) -> set[UUID]:
        """Take leads out of a campaign (or of all) where they only wait; return which were."""
        ...

    def prioritise(self, scores: Mapping[int, Sequence[UUID]]) -> None:
        """
        Give leads that wait in a launch's line the place of their score, inside the caller's transaction.

        `scores` names the leads of each score, at most 200 in all.
        """
        ...

    def relocate(self, *, lead_id: UUID, zones: Sequence[str], now: datetime) -> None:
        """
        Give a lead's waiting enrolments the zones it is in now, inside the caller's transaction.

        Those that wait for calling hours are due at once: the hours there are decided on anew.
        """
        ...

    def forget(self, *, lead: Lead, phone_number: str, now: datetime) -> bool:
        """
        Take a person out of enrolments, attempts and calls, inside the caller's transaction.

        `lead` is as it was before: calls with its numbers that no lead is known of are theirs too.
        `phone_number` stands where the number stood. False, and nothing may stay written, while one
        of the lead's calls is in progress.
        """
        ...

    def restore(
        self, *, lead_id: UUID, enrolments: Sequence[dict[str, Any]], now: datetime
    ) -> None:
        """
        Put a lead back to where a snapshot says, as enrolled `now`; a second time changes nothing.

        A launch or a request that came meanwhile was for those who were there.
        """
        ...


_doors: list[CampaignDoor] = []


def register(door: CampaignDoor) -> None:
    """Make this the door to campaigns; the campaigns room calls it at start-up."""
    _doors[:] = [door]


def campaigns() -> CampaignDoor:
    """Return the registered door."""
    return _doors[0]
