"""How many leads are read for a launch: about as many as it takes before they are too old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.dialling import candidates, queues
from campaigns.dialling.queues import CHUNK, LEAST_CHUNK, DueLeads
from tests.factories.campaigns import NOW

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def sizes(monkeypatch):
    """The numbers of leads that were asked for."""
    asked = []

    def due_enrolments(*, limit, **rest):
        asked.append(limit)
        return candidates.due_enrolments(limit=limit, **rest)

    monkeypatch.setattr(queues, "due_enrolments", due_enrolments)
    return asked


def take(due, launch, *, seconds, many):
    """Take so many leads at an instant of real time."""
    real_now = LATER + timedelta(seconds=seconds)
    return [due.next(launch, now=LATER, real_now=real_now) for _ in range(many)]


def test_reads_few_leads_for_a_launch_that_takes_few(ready, sizes):
    launch = ready(leads=2 * CHUNK)
    due = DueLeads(is_sandbox=True)

    for second in range(0, 6, 2):
        take(due, launch, seconds=second, many=1)

    assert sizes == [CHUNK, LEAST_CHUNK, LEAST_CHUNK]


def test_reads_more_again_for_a_launch_that_takes_them_all(ready, sizes):
    launch = ready(leads=2 * CHUNK)
    due = DueLeads(is_sandbox=True)
    take(due, launch, seconds=0, many=1)

    found = take(due, launch, seconds=2, many=3 * LEAST_CHUNK + 1)

    assert sizes == [CHUNK, LEAST_CHUNK, 2 * LEAST_CHUNK, 4 * LEAST_CHUNK]
    assert None not in found
