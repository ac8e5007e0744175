"""How numbers do: their calls counted day by day, and those that wear out put to rest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from audit import actions
from audit.services import record
from convomono.lib.db import atomic, insert_once
from convomono.lib.money import dollars
from convomono.lib.phone import display_number
from telephony.models import Call, NumberDay, PhoneNumber
from telephony.number_health import Counts, Health, judge
from telephony.services.numbers import move_lease, rest_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from uuid import UUID

    from audit.services import Actor

log = structlog.get_logger()

BASELINE_DAYS = 28
RECENT_DAYS = 3
RESTS = timedelta(hours=48)
SHORT_MS = 6000
_TROUBLE = ("marked_as_spam", "network_blocked", "scam_detected", "user_declined")


@dataclass
class _Tally:
    """What the calls of one number and day came to; the names are NumberDay's columns."""

    dials: int = 0
    picked: int = 0
    machines: int = 0
    short: int = 0
    trouble: int = 0


@dataclass
class _Past:
    """A number's days, newest and older apart."""

    recent: Counts = field(default_factory=Counts)
    baseline: Counts = field(default_factory=Counts)


def watch_numbers(*, now: datetime) -> int:
    """
    Count the days that may still change, and judge each number by them; return how many were rested.

    Safe to run twice: the same calls give the same counts and the same verdicts.
    """
    # The first time the past is counted too: without it nothing could be judged for weeks.
    back = 1 if NumberDay.objects.exists() else BASELINE_DAYS + RECENT_DAYS
    for ago in range(back, -1, -1):
        count_day(day=now.date() - timedelta(days=ago))
    return judge_numbers(now=now)


def count_day(*, day: date) -> int:
    """Count the calls of every client's numbers on a UTC day; return how many numbers had any."""
    numbers = PhoneNumber.objects.in_use().exclude(client=None)
    clients = set(numbers.values_list("client_id", flat=True))
    found: dict[str, _Tally] = defaultdict(_Tally)
    for row in _counted(clients, day):
        tally, number = found[row["from_number"]], row["number"]
        if row["outcome_class"] == Call.OutcomeClass.NOT_PLACED:
            continue
        tally.dials += number
        tally.short += row["short"]
        tally.trouble += row["trouble"]
        if row["outcome_class"] == Call.OutcomeClass.HUMAN:
            tally.picked += number
        elif row["outcome_class"] == Call.OutcomeClass.MACHINE:
            tally.machines += number
    for phone_number, tally in found.items():
        columns = asdict(tally)
        same = NumberDay.objects.filter(phone_number=phone_number, day=day)
        if not same.update(**columns):
            made = NumberDay(phone_number=phone_number, day=day, **columns)
            if not insert_once(made, "phone_number", "day"):
                same.update(**columns)
    return len(found)


def _counted(clients: Iterable[UUID], day: date) -> Iterable[Mapping[str, Any]]:
    begins = datetime.combine(day, time(), UTC)
    calls = Call.objects.filter(
        client_id__in=list(clients),
        created_at__gte=begins,
        created_at__lt=begins + timedelta(days=1),
        direction=Call.Direction.OUTBOUND,
        outcome_class__gt="",
    )
    is_short = Q(outcome_class=Call.OutcomeClass.HUMAN, duration_ms__lt=SHORT_MS)
    return (
        calls.order_by()
        .values("from_number", "outcome_class")
        .annotate(
            number=Count("pk"),
            short=Count("pk", filter=is_short),
            trouble=Count("pk", filter=Q(disconnection_reason__in=_TROUBLE)),
        )
    )


def judge_numbers(*, now: datetime) -> int:
    """Judge every number that a client calls from; rest those that are worn out. Returns how many."""
    numbers = list(PhoneNumber.objects.in_use().exclude(client=None).order_by("pk"))
    pasts = _pasts(numbers, now.date())
    rested = 0
    for number in numbers:
        if number.resting_until is not None and number.resting_until > now:
            continue
        past = pasts[number.phone_number]
        baseline = past.baseline
        if baseline.dials == 0:
            baseline = _siblings(number, numbers, pasts)
        health, ratio = judge(recent=past.recent, baseline=baseline)
        _keep(number, health, past.recent, baseline, ratio)
        if health == Health.RESTING:
            rested += _rest(number, past.recent, baseline, now)
    return rested


def _pasts(numbers: Iterable[PhoneNumber], today: date) -> dict[str, _Past]:
    """Return each number's recent days and the four weeks before them; one query."""
    begins = {one.phone_number: _recent_from(one, today) for one in numbers}
    pasts: dict[str, _Past] = defaultdict(_Past)
    since = today - timedelta(days=BASELINE_DAYS + RECENT_DAYS)
    for row in NumberDay.objects.filter(day__gte=since, phone_number__in=list(begins)):
        past, counts = pasts[row.phone_number], Counts(row.dials, row.picked)
        begin = begins[row.phone_number]
        if row.day >= begin:
            past.recent += counts
        elif row.day >= begin - timedelta(days=BASELINE_DAYS):
            past.baseline += counts
    return pasts


def _recent_from(number: PhoneNumber, today: date) -> date:
    begins = today - timedelta(days=RECENT_DAYS - 1)
    return max(begins, number.health_since) if number.health_since else begins


def _siblings(
    number: PhoneNumber, numbers: Iterable[PhoneNumber], pasts: dict[str, _Past]
) -> Counts:
    """Return what the client's other numbers did lately: beside them a new number is judged."""
    others = Counts()
    for one in numbers:
        if one.client_id == number.client_id and one.pk != number.pk:
            others += pasts[one.phone_number].recent
    return others


def _keep(
    number: PhoneNumber, health: Health, recent: Counts, baseline: Counts, ratio: float
) -> None:
    facts = {
        "recent_dials": recent.dials,
        "recent_picked": recent.picked,
        "baseline_dials": baseline.dials,
        "baseline_picked": baseline.picked,
        "evidence": round(min(ratio, 1e6), 1),
    }
    if (number.health, number.health_facts) != (str(health), facts):
        PhoneNumber.objects.filter(pk=number.pk).update(health=str(health), health_facts=facts)


def _rest(number: PhoneNumber, recent: Counts, baseline: Counts, now: datetime) -> bool:
    until = now + RESTS
    reason = _("People answer %(now)d %% of its calls, where it was %(before)d %%.") % {
        "now": round(recent.ratio * 100),
        "before": round(baseline.ratio * 100),
    }
    if not rest_number(phone_number=number.phone_number, until=until, reason=reason, now=now):
        return False
    # After its rest it is judged by what it does then.
    PhoneNumber.objects.filter(pk=number.pk).update(health_since=until.date())
    log.warning("number.rested", number_id=str(number.pk), **asdict(recent))
    notify(
        client=None,
        level=Notification.Level.WARN,
        title=_("%(number)s is worn out and rests")
        % {"number": display_number(number.phone_number)},
        body=reason,
        url=f"/agency/numbers/{number.pk}/",
        key=f"number.rested:{number.pk}:{until:%Y-%m-%d}",
        now=now,
    )
    return True


@atomic
def set_number_limits(
    *,
    number: PhoneNumber,
    daily_cap: int,
    concurrency_limit: int,
    warms_up: bool,
    rent_micros: int,
    actor: Actor,
    now: datetime,
) -> None:
    """
    Set how much a number may call, 0 for no limit, and its rent a month in micros.

    A warm-up that is on begins today if it was off. Another rent holds from now on: what the number cost
    before stays.
    """
    before = PhoneNumber.objects.select_related("client").get(pk=number.pk)
    if before.rent_micros != rent_micros:
        move_lease(before, before.client, rent_micros=rent_micros, now=now)
    began = number.warming_from or now.date()
    columns = {
        "daily_cap": daily_cap,
        "concurrency_limit": concurrency_limit,
        "warming_from": began if warms_up else None,
        "rent_micros": rent_micros,
    }
    PhoneNumber.objects.filter(pk=number.pk).update(**columns)
    details = {
        "daily_cap": daily_cap,
        "concurrency_limit": concurrency_limit,
        "warms_up": warms_up,
        "rent_usd": f"{dollars(rent_micros):.2f}",
    }
    record(actions.NUMBER_LIMITED, resource=number, actor=actor, now=now, details=details)


@atomic
def wake_number(*, number: PhoneNumber, actor: Actor, now: datetime) -> bool:
    """End a number's rest; it is judged by what it does from today on. False: it doesn't rest."""
    woken = PhoneNumber.objects.filter(pk=number.pk, resting_until__gt=now).update(
        resting_until=None,
        resting_reason="",
        health=PhoneNumber.Health.HEALTHY,
        health_since=now.date(),
    )
    if woken:
        record(actions.NUMBER_WOKEN, resource=number, actor=actor, now=now)
    return bool(woken)
