"""Numbers as the agency's pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from telephony.models import NumberDay, NumberOrder, PhoneNumber
from telephony.number_health import cap_on
from telephony.services.twilio_orders import may_give_up

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.db.models import QuerySet
    from django.utils.functional import _StrPromise

STATES: dict[str, _StrPromise] = {
    "active": _("Lent"),
    "ready": _("In stock"),
    "resting": _("Resting"),
    "archived": _("Released"),
}
ORDERS_SHOWN = 5
DAYS_SHOWN = 28


@dataclass(frozen=True)
class NumberRow:
    """A number with what it does today; `state` is a word of STATES."""

    number: PhoneNumber
    state: str
    dials_today: int
    cap_today: int = 0  # 0: none

    @property
    def recent_percent(self) -> int | None:
        """Pick-up of the last days, in whole per cent; None without dials."""
        return _percent(self.number.health_facts, "recent")

    @property
    def baseline_percent(self) -> int | None:
        return _percent(self.number.health_facts, "baseline")

    @property
    def state_label(self) -> _StrPromise:
        return STATES[self.state]


def numbers(*, now: datetime, search: str = "", state: str = "") -> QuerySet[PhoneNumber]:
    """Return numbers with their clients, by number; released ones only if they are asked for."""
    rows = PhoneNumber.objects.select_related("client").order_by("phone_number", "pk")
    if search:
        rows = rows.filter(Q(phone_number__contains=search) | Q(nickname__icontains=search))
    if state == "archived":
        return rows.filter(released_at__isnull=False)
    rows = rows.filter(released_at=None)
    if state == "resting":
        return rows.filter(resting_until__gt=now)
    if state == "active":
        return rows.filter(client__isnull=False)
    if state == "ready":
        return rows.filter(client=None)
    return rows


def number_row(number: PhoneNumber, *, now: datetime) -> NumberRow:
    """Say what a number is doing; the day of its dials is UTC's."""
    dials_today = number.used_count if number.used_on == now.date() else 0
    cap = cap_on(now.date(), daily_cap=number.daily_cap, warming_from=number.warming_from)
    return NumberRow(number, _state(number, now), dials_today, cap)


def number_days(number: PhoneNumber) -> list[NumberDay]:
    """Return what a number's calls came to on its last days, newest first."""
    rows = NumberDay.objects.filter(phone_number=number.phone_number)
    return list(rows.order_by("-day")[:DAYS_SHOWN])


def _percent(facts: dict[str, int], part: str) -> int | None:
    dials = facts.get(f"{part}_dials", 0)
    return round(facts.get(f"{part}_picked", 0) * 100 / dials) if dials else None


def number_rows(found: Iterable[PhoneNumber], *, now: datetime) -> list[NumberRow]:
    """Say what each number is doing."""
    return [number_row(number, now=now) for number in found]


@dataclass(frozen=True)
class OpenOrder:
    """A purchase that brought no number yet; one that is paid and hangs can be given up."""

    order: NumberOrder
    may_give_up: bool


def open_orders(*, now: datetime) -> list[OpenOrder]:
    """Return the newest purchases that brought no number yet, or nobody knows whether."""
    rows = NumberOrder.objects.filter(status__in=NumberOrder.OPEN).order_by("-created_at")
    return [OpenOrder(row, may_give_up(row, now=now)) for row in rows[:ORDERS_SHOWN]]


def open_returns() -> list[PhoneNumber]:
    """Return the newest released numbers that are to be given back at Twilio, and still cost rent."""
    rows = PhoneNumber.objects.filter(give_back_at__isnull=False)
    return list(rows.order_by("-released_at", "pk")[:ORDERS_SHOWN])


def _state(number: PhoneNumber, now: datetime) -> str:
    if number.released_at is not None:
        return "archived"
    if number.resting_until is not None and number.resting_until > now:
        return "resting"
    return "active" if number.client_id else "ready"
