"""Campaigns as the list of leads sees them (`leads.doors.CampaignDoor`)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q

from campaigns import script
from campaigns.enrolments import move_enrolment
from campaigns.models import (
    Attempt,
    Campaign,
    Enrolment,
    FollowUp,
    PersonPace,
    TrialCall,
)
from campaigns.services.enrolment import find_target
from campaigns.services.follow_ups import forget_follow_ups
from campaigns.services.variables import variable_rules
from campaigns.services.waking import wake_lead
from campaigns.variables import problems
from convomono.lib.db import on_commit
from convomono.lib.keys import beside
from convomono.lib.redis import ring
from leads.doors import ENROLLED_KEY
from leads.imports.targets import EnrolRow
from leads.models import Lead
from telephony.services import forget_calls, is_expecting_news

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

Status = Enrolment.Status
_MAY_RING = (TrialCall.Status.QUEUED, TrialCall.Status.DIALLING, TrialCall.Status.UNKNOWN)
_KEPT = ("phone_number", "zones", "dynamic_vars", "priority")

# What an ended line says of its lead; of several lines the one with the highest number speaks.
_STANDING = {
    Status.INVALID.value: (0, Lead.Status.INVALID.value),
    Status.EXHAUSTED.value: (1, Lead.Status.EXHAUSTED.value),
    Status.DONE.value: (2, Lead.Status.REACHED.value),
}


class LeadDoor:
    """Answers for the enrolments of leads."""

    def choices(self, client_id: UUID) -> list[tuple[str, str]]:
        rows = Campaign.objects.filter(client_id=client_id).exclude(status=Campaign.Status.ARCHIVED)
        newest = rows.order_by("-created_at", "-pk").values_list("pk", "name")[:200]
        return [(str(pk), name) for pk, name in newest]

    def has(self, *, client_id: UUID, campaign_id: UUID) -> bool:
        return Campaign.objects.filter(beside(client_id=client_id), pk=campaign_id).exists()

    def leads_in(self, *, client_id: UUID, campaign_id: UUID) -> Q:
        rows = Enrolment.objects.filter(client_id=client_id, campaign_id=campaign_id)
        return Q(Exists(rows.filter(lead_id=OuterRef("pk"))))

    def number_in(self, *, client_id: UUID, campaign_id: UUID, most: int) -> int:
        rows = Enrolment.objects.filter(client_id=client_id, campaign_id=campaign_id)
        return rows.order_by()[:most].count()

    def enrolled_of(
        self, leads: QuerySet[Lead], *, client_id: UUID, campaign_id: UUID
    ) -> QuerySet[Lead]:
        mine = {"enrolments__client_id": client_id, "enrolments__campaign_id": campaign_id}
        return leads.filter(**mine).alias(**{ENROLLED_KEY: F("enrolments__lead_id")})

    def some_in(self, *, client_id: UUID, campaign_id: UUID, most: int) -> list[UUID]:
        rows = Enrolment.objects.filter(client_id=client_id, campaign_id=campaign_id)
        return list(rows.values_list("lead_id", flat=True)[:most])

    def enrolled(self, *, campaign_id: UUID, lead_ids: Sequence[UUID]) -> set[UUID]:
        rows = Enrolment.objects.filter(campaign_id=campaign_id, lead_id__in=lead_ids)
        return set(rows.values_list("lead_id", flat=True))

    def lacking(self, *, campaign_id: UUID, leads: Sequence[Lead]) -> set[UUID]:
        rules = variable_rules(campaign_id)
        return {lead.pk for lead in leads if problems(rules, script.lead_values(lead))}

    def enrol(
        self, *, client_id: UUID, campaign_id: UUID, leads: Sequence[Lead], now: datetime
    ) -> int:
        target = find_target(client_id=client_id, campaign_id=campaign_id)
        if target is None or not leads:
            return 0
        rows = [
            EnrolRow(
                lead_id=lead.pk,
                phone_number=lead.phone_number,
                zones=lead.zones,
            )
            for lead in leads
        ]
        return target.enrol(rows=rows, now=now)

    def in_use(self, lead_ids: Sequence[UUID]) -> set[UUID]:
        promised = set(
            FollowUp.objects.filter(lead_id__in=lead_ids).values_list("lead_id", flat=True)
        )
        used = Enrolment.objects.filter(lead_id__in=lead_ids).exclude(
            batch_call=None, attempt_number=0, status=Enrolment.Status.QUEUED
        )
        return promised | set(used.values_list("lead_id", flat=True))

    def standing(self, lead_ids: Sequence[UUID]) -> dict[UUID, str]:
        rows = Enrolment.objects.filter(lead_id__in=lead_ids)
        ended = rows.filter(status__in=_STANDING).values_list("lead_id", "status")
        weakest_first = sorted(ended, key=lambda pair: _STANDING[pair[1]][0])
        won = rows.filter(is_converted=True).values_list("lead_id", flat=True)
        return {
            **{lead_id: _STANDING[status][1] for lead_id, status in weakest_first},
            **dict.fromkeys(won, Lead.Status.CONVERTED.value),
        }

    def snapshot(self, lead_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
        found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        for row in _waiting(lead_ids):
            found[row.lead_id].append(
                {
                    "campaign_id": str(row.campaign_id),
                    **{name: getattr(row, name) for name in _KEPT},
                }
            )
        return found

    def withdraw(self, *, lead_ids: Sequence[UUID], campaign_id: UUID | None) -> set[UUID]:
        rows = _waiting(lead_ids)
        if campaign_id is not None:
            rows = rows.filter(campaign_id=campaign_id)
        keys = dict(rows.values_list("pk", "lead_id"))
        # The guards again: a launch may have taken some meanwhile. In one statement: nothing points at
        # whoever was never tried, and an undo of a million leads comes by here.
        free = Enrolment.objects.filter(
            beside(batch_call_id=None, attempt_number=0, status=Enrolment.Status.QUEUED),
            pk__in=keys,
        )
        if keys and free._raw_delete(free.db) == len(keys):  # noqa: SLF001  # see above
            return set(keys.values())
        left = set(Enrolment.objects.filter(pk__in=keys).values_list("pk", flat=True))
        return {lead_id for key, lead_id in keys.items() if key not in left}

    def prioritise(self, scores: Mapping[int, Sequence[UUID]]) -> None:
        for score, lead_ids in scores.items():
            Enrolment.objects.filter(beside(status=Status.QUEUED), lead_id__in=lead_ids).update(
                priority=score
            )

    def relocate(self, *, lead_id: UUID, zones: Sequence[str], now: datetime) -> None:
        Enrolment.objects.filter(lead_id=lead_id, status=Status.QUEUED).update(zones=list(zones))
        if wake_lead(lead_id=lead_id, now=now):
            on_commit(lambda: ring("dispatcher"))

    def forget(self, *, lead: Lead, phone_number: str, now: datetime) -> bool:
        lead_id, numbers = lead.pk, (lead.phone_number, *lead.other_numbers)
        enrolments = Enrolment.objects.filter(lead_id=lead_id)
        talking = enrolments.filter(status__in=(Status.DIALLING, Status.IN_CALL)).exists()
        # A test call knows no lead: it is theirs by the number.
        trials = TrialCall.objects.filter(client_id=lead.client_id, phone_number__in=numbers)
        talking = talking or trials.filter(status__in=_MAY_RING).exists()
        if talking or is_expecting_news(
            client_id=lead.client_id, lead_id=lead_id, numbers=numbers, now=now
        ):
            return False
        for key in list(enrolments.filter(status=Status.QUEUED).values_list("pk", flat=True)):
            move_enrolment(
                enrolment_id=key,
                from_statuses=(Status.QUEUED,),
                to_status=Status.SUPPRESSED,
                now=now,
            )
        attempts = Attempt.objects.filter(lead_id=lead_id)
        dialled = {
            *enrolments.values_list("phone_number", flat=True),
            *attempts.values_list("phone_number", flat=True),
            *trials.values_list("phone_number", flat=True),
        }
        # Whether they may be dialled is no question any more: the hash on the list says no.
        PersonPace.objects.filter(phone_number__in=dialled).delete()
        enrolments.update(phone_number=phone_number, dynamic_vars={}, zones=[], decision={})
        # A refusal of Retell's may name the number.
        attempts.update(phone_number=phone_number, request={}, decision={}, error="")
        trials.update(phone_number=phone_number, request={}, decision={}, error="")
        forget_follow_ups(lead_id=lead_id)
        forget_calls(
            client_id=lead.client_id,
            lead_id=lead_id,
            numbers=numbers,
            phone_number=phone_number,
            now=now,
        )
        return True

    def restore(
        self, *, lead_id: UUID, enrolments: Sequence[dict[str, Any]], now: datetime
    ) -> None:
        for kept in enrolments:
            campaign = Campaign.objects.filter(pk=UUID(kept["campaign_id"])).first()
            rows = Enrolment.objects.filter(campaign_id=kept["campaign_id"], lead_id=lead_id)
            if campaign is None or rows.exists():
                continue
            Enrolment.objects.create(
                client_id=campaign.client_id,
                campaign=campaign,
                lead_id=lead_id,
                next_attempt_at=now,
                created_at=now,
                **{name: kept[name] for name in _KEPT},
            )


def _waiting(lead_ids: Sequence[UUID]) -> Any:
    return Enrolment.objects.filter(
        beside(batch_call_id=None, attempt_number=0, status=Enrolment.Status.QUEUED),
        lead_id__in=lead_ids,
    )
