"""A variant that drives people to opt out, counted from the calls themselves, is stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from campaigns.experiments import arm_of
from campaigns.models import BatchCall, CampaignVersion, Enrolment, Experiment
from campaigns.queries.experiment_outcomes import outcomes
from campaigns.services import experimenting
from convomono.lib.ids import uuid7
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def experiment_on(batch_call: BatchCall, rig: Rig) -> Experiment:
    """Begin an experiment with a variant that is as good as published."""
    control = batch_call.version
    same = {one.attname: getattr(control, one.attname) for one in control._meta.concrete_fields}
    changed = {"id": uuid7(), "number": control.number + 1}
    variant = CampaignVersion.objects.create(**{**same, **changed})
    row = Experiment.objects.create(
        client_id=batch_call.client_id,
        campaign=batch_call.campaign,
        part="opening_line",
        status="running",
        live_key=str(batch_call.campaign_id),
        control=control,
        variant=variant,
        changes={"opening_line": "An AI calls."},
        created_by_email=TESTS.actor_email,
        created_at=rig.now,
        started_at=rig.now,
    )
    BatchCall.objects.filter(pk=batch_call.pk).update(variant=variant, experiment_id=row.pk)
    return row


def test_stops_a_variant_after_which_people_ask_not_to_be_called_again(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=80, reserve=60_000)
    experiment = experiment_on(batch_call, rig)
    rig.retell.limit = 100
    for _ in range(4):
        rig.step()
    arms = {"control": 0, "variant": 0}
    for attempt in rig.ringing():
        arm = arm_of(experiment_id=experiment.pk, lead_id=attempt.lead_id)
        arms[arm] += 1
        rig.end(attempt, "user_requested_dnc" if arm == "variant" else "user_hangup")
    rig.tick(3600)

    found = experimenting.judge_experiment(experiment=experiment, now=rig.now)

    experiment.refresh_from_db()
    assert (found.control.reached, found.variant.reached) == (arms["control"], arms["variant"])
    assert (found.control.opted_out, found.variant.opted_out) == (0, arms["variant"])
    assert (found.harm, experiment.status) == ("opt_out", "harmful")
    assert BatchCall.objects.get().variant is None


def test_counts_nobody_whom_a_list_suppressed_without_a_call(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=2)
    experiment = experiment_on(batch_call, rig)
    at = rig.now + timedelta(minutes=1)
    rows = Enrolment.objects.filter(batch_call=batch_call)
    rows.update(status="suppressed", completed_at=at, last_attempted_at=at)
    later = rig.now + timedelta(hours=1)

    assert outcomes(experiment, later) == []


def test_counts_nobody_whose_launch_draws_no_arms(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    """A launch that two people agreed to goes on with what they heard: all of it is the control."""
    batch_call = ready(leads=6)
    experiment = experiment_on(batch_call, rig)
    BatchCall.objects.update(variant=None, experiment_id=None)
    rig.step()
    for attempt in rig.ringing():
        rig.end(attempt, "user_hangup")
    rig.tick(3600)
    assert Enrolment.objects.filter(was_reached=True).exists()

    assert outcomes(experiment, rig.now) == []

    BatchCall.objects.update(variant=experiment.variant, experiment_id=experiment.pk)
    assert outcomes(experiment, rig.now)
