"""One true sentence for each lead, whatever it waits for; and no reason that no test reaches."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from campaigns.dialling import waiting
from campaigns.dialling.bookkeeping import watch_dispatcher
from campaigns.dialling.waiting import WAITING
from campaigns.leasing import LeaseLook, nobody_dials
from campaigns.models import BatchCall, Campaign, Enrolment, LaunchRequest, TopUp
from campaigns.queries.approvals import waiting_requests
from campaigns.queries.campaigns import campaign_list, campaign_rows
from campaigns.queries.leads import enrolment_list, with_sentences
from campaigns.queries.live import live_page
from campaigns.queries.progress import add_up, why
from campaigns.services import queueing, steering
from tests.factories.campaigns import NOW, TESTS, enrol, launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

ROOM = Path(__file__).parents[1]


def sentence(enrolment: Enrolment, now: datetime = NOW) -> str:
    rows = list(enrolment_list(enrolment.campaign).filter(pk=enrolment.pk))
    return with_sentences(rows, now=now)[0].sentence


@pytest.mark.django_db
def test_says_of_each_lead_what_it_waits_for(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=2)
    first, second = Enrolment.objects.order_by("phone_number")
    enrol(batch_call.campaign, 1, start=50)
    assert sentence(Enrolment.objects.get(batch_call=None)) == "Waits for the next launch."
    BatchCall.objects.update(status="running")
    assert sentence(first) == "In line: called as soon as a line is free."

    rig.retell.limit = 1
    rig.step()
    rig.step()
    assert sentence(first) == "On the line just now."
    assert sentence(second) == "All lines are busy: 1 of 1, 1 of them yours."

    rig.end(rig.ringing()[0], "dial_busy")
    assert sentence(first, rig.now).startswith("Everybody due was called. The next retry is at")

    steering.pause_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    assert sentence(second) == "Waits: the launch is paused."
    steering.resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    BatchCall.objects.update(status="scheduled", scheduled_at=rig.now + timedelta(hours=1))
    assert sentence(second).startswith("Waits: the launch starts at")


@pytest.fixture
def latecomers(ready: Callable[..., BatchCall]) -> Campaign:
    """A campaign whose launch is over, with two leads that came since."""
    campaign = ready(leads=1).campaign
    BatchCall.objects.update(status="finished", finished_at=NOW)
    enrol(campaign, 2, start=50)
    TopUp.objects.create(
        client=campaign.client,
        campaign=campaign,
        is_active=True,
        next_at=NOW + timedelta(hours=3),
        set_by_email="mia@acme.test",
        last_at=NOW - timedelta(hours=21),
    )
    return campaign


def said_of(campaign: Campaign, now: datetime = NOW) -> list[str]:
    """Return what the list, the live page and one of the new leads say."""
    fresh = campaign_list(Campaign.objects.filter(pk=campaign.pk))
    asked = waiting_requests(campaign.client_id)
    (row,) = campaign_rows(list(fresh), now=now, asked=asked)
    lead = Enrolment.objects.filter(batch_call=None).order_by("pk")[0]
    page = live_page(Campaign.objects.get(pk=campaign.pk), now=now)
    return [row.sentence, page.sentence, sentence(lead, now)]


def test_says_when_new_leads_are_launched_by_themselves(latecomers: Campaign) -> None:
    listed, shown, lead = said_of(latecomers)
    by_themselves = " New leads are launched by themselves at 23 Nov, 18:00."
    assert listed == shown == "2 leads wait for a launch." + by_themselves
    assert lead == "Waits for the next launch." + by_themselves

    for said in said_of(latecomers, NOW + timedelta(hours=3, seconds=1)):
        assert said.endswith(" New leads are launched by themselves in a moment.")
    TopUp.objects.update(is_active=False, last_result="3 new leads were launched.")
    listed, shown, lead = said_of(latecomers)
    assert listed == shown == "2 leads wait for a launch."
    assert lead == "Waits for the next launch."


def test_says_why_new_leads_were_not_launched(latecomers: Campaign) -> None:
    TopUp.objects.update(was_refused=True, last_result="The balance is too low. Buy minutes.")
    for said in said_of(latecomers):
        assert said.endswith(
            "at 23 Nov, 18:00. The last time, at 22 Nov, 18:00, they were not: "
            "The balance is too low. Buy minutes."
        )

    TopUp.objects.update(is_active=False, last_result="Nobody may launch any more.")
    for said in said_of(latecomers):
        assert said.endswith(" launch. Nobody may launch any more.")


def test_says_of_an_edited_campaign_that_its_new_leads_wait_for_it(latecomers: Campaign) -> None:
    Campaign.objects.update(status="draft")
    TopUp.objects.update(was_refused=True, last_result="Make it ready again.")
    for said in said_of(latecomers)[:2]:
        assert said.startswith("A draft: make it ready")
        assert said.endswith("they were not: Make it ready again.")


def test_says_that_a_launch_waits_for_approval(latecomers: Campaign) -> None:
    TopUp.objects.all().delete()
    LaunchRequest.objects.create(
        client=latecomers.client,
        campaign=latecomers,
        live_key=str(latecomers.pk),
        fingerprint="f",
        version_number=1,
        leads_count=2,
        seconds=60,
        asked_by_email="mia@acme.test",
        asked_at=NOW,
    )
    for said in said_of(latecomers):
        assert said.endswith(
            " launch. One was asked for at 23 Nov, 15:00 and waits for somebody's approval."
        )


@pytest.mark.django_db
@pytest.mark.parametrize("status", Enrolment.Status.values)
def test_leaves_no_status_without_a_sentence(ready: Callable[..., BatchCall], status: str) -> None:
    ready()
    Enrolment.objects.update(status=status)

    assert sentence(Enrolment.objects.get()).endswith(".")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({"verdict": "deny", "rules": ["zone.unknown"]}, "Nobody knows which time zone"),
        (
            {"verdict": "deny", "rules": ["number.invalid"]},
            "This is no number that can be dialled.",
        ),
        ({"verdict": "allow", "rules": ["person.gap"]}, "the number doesn't exist."),
        ({}, "the number doesn't exist."),
    ],
)
def test_says_why_nobody_is_called_there(
    ready: Callable[..., BatchCall], decision: dict[str, object], said: str
) -> None:
    ready()
    Enrolment.objects.update(status="invalid", decision=decision)

    assert said in sentence(Enrolment.objects.get())


@pytest.mark.django_db
def test_says_that_leads_are_still_put_in_line(ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    assert why(batch_call.campaign, [batch_call], add_up([batch_call])).startswith("Starts at")
    BatchCall.objects.update(attached_at=None)
    batch_call.refresh_from_db()

    assert str(WAITING[waiting.ATTACHING]) == why(
        batch_call.campaign, [batch_call], add_up([batch_call])
    )
    assert "being put in line" in why(batch_call.campaign, [batch_call], add_up([batch_call]))


@pytest.mark.django_db
def test_names_no_time_that_is_over(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=3)
    opens = rig.now + timedelta(hours=1)
    Enrolment.objects.update(next_attempt_at=opens, waiting_reason="window")
    BatchCall.objects.update(status="running", waiting_reason="window", waiting_until=opens)
    lead = Enrolment.objects.all()[0]
    assert sentence(lead).endswith("The next hours open at 23 Nov, 16:00.")

    # The hour has come, and neither the lead nor the launch was looked at since.
    assert sentence(lead, opens) == "In line: called as soon as a line is free."
    BatchCall.objects.update(waiting_reason="no_number", waiting_until=None)
    assert "no phone number to call from" in sentence(lead, opens)
    BatchCall.objects.update(waiting_reason="")
    Enrolment.objects.update(moved_from=opens)
    assert sentence(lead, opens) == "Moved to the front by hand."
    Enrolment.objects.update(callback_at=opens)
    assert sentence(lead, opens) == "Asked to be called back: goes first."
    Enrolment.objects.update(waiting_reason="")
    assert sentence(lead) == "Due at 23 Nov, 16:00."


@pytest.mark.django_db
def test_says_what_a_person_did_to_the_line(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=1)
    BatchCall.objects.update(status="running")
    lead = Enrolment.objects.get()
    queueing.hold_back(enrolment=lead, actor=TESTS, now=rig.now)
    assert sentence(lead) == "Held back by hand: not called until somebody releases it."
    queueing.let_go(enrolment=Enrolment.objects.get(), actor=TESTS, now=rig.now)
    assert sentence(lead) == "In line: called as soon as a line is free."
    queueing.take_out(enrolment=Enrolment.objects.get(), actor=TESTS, now=rig.now)
    assert sentence(lead) == "Taken out of the line by hand."


@pytest.mark.django_db
def test_says_that_an_earlier_launch_is_paused_beside_one_that_runs(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    earlier = ready(leads=1)
    steering.pause_by_system(batch_call_id=earlier.pk, reason="scam_detected", now=rig.now)
    earlier.refresh_from_db()
    enrol(earlier.campaign, 1, start=50)
    newer = launch(earlier.campaign)
    newer.status = "running"

    said = why(earlier.campaign, [earlier, newer], add_up([earlier, newer]))

    assert said.startswith(
        "The next calls are about to start. An earlier launch is paused: A carrier"
    )


@pytest.mark.parametrize("newest_waits", [0, 3])
def test_speaks_of_all_launches_that_run(newest_waits: int) -> None:
    noon = NOW + timedelta(hours=2)
    older = BatchCall(
        status="running",
        queued_count=300,
        in_call_count=2,
        waiting_reason="retry",
        waiting_until=noon,
    )
    newest = BatchCall(
        status="running", queued_count=newest_waits, in_call_count=1, waiting_reason="in_progress"
    )
    if newest_waits:
        newest.waiting_reason = "no_number"

    said = why(Campaign(status="ready"), [older, newest], add_up([older, newest]))

    assert said.startswith("3 calls in progress.")
    assert "nobody else is waiting" not in said
    assert ("no phone number" if newest_waits else "The next retry is at") in said


@pytest.mark.django_db
@pytest.mark.parametrize("mode", BatchCall.Mode.values)
def test_says_that_nobody_dials_and_tells_the_agency_once(
    rig: Rig, ready: Callable[..., BatchCall], mode: str
) -> None:
    batch_call, look = ready(leads=3, mode=mode), LeaseLook()
    rig.step()
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 0
    assert not look.nobody_dials(real_now=rig.real)
    rig.tick(15)  # it was killed; another may still take over
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 0
    rig.tick(15)

    # A page says so before any job does.
    batch_call.refresh_from_db()
    assert nobody_dials(real_now=rig.real)
    away = look.nobody_dials(real_now=rig.real)
    page = live_page(batch_call.campaign, now=rig.now, nobody_dials=away)
    assert "The dialling process isn't running" in page.sentence
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 1
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 0

    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == "dispatcher_away"
    sentence_of_it = why(batch_call.campaign, [batch_call], add_up([batch_call]))
    assert "The dialling process isn't running" in sentence_of_it
    assert Notification.objects.filter(client=None).count() == 1

    rig.step(rig.dispatcher())
    rig.step(rig.dispatchers[-1])
    batch_call.refresh_from_db()
    assert batch_call.waiting_reason != "dispatcher_away"


@pytest.mark.django_db
def test_says_that_everybody_who_waits_is_held_back(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=1)
    queueing.hold_back(enrolment=Enrolment.objects.get(), actor=TESTS, now=rig.now)
    rig.step()
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == waiting.HELD
    assert "held back. Release them" in why(batch_call.campaign, [batch_call], add_up([batch_call]))


@pytest.mark.django_db
def test_says_of_a_closed_day_that_it_is_one(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    rig.now = rig.real = datetime(2026, 11, 28, 16, 0, tzinfo=UTC)  # a Saturday
    batch_call = ready(leads=1, at=rig.now, is_any_hour=False, weekdays=(0, 1, 2, 3, 4))
    rig.step()
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.waiting_reason == waiting.CLOSED_DAY
    said = why(batch_call.campaign, [batch_call], add_up([batch_call]))
    assert said.startswith("No calls today where these leads live")
    assert "30 Nov, 14:00" in said


def test_reaches_every_reason_in_some_test() -> None:
    """A test reaches a reason if it asserts it, or is told to by a parameter; a word elsewhere is nothing."""
    names = {code: name for name, code in vars(waiting).items() if isinstance(code, str)}
    reached = set()
    for path in ROOM.rglob("test_*.py"):
        for test in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                reached |= _asserted(test)

    missing = {code for code in WAITING if not {code, names[code]} & reached}
    assert not missing


def _asserted(test: ast.FunctionDef) -> set[str]:
    """Return the words and the names of constants in a test's assertions and parameters."""
    spots = [*test.decorator_list, *(one for one in ast.walk(test) if isinstance(one, ast.Assert))]
    found = set()
    for node in (one for spot in spots for one in ast.walk(spot)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
    return found
