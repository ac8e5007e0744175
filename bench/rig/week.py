"""
A week of a campaign in many time zones: `python -m bench.rig.week launch`, then `watch`.

`watch` reads what a client reads while the processes dial, then holds every row to what was promised,
and prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import django

django.setup()

from accounts.models import User  # noqa: E402 # the apps are loaded first
from bench.rig.launch import (  # noqa: E402
    MINUTES,
    client_with_minutes,
    content_of,
    enrol_one,
    launch,
    lend_number,
    ready_campaign,
)
from billing.invariants import audit_ledger  # noqa: E402
from billing.models import CallHold, Reservation  # noqa: E402
from campaigns.dialling import wording  # noqa: E402
from campaigns.enrolments import completeness  # noqa: E402
from campaigns.models import Attempt, BatchCall  # noqa: E402
from campaigns.queries.leads import enrolment_list, with_sentences  # noqa: E402
from campaigns.queries.progress import add_up, why  # noqa: E402
from convomono.lib import clock  # noqa: E402
from telephony.models import Call  # noqa: E402
from webhooks.models import WebhookEvent  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

OPENS, CLOSES = 9, 20
WEEKDAYS = (0, 1, 2, 3, 4, 5)  # a Sunday in the middle on which nobody may be called
ATTEMPTS, A_DAY = 6, 24 * 3600
LINES = 8
# At least so long the longest rule asks for between two windows of 24 hours.
DAY, MOST_A_DAY = timedelta(hours=24), 3
# Beginning of a fictional number, its zone, its country: six zones, one without summer time, and London.
PLACES = (
    ("+121255501", "America/New_York", "US"),
    ("+131255501", "America/Chicago", "US"),
    ("+130355501", "America/Denver", "US"),
    ("+160255501", "America/Phoenix", "US"),
    ("+121355501", "America/Los_Angeles", "US"),
    ("+180855501", "Pacific/Honolulu", "US"),
    ("+130555501", "America/New_York", "US"),
    ("+4420794600", "Europe/London", "GB"),
)
CALLER_AREAS = (212, 312, 213, 303, 404)
LOOK_SECONDS = 0.5
# The dispatcher says why twice a second: a page that says "about to start" for so long says nothing.
SILENT_SECONDS = 5.0
READ_AT_ONCE = 200


@dataclass
class Told:
    """What the launch's sentence said while it ran."""

    reasons: Counter[str] = field(default_factory=Counter)
    empty: int = 0
    starting_since: float | None = None
    longest_silence: float = 0.0  # real seconds

    def look(self, batch_call: BatchCall, sentence: str, *, has_dialled: bool, at: float) -> None:
        self.reasons[batch_call.waiting_reason or batch_call.status] += 1
        self.empty += not sentence.strip()
        if has_dialled or "about to start" not in sentence:
            self.starting_since = None
            return
        self.starting_since = at if self.starting_since is None else self.starting_since
        self.longest_silence = max(self.longest_silence, at - self.starting_since)


def place_of(number: str) -> tuple[str, str]:
    """Return the zone and the country of one of the week's people."""
    return next((zone, country) for begin, zone, country in PLACES if number.startswith(begin))


def begin(leads: int) -> None:
    """Launch a campaign of six tries, a day apart, to people in seven places."""
    actor = User.objects.create_superuser(email="bench@convomono.test", password=None, name="Bench")
    client = client_with_minutes(actor, concurrency=LINES, name="Week")
    for area in CALLER_AREAS:
        lend_number(client, actor, area=area)
    content = replace(
        content_of(concurrency=LINES),
        is_any_hour=False,
        weekdays=WEEKDAYS,
        opens_minute=OPENS * 60,
        closes_minute=CLOSES * 60,
        max_attempts=ATTEMPTS,
        no_answer_delay_seconds=A_DAY,
    )
    campaign = ready_campaign(client, actor, content)
    for number in range(leads):
        start, _zone, country = PLACES[number % len(PLACES)]
        phone_number = f"{start}{number // len(PLACES):02}"
        enrol_one(
            campaign, actor, name=f"Lead {number}", phone_number=phone_number, country=country
        )
    launch(campaign, actor, seconds=MINUTES)


def watch(longest: float) -> dict[str, Any]:
    """Read the launch's sentence until it is over, for `longest` real seconds; return what was found."""
    told, began = Told(), time.monotonic()
    batch_call, dialled = BatchCall.objects.get(), 0
    started_at = clock.now()
    while not batch_call.is_over and time.monotonic() - began < longest:
        time.sleep(LOOK_SECONDS)
        batch_call = BatchCall.objects.select_related("campaign").get()
        sentence = why(batch_call.campaign, [batch_call], add_up([batch_call]))
        sent = Attempt.objects.filter(sends_count__gt=0).count()
        told.look(batch_call, sentence, has_dialled=sent > dialled, at=time.monotonic())
        dialled = sent
    _let_settle(batch_call.pk)
    batch_call = BatchCall.objects.select_related("campaign").get()
    attempts = list(Attempt.objects.order_by("created_at"))
    wrong = [*_of_the_launch(batch_call, told), *wrong_times(attempts), *unexplained(attempts)]
    wrong += _leads_without_a_sentence(batch_call)
    return {
        "status": batch_call.status,
        "days": round(((batch_call.finished_at or clock.now()) - started_at) / DAY, 2),
        "leads": batch_call.tasks_count,
        "attempts": len(attempts),
        "calls": Call.objects.count(),
        "longest_silence_s": round(told.longest_silence, 1),
        "reasons": dict(told.reasons.most_common()),
        "wrong": wrong[:5],
        "wrong_count": len(wrong),
    }


def _let_settle(batch_call_id: UUID) -> None:
    """Wait, for a minute at most, until the last call's analysis is in and the rest is given back."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        is_closed = Reservation.objects.filter(
            batch_call_id=batch_call_id, status="closed"
        ).exists()
        events = WebhookEvent.objects.exclude(status__in=("applied", "ignored"))
        if is_closed and not events.exists() and not Call.objects.filter(analyzed_at=None).exists():
            return
        time.sleep(LOOK_SECONDS)


def _of_the_launch(batch_call: BatchCall, told: Told) -> Iterator[str]:
    if batch_call.status != BatchCall.Status.FINISHED:
        yield f"The launch is {batch_call.status}: {batch_call.pause_reason or batch_call.waiting_reason}."
    if not completeness(batch_call.pk).holds:
        yield "The leads don't add up."
    yield from (str(one) for one in audit_ledger())
    if held := CallHold.objects.filter(status="held").count():
        yield f"{held} calls still hold seconds."
    if waiting := WebhookEvent.objects.exclude(status__in=("applied", "ignored")).count():
        yield f"{waiting} events wait."
    if unsettled := Call.objects.filter(outcome_class="").count():
        yield f"{unsettled} calls have no outcome."
    if told.empty:
        yield f"The launch had no sentence {told.empty} times."
    if told.longest_silence > SILENT_SECONDS:
        yield f"It was about to start for {told.longest_silence:.0f} s and didn't."


def wrong_times(attempts: Iterable[Attempt]) -> Iterator[str]:
    """Yield each call outside its place's hours or days, and each above the most a day."""
    sent: dict[str, list[datetime]] = defaultdict(list)
    for one in attempts:
        if one.sent_at is None:
            continue
        local = one.sent_at.astimezone(ZoneInfo(place_of(one.phone_number)[0]))
        if not OPENS <= local.hour < CLOSES or local.weekday() not in WEEKDAYS:
            yield f"{one.phone_number} was called at {local:%A %H:%M} there."
        if one.status != Attempt.Status.NOT_PLACED:
            sent[one.phone_number].append(one.sent_at)
    for number, times in sent.items():
        if any(sum(at - DAY < other <= at for other in times) > MOST_A_DAY for at in times):
            yield f"{number} was called more than {MOST_A_DAY} times in 24 hours."


def unexplained(attempts: Iterable[Attempt]) -> Iterator[str]:
    """Yield each attempt whose decision doesn't say by which rules, and on what, it was taken."""
    for one in attempts:
        found = wording.reasons(one.decision)
        # A rule that the file no longer has explains nothing.
        if not found or any("earlier edition" in reason.sentence for reason in found):
            yield f"{one} has a decision without a reason."
        elif not wording.inputs(one.decision):
            yield f"{one} has a decision without what it looked at."


def _leads_without_a_sentence(batch_call: BatchCall) -> Iterator[str]:
    """Yield each lead of which nothing is said at the end, or that nobody decided on."""
    decided = set(Attempt.objects.values_list("phone_number", flat=True))
    rows = list(enrolment_list(batch_call.campaign).order_by("pk"))
    for start in range(0, len(rows), READ_AT_ONCE):
        for row in with_sentences(rows[start : start + READ_AT_ONCE], now=clock.now()):
            if not row.sentence.strip():
                yield f"{row.enrolment} has no sentence."
            if row.enrolment.phone_number not in decided:
                yield f"{row.enrolment} was skipped."


if __name__ == "__main__":
    if sys.argv[1] == "launch":
        begin(int(sys.argv[2]))
    else:
        print(json.dumps(watch(float(sys.argv[2]))), flush=True)
