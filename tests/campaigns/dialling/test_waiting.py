"""Why nothing is dialling: each reason is reached, and stands on the launch with its instant."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.models import Attempt, BatchCall, Campaign, Enrolment
from leads.models import Lead
from leads.services import suppress
from telephony.models import PhoneNumber
from telephony.provider import Unavailable
from tests.campaigns.dialling.conftest import statuses
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db


def why(batch_call: BatchCall) -> tuple[str, datetime | None, dict[str, Any]]:
    batch_call.refresh_from_db()
    return batch_call.waiting_reason, batch_call.waiting_until, batch_call.waiting_facts


def settle(rig: Rig, steps: int = 3) -> None:
    for _ in range(steps):
        rig.step()


def test_window(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=60, is_any_hour=False, opens_minute=14 * 60)

    settle(rig)

    opens = rig.now.replace(hour=19, minute=0, second=0)
    assert why(batch_call) == ("window", opens, {})
    assert set(Enrolment.objects.values_list("waiting_reason", flat=True)) == {"window"}
    assert not Attempt.objects.exists()
    rig.now = rig.real = opens
    rig.step()
    assert len(rig.retell.dials) > 0


def test_never_open(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(
        is_any_hour=False,
        opens_minute=9 * 60,
        closes_minute=10 * 60,
        lead_fields={"time_zone": "", "zone_candidates": ["America/New_York", "America/Denver"]},
    )

    settle(rig)

    assert why(batch_call)[0] == "never_open"


@pytest.mark.parametrize(
    "content",
    [
        {"opens_minute": 21 * 60 + 30, "closes_minute": 23 * 60},
        {"weekdays": [6], "opens_minute": 9 * 60, "closes_minute": 10 * 60},
    ],
    ids=["late at night", "a Sunday where there are none"],
)
def test_hours_forbidden(
    rig: Rig, ready: Callable[..., BatchCall], content: dict[str, Any]
) -> None:
    # Alabama allows no calls on Sundays.
    number = {"phone_number": "+12055551234", "time_zone": "America/Chicago", "region": "AL"}
    batch_call = ready(is_any_hour=False, lead_fields=number, **content)

    settle(rig)

    assert why(batch_call)[0] == "hours_forbidden"


def test_retry(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.step()
    rig.end(rig.ringing()[0], "dial_busy")

    settle(rig)

    code, until, _facts = why(batch_call)
    assert code == "retry"
    assert until == Enrolment.objects.get().next_attempt_at


def test_person_gap_and_cap(rig: Rig, ready: Callable[..., BatchCall], rival: Client) -> None:
    first = ready()
    second = ready(client=rival, number="+12125550177")
    rig.step()
    rig.step()

    codes = {why(first)[0], why(second)[0]}
    assert "person_gap" in codes
    assert len(rig.retell.dials) == 1

    attempt = rig.ringing()[0]
    rig.end(attempt, "user_hangup")
    for hours in (1, 2, 3):
        Attempt.objects.create(
            **{
                **{
                    name: getattr(attempt, name)
                    for name in ("client_id", "enrolment_id", "campaign_id", "batch_call_id")
                },
                "version_id": attempt.version_id,
                "lead_id": attempt.lead_id,
                "phone_number": attempt.phone_number,
                "number": 10 + hours,
                "status": "ended",
                "created_at": rig.now - timedelta(hours=hours),
            }
        )
    rig.tick(16 * 60)
    settle(rig)
    other = second if why(first)[0] == "" or first.status == "finished" else first
    assert why(other)[0] == "person_cap"


@pytest.mark.parametrize(
    ("limits", "code", "facts"),
    [
        ({"retell": 1}, "lines_full", {"used": 1, "limit": 1, "own": 1}),
        ({"client": 1}, "client_lines_full", {"limit": 1, "own": 1}),
        ({"campaign": 1}, "campaign_lines_full", {"limit": 1, "own": 1}),
    ],
)
def test_lines(
    rig: Rig,
    ready: Callable[..., BatchCall],
    acme: Client,
    limits: dict[str, int],
    code: str,
    facts: dict[str, int],
) -> None:
    batch_call = ready(leads=5)
    rig.retell.limit = limits.get("retell", 20)
    type(acme).objects.update(concurrency_limit=limits.get("client", 20))
    Campaign.objects.update(concurrency_limit=limits.get("campaign", 20))

    settle(rig, 5)

    assert why(batch_call) == (code, None, facts)
    assert len(rig.retell.dials) == 1


def test_leaves_lines_that_others_use(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=10)
    rig.retell.limit = 5
    for number in range(3):
        rig.retell._ring("+12125550111", f"+1212555012{number}", "agent", {})

    settle(rig, 10)

    assert len(rig.retell.dials) == 2


def test_in_progress(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()

    settle(rig)

    assert why(batch_call)[0] == "in_progress"


def test_settling(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    rig.retell.lose_answer()

    settle(rig)

    assert why(batch_call)[0] == "settling"


def test_credit(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=5, reserve=330)

    settle(rig, 4)

    assert why(batch_call)[0] == "credit"
    assert len(rig.retell.dials) == 1
    assert statuses(batch_call) == {"in_call": 1, "queued": 4}


def test_no_number(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(number=None)

    settle(rig)

    assert why(batch_call)[0] == "no_number"


def test_numbers_resting(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready()
    until = rig.now + timedelta(hours=2)
    PhoneNumber.objects.update(resting_until=until)

    settle(rig)

    assert why(batch_call) == ("numbers_resting", until, {})


def test_numbers_capped(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=5)
    PhoneNumber.objects.update(daily_cap=2)

    settle(rig, 5)

    assert why(batch_call)[0] == "numbers_capped"
    assert len(rig.retell.dials) == 2
    rig.tick(24 * 3600)
    rig.step()
    assert len(rig.retell.dials) > 2


def test_client_inactive(rig: Rig, ready: Callable[..., BatchCall], acme: Client) -> None:
    batch_call = ready()
    type(acme).objects.update(status="inactive")

    settle(rig)

    assert why(batch_call)[0] == "client_inactive"
    assert rig.retell.dials == []


def test_provider_busy(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=3)
    rig.retell.rate_limit(60)

    settle(rig)

    code, until, _facts = why(batch_call)
    assert code == "provider_busy"
    assert until is not None and until > rig.now + timedelta(seconds=50)


def test_provider_silent_while_its_lines_are_unknown(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    for _ in range(3):
        rig.retell.fail("concurrency", Unavailable("down"))

    settle(rig)
    assert why(batch_call)[0] == "provider_silent"
    assert rig.retell.dials == []
    settle(rig)
    assert len(rig.retell.dials) == 1


def test_denies_and_finishes_a_launch_nobody_of_may_be_called(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=4)
    leads = list(Lead.objects.order_by("phone_number"))
    for level, lead in zip(("agency", "client", "campaign"), leads, strict=False):
        suppress(
            level=level,
            client_id=batch_call.client_id,
            campaign_id=batch_call.campaign_id,
            phone_number=lead.phone_number,
            source="person",
            reason="",
            actor=TESTS,
            now=rig.now,
        )
    Lead.objects.filter(pk=leads[3].pk).update(consent_status="none")

    settle(rig, 1)

    assert statuses(batch_call) == {"suppressed": 4}
    assert batch_call.status == "finished"
    rules = {row.decision["rules"][0] for row in Attempt.objects.all()}
    assert rules == {
        "suppressed.agency",
        "suppressed.client",
        "suppressed.campaign",
        "consent.missing",
    }
    assert set(Attempt.objects.values_list("status", flat=True)) == {"denied"}
    assert rig.retell.dials == []


def test_explains_very_many_launches_in_turns(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.dispatcher.EXPLAINED_AT_ONCE", 1)
    launches = [
        ready(start=number * 10, name=f"Campaign {number}", number=None) for number in range(3)
    ]

    settle(rig, 3)

    assert {why(one)[0] for one in launches} == {"no_number"}
