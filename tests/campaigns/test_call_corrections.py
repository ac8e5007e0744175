"""A person's word against a report's: counted at once, undone as easily, and no money moves."""

from __future__ import annotations

import pytest

from accounts.models import ClientEvent
from audit.models import AuditLog
from billing.models import Transaction
from campaigns.models import BatchCall, Enrolment
from leads.models import Lead
from reporting.models import DailyStat
from reporting.queries.figures import campaign_figures
from reporting.services import recount_call
from telephony.events import CallDetails, CallEvent
from telephony.models import Call, CallDetail
from tests.campaigns.test_live_pages import make_call
from tests.factories.campaigns import NOW, enrol, launch, make_ready, run_batch
from webhooks.client_events import LISTENERS
from webhooks.handlers.retell import handle
from webhooks.services import add_endpoint
from webhooks.services.corrections import NotCorrectable, correct_outcome

COUNTERS = ("dials", "humans", "machines", "no_contacts", "conversions")


@pytest.fixture
def running(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


@pytest.fixture
def call(running):
    """A call that a person answered and that was counted so."""
    enrolment = running.enrolments.order_by("pk")[0]
    call = make_call(running, enrolment, is_successful=False)
    Enrolment.objects.filter(pk=enrolment.pk).update(
        status="done", was_reached=True, last_call_id=call.pk, last_outcome="human"
    )
    Lead.objects.filter(pk=enrolment.lead_id).update(
        status="reached", last_call_id=call.pk, last_outcome="human"
    )
    CallDetail.objects.create(call=call, transcript="User: Yes\n")
    Call.objects.filter(pk=call.pk).update(counted=recount_call(call=call))
    call.refresh_from_db()
    return call


def counts():
    row = DailyStat.objects.get()
    return {
        name: getattr(row, f"{name}_count") for name in COUNTERS if getattr(row, f"{name}_count")
    }


def correct(call, correction, actor):
    return correct_outcome(call=call, correction=correction, actor=actor, now=NOW)


def result(call):
    enrolment = Enrolment.objects.get(pk=call.enrolment_id)
    lead = Lead.objects.get(pk=call.lead_id)
    return enrolment.was_reached, enrolment.is_converted, enrolment.last_outcome, lead.status


def test_counts_by_the_persons_word_and_back_again(call, mia):
    before = (counts(), result(call), DailyStat.objects.values().get())
    assert before[0] == {"dials": 1, "humans": 1}

    assert correct(call, "goal", mia)
    assert counts() == {"dials": 1, "humans": 1, "conversions": 1}
    assert result(call) == (True, True, "human", "converted")
    assert BatchCall.objects.get().converted_count == 1
    assert correct(call, "machine", mia)
    assert BatchCall.objects.get().converted_count == 0
    assert counts() == {"dials": 1, "machines": 1}
    assert result(call) == (False, False, "machine", "reached")
    assert correct(call, "no_contact", mia)
    assert counts() == {"dials": 1, "no_contacts": 1}
    assert correct(call, "", mia)

    assert (counts(), result(call), DailyStat.objects.values().get()) == before


def test_is_undone_by_no_later_event_and_taken_back_to_what_that_said(call, mia):
    correct(call, "machine", mia)
    told = {"call_successful": True, "custom_analysis_data": {"converted": True}}
    event = CallEvent(
        kind="analyzed",
        provider_call_id=call.provider_call_id,
        event_ms=1,
        details=CallDetails(analysis=told),
    )
    for _time in range(2):
        handle(event=event, now=NOW)
        assert counts() == {"dials": 1, "machines": 1}
        assert result(call)[:2] == (False, False)

    correct(call, "", mia)

    assert counts() == {"dials": 1, "humans": 1, "conversions": 1}
    assert result(call)[:2] == (True, True)


def test_counts_once_whoever_repeats_it(call, mia):
    assert correct(call, "goal", mia)
    assert not correct(call, "goal", mia)
    assert counts()["conversions"] == 1
    assert AuditLog.objects.filter(action="call.corrected").count() == 1


def test_shows_in_the_reports_figures(call, mia):
    correct(call, "goal", mia)
    figures = campaign_figures(client_id=call.client_id, campaign_id=call.campaign_id)
    assert (figures.converted, figures.humans) == (1, 1)
    correct(call, "machine", mia)
    figures = campaign_figures(client_id=call.client_id, campaign_id=call.campaign_id)
    assert (figures.converted, figures.reached, figures.humans, figures.machines) == (0, 0, 0, 1)


def test_leaves_money_status_and_line_alone(call, mia):
    kept = ("billed_seconds", "client_cost_micros", "outcome_class", "status", "is_successful")
    before = Call.objects.values(*kept).get(pk=call.pk)
    lines = list(Transaction.objects.values_list("pk", flat=True))
    enrolment = Enrolment.objects.values("status", "next_attempt_at", "attempts_count")

    told = enrolment.get(pk=call.enrolment_id)
    correct(call, "machine", mia)

    assert Call.objects.values(*kept).get(pk=call.pk) == before
    assert list(Transaction.objects.values_list("pk", flat=True)) == lines
    assert enrolment.get(pk=call.enrolment_id) == told


def test_goes_by_another_call_that_reached_the_person(call, running, mia):
    second = make_call(running, call_enrolment(call), number=2)
    CallDetail.objects.create(
        call=second, call_analysis={"custom_analysis_data": {"converted": True}}
    )
    correct(call, "machine", mia)
    assert result(call)[:2] == (True, True)


def call_enrolment(call):
    return Enrolment.objects.get(pk=call.enrolment_id)


@pytest.mark.parametrize(
    "fields", [{"outcome_class": ""}, {"outcome_class": "not_placed"}, {"is_test": True}]
)
def test_corrects_nothing_that_was_no_call_to_a_lead(call, mia, fields):
    Call.objects.filter(pk=call.pk).update(**fields)
    with pytest.raises(NotCorrectable):
        correct(call, "goal", mia)
    assert "conversions" not in counts()


def test_tells_the_clients_systems_of_a_conversion_once(call, mia, acme, alice):
    add_endpoint(
        client=acme,
        url="https://hooks.example.com/x",
        description="",
        kinds=["lead.converted"],
        actor=alice,
        now=NOW,
    )
    LISTENERS.forget()
    for correction in ("goal", "machine", "goal"):
        correct(call, correction, mia)
    assert ClientEvent.objects.filter(kind="lead.converted").count() == 1


class TestPage:
    def test_corrects_and_undoes(self, browse, mia, call):
        browser = browse(mia)
        address = f"/app/calls/{call.pk}/outcome/"

        page = browser.post(address, {"outcome": "machine"}, follow=True).content.decode()
        assert "Corrected by mia@acme.test" in page
        assert "Undo the correction" in page
        assert "Corrected: lists and reports go by that now." in page
        listed = browser.get("/app/calls/?outcome=machine").content.decode()
        assert str(call.pk) in listed
        assert str(call.pk) not in browser.get("/app/calls/?outcome=human").content.decode()
        page = browser.post(address, {}, follow=True).content.decode()
        assert "Taken back" in page
        assert "Corrected by" not in page

    def test_refuses_what_is_no_outcome(self, browse, mia, call):
        page = browse(mia).post(f"/app/calls/{call.pk}/outcome/", {"outcome": "won"}, follow=True)
        assert "Choose what the call came to." in page.content.decode()
        assert Call.objects.get(pk=call.pk).corrected_outcome == ""

    def test_shows_viewers_the_outcome_without_the_form(self, browse, vera, call):
        page = browse(vera).get(f"/app/calls/{call.pk}/").content.decode()
        assert "Outcome" in page
        assert "It was something else" not in page
        assert browse(vera).post(f"/app/calls/{call.pk}/outcome/").status_code == 403

    def test_is_no_strangers_business(self, browse, charlie, call):
        assert browse(charlie).post(f"/app/calls/{call.pk}/outcome/").status_code == 404
