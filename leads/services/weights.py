"""How a client's leads are weighed, as somebody there decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from convomono.lib.jobs import enqueue
from leads.jobs import score_leads
from leads.models import ScoreWeights
from leads.services.scoring import TAG_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from accounts.models import Client
    from audit.services import Actor


@atomic
def change_weights(
    *, client: Client, weights: Mapping[str, int], tag: str, actor: Actor, now: datetime
) -> None:
    """Weigh this client's leads otherwise from now on; a job computes every score anew."""
    ScoreWeights.objects.update_or_create(
        client=client,
        defaults={
            "weights": {**weights, TAG_NAME: tag},
            "changed_by_email": actor.actor_email,
            "changed_at": now,
        },
    )
    record(
        actions.SCORE_WEIGHTS_CHANGED,
        resource=client,
        actor=actor,
        now=now,
        details={**weights, "tag": tag},
    )
    enqueue(score_leads, queue="imports", timeout_seconds=3600, client_id=client.pk)
