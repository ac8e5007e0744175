"""Who is called first: the longest due, and of those the highest score."""

from __future__ import annotations

from datetime import timedelta

from campaigns.dialling.candidates import due_enrolments
from campaigns.models import Enrolment
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, enrol, launch, make_ready


def test_calls_the_highest_score_first_in_every_slice_of_a_launch(acme, monkeypatch):
    monkeypatch.setattr("campaigns.services.launching.SLICE", 2)
    open_wallet(acme, seconds=36000)
    campaign = make_ready(acme)
    for number, score in enumerate((10, 90, 50, 70, 30)):
        enrol(campaign, 1, start=number, score=score)

    batch_call = launch(campaign, now=NOW)

    due = due_enrolments(batch_call=batch_call, limit=3, now=NOW)
    assert [row.lead.score for row in due] == [90, 70, 50]


def test_lets_nobody_wait_for_ever_behind_a_higher_score(acme):
    open_wallet(acme, seconds=36000)
    campaign = make_ready(acme)
    enrol(campaign, 1, score=10)
    enrol(campaign, 1, start=1, score=90)
    batch_call = launch(campaign, now=NOW)
    Enrolment.objects.filter(priority=90).update(next_attempt_at=NOW + timedelta(seconds=1))

    due = due_enrolments(batch_call=batch_call, limit=1, now=NOW + timedelta(minutes=1))

    assert [row.priority for row in due] == [10]
