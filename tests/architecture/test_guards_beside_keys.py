"""What is asked beside keys still holds: no row of another client, none that somebody changed since it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.models import Transaction
from billing.queries import explained
from campaigns import lead_door
from campaigns.dialling.candidates import load_candidates
from campaigns.models import Attempt, BatchCall, Enrolment
from campaigns.services import launching, steering
from convomono.lib import clock
from convomono.lib.db import run_atomic
from convomono.lib.ids import uuid7
from leads.models import Suppression
from leads.services import suppress
from leads.services.erasure import erase_lead
from leads.services.suppressions import is_erased
from telephony.models import Call
from tests.factories.billing import NOW, TESTS, Launch, open_wallet
from tests.factories.campaigns import enrol, launch, make_ready, run_batch
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User

pytestmark = pytest.mark.django_db
NUMBER = "+12125550188"


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: Any, change: Callable[[], object]) -> None:
    """Let somebody change rows between a service's reading of keys and its transaction."""

    def late(block: Callable[[], Any], **kwargs: Any) -> Any:
        change()
        return run_atomic(block, **kwargs)

    monkeypatch.setattr(module, "run_atomic", late)


def test_explains_a_line_by_nothing_of_another_client(acme: Client, rival: Client) -> None:
    open_wallet(acme, seconds=600)
    open_wallet(rival, seconds=600)
    Launch(rival, 300).dial().end(30)
    theirs = Transaction.objects.filter(client=rival, type="consume").get()
    call = Call.objects.create(client=rival, provider_call_id="call_theirs", created_at=NOW)
    line = Transaction(client=acme, type="refund", corrects_id=theirs.pk, call_id=call.pk)

    (row,) = explained([line], client=acme)

    assert (row.call, row.corrects) == (None, None)


def waiting(client: Client) -> Enrolment:
    campaign = make_ready(client)
    enrol(campaign, 1)
    return Enrolment.objects.get()


def test_takes_nobody_out_of_the_line_who_is_called_meanwhile(
    acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_wallet(acme, seconds=36_000)
    row = waiting(acme)
    batch_call = run_batch(launch(row.campaign, seconds=3000))
    BatchCall.objects.update(status="cancelled")

    def dialled() -> None:
        Enrolment.objects.update(status="dialling")
        BatchCall.objects.update(queued_count=0, dialling_count=1)

    meanwhile(monkeypatch, steering, dialled)
    steering.cancel_slice(batch_call_id=batch_call.pk, now=NOW)

    assert Enrolment.objects.get().status == "dialling"
    assert BatchCall.objects.get().cancelled_count == 0


def test_puts_nobody_in_line_whom_another_launch_took_meanwhile(
    acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_wallet(acme, seconds=36_000)
    row, other = waiting(acme), uuid7()
    batch_call = launching.open_batch_call(
        campaign=row.campaign, launch_key=uuid7(), seconds=3000, actor=TESTS, now=NOW
    )
    taken = BatchCall.objects.get()
    taken.pk, taken.launch_key, taken.attached_at = other, uuid7(), NOW
    taken.save(force_insert=True)

    meanwhile(monkeypatch, launching, lambda: Enrolment.objects.update(batch_call_id=other))
    launching.attach_slice(batch_call_id=batch_call.pk, now=NOW)

    assert Enrolment.objects.get().batch_call_id == other
    assert BatchCall.objects.get(pk=batch_call.pk).tasks_count == 0


def test_withdraws_nobody_whom_a_launch_took_meanwhile(
    acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_wallet(acme, seconds=36_000)
    row = waiting(acme)
    launch(row.campaign, seconds=3000)
    # As they were read, a moment ago.
    monkeypatch.setattr(
        lead_door, "_waiting", lambda ids: Enrolment.objects.filter(lead_id__in=ids)
    )

    gone = lead_door.LeadDoor().withdraw(lead_ids=[row.lead_id], campaign_id=None)

    assert gone == set()
    assert Enrolment.objects.filter(pk=row.pk).exists()


def test_calls_nobody_from_the_number_that_another_client_used(acme: Client, rival: Client) -> None:
    open_wallet(acme, seconds=36_000)
    row = waiting(acme)
    batch_call = run_batch(launch(row.campaign, seconds=3000))
    lead = LeadFactory.create(client=rival, phone_number=row.phone_number)
    enrolment = Enrolment.objects.create(
        client=rival, campaign=row.campaign, lead=lead, phone_number=row.phone_number,
        next_attempt_at=NOW, created_at=NOW,
    )  # fmt: skip
    Attempt.objects.create(
        client=rival, enrolment=enrolment, number=1, campaign_id=uuid7(), batch_call_id=uuid7(),
        version_id=uuid7(), lead_id=lead.pk, phone_number=row.phone_number, status="ended",
        from_number="+13125550100", created_at=NOW,
    )  # fmt: skip

    (candidate,) = load_candidates(
        batch_call=batch_call, enrolments=[Enrolment.objects.get(pk=row.pk)], now=NOW
    )

    assert candidate.preferred_number == ""


def test_knows_erased_people_by_client(acme: Client, rival: Client, alice: User) -> None:
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    erase_lead(lead=lead, reason="Asked", actor=alice, now=clock.now())

    assert is_erased(client_id=acme.pk, phone_number=NUMBER)
    assert not is_erased(client_id=rival.pk, phone_number=NUMBER)


def test_leaves_the_same_number_on_another_clients_list_when_it_is_erased(
    acme: Client, rival: Client, alice: User
) -> None:
    suppress(
        level=Suppression.Level.CLIENT, client_id=rival.pk, campaign_id=None,
        phone_number=NUMBER, source=Suppression.Source.PERSON, reason="", actor=TESTS, now=NOW,
    )  # fmt: skip
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)

    erase_lead(lead=lead, reason="Asked", actor=alice, now=clock.now())

    assert Suppression.objects.get(client=rival).phone_number == NUMBER
    assert Suppression.objects.filter(client=acme).exists()
