"""What Retell's events make of a lead's status history, in any order and any number of times."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from leads.models import Lead, LeadStatusChange
from leads.services import suppress
from telephony.models import Call
from tests.webhooks.conftest import ANALYSIS, Ringing, tell
from tests.webhooks.test_together import PLAIN, drain_all, lives, store
from webhooks.services.corrections import correct_outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from campaigns.models import BatchCall
    from tests.campaigns.dialling.conftest import Rig

WON: dict[str, Any] = {"call_analysis": {**ANALYSIS, "custom_analysis_data": {"converted": True}}}


def of(lead: Lead) -> list[LeadStatusChange]:
    return list(LeadStatusChange.objects.filter(lead=lead).order_by("created_at", "pk"))


def test_is_one_unbroken_line_to_the_status_a_lead_has(
    launched: Callable[[int], list[Ringing]], now: datetime
) -> None:
    calls = launched(8)
    store(lives(calls, random.Random(5), PLAIN), now)  # noqa: S311  # the same each time

    drain_all(now)
    told = LeadStatusChange.objects.count()
    for call in calls:  # everything once more
        for body in call.says("user_hangup").values():
            tell(body, now)

    assert LeadStatusChange.objects.count() == told
    moved = Lead.objects.exclude(status="new")
    assert moved.count() == len(calls)
    for lead in moved:
        rows = of(lead)
        assert (rows[0].before, rows[-1].after) == ("new", lead.status)
        assert all(older.after == newer.before for older, newer in pairwise(rows))
        assert {row.client_id for row in rows} == {lead.client_id}


@pytest.mark.parametrize("order", [("started", "ended", "analyzed"), ("analyzed", "ended")])
def test_says_who_won_a_person_over_and_who_said_otherwise(
    ringing: Ringing, now: datetime, mia, order: tuple[str, ...]
) -> None:
    bodies = ringing.says("user_hangup", **WON)
    for name in order * 2:
        tell(bodies[name], now)
    lead = Lead.objects.get(pk=ringing.attempt.lead_id)
    assert lead.status == "converted"
    rows = of(lead)
    assert (rows[0].before, rows[-1].after) == ("new", "converted")
    assert {row.why for row in rows} == {"call"}

    correct_outcome(call=Call.objects.get(), correction="human", actor=mia, now=now)

    last = LeadStatusChange.objects.get(lead=lead, why="corrected")
    assert (last.before, last.after, last.changed_by_email) == ("converted", "reached", mia.email)


def test_says_when_somebody_may_not_be_called(
    rig: Rig, ready: Callable[..., BatchCall], root
) -> None:
    ready(leads=1)
    lead = Lead.objects.get()
    suppress(
        level="agency", client_id=None, campaign_id=None, phone_number=lead.phone_number,
        source="person", reason="", actor=root, now=rig.now,
    )  # fmt: skip

    rig.run()

    (row,) = of(lead)
    assert (row.before, row.after, row.why) == ("new", "suppressed", "refused")
    assert row.changed_by_email == "dispatcher"
