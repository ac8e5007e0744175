"""What the agency resumes for all clients at once: launches that a refusal of its account paused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from accounts.models import Notification
from audit.models import AuditLog
from campaigns import halt_jobs
from campaigns.dialling.waiting import PAUSED_KEY, PAUSED_PAYMENT
from campaigns.models import BatchCall
from campaigns.services import resuming, steering
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
LIVE = "/agency/live/"
RESUME = f"{LIVE}halted/{PAUSED_PAYMENT}/resume/"


@pytest.fixture
def refused(rig: Rig, ready: Callable[..., BatchCall], rival: Client) -> list[BatchCall]:
    """Launches of two clients that one refused payment paused, and one that somebody had paused before."""
    mine = ready(leads=2)
    theirs = ready(leads=2, client=rival, start=20, number="+13105550199")
    other = ready(leads=1, start=40, number=None, name="Other")
    steering.pause_batch_call(batch_call=other, actor=TESTS, now=rig.now)
    rig.retell.reject(402, "No payment.")
    rig.step()
    rig.step()
    for row in (mine, theirs, other):
        row.refresh_from_db()
    assert [row.pause_reason for row in (mine, theirs, other)] == [PAUSED_PAYMENT] * 2 + ["person"]
    return [mine, theirs, other]


def states(rows: list[BatchCall]) -> list[str]:
    found = BatchCall.objects.in_bulk([row.pk for row in rows])
    return [found[row.pk].status for row in rows]


def test_goes_on_for_all_clients_once_the_agency_has_mended_it(
    rig: Rig, refused: list[BatchCall], root: User, browse
) -> None:
    assert Notification.objects.get(client=None).url == LIVE
    browser = browse(root)
    page = browser.get(LIVE).content.decode()
    assert "The voice platform reports a payment problem. The agency must settle it." in page
    assert "2 launches are paused for it since" in page
    assert "It concerns 2 clients." in page

    said = browser.post(RESUME, follow=True).content.decode()

    assert "2 launches go on where they stopped." in said
    assert "It concerns" not in said
    assert states(refused) == ["running", "running", "paused"]
    assert not BatchCall.objects.exclude(resumed_at=None).exists()  # the breaker goes on counting
    row = AuditLog.objects.get(action="dialling.halted_resumed")
    assert (row.user_email, row.details) == (root.email, {"reason": PAUSED_PAYMENT, "launches": 2})
    resumed = AuditLog.objects.filter(action="campaign.resumed", user_email=root.email)
    assert set(resumed.values_list("client_id", flat=True)) == {row.client_id for row in refused}
    dials = len(rig.retell.dials)
    rig.tick(60)
    rig.step()
    assert len(rig.retell.dials) > dials
    assert "None of them is paused any more." in browser.post(RESUME, follow=True).content.decode()


def test_is_for_those_of_the_agency_who_may(
    refused: list[BatchCall], bob: User, alice: User, charlie: User, browse
) -> None:
    assert "It concerns 2 clients." in browse(bob).get(LIVE).content.decode()
    assert RESUME not in browse(bob).get(LIVE).content.decode()
    for user in (bob, alice, charlie):
        assert browse(user).post(RESUME).status_code == 403
    assert states(refused) == ["paused"] * 3

    bob.manage_campaigns = True
    bob.save()
    assert RESUME in browse(bob).get(LIVE).content.decode()
    assert browse(bob).post(RESUME).status_code == 302
    assert states(refused) == ["running", "running", "paused"]


@pytest.mark.parametrize("reason", ["person", "paused_credit", "breaker_failed", "nothing"])
def test_resumes_nothing_that_is_a_clients_to_resume(
    refused: list[BatchCall], root: User, browse, reason: str
) -> None:
    assert browse(root).post(f"{LIVE}halted/{reason}/resume/").status_code == 404
    assert browse(root).get(RESUME).status_code == 405
    assert browse(root).post(f"{LIVE}halted/{PAUSED_KEY}/resume/").status_code == 302
    assert states(refused) == ["paused"] * 3


@pytest.mark.django_db(transaction=True)
def test_resumes_many_in_slices_and_none_that_was_refused_again(
    rig: Rig,
    refused: list[BatchCall],
    root: User,
    take_jobs: Callable[[], list[Callable[[], object]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resuming, "AT_ONCE", 1)
    monkeypatch.setattr(halt_jobs, "PAUSE_SECONDS", 0)
    take_jobs()

    assert halt_jobs.resume_halted(reason=PAUSED_PAYMENT, actor=root, now=rig.now) == 2

    assert sorted(states(refused)) == ["paused", "paused", "running"]
    first = next(row for row in refused if states([row]) == ["running"])
    later = rig.now + timedelta(seconds=1)
    steering.pause_by_system(batch_call_id=first.pk, reason=PAUSED_PAYMENT, now=later)
    [rest] = take_jobs()
    for _ in range(2):
        rest()
    assert states([first]) == ["paused"]
    assert sorted(states(refused)) == ["paused", "paused", "running"]
