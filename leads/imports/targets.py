"""What a campaign wants of an import; campaigns registers itself, leads knows none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID


@dataclass(frozen=True)
class EnrolRow:
    """A lead to enrol: `zones` must all be open for a dial, `dynamic_vars` fill the script."""

    lead_id: UUID
    phone_number: str
    zones: list[str]
    dynamic_vars: dict[str, str] = field(default_factory=dict)


def _fits(_value: str) -> str:
    return ""


@dataclass(frozen=True)
class AskedVariable:
    """
    What a campaign says of one variable of its script.

    `default` is said where nothing fits; one that isn't required may stay empty. `problem` says in a
    sentence why a value doesn't fit; empty if it does.
    """

    default: str = ""
    is_required: bool = True
    problem: Callable[[str], str] = _fits


class ImportTarget(Protocol):
    """
    A campaign as an import sees it.

    `asked` has the variables that the campaign says something of; others are required texts.

    `enrol` takes at most 200 rows and may stand in the caller's transaction: an IntegrityError
    (somebody else was quicker) leaves it then. Otherwise it skips who is enrolled already; it
    returns how many it added. Its `now` is the clock's instant at the commit, not the job's beginning: a
    launch takes only who was enrolled before it. `opens_at` is when somebody of the country and state (empty if nobody knows)
    with all these zones may be called next, None if never.
    """

    @property
    def campaign_id(self) -> UUID: ...
    @property
    def name(self) -> str: ...
    @property
    def variables(self) -> Sequence[str]: ...
    @property
    def asked(self) -> Mapping[str, AskedVariable]: ...
    def already_enrolled(self, lead_ids: Iterable[UUID]) -> set[UUID]: ...
    def active_elsewhere(self, lead_ids: Iterable[UUID]) -> dict[UUID, str]: ...
    def enrol(self, *, rows: Sequence[EnrolRow], now: datetime) -> int: ...
    def opens_at(
        self, *, country: str, state: str, zones: Sequence[str], now: datetime
    ) -> datetime | None: ...


class TargetFactory(Protocol):
    """Returns the client's campaign as a target, or None if the client has no such campaign."""

    def __call__(self, *, client_id: UUID, campaign_id: UUID) -> ImportTarget | None: ...


_factories: list[TargetFactory] = []


def register(factory: TargetFactory) -> None:
    """Make the factory the one that finds targets; the campaigns room calls this at start-up."""
    _factories[:] = [factory]


def find_target(*, client_id: UUID, campaign_id: UUID | None) -> ImportTarget | None:
    """Return what the import is for; None without a campaign, or if it isn't the client's."""
    if campaign_id is None or not _factories:
        return None
    return _factories[0](client_id=client_id, campaign_id=campaign_id)
