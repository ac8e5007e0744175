"""Putting leads into a campaign: from an import, or one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from campaigns import script
from campaigns.models import Campaign, Enrolment
from convomono.lib.db import IntegrityError, insert_once, run_atomic
from leads.imports.targets import EnrolRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from leads.models import Lead

_CHUNK = 500  # below SQLite's limit of parameters


@dataclass(frozen=True)
class CampaignTarget:
    """A campaign as an import sees it (`leads.imports.targets.ImportTarget`)."""

    client_id: UUID
    campaign_id: UUID
    name: str
    variables: tuple[str, ...]

    def already_enrolled(self, phone_numbers: Iterable[str]) -> set[str]:
        """Return those of the numbers that are in the campaign."""
        numbers = list(dict.fromkeys(phone_numbers))
        found: set[str] = set()
        for start in range(0, len(numbers), _CHUNK):
            rows = Enrolment.objects.filter(
                client_id=self.client_id,
                campaign_id=self.campaign_id,
                phone_number__in=numbers[start : start + _CHUNK],
            )
            found.update(rows.values_list("phone_number", flat=True))
        return found

    def enrol(self, *, rows: Sequence[EnrolRow], now: datetime) -> int:
        """
        Enrol leads, at most 200 at once; those enrolled before are skipped. Return how many are new.

        They wait for the next launch: a running one keeps the leads it was started with.
        """
        known = set(
            Enrolment.objects.filter(
                campaign_id=self.campaign_id, lead_id__in=[row.lead_id for row in rows]
            ).values_list("lead_id", flat=True)
        )
        fresh = {row.lead_id: row for row in rows if row.lead_id not in known}
        enrolments = [self._enrolment(row, now) for row in fresh.values()]
        try:
            run_atomic(lambda: Enrolment.objects.bulk_create(enrolments))
        except IntegrityError:  # another import was quicker with some of them
            again = (self._enrolment(row, now) for row in fresh.values())
            return sum(insert_once(row, "campaign_id", "lead_id") for row in again)
        return len(enrolments)

    def _enrolment(self, row: EnrolRow, now: datetime) -> Enrolment:
        return Enrolment(
            client_id=self.client_id,
            campaign_id=self.campaign_id,
            lead_id=row.lead_id,
            phone_number=row.phone_number,
            zones=row.zones,
            dynamic_vars=row.dynamic_vars,
            next_attempt_at=now,
            created_at=now,
        )


def find_target(*, client_id: UUID, campaign_id: UUID) -> CampaignTarget | None:
    """Return the client's campaign as a target for imports; None if it has no such, or archived it."""
    campaign = (
        Campaign.objects.filter(client_id=client_id, pk=campaign_id)
        .exclude(status=Campaign.Status.ARCHIVED)
        .first()
    )
    return None if campaign is None else target_of(campaign)


def target_of(campaign: Campaign) -> CampaignTarget:
    """Return the campaign as a target for imports."""
    names = script.own_variables(campaign.opening_line, campaign.script_raw)
    return CampaignTarget(
        client_id=campaign.client_id,
        campaign_id=campaign.pk,
        name=campaign.name,
        variables=tuple(names),
    )


def enrol_lead(
    *, campaign: Campaign, lead: Lead, dynamic_vars: dict[str, str], now: datetime
) -> bool:
    """Put one lead of the same client into the campaign; False if it is in there already."""
    row = EnrolRow(
        lead_id=lead.pk,
        phone_number=lead.phone_number,
        zones=lead.zones,
        dynamic_vars={**script.lead_values(lead), **dynamic_vars},
    )
    return target_of(campaign).enrol(rows=[row], now=now) == 1
