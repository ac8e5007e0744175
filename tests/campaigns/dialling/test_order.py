"""Who is called first: the longest due, and of those the highest score."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.dialling import waiting
from campaigns.dialling.candidates import due_enrolments
from campaigns.dialling.gates import Closed
from campaigns.dialling.numbers import number_pool
from campaigns.dialling.situation import Reason, Surroundings, explain
from campaigns.models import Enrolment
from campaigns.queries.line import in_line
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, enrol, launch, make_ready
from tests.plans import plans


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


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_reads_the_first_of_a_line_without_sorting_it(acme):
    """A hundred thousand are due at one instant: whoever sorts them reads them all, for each few calls."""
    open_wallet(acme, seconds=36000)
    campaign = make_ready(acme)
    enrol(campaign, 3)
    one = launch(campaign, now=NOW)
    around = Surroundings(
        stopped=Reason(code=waiting.PROVIDER_BUSY),
        used=0,
        limit=1,
        client_own=0,
        campaign_own=0,
        pool=number_pool(client_id=acme.pk, now=NOW),
        closed=Closed(),
    )

    _asked, due = plans(lambda: due_enrolments(batch_call=one, limit=2, now=NOW))
    (first,) = plans(lambda: explain(batch_call=one, around=around, now=NOW), of="_enrolment")
    (shown,) = plans(lambda: list(in_line([one.pk], now=NOW)[:5]))

    for plan in (due, first, shown):
        assert "enrolment_due_first" in plan and "TEMP B-TREE" not in plan, plan
