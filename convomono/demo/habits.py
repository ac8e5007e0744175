"""What Acme's people have done with their leads: promises, tags that count, views, a note, a list."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from accounts.models import User
from campaigns.services.automating import RuleContent, save_rule, switch_rule, try_rule
from campaigns.services.follow_ups import create_follow_up
from leads.jobs import score_leads, work_on_operation
from leads.models import Lead
from leads.scoring import weights_with
from leads.services.notes import add_note
from leads.services.operations import start_operation
from leads.services.saved_views import save_view
from leads.services.suppressions import suppress
from leads.services.weights import change_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from convomono.demo.agency import Agency

_SAME_EACH_TIME = UUID("0197c1f0-0000-7000-8000-000000000001")
# When each is due, from now on, and what was promised.
PROMISES = (
    (timedelta(hours=-20), "Asked for the price list; send it and call again."),
    (timedelta(hours=2), "Wants to speak to a person about braces."),
    (timedelta(days=1), "Was driving: call tomorrow."),
    (timedelta(days=3), "Looks at the calendar with her husband first."),
    (timedelta(days=8), "On holiday until next week."),
)
VIEWS = (
    ("Best first", "sort=score", True),
    ("Reached, not booked", "status=reached&sort=last_call", True),
    ("VIPs", "tag=vip&sort=score", False),
)
# Tried on the calls of the past and switched on: who named a price is told apart at once.
RULE = RuleContent(
    name="Too dear",
    campaign_id=None,
    outcomes=("human",),
    conditions={"answers": [{"question": "Obstacle", "test": "is", "values": ["price"]}]},
    action="tag",
    params={"tag": "price"},
)
TAGGED = {"vip": 9, "referral": 13}  # every so manieth lead


def write_habits(*, agency: Agency, now: datetime, real_now: datetime) -> None:
    """Do it by the services that people use; the same each time."""
    mia = User.objects.get(email="mia@acme.test")
    leads = Lead.objects.filter(client=agency.acme).exclude(status=Lead.Status.SUPPRESSED)
    in_order = list(leads.order_by("phone_number"))
    for tag, step in TAGGED.items():
        _tag(in_order[::step], tag, agency=agency, now=now, real_now=real_now)
    weights = weights_with({})
    change_weights(client=agency.acme, weights=weights, tag="vip", actor=agency.alice, now=now)
    score_leads(client_id=agency.acme.pk)
    called = [lead for lead in in_order if lead.attempts_count][::7]
    for number, ((until_due, note), lead) in enumerate(zip(PROMISES, called, strict=False)):
        create_follow_up(
            lead=lead,
            due_at=now + until_due,
            note=note,
            assignee=mia if number % 2 else None,
            key=uuid5(_SAME_EACH_TIME, note),
            actor=mia,
            now=now,
        )
    for name, query, is_shared in VIEWS:
        save_view(
            client=agency.acme, name=name, query=query, is_shared=is_shared, actor=mia, now=now
        )
    rule = save_rule(client=agency.acme, content=RULE, actor=agency.alice, now=now)
    try_rule(rule=rule, now=now)
    switch_rule(rule=rule, is_active=True, actor=agency.alice, now=now)
    for lead in called[:1]:
        add_note(lead=lead, text="Prefers mornings; ask for Dr Lee.", actor=mia, now=now)
    suppress(
        level="agency",
        client_id=None,
        campaign_id=None,
        phone_number="+12125550199",
        source="person",
        reason="Asked the agency by letter",
        actor=agency.root,
        now=now,
    )


def _tag(
    leads: Sequence[Lead], tag: str, *, agency: Agency, now: datetime, real_now: datetime
) -> None:
    operation = start_operation(
        client=agency.acme,
        kind="tag",
        params={"ids": [str(lead.pk) for lead in leads], "tag": tag},
        total=len(leads),
        actor=agency.alice,
        now=now,
        real_now=real_now,
    )
    work_on_operation(operation_id=operation.pk)
