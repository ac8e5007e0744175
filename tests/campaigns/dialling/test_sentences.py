"""One true sentence for each lead, whatever it waits for; and no reason that no test reaches."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from campaigns.dialling.bookkeeping import watch_dispatcher
from campaigns.dialling.waiting import WAITING
from campaigns.models import BatchCall, Enrolment
from campaigns.queries.leads import enrolment_list, with_sentences
from campaigns.queries.progress import add_up, why
from campaigns.services import steering
from tests.factories.campaigns import TESTS, enrol

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

ROOM = Path(__file__).parents[1]


def sentence(enrolment: Enrolment) -> str:
    rows = with_sentences(list(enrolment_list(enrolment.campaign).filter(pk=enrolment.pk)))
    return rows[0].sentence


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
    assert sentence(first).startswith("Everybody due was called. The next retry is at")

    steering.pause_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    assert sentence(second) == "Waits: the launch is paused."
    steering.resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    BatchCall.objects.update(status="scheduled", scheduled_at=rig.now + timedelta(hours=1))
    assert sentence(second).startswith("Waits: the launch starts at")


@pytest.mark.django_db
@pytest.mark.parametrize("status", Enrolment.Status.values)
def test_leaves_no_status_without_a_sentence(ready: Callable[..., BatchCall], status: str) -> None:
    ready()
    Enrolment.objects.update(status=status)

    assert sentence(Enrolment.objects.get()).endswith(".")


@pytest.mark.django_db
def test_says_that_leads_are_still_put_in_line(ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    assert why(batch_call.campaign, [batch_call], add_up([batch_call])).startswith("Starts at")
    BatchCall.objects.update(attached_at=None)  # code "attaching"
    batch_call.refresh_from_db()

    assert "being put in line" in why(batch_call.campaign, [batch_call], add_up([batch_call]))


@pytest.mark.django_db
def test_says_that_nobody_dials_and_tells_the_agency_once(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=3)
    rig.step()
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 0
    rig.tick(15)  # it was killed; another may still take over
    assert watch_dispatcher(now=rig.now, real_now=rig.real) == 0
    rig.tick(15)

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


def test_reaches_every_reason_in_some_test() -> None:
    written = "".join(
        path.read_text(encoding="utf-8")
        for path in ROOM.rglob("test_*.py")  # this one too
    )

    missing = {code for code in WAITING if not re.search(rf'"{code}"', written)}
    assert not missing
