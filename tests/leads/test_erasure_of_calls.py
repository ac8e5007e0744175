"""Erasing a person takes them out of calls that no lead is known of: theirs by the number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from campaigns.models import PersonPace, TrialCall
from convomono.lib import files
from convomono.lib.ids import uuid7
from leads.services.erasure import CallInProgress, erase_lead
from telephony.models import Call, CallDetail, Recording
from telephony.models.erasures import CallErasure
from telephony.services import apply_event
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
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


@pytest.fixture
def trial(acme):
    """A test call to the person's further number, made a day ago."""
    return TrialCall.objects.create(
        client=acme,
        campaign=make_draft(acme),
        version_id=uuid7(),
        key=uuid7(),
        phone_number=FURTHER,
        from_number=OURS,
        status="placed",
        request={"to_number": FURTHER, "dynamic_variables": {"first_name": "Ada"}},
        decision={"number": FURTHER},
        error=f"{FURTHER} was busy",
        created_at=NOW - timedelta(days=1),
    )


def test_takes_a_person_out_of_test_calls_with_their_numbers(acme, known, trial, alice):
    PersonPace.objects.create(phone_number=FURTHER, attempt_id=trial.pk, changed_at=NOW)
    other = make_draft(acme)
    kept = TrialCall.objects.create(
        client=acme, campaign=other, version_id=uuid7(), key=uuid7(),
        phone_number="+12125550102", request={"to_number": "x"}, created_at=NOW,
    )  # fmt: skip

    assert erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    left = str(list(TrialCall.objects.filter(pk=trial.pk).values()))
    assert FURTHER not in left and "Ada" not in left
    assert OURS in left
    assert not PersonPace.objects.exists()
    kept.refresh_from_db()
    assert (kept.phone_number, kept.request) == ("+12125550102", {"to_number": "x"})


def test_leaves_test_calls_of_other_clients_alone(acme, rival, known, trial, alice):
    TrialCall.objects.update(client=rival)

    erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    assert TrialCall.objects.get().phone_number == FURTHER


@pytest.mark.parametrize("status", ["queued", "dialling", "unknown"])
def test_waits_for_a_test_call_that_may_ring(known, trial, alice, status):
    TrialCall.objects.update(status=status)

    with pytest.raises(CallInProgress):
        erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    assert TrialCall.objects.get().phone_number == FURTHER
