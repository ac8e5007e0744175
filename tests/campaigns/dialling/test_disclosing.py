"""What a call has to say first: kept with its dial, checked when it is over, and a script that leaves it out stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from campaigns.calling_rules import calling_rules
from campaigns.calling_rules.places import Place
from campaigns.dialling.breaking import Recent, Safety, tripped
from campaigns.models import Attempt, BatchCall, CampaignVersion, SafetyPolicy
from campaigns.queries.progress import add_up, why
from campaigns.services.steering import resume_batch_call
from convomono.lib.ids import uuid7
from telephony.events import CallDetails
from telephony.models import Call
from tests.conftest import NOW
from tests.factories.campaigns import TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.campaigns.dialling.conftest import Rig

WHOLE = "Hi, this is the AI assistant of Acme Dental. This call is recorded."
UNRECORDED = "Hi, this is the AI assistant of Acme Dental. Do you have a minute?"
CALIFORNIA = {"region": "CA", "time_zone": "America/Los_Angeles"}


@pytest.mark.parametrize(
    ("place", "notices", "rules"),
    [
        (Place("US", ("CA",)), ("recording",), "us.ca.recording"),
        (Place("US", ("NY",)), (), ""),
        (Place("US", ("NY", "WA")), ("recording",), "us.wa.recording"),
        (Place("DE"), ("ai", "recording"), "eu.aiact50 eu.gdpr13"),
        (Place("GB"), ("recording",), "uk.gdpr13"),
        (Place("BR"), ("recording",), "any.notice"),
    ],
)
def test_asks_for_what_the_rules_of_the_place_ask_for(place, notices, rules):
    found = calling_rules(place, NOW.date())

    assert (found.notices, found.notices_rule) == (notices, rules)


def test_asks_for_what_every_state_asks_for_where_nobody_knows_the_state():
    found = calling_rules(Place("US"), NOW.date())

    assert found.notices == ("recording",)
    assert len(found.notices_rule.split()) == 12


def test_asks_for_nothing_before_its_rule_holds():
    before = calling_rules(Place("DE"), NOW.date().replace(year=2026, month=8, day=1))

    assert before.notices == ("recording",)


@pytest.mark.parametrize(
    ("missed", "limit", "is_tripped"),
    [(4, 5, False), (5, 5, True), (1, 1, True), (50, 0, False), (0, 1, False)],
)
def test_blocks_a_script_after_so_many_misses(missed: int, limit: int, is_tripped: bool) -> None:
    trip = tripped(safety=Safety(missed_disclosures=limit), recent=Recent(undisclosed=missed))

    assert (trip is not None) is is_tripped
    if trip is not None:
        assert (trip.code, trip.facts) == ("breaker_disclosure", {"used": missed})


def said(*agent: str) -> CallDetails:
    turns = [
        turn
        for text in agent
        for turn in ({"role": "agent", "content": text}, {"role": "user", "content": "Yes?"})
    ]
    return CallDetails(transcript="Agent: …\n", transcript_object=turns)


def end_all(rig: Rig, opening: str, *, most: int, **fields: Any) -> None:
    for attempt in rig.ringing()[:most]:
        rig.end(attempt, **{"details": said(opening), **fields})


@pytest.mark.django_db
def test_keeps_with_each_dial_what_it_has_to_say(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    ready(leads=1, lead_fields=CALIFORNIA)
    rig.step()

    wanted = {
        "business": "Acme Dental",
        "languages": ["en-US"],
        "notices": ["recording"],
        "rules": Call.objects.get().must_say["rules"],
    }
    assert Call.objects.get().must_say == wanted
    assert "us.ca.recording" in wanted["rules"]
    assert Attempt.objects.get().decision["must_say"] == wanted


@pytest.mark.django_db
@pytest.mark.parametrize(("opening", "kept"), [(WHOLE, "given"), (UNRECORDED, "recording")])
def test_judges_a_call_by_what_was_asked_when_it_was_dialled(
    rig: Rig, ready: Callable[..., BatchCall], opening: str, kept: str
) -> None:
    batch_call = ready(leads=1, lead_fields=CALIFORNIA)
    rig.step()
    batch_call.client.name = "Another Name"
    batch_call.client.save()

    end_all(rig, opening, most=1)

    assert Call.objects.get().disclosure == kept


@pytest.mark.django_db
def test_stops_a_script_that_leaves_out_what_must_be_said_and_says_what_to_do(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=30, lead_fields=CALIFORNIA)
    rig.step()
    rig.step()
    end_all(rig, UNRECORDED, most=4)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"

    end_all(rig, UNRECORDED, most=1)
    rig.step()

    batch_call.refresh_from_db()
    assert (batch_call.status, batch_call.pause_reason) == ("paused", "breaker_disclosure")
    sentence = why(batch_call.campaign, [batch_call], add_up([batch_call]))
    assert "5 calls of this version" in sentence
    assert "put it into the opening line, publish, then resume" in sentence

    rig.tick()
    resume_batch_call(batch_call=batch_call, actor=TESTS, now=rig.now)
    end_all(rig, UNRECORDED, most=4)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"  # it counts anew from there


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("opening", "fields"),
    [
        pytest.param(WHOLE, {}, id="all is said"),
        pytest.param(UNRECORDED, {"reason": "voicemail_reached"}, id="a machine heard it"),
        pytest.param(UNRECORDED, {"details": CallDetails()}, id="no transcript"),
    ],
)
def test_goes_on_where_nothing_was_missed(
    rig: Rig, ready: Callable[..., BatchCall], opening: str, fields: dict[str, Any]
) -> None:
    batch_call = ready(leads=30, lead_fields=CALIFORNIA)
    rig.step()
    rig.step()
    end_all(rig, opening, most=8, **fields)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "running"


@pytest.mark.django_db
def test_goes_on_where_a_campaign_says_so(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=30, lead_fields=CALIFORNIA)
    SafetyPolicy.objects.create(
        client=batch_call.client, campaign=batch_call.campaign, missed_disclosures=0
    )
    rig.step()
    rig.step()
    end_all(rig, UNRECORDED, most=8)
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "running"


@pytest.mark.django_db
def test_counts_nothing_against_a_new_version(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=30, lead_fields=CALIFORNIA)
    rig.step()
    rig.step()
    take_up_next_version(batch_call)

    end_all(rig, UNRECORDED, most=8)  # calls of the version before
    rig.step()

    batch_call.refresh_from_db()
    assert batch_call.status == "running"

    Call.objects.filter(status="ended").update(agent_version=1)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.pause_reason == "breaker_disclosure"


@pytest.mark.django_db
def test_counts_a_variant_by_itself(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=30, lead_fields=CALIFORNIA)
    rig.step()
    rig.step()
    BatchCall.objects.filter(pk=batch_call.pk).update(variant=next_version(batch_call))
    end_all(rig, UNRECORDED, most=4)
    Call.objects.filter(status="ended").update(agent_version=1)
    end_all(rig, UNRECORDED, most=4)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.status == "running"  # four of each

    Call.objects.filter(status="ended").update(agent_version=1)
    rig.step()
    batch_call.refresh_from_db()
    assert batch_call.pause_reason == "breaker_disclosure"


def next_version(batch_call: BatchCall) -> CampaignVersion:
    columns = CampaignVersion.objects.filter(pk=batch_call.version_id).values().get()
    changed = {"id": uuid7(), "number": columns["number"] + 1, "provider_agent_version": 1}
    return CampaignVersion.objects.create(**{**columns, **changed})


def take_up_next_version(batch_call: BatchCall) -> None:
    BatchCall.objects.filter(pk=batch_call.pk).update(version=next_version(batch_call))
