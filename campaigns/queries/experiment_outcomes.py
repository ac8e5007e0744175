"""What became of the leads of an experiment, by the arm that each one heard."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Q, Sum

from campaigns.experiments import Outcome, arm_of
from campaigns.models import BatchCall, Enrolment
from telephony.models import Call

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from campaigns.models import Experiment

# A call's analysis may say later that it was a conversion: younger ends aren't counted yet.
SETTLED = timedelta(minutes=10)


def outcomes(experiment: Experiment, now: datetime) -> list[Outcome]:
    """
    Return what became of the leads reached since the beginning, in the order they were done.

    Of launches that draw both arms alone: whoever is in another one hears nothing but the control.
    """
    launches = _drawing(experiment)
    # Whoever asked on a call not to be called again was reached too, and isn't `done` but suppressed.
    rows = Enrolment.objects.filter(
        Q(status=Enrolment.Status.DONE) | Q(status=Enrolment.Status.SUPPRESSED, has_opted_out=True),
        client_id=experiment.client_id,
        batch_call_id__in=launches,
        was_reached=True,
        last_attempted_at__gte=experiment.started_at,
        completed_at__lte=now - SETTLED,
    ).order_by("completed_at", "pk")
    talked = _talked(experiment, launches)
    return [
        Outcome(
            arm=arm_of(experiment_id=experiment.pk, lead_id=lead_id),
            is_converted=converted,
            has_opted_out=opted_out,
            talk_seconds=talked.get(lead_id, 0),
        )
        for lead_id, converted, opted_out in rows.values_list(
            "lead_id", "is_converted", "has_opted_out"
        )
    ]


def _drawing(experiment: Experiment) -> list[UUID]:
    rows = BatchCall.objects.filter(
        client_id=experiment.client_id,
        campaign_id=experiment.campaign_id,
        experiment_id=experiment.pk,
    )
    return list(rows.values_list("pk", flat=True))


def _talked(experiment: Experiment, launches: list[UUID]) -> dict[UUID, int]:
    """Return what each lead's calls since the beginning are billed for, in seconds. One query."""
    calls = Call.objects.filter(
        client_id=experiment.client_id,
        batch_call_id__in=launches,
        created_at__gte=experiment.started_at,
        lead_id__isnull=False,
    )
    rows = calls.order_by().values_list("lead_id").annotate(seconds=Sum("billed_seconds"))
    return {lead_id: seconds or 0 for lead_id, seconds in rows}
