"""What events determine about a call, as plain values under natural keys: to compare, and to hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from campaigns.models import Attempt
from reporting.models import DailyStat
from telephony.models import Call, CallDetail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import Model

type Picture = dict[str, dict[str, Any]]
type Rows = tuple[Call | None, CallDetail | None, Attempt | None]

# Whom a row belongs to, and its own key; when *we* heard of it or asked; the version of the rules in
# force, and how many times it was written; what people did.
_LEFT_OUT: Final = {
    "id", "call", "call_id", "created_at", "analyzed_at", "outcome_rules_version", "revision",
    "swept_at", "end_requested_at", "corrected_outcome", "corrected_by_email", "corrected_at",
}  # fmt: skip
_OF_ATTEMPT: Final = ("status", "outcome_class", "disconnection_reason", "provider_call_id")
_SHOWN: Final = 200
# Whom somebody talked with and what was said: compared, and told apart by length and hash alone.
_PRIVATE: Final = frozenset(
    {"call.from_number", "call.to_number", "call.transfer_destination", "call.last_line"}
)


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One value that is stored otherwise than events tell it; texts are cut.

    Of numbers and of what was said only the length and the beginning of a hash are told: people
    compare who may not read the call, and what they compared is kept.
    """

    call: str
    column: str
    stored: str
    rebuilt: str


def call_picture(provider_call_id: str) -> Picture:
    """Return what is stored of a call: the call, its large parts, its attempt. Three queries."""
    return picture_of(*rows_of(provider_call_id))


def rows_of(provider_call_id: str) -> Rows:
    """Read the rows that a picture shows; three queries."""
    call = Call.objects.filter(provider_call_id=provider_call_id).first()
    if call is None:
        return None, None, None
    detail = CallDetail.objects.filter(call=call).first()
    attempt = None
    if call.attempt_id is not None:
        attempt = Attempt.objects.filter(pk=call.attempt_id).first()
    return call, detail, attempt


def picture_of(call: Call | None, detail: CallDetail | None, attempt: Attempt | None) -> Picture:
    """Return the picture of these rows, stored or not; of no call an empty one."""
    if call is None:
        return {}
    picture: Picture = {"call": _columns(call), "detail": _columns(detail) if detail else {}}
    if call.attempt_id is None:
        return picture
    told = {name: getattr(attempt, name) for name in _OF_ATTEMPT} if attempt else {}
    return {**picture, "attempt": told}


def day_pictures() -> Iterator[tuple[str, Picture]]:
    """Yield the counters of each day under client, campaign and day, in that order."""
    rows = DailyStat.objects.order_by("client_id", "campaign_id", "day")
    for row in rows.iterator(chunk_size=200):
        columns = _columns(row)
        if any(value for name, value in columns.items() if name.endswith(("_count", "_ms"))):
            yield f"{row.client_id}/{row.campaign_id}/{row.day}", {"day": columns}


def differences(key: str, stored: Picture, rebuilt: Picture) -> Iterator[Difference]:
    """Name each column in which two pictures differ."""
    for table in sorted({*stored, *rebuilt}):
        one, other = stored.get(table, {}), rebuilt.get(table, {})
        for column in sorted({*one, *other}):
            if _plain(one.get(column)) != _plain(other.get(column)):
                name = f"{table}.{column}"
                shown = _outline if table == "detail" or name in _PRIVATE else _text
                yield Difference(key, name, shown(one.get(column)), shown(other.get(column)))


class Digest:
    """A hash over pictures under their keys, in the order they are added."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, key: str, picture: Picture) -> None:
        self._hash.update(_plain([key, picture]) + b"\n")

    def hex(self) -> str:
        """Return it."""
        return self._hash.hexdigest()


def _columns(row: Model) -> dict[str, Any]:
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.name not in _LEFT_OUT
    }


def _plain(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def _text(value: Any) -> str:
    return "–" if value in (None, "") else _plain(value).decode()[:_SHOWN].strip('"')


def _outline(value: Any) -> str:
    if value in (None, "", [], {}):
        return "–"
    plain = _plain(value)
    return f"{len(plain)} bytes, #{hashlib.sha256(plain).hexdigest()[:8]}"
