"""Calls that were read ahead, and what many events tell of them: few reads, and few writes at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from convomono.lib.bulk import insert_rows, new_row, update_each
from convomono.lib.reading import columns_of, known_rows
from telephony import merging
from telephony.models import Call, CallDetail
from telephony.recordings import order_recordings
from telephony.services.calls import CallMovedOn, order_lookups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from telephony.events import CallChange, CallEvent


@dataclass
class _Entry:
    """One call: as it is with the news so far, and what of that isn't written yet."""

    call: Call
    detail: CallDetail | None = None
    is_detail_stored: bool = False
    columns: dict[str, Any] = field(default_factory=dict)
    large: dict[str, Any] | None = None

    @property
    def is_changed(self) -> bool:
        return bool(self.columns) or self.large is not None

    def undo(self) -> Callable[[], None]:
        """Return what brings the entry back to how it is now."""
        call, columns, large, detail = (
            dict(self.call.__dict__),
            self.columns,
            self.large,
            self.detail,
        )
        known = dict(detail.__dict__) if detail else {}
        self.columns = dict(columns)

        def restore() -> None:
            self.call.__dict__ = call
            self.columns, self.large, self.detail = columns, large, detail
            if detail is not None:
                detail.__dict__ = known

        return restore


def _nothing() -> None:
    """Nothing was told yet."""


class CallBook:
    """
    Some calls as they are stored, brought up to events one after the other.

    It reads outside any transaction. `write` compares each call's revision: who came in between is
    noticed, and the block undone. After a `write` that failed the book is worth nothing.
    """

    def __init__(self, events: Iterable[CallEvent]) -> None:
        events = list(events)
        ids = {event.provider_call_id for event in events}
        calls = known_rows(Call, "provider_call_id", ids, columns_of(Call))
        self._entries = {call.provider_call_id: _Entry(call) for call in calls}
        self._undo: Callable[[], None] = _nothing
        by_pk = {entry.call.pk: entry for entry in self._entries.values()}
        large = {event.provider_call_id for event in events if event.kind != "started"}
        of = [entry.call.pk for name, entry in self._entries.items() if name in large]
        for detail in known_rows(CallDetail, "call_id", of, merging.KNOWN_DETAIL):
            by_pk[detail.call_id].detail = detail
            by_pk[detail.call_id].is_detail_stored = True

    def calls(self) -> list[Call]:
        """Return the calls of these events that are known."""
        return [entry.call for entry in self._entries.values()]

    def tell(self, event: CallEvent, *, now: datetime) -> CallChange | None:
        """Bring a call up to an event, in memory; None if it isn't known here."""
        entry = self._entries.get(event.provider_call_id)
        if entry is None:
            return None
        self._undo = entry.undo()
        merged = merging.merge(entry.call, entry.detail, event, now=now)
        entry.columns |= merged.columns
        if merged.detail is not None:
            entry.large = {**(entry.large or {}), **merged.detail}
            if entry.detail is None:
                entry.detail = new_row(CallDetail, call_id=entry.call.pk)
            entry.detail.__dict__.update(merged.detail)
        return merged.change

    def take_back(self) -> None:
        """Forget the event told last: somebody has to apply it by itself."""
        self._undo()
        self._undo = _nothing

    def settle(
        self,
        provider_call_id: str,
        *,
        billed_seconds: int,
        client_cost_micros: int,
        counted: Mapping[str, Any],
    ) -> None:
        """Note what the call came to in the rooms above, as `record_settlement` does."""
        entry = self._entries[provider_call_id]
        columns = {
            "billed_seconds": billed_seconds,
            "client_cost_micros": client_cost_micros,
            "counted": dict(counted),
        }
        entry.columns |= columns
        for name, value in columns.items():
            setattr(entry.call, name, value)

    def write(self, *, now: datetime) -> None:
        """
        Write what was told, inside the caller's transaction; it may run again after a conflict.

        :raises CallMovedOn: if somebody else changed one of the calls meanwhile
        :raises IntegrityError: if somebody else wrote its first large parts
        """
        changed = [entry for entry in self._entries.values() if entry.is_changed]
        written = update_each(Call, (_compared(entry) for entry in changed))
        if written != len(changed):
            raise CallMovedOn(f"{len(changed) - written} of {len(changed)}")
        large = [entry for entry in changed if entry.large is not None]
        insert_rows([entry.detail for entry in large if not entry.is_detail_stored])  # type: ignore[misc]  # `tell` made it
        known = [entry for entry in large if entry.is_detail_stored]
        update_each(CallDetail, (({"call_id": e.call.pk}, e.large or {}) for e in known))
        looked_up = [e.call for e in large if e.large and e.large.get("knowledge_url")]
        if looked_up:
            order_lookups(looked_up, now=now)
        heard = [e.call for e in large if e.large and e.large.get("recording_url")]
        order_recordings(heard, now=now)

    def written(self) -> None:
        """Take it that the transaction of `write` was committed."""
        for entry in self._entries.values():
            if entry.is_changed:
                entry.call.revision += 1
                entry.is_detail_stored = entry.is_detail_stored or entry.large is not None
                entry.columns, entry.large = {}, None


def _compared(entry: _Entry) -> tuple[dict[str, UUID | int], dict[str, Any]]:
    revision = entry.call.revision
    same: dict[str, UUID | int] = {"id": entry.call.pk, "revision": revision}
    return same, {**entry.columns, "revision": revision + 1}
