"""Who was enrolled after a launch was pressed or asked for is in neither, however they came."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.models import BatchCall, Campaign, Enrolment, LaunchRequest
from campaigns.services import launching, lifecycle
from campaigns.services.approving import set_launch_rule
from convomono.lib.ids import uuid7
from leads.imports.commit import WRITTEN_ROWS, commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.work import Pace
from leads.models import Lead, LeadImport, LeadOperation
from leads.operations.work import SLICE, run_operation, undo_operation
from leads.services.operations import start_operation
from tests.factories.accounts import UserFactory
from tests.factories.campaigns import NOW, enrol, make_lead, make_ready
from tests.factories.leads import ask_check, ask_commit, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User

PRESSED = NOW + timedelta(minutes=1)
CALM = Pace(lambda: NOW, lambda _seconds: None)


class Clock:
    """A clock that a pause sets on once the first leads are written; somebody launches then."""

    def __init__(self, press: Callable[[], object]) -> None:
        self.instant, self.press = NOW, press

    def pace(self) -> Pace:
        return Pace(lambda: NOW, self.pause, now=lambda: self.instant)

    def pause(self, _seconds: float) -> None:
        if self.instant == NOW and Enrolment.objects.exists():
            self.press()
            self.instant = PRESSED + timedelta(seconds=1)


def press(campaign: Campaign, actor: User) -> BatchCall:
    return launching.open_batch_call(
        campaign=campaign, launch_key=uuid7(), seconds=600, actor=actor, now=PRESSED
    )


def in_line(now: datetime = PRESSED) -> int:
    batch_call = BatchCall.objects.get()
    while not launching.attach_slice(batch_call_id=batch_call.pk, now=now):
        pass
    batch_call.refresh_from_db()
    return batch_call.tasks_count


def operation_of(kind: str, leads: list[Lead], actor: User, **params: Any) -> LeadOperation:
    return start_operation(
        client=leads[0].client,
        kind=kind,
        params={"ids": [str(lead.pk) for lead in leads], **params},  # type: ignore[typeddict-item]  # a test's own
        total=len(leads),
        actor=actor,
        now=NOW,
        real_now=NOW,
    )


def test_leaves_the_rest_of_a_file_to_the_next_launch(alice: User, equipped: Client) -> None:
    campaign = make_ready(equipped)
    people = [f"Ada,{201 + n // 100}55501{n % 100:02}" for n in range(WRITTEN_ROWS)]
    lead_import = upload(alice, "\n".join(["first_name,phone", *people]), campaign_id=campaign.pk)
    ask_check(lead_import)
    check_rows(lead_import=LeadImport.objects.get(), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)
    clock = Clock(lambda: press(campaign, alice))

    commit_rows(lead_import=LeadImport.objects.get(), pace=clock.pace(), now=NOW)

    assert Enrolment.objects.count() == WRITTEN_ROWS
    assert 0 < in_line() < WRITTEN_ROWS


def test_leaves_the_rest_of_many_to_the_next_launch(alice: User, equipped: Client) -> None:
    campaign = make_ready(equipped)
    leads = [make_lead(equipped, number) for number in range(SLICE + 5)]
    operation = operation_of("enrol", leads, alice, campaign_id=str(campaign.pk))
    clock = Clock(lambda: press(campaign, alice))

    run_operation(operation=operation, pace=clock.pace(), now=NOW)

    assert Enrolment.objects.count() == SLICE + 5
    assert in_line() == SLICE


def test_leaves_whom_an_undo_brings_back_to_the_next_launch(alice: User, equipped: Client) -> None:
    campaign = make_ready(equipped)
    stays, gone = enrol(campaign, 2)
    operation = operation_of("delete", [gone.lead], alice)
    run_operation(operation=operation, pace=CALM, now=NOW)
    press(campaign, alice)

    LeadOperation.objects.update(status="undoing", cursor_id=None)
    later = PRESSED + timedelta(seconds=1)
    undo_operation(operation=operation, pace=Pace(lambda: NOW, now=lambda: later), now=NOW)

    assert set(Enrolment.objects.values_list("lead_id", flat=True)) == {stays.lead_id, gone.lead_id}
    assert in_line() == 1


@pytest.mark.parametrize(("before", "after", "ends"), [(1, 2, "outdated"), (2, 1, "launched")])
def test_approves_no_more_leads_than_were_asked_for(
    alice: User, equipped: Client, before: int, after: int, ends: str
) -> None:
    anton = UserFactory.create(client=equipped, client_role="owner", can_launch=True)
    set_launch_rule(client_id=equipped.pk, is_active=True, above_seconds=0, actor=alice, now=NOW)
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    leads = list(Lead.objects.order_by("pk"))

    def allow(count: int) -> None:
        Lead.objects.update(consent_status="withdrawn")
        Lead.objects.filter(pk__in=[lead.pk for lead in leads[:count]]).update(
            consent_status="given"
        )

    allow(before)
    request = lifecycle.ask_for_launch(
        campaign=campaign, request_id=uuid7(), starts_at=None, note="", actor=alice, now=NOW
    )
    allow(after)
    fresh = LaunchRequest.objects.select_related("campaign").get(pk=request.pk)
    try:
        lifecycle.approve_launch(request=fresh, actor=anton, now=PRESSED)
    except lifecycle.RequestOver:
        assert ends == "outdated"

    assert LaunchRequest.objects.get().status == ends
    assert BatchCall.objects.count() == (ends == "launched")
