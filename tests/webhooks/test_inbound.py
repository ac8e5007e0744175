"""Calls that people make to us: who asks not to be called again isn't, and whose call it was stays."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.models import Enrolment
from leads.models import Lead, Suppression
from leads.services import lift_suppression
from telephony.models import Call, PhoneNumber
from tests.campaigns.dialling.conftest import statuses
from tests.campaigns.test_trial_calls import ask, send
from tests.factories.campaigns import TESTS, make_lead
from tests.factories.telephony import PhoneNumberFactory, VoiceAgentFactory
from tests.factories.webhooks import delivery
from tests.mongo import fewer
from tests.webhooks.conftest import ANALYSIS, deliver, tell, without
from webhooks.drain import step
from webhooks.replay import Range, apply_again, rebuild_everything, rebuilt_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from accounts.models import Client, User
    from campaigns.models import BatchCall
    from tests.campaigns.dialling.conftest import Rig

OURS = "+14155550199"
CALLER = "+12015550100"  # of the first lead that `ready` makes
OVER: dict[str, Any] = {
    "direction": "inbound",
    "from_number": CALLER,
    "to_number": OURS,
    "call_status": "ended",
    "duration_ms": 9000,
    "disconnection_reason": "user_requested_dnc",
}


def says(**call: Any) -> dict[str, bytes]:
    """Return the events of a call to our number, as Retell would deliver them."""
    begun = {"direction": "inbound", "from_number": CALLER, "to_number": OURS}
    over = OVER | call
    return {
        "started": delivery("call_started", **{**begun, **call, "call_status": "ongoing"}),
        "ended": delivery("call_ended", **over),
        "analyzed": delivery("call_analyzed", call_analysis=ANALYSIS, **over),
    }


@pytest.fixture
def number(acme: Client) -> None:
    PhoneNumberFactory.create(client=acme, phone_number=OURS)


@pytest.mark.usefixtures("number")
class TestWhoAsksNotToBeCalled:
    @pytest.fixture
    def launched(self, ready: Callable[..., BatchCall]) -> BatchCall:
        """Two leads in line, of whom the first calls us."""
        return ready(leads=2)

    def test_is_listed_and_out_of_line(
        self, launched: BatchCall, acme: Client, rig: Rig, now: datetime
    ):
        tell(says()["ended"], now)

        entry = Suppression.objects.get()
        assert (entry.level, entry.client_id, entry.phone_number) == ("client", acme.pk, CALLER)
        assert (entry.source, entry.reason) == ("call", "user_requested_dnc")
        assert entry.call_id == Call.objects.get().pk
        assert statuses(launched) == {"queued": 1, "suppressed": 1}
        assert Enrolment.objects.get(phone_number=CALLER).status == "suppressed"
        assert Lead.objects.get(phone_number=CALLER).status == "suppressed"
        rig.run()
        assert [dial.to_number for dial in rig.retell.dials] == ["+12015550101"]

    @pytest.mark.parametrize(
        "order", list(permutations(["started", "ended", "analyzed", "blind"]))[:: fewer(1, 6)]
    )
    def test_is_so_in_every_order_and_however_often(
        self, launched: BatchCall, now: datetime, order: tuple[str, ...]
    ):
        """One event tells the end without saying who called."""
        said = says()
        said["blind"] = without(said["ended"], "from_number")
        for name in (*order, *reversed(order)):
            tell(said[name], now)

        entries = Suppression.objects.values_list("phone_number", "source", "call_id")
        assert list(entries) == [(CALLER, "call", Call.objects.get().pk)]
        assert statuses(launched) == {"queued": 1, "suppressed": 1}

    def test_is_listed_when_no_lead_has_the_number(self, now: datetime):
        tell(says()["ended"], now)
        assert Suppression.objects.get().phone_number == CALLER

    def test_is_no_concern_of_another_client(
        self, launched: BatchCall, rival: Client, now: datetime
    ):
        make_lead(rival)
        tell(says()["ended"], now)
        assert Lead.objects.get(client=rival).status == "new"

    def test_stays_off_the_list_once_taken_off_it(self, launched: BatchCall, now: datetime):
        for body in says().values():
            deliver(body, created_at=now)
        step(now=now)
        lift_suppression(
            suppression=Suppression.objects.get(), reason="Mistake", actor=TESTS, now=now
        )
        apply_again(chosen=Range(), is_dry_run=False, now=now)
        assert not Suppression.objects.exists()

    @pytest.mark.parametrize(
        "call",
        [
            {"disconnection_reason": "user_hangup"},
            {"call_type": "web_call", "agent_id": "agent_7"},
            {"from_number": "anonymous"},
            {"from_number": ""},
        ],
    )
    def test_is_nobody_else(
        self, launched: BatchCall, acme: Client, now: datetime, call: dict[str, Any]
    ):
        VoiceAgentFactory.create(client=acme, provider_agent_id="agent_7")
        for body in says(**call).values():
            tell(body, now)
        assert Call.objects.get().outcome_class == "human"
        assert not Suppression.objects.exists()
        assert statuses(launched) == {"queued": 2}

    def test_is_nobody_who_tries_a_campaign_out(
        self, launched: BatchCall, mia: User, rig: Rig, now: datetime
    ):
        trial = ask(launched.campaign, mia, now=now)
        assert send(trial, rig.retell, now)
        (call_id,) = rig.retell.placed
        tell(delivery("call_ended", call_id=call_id, attempt_id=trial.pk, **OVER), now)
        assert Call.objects.get().disconnection_reason == "user_requested_dnc"
        assert not Suppression.objects.exists()

    @pytest.mark.parametrize("shuffle", [None, 1, 2])
    def test_is_told_the_same_by_a_rebuild(
        self, launched: BatchCall, now: datetime, shuffle: int | None
    ):
        for body in says().values():
            deliver(body, created_at=now)
        step(now=now)
        before = list(Suppression.objects.values())
        found = rebuild_everything(shuffle=shuffle)
        assert (found.differences, found.calls_count, found.failed_count) == ([], 1, 0)
        assert found.stored_hash == found.rebuilt_hash
        assert list(Suppression.objects.values()) == before


@pytest.mark.usefixtures("number")
class TestWhoseCallItIs:
    @pytest.fixture(params=["rival", None])
    def passed_on(
        self, acme: Client, rival: Client, now: datetime, request: pytest.FixtureRequest
    ) -> str:
        """A call to acme's number, which is another client's by now, or nobody's."""
        cost = {"combined_cost": 4.5, "product_costs": []}
        said = says(disconnection_reason="user_hangup", agent_id="agent_7", call_cost=cost)
        for body in said.values():
            deliver(body, created_at=now)
        step(now=now)
        owner = rival if request.param else None
        assert PhoneNumber.objects.filter(phone_number=OURS).update(client=owner)
        return Call.objects.get(client=acme).provider_call_id

    @pytest.mark.parametrize("shuffle", [None, 1, 2])
    def test_stays_when_everything_is_rebuilt(
        self, passed_on: str, acme: Client, shuffle: int | None
    ):
        stored = Call.objects.values().get()
        found = rebuild_everything(shuffle=shuffle)
        assert (found.differences, found.unknown_count) == ([], 0)
        assert found.stored_hash == found.rebuilt_hash
        rebuilt = Call.objects.values().get()
        assert rebuilt["client_id"] == acme.pk
        assert {**rebuilt, "revision": stored["revision"]} == stored

    def test_stays_when_the_call_is_compared(self, passed_on: str):
        found = rebuilt_call(provider_call_id=passed_on)
        assert (found.differences, found.unknown_count) == ([], 0)

    @pytest.mark.parametrize("column", ["from_number", "to_number", "agent_id", "duration_ms"])
    def test_is_all_that_events_do_not_tell(self, passed_on: str, column: str):
        forged = 1 if column == "duration_ms" else "+12125550177"
        Call.objects.update(**{column: forged})
        for found in (rebuilt_call(provider_call_id=passed_on), rebuild_everything()):
            assert f"call.{column}" in {one.column for one in found.differences}
