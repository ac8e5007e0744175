"""What each version of a campaign brought, over its latest calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from campaigns.models import Attempt, CampaignVersion
from telephony.corrections import as_corrected
from telephony.models import Call

if TYPE_CHECKING:
    from uuid import UUID

MOST_CALLS = 5_000
MOST_VERSIONS = 50


@dataclass
class VersionFigures:
    """Dials of one version and what came of them; talk in milliseconds, the charge in micros."""

    version: CampaignVersion
    dials: int = 0
    humans: int = 0
    goals: int = 0
    talk_ms: int = 0
    client_cost_micros: int = 0
    talk_seconds: int = field(init=False, default=0)

    def add(self, call: tuple[str, str, bool | None, int | None, int]) -> None:
        """Count one call that was placed."""
        outcome_class, correction, is_successful, duration_ms, cost = call
        outcome, reached_goal = as_corrected(outcome_class, is_successful, correction)
        self.dials += 1
        self.humans += outcome == Call.OutcomeClass.HUMAN
        self.goals += outcome == Call.OutcomeClass.HUMAN and reached_goal
        self.talk_ms += duration_ms or 0
        self.talk_seconds = self.talk_ms // 1000
        self.client_cost_micros += cost


def version_figures(*, client_id: UUID, campaign_id: UUID) -> list[VersionFigures]:
    """
    Return the versions that spoke in the campaign's last 5,000 calls, the newest first.

    Three queries; tests and calls that were never placed aren't counted. A call's attempt names its
    version: two versions that say the same share the agent's version at Retell.
    """
    versions = CampaignVersion.objects.filter(client_id=client_id, campaign_id=campaign_id)
    rows = {
        one.pk: VersionFigures(one)
        for one in versions.defer("script_raw").order_by("-number")[:MOST_VERSIONS]
    }
    spoken = {
        (one.version.provider_agent_id, one.version.provider_agent_version): key
        for key, one in rows.items()
    }
    calls = Call.objects.filter(client_id=client_id, campaign_id=campaign_id)
    found = calls.order_by("-created_at", "-pk").values_list(
        "attempt_id",
        "agent_id",
        "agent_version",
        "is_test",
        "outcome_class",
        "corrected_outcome",
        "is_successful",
        "duration_ms",
        "client_cost_micros",
    )[:MOST_CALLS]
    told = list(found)
    tried = Attempt.objects.filter(pk__in=[call[0] for call in told if call[0]])
    named = dict(tried.values_list("pk", "version_id"))
    for attempt_id, agent_id, number, is_test, outcome, correction, goal, duration_ms, cost in told:
        key = named.get(attempt_id) if attempt_id else None
        if key is None and number is not None:
            key = spoken.get((agent_id, number))
        row = rows.get(key) if key is not None else None
        if row is not None and not is_test and outcome not in ("", Call.OutcomeClass.NOT_PLACED):
            row.add((outcome, correction, goal, duration_ms, cost))
    return [row for row in rows.values() if row.dials]
