"""Putting leads into a campaign: from an import, or one by one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING

from campaigns import script
from campaigns.calling_rules import country_zones
from campaigns.calling_rules.places import Place
from campaigns.dialling.candidates import rules_in
from campaigns.dialling.windows import Hours, next_opening
from campaigns.models import CallingWindow, Campaign, Enrolment
from campaigns.services.limits import client_limits
from campaigns.services.variables import variable_rules
from campaigns.variables import PROBLEMS, VariableRule, value_problem
from convomono.lib.bulk import insert_rows, new_row
from convomono.lib.db import IntegrityError, in_transaction, insert_once, run_atomic
from convomono.lib.keys import beside
from leads.imports.targets import AskedVariable, EnrolRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from leads.models import Lead

Status = Enrolment.Status
_CHUNK = 500  # below SQLite's limit of parameters


@dataclass(frozen=True)
class CampaignTarget:
    """A campaign as an import sees it (`leads.imports.targets.ImportTarget`)."""

    client_id: UUID
    campaign_id: UUID
    name: str
    variables: tuple[str, ...]
    rules: tuple[VariableRule, ...] = ()

    @property
    def asked(self) -> dict[str, AskedVariable]:
        """Return what the client said of the script's variables."""
        return {
            rule.name: AskedVariable(rule.default, rule.is_required, partial(_problem, rule))
            for rule in self.rules
        }

    def already_enrolled(self, lead_ids: Iterable[UUID]) -> set[UUID]:
        """Return those of the leads that are in the campaign."""
        return {pk for some in batched(lead_ids, _CHUNK) for pk in self._enrolled(some)}

    def _enrolled(self, lead_ids: Sequence[UUID]) -> Iterable[UUID]:
        rows = Enrolment.objects.filter(campaign_id=self.campaign_id, lead_id__in=lead_ids)
        return rows.values_list("lead_id", flat=True)

    def active_elsewhere(self, lead_ids: Iterable[UUID]) -> dict[UUID, str]:
        """Return those of the leads that wait or are called in another campaign, with its name."""
        found: dict[UUID, str] = {}
        for some in batched(lead_ids, _CHUNK):
            rows = Enrolment.objects.filter(
                beside(
                    client_id=self.client_id,
                    status__in=[Status.QUEUED, Status.DIALLING, Status.IN_CALL],
                ),
                lead_id__in=some,
            ).exclude(campaign_id=self.campaign_id)
            found.update(rows.values_list("lead_id", "campaign__name"))
        return found

    def enrol(self, *, rows: Sequence[EnrolRow], now: datetime) -> int:
        """
        Enrol leads, at most 200 at once; those enrolled before are skipped. Return how many are new.

        They wait for the next launch: a running one keeps the leads it was started with.

        :raises IntegrityError: inside the caller's transaction, if another import was quicker
        """
        known = self.already_enrolled([row.lead_id for row in rows])
        fresh = {row.lead_id: row for row in rows if row.lead_id not in known}
        enrolments = [self._enrolment(row, now) for row in fresh.values()]
        if in_transaction():
            insert_rows(enrolments)
            return len(enrolments)
        try:
            run_atomic(lambda: insert_rows(enrolments))
        except IntegrityError:  # another import was quicker with some of them
            again = (self._enrolment(row, now) for row in fresh.values())
            return sum(insert_once(row, "campaign_id", "lead_id") for row in again)
        return len(enrolments)

    def opens_at(
        self, *, country: str, state: str, zones: Sequence[str], now: datetime
    ) -> datetime | None:
        """Return when somebody there may be called next; None if the hours never meet."""
        window = CallingWindow.objects.filter(campaign_id=self.campaign_id).first()
        places = tuple(zones) or country_zones(country)
        if window is None or not places:
            return None
        where = Place(country, (state,) if state else ())
        limits = client_limits(self.client_id)
        rules = rules_in(where, zones=places, limits=limits, now=now)
        hours = Hours(frozenset(window.weekdays), window.opens_minute, window.closes_minute)
        return next_opening(hours=hours.within(rules), zones=places, after=now)

    def _enrolment(self, row: EnrolRow, now: datetime) -> Enrolment:
        return new_row(
            Enrolment,
            client_id=self.client_id,
            campaign_id=self.campaign_id,
            lead_id=row.lead_id,
            phone_number=row.phone_number,
            zones=row.zones,
            dynamic_vars=row.dynamic_vars,
            next_attempt_at=now,
            created_at=now,
        )


def _problem(rule: VariableRule, value: str) -> str:
    code = value_problem(rule, value)
    return str(PROBLEMS[code]) if code else ""


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
    names = script.own_variables(*script.spoken(campaign))
    return CampaignTarget(
        client_id=campaign.client_id,
        campaign_id=campaign.pk,
        name=campaign.name,
        variables=tuple(names),
        rules=tuple(variable_rules(campaign.pk)),
    )


def enrol_lead(
    *, campaign: Campaign, lead: Lead, dynamic_vars: dict[str, str], now: datetime
) -> bool:
    """
    Put one lead of the same client into the campaign; False if it is in there already.

    `dynamic_vars` are what the campaign was given beside the lead's own fields, and are kept as they came.
    """
    row = EnrolRow(
        lead_id=lead.pk,
        phone_number=lead.phone_number,
        zones=lead.zones,
        dynamic_vars={name: value for name, value in dynamic_vars.items() if value},
    )
    return target_of(campaign).enrol(rows=[row], now=now) == 1
