"""A week of a campaign in many time zones, minute by minute of a simulated clock: complete and explained."""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from billing.invariants import audit_ledger
from billing.models import CallHold
from campaigns.dialling import wording
from campaigns.dialling.bookkeeping import check_completeness
from campaigns.enrolments import completeness
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.queries.leads import enrolment_list, with_sentences
from campaigns.queries.progress import add_up, why
from campaigns.services.enrolment import enrol_lead
from tests.campaigns.dialling.conftest import policy, statuses
from tests.factories.billing import open_wallet
from tests.factories.campaigns import launch, make_lead, make_number, make_ready

if TYPE_CHECKING:
    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
# The week in which the clocks of the United States change, from Thursday on.
BEGINS = datetime(2026, 10, 29, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
OPENS, CLOSES = 9, 20
TIME = re.compile(r"\d{1,2}:\d\d")
# Area code, zone, country: five zones of one country, Arizona without summer time, Hawaii, and London.
PLACES = (
    ("+1212", "America/New_York", "US"),
    ("+1312", "America/Chicago", "US"),
    ("+1303", "America/Denver", "US"),
    ("+1602", "America/Phoenix", "US"),
    ("+1213", "America/Los_Angeles", "US"),
    ("+1808", "Pacific/Honolulu", "US"),
    ("+1305", "America/New_York", "US"),
    ("+4420", "Europe/London", "GB"),
)
REASONS = (
    *("dial_no_answer",) * 6,
    *("voicemail_reached",) * 4,
    *("dial_busy",) * 2,
    *("user_hangup",) * 4,
    "user_declined",
    "user_requested_dnc",
    "user_requested_callback",
    "error_retell",
)


class Week:
    """A launch, its people's zones, and calls that end as dice say."""

    def __init__(self, rig: Rig, client: Client, *, leads: int) -> None:
        self.rig, self.rng = rig, random.Random(leads)  # noqa: S311 - a test's dice
        rig.now = rig.real = BEGINS
        rig.retell.limit = 8
        open_wallet(client, seconds=4_000_000, now=BEGINS)
        campaign = make_ready(
            client,
            weekdays=tuple(range(7)),
            opens_minute=OPENS * 60,
            closes_minute=CLOSES * 60,
            max_attempts=5,
        )
        self.zones: dict[str, str] = {}
        for number in range(leads):
            area, zone, country = PLACES[number % len(PLACES)]
            tail = f"7946{number // 8:04d}" if country == "GB" else f"55501{number // 8:02d}"
            phone = f"{area}{tail}"
            lead = make_lead(client, number, phone_number=phone, time_zone=zone, country=country)
            enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=BEGINS)
            self.zones[phone] = zone
        make_number(client, "+12125550199")
        self.batch_call = launch(campaign, seconds=3_000_000, now=BEGINS)
        policy(campaign, is_other_time_of_day=True)
        self.rang_at: dict[str, datetime] = {}
        self.sentences: Counter[str] = Counter()
        self.silent: list[datetime] = []
        self.past: list[str] = []
        self.minutes = 0

    def minute(self) -> None:
        """Let a minute pass: the dispatcher looks twice, calls end, and the page is read."""
        dialled = len(self.rig.retell.dials)
        self.rig.step(seconds=30)
        for call_id in self.rig.retell.placed:
            self.rang_at.setdefault(call_id, self.rig.now)
        self.rig.step(seconds=30)
        for call_id in self.rig.retell.placed:
            self.rang_at.setdefault(call_id, self.rig.now)
        for attempt in self.rig.ringing():
            if self.rng.random() < 0.5:
                self.rig.end(attempt, self.rng.choice(REASONS), seconds=self.rng.randrange(5, 200))
        self.batch_call.refresh_from_db()
        sentence = why(self.batch_call.campaign, [self.batch_call], add_up([self.batch_call]))
        self.sentences[self.batch_call.waiting_reason or self.batch_call.status] += 1
        # A page that shows the sentence for want of a reason tells nothing.
        if "about to start" in sentence and len(self.rig.retell.dials) == dialled:
            self.silent.append(self.rig.now)
        self.minutes += 1
        if self.minutes % 10 == 0:
            self._read_leads()

    def _read_leads(self) -> None:
        """Look for leads whose sentence names an instant that is over, or waits for one that isn't theirs."""
        queued = enrolment_list(self.batch_call.campaign, status="queued")
        for row in with_sentences(list(queued[:20]), now=self.rig.now):
            is_due = row.enrolment.next_attempt_at <= self.rig.now
            until = self.batch_call.waiting_until
            names_a_time = TIME.search(row.sentence) is not None
            if is_due and names_a_time and (until is None or until <= self.rig.now):
                self.past.append(row.sentence)
            if not is_due and not names_a_time and self.batch_call.status == "running":
                self.past.append(row.sentence)

    def go_on(self) -> None:
        """Skip to shortly before the next lead is due, where nobody is on the phone."""
        due = (
            Enrolment.objects.filter(status="queued")
            .order_by("next_attempt_at")
            .values_list("next_attempt_at", flat=True)
            .first()
        )
        ahead = (due - self.rig.now).total_seconds() - 60 if due else 0
        if ahead > 60 and not self.rig.ringing():
            self.rig.tick(ahead)


@pytest.mark.slow
@pytest.mark.parametrize("leads", [16, pytest.param(160, marks=pytest.mark.load)])
def test_ends_complete_with_every_decision_explained(rig: Rig, acme: Client, leads: int) -> None:
    week = Week(rig, acme, leads=leads)
    while rig.now < BEGINS + WEEK and not week.batch_call.is_over:
        week.minute()
        if not week.batch_call.is_over:
            assert statuses(week.batch_call)  # counters and rows agree all the time
            week.go_on()

    batch_call = week.batch_call
    assert batch_call.status == "finished", statuses(batch_call)
    assert completeness(batch_call.pk).holds
    assert sum(statuses(batch_call).values()) == leads
    assert check_completeness(now=rig.now) == 0
    assert not audit_ledger()
    assert not CallHold.objects.filter(status="held").exists()
    assert not week.silent
    assert not week.past
    assert week.sentences["window"] + week.sentences["retry"] > 0
    _assert_hours_and_caps(week)
    _assert_explained(batch_call, rig.now)


def _assert_hours_and_caps(week: Week) -> None:
    times = defaultdict(list)
    for call_id, at in week.rang_at.items():
        number = week.rig.retell.placed[call_id].payload["to_number"]
        local = at.astimezone(ZoneInfo(week.zones[number]))
        assert OPENS <= local.hour < CLOSES, (number, local)
        times[number].append(at)
    assert len(times) == len(week.zones)  # nobody is skipped
    for rang in times.values():
        for at in rang:
            assert sum(at - timedelta(hours=24) < one <= at for one in rang) <= 3
    per_attempt = Counter(call.metadata["attempt_id"] for call in week.rig.retell.placed.values())
    assert max(per_attempt.values()) == 1


def _assert_explained(batch_call: BatchCall, now: datetime) -> None:
    for attempt in Attempt.objects.all():
        found = wording.reasons(attempt.decision)
        assert found
        assert all(one.sentence and "earlier edition" not in one.sentence for one in found)
        assert wording.inputs(attempt.decision)
    rows = with_sentences(list(enrolment_list(batch_call.campaign)), now=now)
    assert all(row.sentence for row in rows)
