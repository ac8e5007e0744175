"""Test calls: never a dial without a hold, never two for one form, charged and counted as such."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from accounts.models import Client
from audit.models import AuditLog
from billing.ledger import InsufficientCredits
from billing.models import CallHold, Reservation, Transaction, Wallet
from billing.rules import Terms
from billing.services import change_rate
from campaigns import trial_jobs
from campaigns.dialling.candidates import load_candidates
from campaigns.models import Enrolment, PersonPace, TrialCall
from campaigns.services import trial_calls, trial_sending
from campaigns.services.stopping import stop_dialling
from campaigns.services.trial_calls import (
    NoCallerNumber,
    TooManyTrials,
    TrialRefused,
    ask_trial_call,
)
from campaigns.services.trial_deciding import trial_decision
from campaigns.services.trial_sending import send_trial_call, settle_trial
from convomono.lib.ids import uuid7
from convomono.lib.phone import parse_number
from leads.services import suppress
from reporting.models import DailyStat
from telephony.events import CallDetails, CallEvent
from telephony.models import Call, PhoneNumber
from telephony.provider import NotFound
from tests.factories.campaigns import NOW, enrol, launch, make_ready
from tests.fakes import FakeRetell
from webhooks.handlers.retell import handle

OWN = parse_number("+12125550142", "US")


@pytest.fixture
def gateway(monkeypatch) -> FakeRetell:
    fake = FakeRetell()
    monkeypatch.setattr(trial_jobs, "retell_gateway", lambda: fake)
    return fake


@pytest.fixture
def campaign(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    return campaign


def ask(campaign, actor, number=OWN, now=NOW, **more):
    given = {
        "variables": {"first_name": "Ada"},
        "key": uuid7(),
        "is_sandbox": True,
        "actor": actor,
        "now": now,
    }
    version = campaign.versions.get(number=campaign.published_version)
    return ask_trial_call(campaign=campaign, version=version, number=number, **{**given, **more})


def send(trial, gateway, now=NOW, is_sandbox=True):
    return send_trial_call(
        trial_id=trial.pk,
        gateway=gateway,
        explain=str,
        stopped="Stopped.",
        is_sandbox=is_sandbox,
        now=now,
    )


def wallet(campaign):
    row = Wallet.objects.get(client_id=campaign.client_id)
    return row.available_seconds, row.reserved_seconds, row.consumed_seconds


def tell_end(trial, gateway, *, duration_ms, kind="ended"):
    call_id = next(iter(gateway.placed), "call_early")
    event = CallEvent(
        kind=kind,
        provider_call_id=call_id,
        event_ms=1,
        call_status="ended",
        disconnection_reason="user_hangup",
        started_at=NOW,
        ended_at=NOW + timedelta(milliseconds=duration_ms),
        duration_ms=duration_ms,
        user_spoke=True,
        attempt_id=trial.pk,
        details=CallDetails(
            call_cost={"combined_cost": 5},
            retell_cost_micros=50_000,
            analysis={"call_successful": True},
        ),
    )
    return handle(event=event, now=NOW)


class TestMoney:
    def test_holds_before_it_dials_and_gives_back_what_was_not_talked(self, campaign, mia, gateway):
        before = wallet(campaign)
        trial = ask(campaign, mia)

        assert wallet(campaign) == (before[0] - 300, 300, 0)
        assert CallHold.objects.get(attempt_id=trial.pk).seconds == trial.held_seconds == 300
        assert gateway.dials == []
        assert send(trial, gateway)
        [dial] = gateway.dials
        assert dial.max_call_duration_ms == 300_000
        tell_end(trial, gateway, duration_ms=41_000)

        call = Call.objects.get()
        assert (call.billed_seconds, call.is_test, call.lead_id) == (41, True, None)
        assert wallet(campaign) == (before[0] - 41, 0, 41)
        assert Reservation.objects.get(batch_call_id=trial.pk).status == "closed"
        assert Transaction.objects.filter(type="consume", call_id=call.pk).count() == 1
        tell_end(trial, gateway, duration_ms=41_000)  # twice is once
        assert wallet(campaign) == (before[0] - 41, 0, 41)

    def test_holds_what_the_shortest_call_costs(self, equipped, mia, gateway):
        terms = Terms(300_000, increment_seconds=60, minimum_seconds=61)
        later = NOW + timedelta(hours=1)
        change_rate(client=equipped, terms=terms, actor=mia, now=later)
        campaign = make_ready(equipped, settings={"max_call_duration_ms": 60_000})
        trial = ask(campaign, mia, now=later)

        assert trial.held_seconds == 120
        assert send(trial, gateway, now=later)
        [dial] = gateway.dials
        assert dial.max_call_duration_ms == 60_000
        tell_end(trial, gateway, duration_ms=41_000)
        assert Call.objects.get().billed_seconds == 120

    def test_counts_in_reports_by_its_charge_alone(self, campaign, mia, gateway):
        trial = ask(campaign, mia)
        send(trial, gateway)
        tell_end(trial, gateway, duration_ms=41_000)
        row = DailyStat.objects.get()
        counted = {
            field.name: getattr(row, field.name)
            for field in DailyStat._meta.fields
            if field.name.endswith("_count") and getattr(row, field.name)
        }
        assert counted == {}
        assert (row.billed_seconds, row.retell_cost_micros) == (41, 50_000)
        assert (row.talk_ms, row.human_talk_ms) == (0, 0)

    def test_dials_nobody_without_minutes(self, campaign, mia, gateway):
        Wallet.objects.update(available_seconds=299)
        with pytest.raises(InsufficientCredits):
            ask(campaign, mia)
        assert not TrialCall.objects.exists()
        assert not Reservation.objects.exists()

    @pytest.mark.parametrize("how", ["reject", "rate_limit", "be_unavailable"])
    def test_gives_everything_back_when_refused(self, campaign, mia, gateway, how):
        before = wallet(campaign)
        trial = ask(campaign, mia)
        getattr(gateway, how)()
        send(trial, gateway)
        trial.refresh_from_db()
        assert trial.status == "refused"
        assert trial.error
        assert wallet(campaign) == before
        assert not send(trial, gateway)  # nobody dials it again
        assert len(gateway.dials) == 1


class TestOnce:
    def test_makes_one_call_of_a_form_that_is_sent_twice(self, campaign, mia, gateway):
        key = uuid7()
        first, second = (ask(campaign, mia, key=key) for _time in range(2))
        assert first.pk == second.pk
        assert [send(first, gateway), send(second, gateway)] == [True, False]
        assert len(gateway.dials) == 1
        assert CallHold.objects.count() == 1

    def test_redials_nobody_after_a_lost_answer(self, campaign, mia, gateway):
        before = wallet(campaign)
        trial = ask(campaign, mia)
        gateway.lose_answer(placed=True)
        send(trial, gateway)
        trial.refresh_from_db()
        assert trial.status == "unknown"
        assert wallet(campaign)[1] == 300  # the hold stays
        assert not send(trial, gateway)

        assert settle_trial(trial=trial, gateway=gateway, gone="Gone.", now=NOW)
        trial.refresh_from_db()
        assert (trial.status, len(gateway.dials)) == ("placed", 1)
        assert Call.objects.get(pk=trial.call_id).is_test
        tell_end(trial, gateway, duration_ms=1_000)
        assert wallet(campaign)[0] == before[0] - 1

    def test_gives_up_what_never_rang_after_a_quarter_of_an_hour(self, campaign, mia, gateway):
        before = wallet(campaign)
        trial = ask(campaign, mia)
        gateway.lose_answer(placed=False)
        send(trial, gateway)
        trial.refresh_from_db()
        settle = partial(settle_trial, trial=trial, gateway=gateway, gone="Gone.")
        assert not settle(now=NOW + timedelta(minutes=14))
        assert wallet(campaign)[1] == 300
        assert settle(now=NOW + timedelta(minutes=15))
        trial.refresh_from_db()
        assert (trial.status, trial.error) == ("refused", "Gone.")
        assert wallet(campaign) == before

    def test_takes_an_event_that_overtakes_the_answer(self, campaign, mia, gateway):
        trial = ask(campaign, mia)
        TrialCall.objects.update(status="dialling")
        tell_end(trial, gateway, duration_ms=2_000)
        trial.refresh_from_db()
        call = Call.objects.get()
        assert (trial.status, trial.call_id, call.is_test) == ("placed", call.pk, True)
        assert call.billed_seconds == 2


class TestMayWe:
    def test_needs_no_consent_of_a_lead_but_keeps_every_list(self, campaign, mia, gateway):
        assert ask(campaign, mia).decision["verdict"] == "allow"
        suppress(
            level="client",
            client_id=campaign.client_id,
            campaign_id=None,
            phone_number=OWN.e164,
            source="person",
            reason="",
            actor=mia,
            now=NOW,
        )
        with pytest.raises(TrialRefused) as refused:
            ask(campaign, mia)
        assert "do-not-call list" in refused.value.reasons[0].sentence
        assert TrialCall.objects.count() == 1

    def test_keeps_the_hours_of_the_law(self, campaign, mia):
        night = NOW.replace(hour=7)  # 2 in the morning in New York
        with pytest.raises(TrialRefused):
            ask(campaign, mia, is_sandbox=False, now=night)
        campaign.calling_window.weekdays = []
        campaign.calling_window.save()
        noon = NOW.replace(hour=17)
        assert ask(campaign, mia, is_sandbox=False, now=noon).status == "queued"

    def test_is_sent_to_nobody_who_was_listed_meanwhile(self, campaign, mia, gateway):
        before = wallet(campaign)
        trial = ask(campaign, mia)
        suppress(
            level="client",
            client_id=campaign.client_id,
            campaign_id=None,
            phone_number=OWN.e164,
            source="person",
            reason="",
            actor=mia,
            now=NOW,
        )
        assert not send(trial, gateway)
        trial.refresh_from_db()
        assert (trial.status, trial.error, gateway.dials) == ("refused", "Stopped.", [])
        assert wallet(campaign) == before

    def test_is_decided_on_again_when_it_is_sent(self, campaign, mia, gateway):
        before = wallet(campaign)
        late = NOW.replace(day=24, hour=1, minute=59)  # 20:59 in New York
        trial = ask(campaign, mia, is_sandbox=False, now=late)
        assert not send(trial, gateway, late + timedelta(minutes=2), is_sandbox=False)
        trial.refresh_from_db()
        assert (trial.status, gateway.dials, wallet(campaign)) == ("refused", [], before)
        assert "8:00" in trial.error

    def test_counts_as_a_call_to_the_person(self, campaign, mia, gateway):
        for number in range(3):
            at = NOW + timedelta(minutes=16 * number)
            trial = ask(campaign, mia, now=at)
            assert send(trial, gateway, at)
            with pytest.raises(TrialRefused) as soon:
                ask(campaign, mia, now=at + timedelta(minutes=1))
            assert "a short while ago" in soon.value.reasons[0].sentence
        with pytest.raises(TrialRefused):  # the fourth in 24 hours
            ask(campaign, mia, now=NOW + timedelta(hours=5))
        assert ask(campaign, mia, now=NOW + timedelta(hours=25)).status == "queued"

    def test_rings_once_of_two_that_are_sent_at_once(self, campaign, mia, gateway):
        first, second = ask(campaign, mia), ask(campaign, mia)
        assert send(first, gateway)
        assert not send(second, gateway)
        second.refresh_from_db()
        assert second.status == "refused"
        assert "a short while ago" in second.error
        assert len(gateway.dials) == 1

    def test_yields_to_a_dial_that_came_between(self, campaign, mia, gateway, monkeypatch):
        trial = ask(campaign, mia)
        dialled: list[PersonPace] = []

        def meanwhile(**given):
            if not dialled:
                dialled.append(
                    PersonPace.objects.create(
                        phone_number=OWN.e164, attempt_id=uuid7(), changed_at=NOW
                    )
                )
            return trial_decision(**given)

        monkeypatch.setattr(trial_sending, "trial_decision", meanwhile)
        assert send(trial, gateway)  # decided on again with what that dial left
        assert PersonPace.objects.get().attempt_id == trial.pk

    def test_keeps_a_campaign_from_calling_the_person_at_once(self, campaign, mia, gateway):
        lead = Enrolment.objects.get().lead
        send(ask(campaign, mia, number=parse_number(lead.phone_number)), gateway)
        (waits,) = Enrolment.objects.select_related("lead")
        (candidate,) = load_candidates(
            batch_call=launch(campaign), enrolments=[waits], now=NOW + timedelta(minutes=1)
        )
        assert candidate.facts.recent_attempts == (NOW,)
        assert candidate.pace_of == TrialCall.objects.get().pk

    @pytest.mark.parametrize("what", ["everything", "client", "inactive"])
    def test_is_stopped_by_every_switch(self, campaign, mia, root, gateway, what):
        trial = ask(campaign, mia)
        if what == "inactive":
            Client.objects.filter(pk=campaign.client_id).update(status="inactive")
        else:
            stopped = None if what == "everything" else campaign.client
            stop_dialling(client=stopped, reason="Test", actor=root, now=NOW)
        assert not send(trial, gateway)
        assert gateway.dials == []

    def test_needs_a_number_to_call_from(self, campaign, mia):
        PhoneNumber.objects.all().delete()
        with pytest.raises(NoCallerNumber):
            ask(campaign, mia)

    def test_makes_twenty_a_day(self, campaign, mia, monkeypatch):
        monkeypatch.setattr(trial_calls, "MOST_A_DAY", 2)
        for _time in range(2):
            ask(campaign, mia)
        with pytest.raises(TooManyTrials):
            ask(campaign, mia)
        assert ask(campaign, mia, now=NOW + timedelta(days=1, seconds=1))

    def test_is_audited_with_who_and_whom(self, campaign, mia):
        ask(campaign, mia)
        row = AuditLog.objects.get(action="trial_call.asked")
        assert (row.user_email, row.details["number_ends"]) == (mia.email, "0142")


@pytest.mark.django_db(transaction=True)
class TestPage:
    def sent(self, **fields):
        return {
            "number": "(212) 555-0142",
            "country": "US",
            "is_own": "on",
            "key": uuid7(),
            **fields,
        }

    def test_calls_and_goes_on_to_the_page_of_the_call(
        self, browse, mia, campaign, gateway, run_jobs, settings
    ):
        settings.SANDBOX = True
        browser = browse(mia)
        address = f"/app/campaigns/{campaign.pk}/test-call/"
        assert "Hear it on your own phone" in browser.get(address).content.decode()
        answer = browser.post(address, self.sent(), HTTP_HX_REQUEST="", follow=False)
        trial = TrialCall.objects.get()
        state = f"{address}{trial.pk}/"
        assert answer["Location"] == state
        assert "It is dialled in a moment." in browser.get(state).content.decode()
        assert run_jobs() == 1
        trial.refresh_from_db()
        call_page = f"/app/calls/{trial.call_id}/"
        assert browser.get(state)["Location"] == call_page
        assert browser.get(state, HTTP_HX_REQUEST="true")["HX-Redirect"] == call_page
        page = browser.get(call_page).content.decode()
        assert "Test call" in page
        assert f"/app/campaigns/{campaign.pk}/versions/1/" in page

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"is_own": ""}, "Only a phone that expects this call may be called."),
            ({"number": "12"}, "number"),
            ({"key": "x"}, ""),
        ],
    )
    def test_refuses_bad_input(self, browse, mia, campaign, settings, fields, sentence):
        settings.SANDBOX = True
        address = f"/app/campaigns/{campaign.pk}/test-call/"
        answer = browse(mia).post(address, self.sent(**fields))
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
        assert not TrialCall.objects.exists()

    def test_says_what_is_missing(self, browse, mia, campaign, settings):
        settings.SANDBOX = True
        Wallet.objects.update(available_seconds=60)
        answer = browse(mia).post(f"/app/campaigns/{campaign.pk}/test-call/", self.sent())
        assert answer.status_code == 422
        assert "A test call sets 5.00 minutes aside; 1.00 are available." in answer.content.decode()

    def test_is_a_managers_and_no_strangers(self, browse, vera, charlie, campaign):
        address = f"/app/campaigns/{campaign.pk}/test-call/"
        for method in ("get", "post"):
            assert getattr(browse(vera), method)(address).status_code == 403
            assert getattr(browse(charlie), method)(address).status_code == 404


def test_the_sweep_leaves_what_cannot_be_asked(campaign, mia, gateway):
    trial = ask(campaign, mia)
    TrialCall.objects.update(status="unknown")
    gateway.fail("list_calls", NotFound("No.", 404))
    assert trial_jobs.settle_trial_calls() == 0
    assert TrialCall.objects.get(pk=trial.pk).status == "unknown"
