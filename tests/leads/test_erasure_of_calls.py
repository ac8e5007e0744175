"""Erasing a person takes them out of calls that no lead is known of: theirs by the number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from convomono.lib import files
from convomono.lib.ids import uuid7
from leads.services.erasure import CallInProgress, erase_lead
from telephony.models import Call, CallDetail, Recording
from telephony.models.erasures import CallErasure
from telephony.services import apply_event
from tests.factories.accounts import NOW
from tests.factories.leads import LeadFactory
from tests.factories.telephony import CallFactory
from tests.telephony.test_services_calls import ENDED

NUMBER, FURTHER, OURS = "+12125550101", "+12125550177", "+12125550199"


@pytest.fixture
def known(acme):
    return LeadFactory.create(client=acme, phone_number=NUMBER, other_numbers=[FURTHER])


def make_call(client, name="call_1", direction="inbound", theirs=NUMBER, **columns):
    inbound = direction == "inbound"
    columns |= {"from_number" if inbound else "to_number": theirs}
    columns |= {"to_number" if inbound else "from_number": OURS}
    call = CallFactory.create(
        client=client, provider_call_id=name, direction=direction, last_line="Ada here",
        **{"lead_id": None, "status": "ended", "ended_at": NOW - timedelta(hours=2), **columns},
    )  # fmt: skip
    CallDetail.objects.create(call=call, transcript="Ada here")
    return call


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
@pytest.mark.parametrize("theirs", [NUMBER, FURTHER])
def test_takes_a_person_out_of_calls_with_their_numbers(
    acme, known, alice, direction, theirs, tmp_path, django_capture_on_commit_callbacks
):
    call = make_call(acme, direction=direction, theirs=theirs, billed_seconds=60)
    (tmp_path / "sound").write_bytes(b"Ada here")
    with (tmp_path / "sound").open("rb") as sound:
        stored = files.store(room="recordings", client_id=acme.pk, suffix=".wav", content=sound)
    Recording.objects.create(call=call, client=acme, stored_name=stored, created_at=NOW)

    with django_capture_on_commit_callbacks(execute=True):
        assert erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    left = str([*Call.objects.values(), *CallDetail.objects.values(), *Recording.objects.values()])
    assert theirs not in left
    assert "Ada" not in left
    assert not Recording.objects.exists()
    assert CallErasure.objects.get().provider_call_id == "call_1"
    call.refresh_from_db()
    assert (call.billed_seconds, call.lead_id) == (60, known.pk)
    assert OURS in (call.from_number, call.to_number)


def test_leaves_calls_with_others_alone(acme, rival, known, alice):
    calls = [
        make_call(rival, "of_another_client"),
        make_call(acme, "of_another_number", theirs="+12125550102"),
        make_call(acme, "of_another_lead", lead_id=uuid7(), direction="outbound", theirs=FURTHER),
        make_call(acme, "on_the_web", theirs=""),
    ]
    before = [*Call.objects.order_by("pk").values(), *CallDetail.objects.order_by("pk").values()]

    erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    after = [*Call.objects.order_by("pk").values(), *CallDetail.objects.order_by("pk").values()]
    assert after == before
    assert len(calls) == 4


def test_no_late_event_brings_back_who_called(acme, known, alice):
    call = make_call(acme, "call_1")
    erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    apply_event(event=ENDED, now=NOW)

    call.refresh_from_db()
    assert call.from_number.startswith("erased:")
    assert CallDetail.objects.get().transcript == ""


@pytest.mark.parametrize(
    "columns", [{"status": "ongoing", "ended_at": None}, {"ended_at": NOW - timedelta(minutes=1)}]
)
def test_waits_for_a_call_that_the_person_made(acme, known, alice, columns):
    make_call(acme, **columns)

    with pytest.raises(CallInProgress):
        erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)
