"""News of a call as values: what Retell said, and what it changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from telephony.rules import Outcome

# The statuses of Retell's in which a call goes on no more.
OVER: Final = ("ended", "not_connected", "error")
# "swept" is a call that we fetched because its news never came: Retell has nothing to add to it.
# "transfer" tells of the transfer and of nothing else: how the call stands is left to the others.
EventKind = Literal["started", "ended", "analyzed", "swept", "transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetails:
    """
    The large parts of an event, and those that a later event may replace.

    What is empty was not in the event. `happenings` is what was done between the lines, as
    `CallDetail` keeps it; `knowledge_url` is where Retell lists what was looked up. `analysis` is Retell's call_analysis as it came; costs are
    micros of a dollar.
    """

    transcript: str = ""
    transcript_object: list[Any] = field(default_factory=list)
    happenings: list[Any] = field(default_factory=list)
    analysis: Mapping[str, Any] = field(default_factory=dict)
    call_cost: Mapping[str, Any] = field(default_factory=dict)
    retell_cost_micros: int | None = None
    latency: Mapping[str, Any] = field(default_factory=dict)
    dynamic_variables: Mapping[str, str] = field(default_factory=dict)
    recording_url: str = ""
    knowledge_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """
    One event of the voice platform, read leniently: nearly everything may be missing.

    `event_ms` is Retell's clock, 0 if it didn't say. `attempt_id` is ours, from the metadata that
    we sent with the call. `transfer_status` and `transfer_destination` are those of a transfer's event, empty in
    every other.
    """

    kind: EventKind
    provider_call_id: str
    event_ms: int = 0
    call_type: str = "phone_call"
    call_status: str = ""
    direction: str = "outbound"
    agent_id: str = ""
    agent_version: int | None = None
    from_number: str = ""
    to_number: str = ""
    disconnection_reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_ms: int | None = None
    user_spoke: bool = False
    attempt_id: UUID | None = None
    transfer_status: str = ""
    transfer_destination: str = ""
    details: CallDetails = field(default_factory=CallDetails)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """
    A call at one moment.

    `outcome_class` is empty until the call is settled: over, with its reason and its duration.
    `from_number` is empty until an event says who called.
    """

    status: str
    outcome_class: str
    disconnection_reason: str
    duration_ms: int | None
    user_spoke: bool
    in_voicemail: bool | None
    is_successful: bool | None
    retell_cost_micros: int
    billed_seconds: int
    client_cost_micros: int
    from_number: str = ""
    corrected_outcome: str = ""  # by a person: no event changes it
    is_test: bool = False

    @property
    def is_over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class CallChange:
    """
    What one event did to one call; `before` equals `after` when it did nothing.

    Whoever counts moves from `before` to `after` and so counts once, however often an event comes.
    `outcome` belongs to `after` and is None until the call is settled. `analysis_data` is what the
    agent was asked to find out (empty until it is known). `contradiction` says in words where the event
    tells a fact otherwise than the one before, which holds. `counted` is what the call has added to
    reporting's counters before.
    """

    kind: EventKind
    call_id: UUID
    provider_call_id: str
    client_id: UUID
    campaign_id: UUID | None
    batch_call_id: UUID | None
    enrolment_id: UUID | None
    attempt_id: UUID | None
    lead_id: UUID | None
    call_type: str
    direction: str
    from_number: str
    to_number: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    before: CallState
    after: CallState
    outcome: Outcome | None
    analysis_data: Mapping[str, Any] = field(default_factory=dict)
    contradiction: str = ""
    counted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return self.outcome is not None

    def charged(self, *, billed_seconds: int, client_cost_micros: int) -> CallChange:
        """Return the same change with what the client pays for the call."""
        after = replace(
            self.after, billed_seconds=billed_seconds, client_cost_micros=client_cost_micros
        )
        return replace(self, after=after)
