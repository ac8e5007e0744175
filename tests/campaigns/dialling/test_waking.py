"""Who waits for calling hours is decided on anew once those change: by campaign, limits or zone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from campaigns import jobs, line_jobs
from campaigns.calling_rules import Limits
from campaigns.models import Campaign, Enrolment
from campaigns.services import waking
from campaigns.services.authoring import content_of, update_campaign
from campaigns.services.limits import set_client_limits
from campaigns.services.policies import dialling_of, set_dialling
from convomono.lib.ids import uuid7
from convomono.lib.redis import redis_connection
from leads.models import Lead
from leads.services.people import LeadFields, change_lead
from tests.factories.campaigns import TESTS
from tests.plans import plans

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from campaigns.models import BatchCall
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch, rig: Rig) -> None:
    monkeypatch.setattr(line_jobs, "SETTLES_SECONDS", 0)
    monkeypatch.setattr("convomono.lib.clock.now", lambda: rig.now)


@pytest.fixture
def changed(
    run_jobs: Callable[[], int], django_capture_on_commit_callbacks: Any
) -> Callable[[Callable[[], object]], None]:
    """Change something, and let the workers do what follows."""

    def run(change: Callable[[], object]) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            change()
        with django_capture_on_commit_callbacks(execute=True):
            run_jobs()

    return run


def edit(batch_call: BatchCall, rig: Rig, **fields: Any) -> bool:
    campaign = Campaign.objects.get(pk=batch_call.campaign_id)
    content = replace(content_of(campaign), **fields)
    return update_campaign(campaign=campaign, content=content, actor=TESTS, now=rig.now)


def reasons() -> set[str]:
    return set(Enrolment.objects.values_list("waiting_reason", flat=True))


def test_calls_today_once_the_hours_are_widened(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waking, "SLICE", 2)
    batch_call = ready(leads=5, is_any_hour=False, opens_minute=7 * 60, closes_minute=9 * 60)
    rig.step()  # 10:00 in New York
    rig.step()
    assert reasons() == {"window"}

    changed(lambda: edit(batch_call, rig, closes_minute=20 * 60))

    assert reasons() == {""}
    rig.step()
    rig.step()
    assert len(rig.retell.dials) == 5


def test_is_taken_up_where_redis_was_away_or_a_worker_was_killed(
    rig: Rig, ready: Callable[..., BatchCall], run_jobs: Callable[[], int], acme: Client
) -> None:
    batch_call = ready(is_any_hour=False, opens_minute=7 * 60, closes_minute=9 * 60)
    late = Limits(opens_minute=15 * 60, closes_minute=16 * 60)
    set_client_limits(client=acme, limits=late, actor=TESTS, now=rig.now)
    rig.step()
    edit(batch_call, rig, closes_minute=20 * 60)
    set_client_limits(client=acme, limits=Limits(), actor=TESTS, now=rig.now)
    redis_connection().flushdb()  # on MongoDB the jobs were put there by commits
    assert reasons() == {"hours_forbidden"}

    rig.tick(61)
    jobs.resume_campaigns()
    assert run_jobs() == 2

    assert reasons() == {""}
    assert waking.left_behind(since=rig.now, most=9) == []


def test_is_not_done_for_who_changed_the_hours_meanwhile(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(is_any_hour=False)
    key = {"client_id": batch_call.client_id, "campaign_id": batch_call.campaign_id}
    waking.note_change(**key, now=rig.now)
    asked = waking.asked_at(**key)
    assert asked is not None
    waking.note_change(**key, now=rig.now + timedelta(seconds=1))

    waking.note_done(**key, asked=asked)

    assert waking.asked_at(**key) == rig.now + timedelta(seconds=1)


def test_says_anew_when_it_opens_where_it_is_still_too_early(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any
) -> None:
    batch_call = ready(is_any_hour=False, opens_minute=14 * 60)
    rig.step()

    changed(lambda: edit(batch_call, rig, opens_minute=12 * 60))
    rig.step()
    rig.step()

    batch_call.refresh_from_db()
    noon = rig.now.replace(hour=17, minute=0, second=0)
    assert (batch_call.waiting_reason, batch_call.waiting_until) == ("window", noon)


def test_leaves_retries_and_other_campaigns_in_their_place(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any
) -> None:
    batch_call = ready(leads=2)
    other = ready(start=10, is_any_hour=False, opens_minute=14 * 60, number=None)
    rig.step()
    rig.step()
    for one in rig.ringing():
        rig.end(one, "dial_no_answer")
    before = dict(Enrolment.objects.values_list("pk", "next_attempt_at"))

    changed(lambda: edit(batch_call, rig, closes_minute=19 * 60))

    assert dict(Enrolment.objects.values_list("pk", "next_attempt_at")) == before
    assert other.enrolments.get().waiting_reason == "window"


def test_calls_once_a_clients_limits_are_loosened(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any, acme: Client
) -> None:
    ready(is_any_hour=False)
    late = Limits(opens_minute=15 * 60, closes_minute=16 * 60)
    set_client_limits(client=acme, limits=late, actor=TESTS, now=rig.now)
    rig.step()
    assert reasons() == {"window"}

    changed(lambda: set_client_limits(client=acme, limits=Limits(), actor=TESTS, now=rig.now))
    rig.step()
    rig.step()

    assert len(rig.retell.dials) == 1


def test_calls_where_a_zone_was_mended(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any
) -> None:
    ready(
        is_any_hour=False,
        opens_minute=9 * 60,
        closes_minute=11 * 60,
        lead_fields={"time_zone": "", "zone_candidates": ["America/New_York", "America/Denver"]},
    )
    rig.step()
    assert reasons() == {"never_open"}
    lead = Lead.objects.get()

    changed(
        lambda: change_lead(
            lead=lead,
            fields=LeadFields(time_zone="America/New_York"),
            names=("time_zone",),
            tags=[],
            actor=TESTS,
            now=rig.now,
        )
    )
    rig.step()
    rig.step()

    assert len(rig.retell.dials) == 1


def test_retries_on_saturday_once_weekends_are_allowed(
    rig: Rig, ready: Callable[..., BatchCall], changed: Any
) -> None:
    rig.now = rig.real = rig.now + timedelta(days=5)  # Saturday
    batch_call = ready(is_any_hour=False, at=rig.now)
    campaign = batch_call.campaign
    strict = replace(dialling_of(campaign), is_business_days=True)
    set_dialling(campaign=campaign, dialling=strict, actor=TESTS, now=rig.now)
    Enrolment.objects.update(attempts_count=1)
    rig.step()
    assert reasons() == {"closed_day"}

    lax = replace(strict, is_business_days=False)
    changed(lambda: set_dialling(campaign=campaign, dialling=lax, actor=TESTS, now=rig.now))
    rig.step()
    rig.step()

    assert len(rig.retell.dials) == 1


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_finds_the_lines_of_a_lead_by_the_lead(rig: Rig) -> None:
    """Not by who is queued, which is everybody."""
    (plan,) = plans(lambda: waking.wake_lead(lead_id=uuid7(), now=rig.now), of="UPDATE")

    assert "lead_id=?" in plan, plan
