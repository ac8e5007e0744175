"""Who is on a do-not-call list under any of their numbers isn't called under another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.dialling import placing
from campaigns.dialling.candidates import load_candidates
from campaigns.dialling.wording import inputs, reasons
from campaigns.lead_counts import count_leads
from campaigns.models import Attempt, BatchCall, Enrolment
from convomono.lib.ids import uuid7
from leads.models import Lead, LeadStatusChange
from leads.services import suppress
from leads.services.erasure import erase_lead
from tests.campaigns.dialling.conftest import statuses
from tests.campaigns.dialling.test_handing_over import MODE, handed_over, lists
from tests.factories.campaigns import TESTS
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import Client, User
    from tests.campaigns.dialling.conftest import Rig

pytestmark = pytest.mark.django_db
OFFICE = "+12125550188"


def put(
    client: Client | None, *, number: str = OFFICE, level: str = "client", campaign_id: Any = None
) -> None:
    suppress(
        level=level, client_id=client.pk if client else None, campaign_id=campaign_id,
        phone_number=number, source="person", reason="", actor=TESTS,
        now=Lead.objects.earliest("created_at").created_at,
    )  # fmt: skip


def test_calls_nobody_who_is_listed_under_another_number_and_says_which(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=5)
    leads = list(Lead.objects.order_by("phone_number"))
    theirs = [f"+1212555018{digit}" for digit in range(4)]
    for lead, number in zip(leads, theirs, strict=False):
        Lead.objects.filter(pk=lead.pk).update(other_numbers=["+12125550177", number])
    put(None, number=theirs[0], level="agency")
    put(batch_call.client, number=theirs[1])
    put(batch_call.client, number=theirs[2], level="campaign", campaign_id=batch_call.campaign_id)
    put(batch_call.client, number=theirs[3], level="campaign", campaign_id=uuid7())

    rig.run()

    # Another campaign's list forbids nothing here, nor does a list that has none of one's numbers.
    called = {dial.to_number for dial in rig.retell.dials}
    assert called == {leads[3].phone_number, leads[4].phone_number}
    denied = {row.phone_number: row for row in Attempt.objects.filter(status="denied")}
    for lead, number, level in zip(leads, theirs, ("agency", "client", "campaign"), strict=False):
        decision = denied[lead.phone_number].decision
        assert decision["rules"] == [f"suppressed.{level}"]
        assert decision["inputs"]["suppressed_number"] == number
        (reason,) = reasons(decision)
        assert f"+1 212-555-{number[-4:]}" in reason.sentence
        assert ("Listed by another number of theirs", number) in inputs(decision)
        lead.refresh_from_db()
        assert lead.status == "suppressed"
        assert LeadStatusChange.objects.get(lead=lead).why == "refused"


def test_does_not_spread_from_person_to_person(
    rig: Rig, ready: Callable[..., BatchCall], rival: Client
) -> None:
    """Two share an office; one of them asked not to be called on her own number."""
    ready(leads=2)
    first, second = Lead.objects.order_by("phone_number")
    Lead.objects.update(other_numbers=[OFFICE])
    put(first.client, number=first.phone_number)
    put(rival)

    rig.run()

    assert {dial.to_number for dial in rig.retell.dials} == {second.phone_number}


def test_sends_nothing_if_the_other_number_is_listed_after_the_decision(
    rig: Rig, ready: Callable[..., BatchCall], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_call = ready()
    Lead.objects.update(other_numbers=[OFFICE])
    prepare = placing.prepare_attempt

    def asked_meanwhile(**arguments: Any) -> Attempt:
        put(batch_call.client)
        return prepare(**arguments)

    monkeypatch.setattr("campaigns.dispatcher.prepare_attempt", asked_meanwhile)
    rig.step()
    rig.step()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"suppressed": 1}


def test_leaves_them_out_of_a_list_that_is_being_filled(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=26, mode=MODE, reserve=60_000)
    rig.step()
    gone = Attempt.objects.order_by("pk")[0]
    Lead.objects.filter(pk=gone.lead_id).update(other_numbers=[OFFICE])
    put(batch_call.client)
    handed_over(rig)

    (sent,) = lists(rig)
    assert gone.phone_number not in {task.to_number for task in sent["tasks"]}
    assert statuses(batch_call) == {"dialling": 25, "suppressed": 1}


def test_counts_them_before_a_launch(rig: Rig, ready: Callable[..., BatchCall]) -> None:
    batch_call = ready(leads=3)
    Enrolment.objects.update(batch_call=None)
    first, second, _third = Lead.objects.order_by("phone_number")
    Lead.objects.filter(pk__in=[first.pk, second.pk]).update(other_numbers=[OFFICE])
    before = count_leads(batch_call.campaign, rig.now, is_sandbox=True)
    put(batch_call.client)

    after = count_leads(batch_call.campaign, rig.now, is_sandbox=True)

    assert (before.suppressed, after.suppressed) == (0, 2)
    assert before.callable - after.callable == 2


def test_asks_as_few_queries_for_many_people_with_many_numbers(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready(leads=12)
    for number, lead in enumerate(Lead.objects.all()):
        others = [f"+1212555{1000 + 3 * number + one:04}" for one in range(3)]
        Lead.objects.filter(pk=lead.pk).update(other_numbers=others)
    rows = list(Enrolment.objects.select_related("lead"))
    _ = batch_call.campaign.retry_policy, batch_call.version  # read here, once for a launch
    counts = []
    for some in (rows[:1], rows):
        with CaptureQueriesContext(connection) as asked:
            load_candidates(batch_call=batch_call, enrolments=some, now=rig.now)
        counts.append(len(asked))

    assert counts[0] == counts[1]


def test_knows_an_erased_persons_other_number_by_its_hash(
    rig: Rig, ready: Callable[..., BatchCall]
) -> None:
    batch_call = ready()
    Lead.objects.update(other_numbers=[OFFICE])
    gone = LeadFactory.create(client=batch_call.client, phone_number=OFFICE)
    erase_lead(lead=gone, reason="Asked", actor=TESTS, now=rig.now)

    rig.run()

    assert rig.retell.dials == []
    assert statuses(batch_call) == {"suppressed": 1}


def test_says_so_on_the_page_of_the_lead_and_of_the_number(
    ready: Callable[..., BatchCall], browse: Callable[[User], Browser], mia: User
) -> None:
    batch_call = ready()
    lead = Lead.objects.get()
    Lead.objects.update(other_numbers=[OFFICE])
    put(batch_call.client)
    browser = browse(mia)

    page = browser.get(f"/app/leads/{lead.pk}/").text
    answer = browser.get("/app/may-we-call/", {"number": lead.phone_number}).text

    assert "+1 212-555-0188 is on the do-not-call list" in page
    assert "Never call this number again" in page
    assert "Another number of this person, +1 212-555-0188, is on your do-not-call list." in answer
