"""Follow-ups by hand and by rule, their reminders; and the page of a lead that shows everything."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail

from accounts.models import Notification
from audit.models import AuditLog
from campaigns.jobs import remind_follow_ups
from campaigns.models import Attempt, Enrolment, FollowUp, FollowUpRule
from campaigns.services.enrolment import enrol_lead
from campaigns.services.follow_ups import remind
from campaigns.services.following import follow_by_rules, follow_what_was_missed
from convomono.lib import clock
from convomono.lib.ids import uuid7
from leads.models import LeadNote
from telephony.models import Call
from tests.campaigns.dialling.histories import KilledError, killed
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import ConsentFactory, LeadFactory


def form(**fields):
    return {"key": uuid7(), "due_at": "2026-11-24T09:30", "note": "Call back", **fields}


def test_promises_a_callback_in_the_leads_time_once(browse, mia, acme, alice):
    lead = LeadFactory.create(client=acme, time_zone="America/Los_Angeles")
    address = f"/app/leads/{lead.pk}/follow-up/"
    browser = browse(mia)
    assert "America/Los Angeles" in browser.get(address).text
    data = form(assignee=alice.pk)

    for _time in range(2):
        assert browser.post(address, data).status_code == 302

    row = FollowUp.objects.get()
    assert row.due_at == datetime(2026, 11, 24, 17, 30, tzinfo=UTC)
    assert (row.assignee, row.created_by_email) == (alice, "mia@acme.test")
    assert AuditLog.objects.filter(action="follow_up.created").count() == 1


def test_takes_the_clients_time_when_the_leads_is_not_certain(browse, mia, acme):
    lead = LeadFactory.create(client=acme, zone_candidates=["America/Boise", "America/Los_Angeles"])

    browse(mia).post(f"/app/leads/{lead.pk}/follow-up/", form())

    assert FollowUp.objects.get().due_at == datetime(2026, 11, 24, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("change", [{"due_at": "soon"}, {"note": ""}, {"assignee": "charlie"}])
def test_refuses_a_follow_up_that_is_wrong(browse, mia, charlie, acme, change):
    lead = LeadFactory.create(client=acme)
    if change.get("assignee"):
        change = {"assignee": charlie.pk}

    answer = browse(mia).post(f"/app/leads/{lead.pk}/follow-up/", form(**change))

    assert answer.status_code == 422
    assert not FollowUp.objects.exists()


@pytest.fixture
def follow_up(acme, alice) -> FollowUp:
    lead = LeadFactory.create(client=acme, first_name="Ada")
    return FollowUp.objects.create(
        client=acme,
        lead=lead,
        due_at=NOW,
        note="Call back",
        assignee=alice,
        key="k",
        created_at=NOW,
    )


def test_shows_what_is_due_first_to_its_client_alone(browse, vera, charlie, follow_up, acme):
    FollowUp.objects.create(
        client=acme,
        lead=follow_up.lead,
        due_at=NOW + timedelta(days=3650),
        note="Later",
        key="l",
        created_at=NOW,
    )
    browser = browse(vera)

    due, every, mine = (
        browser.get(f"/app/follow-ups/?show={show}").text for show in ("due", "open", "mine")
    )

    assert "Call back" in due
    assert "Later" not in due
    assert "Later" in every
    assert "Call back" not in mine
    assert "Call back" not in browse(charlie).get("/app/follow-ups/?show=open").text


def test_moves_and_closes(browse, mia, vera, charlie, follow_up):
    base = f"/app/follow-ups/{follow_up.pk}"
    assert browse(vera).post(f"{base}/close/").status_code == 403
    assert browse(charlie).post(f"{base}/close/").status_code == 404
    browser = browse(mia)

    assert "Call back" in browser.get(f"{base}/change/").text
    browser.post(f"{base}/change/", form(due_at="2027-01-02T10:00", note="Write"))
    follow_up.refresh_from_db()
    assert (follow_up.note, follow_up.due_at.year) == ("Write", 2027)
    assert browser.post(f"{base}/close/", {"status": "odd"}).status_code == 404
    for _time in range(2):
        browser.post(f"{base}/close/", {"status": "done"})

    follow_up.refresh_from_db()
    assert (follow_up.status, follow_up.closed_by_email) == ("done", "mia@acme.test")
    assert AuditLog.objects.filter(action="follow_up.closed").count() == 1


def test_keeps_the_number_of_queries(browse, vera, acme, follow_up, django_assert_num_queries):
    browser = browse(vera)
    for number in (1, 20):
        for one in range(number):
            FollowUp.objects.create(
                client=acme,
                lead=LeadFactory.create(client=acme),
                due_at=NOW,
                note="x",
                key=f"{number}:{one}",
                created_at=NOW,
            )
        with django_assert_num_queries(4):
            browser.get("/app/follow-ups/")


def test_reminds_once_in_the_app_and_by_mail(follow_up, acme):
    assert [row.pk for row in remind(now=NOW)] == [follow_up.pk]
    assert remind(now=NOW) == []
    assert remind(now=NOW - timedelta(days=1)) == []

    told = Notification.objects.get()
    assert (told.client, told.title) == (acme, "Follow-up due: Ada")


def test_leaves_a_reminder_that_was_killed_to_the_next_run(follow_up, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("campaigns.services.follow_ups.notify", killed)
        with pytest.raises(KilledError):
            remind(now=NOW)

    assert [row.pk for row in remind(now=NOW)] == [follow_up.pk]
    assert Notification.objects.count() == 1


def test_mails_whoever_is_to_do_it(follow_up):
    assert remind_follow_ups() == 1
    assert remind_follow_ups() == 0

    (sent,) = mail.outbox
    assert sent.to == ["alice@acme.test"]
    assert f"/app/leads/{follow_up.lead_id}/" in sent.body


def test_reminds_of_nothing_that_is_closed_or_to_come(follow_up):
    FollowUp.objects.update(status="done")
    assert remind(now=NOW) == []
    FollowUp.objects.update(status="open", due_at=NOW + timedelta(seconds=1))
    assert remind(now=NOW) == []


# Rules


@pytest.fixture
def attempt(acme) -> Attempt:
    """A call that ended just now with a person on the phone."""
    lead = LeadFactory.create(client=acme)
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    return Attempt.objects.create(
        client=acme,
        enrolment=Enrolment.objects.get(),
        number=1,
        campaign_id=campaign.pk,
        batch_call_id=uuid7(),
        version_id=uuid7(),
        lead_id=lead.pk,
        phone_number=lead.phone_number,
        status="ended",
        outcome_class="human",
        created_at=NOW,
        ended_at=NOW,
    )


def rule(client, **fields) -> FollowUpRule:
    return FollowUpRule.objects.create(
        client=client,
        **{
            "outcome": "human",
            "delay_seconds": 3600,
            "note": "Thank them",
            "created_at": NOW - timedelta(days=1),
            **fields,
        },
    )


def test_follows_a_rule_once(acme, rival, attempt):
    rule(acme)
    rule(rival)

    made = [follow_by_rules(attempt_ids=[attempt.pk], now=NOW) for _time in range(2)]
    made.append(follow_what_was_missed(now=NOW))

    assert made == [1, 0, 0]
    row = FollowUp.objects.get()
    assert (row.client, row.lead_id, row.note) == (acme, attempt.lead_id, "Thank them")
    assert row.due_at == NOW + timedelta(hours=1)


def test_finds_what_a_killed_process_left(acme, attempt):
    rule(acme)

    assert follow_what_was_missed(now=NOW + timedelta(minutes=5)) == 1
    assert follow_what_was_missed(now=NOW + timedelta(hours=2)) == 0


def test_finds_a_long_call_that_a_killed_process_left(acme, attempt):
    rule(acme)
    Attempt.objects.update(created_at=NOW - timedelta(hours=2))

    assert follow_what_was_missed(now=NOW + timedelta(minutes=5)) == 1


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({"outcome": "machine"}, 0),
        ({"outcome": "converted"}, 0),
        ({"is_active": False}, 0),
        ({"created_at": NOW + timedelta(seconds=1)}, 0),
        ({"outcome": "exhausted"}, 0),
        ({}, 1),
    ],
)
def test_follows_only_rules_that_hold(acme, attempt, fields, made):
    rule(acme, **fields)

    assert follow_by_rules(attempt_ids=[attempt.pk], now=NOW) == made


def test_follows_rules_on_goals_and_on_the_last_attempt(acme, attempt):
    rule(acme, outcome="converted", note="Goal")
    rule(acme, outcome="exhausted", note="Last")
    Enrolment.objects.update(is_converted=True, status="exhausted", attempt_number=1)

    assert follow_by_rules(attempt_ids=[attempt.pk], now=NOW) == 2


def test_follows_a_campaigns_rule_there_alone(acme, attempt):
    rule(acme, campaign=make_draft(acme))

    assert follow_by_rules(attempt_ids=[attempt.pk], now=NOW) == 0


def test_follows_a_transfer_that_failed_without_any_rule(acme, attempt):
    Attempt.objects.update(disconnection_reason="transfer_cancelled")

    later = NOW + timedelta(minutes=5)
    assert follow_what_was_missed(now=later) == 1
    assert [follow_by_rules(attempt_ids=[attempt.pk], now=later) for _time in range(2)] == [0, 0]
    row = FollowUp.objects.get()
    assert (row.client, row.lead_id, row.due_at) == (acme, attempt.lead_id, NOW)
    assert "transfer failed" in row.note


def test_adds_and_removes_rules(browse, mia, vera, charlie, rival):
    data = {"outcome": "machine", "delay_hours": 4, "note": "Write a mail"}
    browser = browse(mia)

    assert browse(vera).get("/app/follow-ups/rules/").status_code == 403
    assert browser.post("/app/follow-ups/rules/", data | {"note": ""}).status_code == 422
    strange = data | {"campaign": make_draft(rival).pk}
    assert browser.post("/app/follow-ups/rules/", strange).status_code == 422
    assert browser.post("/app/follow-ups/rules/", data).status_code == 302
    assert "Write a mail" in browser.get("/app/follow-ups/rules/").text
    one = FollowUpRule.objects.get()
    assert one.delay_seconds == 4 * 3600
    address = f"/app/follow-ups/rules/{one.pk}/remove/"
    assert browse(charlie).post(address).status_code == 404
    browser.post(address)

    assert not FollowUpRule.objects.get().is_active
    assert "Write a mail" not in browser.get("/app/follow-ups/rules/").text


# The page of a lead


def test_shows_what_a_lead_hears_when_and_why_and_what_happened(
    browse, vera, acme, attempt, follow_up
):
    lead = attempt.enrolment.lead
    lead.first_name, lead.time_zone, lead.tags = "Grace", "America/Chicago", ["vip"]
    lead.save()
    ConsentFactory.create(lead=lead)
    LeadNote.objects.create(client=acme, lead=lead, text="Likes mornings", created_at=NOW)
    FollowUp.objects.update(lead=lead)
    Call.objects.create(
        client=acme,
        provider_call_id="c",
        lead_id=lead.pk,
        status="ended",
        outcome_class="human",
        ended_at=NOW,
        created_at=NOW,
    )

    page = browse(vera).get(f"/app/leads/{lead.pk}/").text

    for words in (
        "Hi Grace, this is the AI assistant of Acme Dental.",
        "Waits for the next launch.",
        "Likes mornings",
        "Time there now",
        "America/Chicago",
        "Call back",
        "Person answered",
        "Attempt 1 decided",
        "+15 Agreed to be called",
    ):
        assert words in page, words
    assert "Erase this person" not in page  # a viewer looks


def test_says_why_the_next_call_is_put_off(browse, vera, attempt):
    Enrolment.objects.update(
        status="queued",
        next_attempt_at=clock.now() + timedelta(hours=2),
        waiting_reason="window",
        decision={"verdict": "defer", "rules": ["us.tsr.310.4.hours"]},
    )

    page = browse(vera).get(f"/app/leads/{attempt.lead_id}/").text

    assert "It was outside calling hours there" in page


def test_keeps_notes(browse, mia, vera, acme):
    lead = LeadFactory.create(client=acme)
    address = f"/app/leads/{lead.pk}/notes/"

    browse(mia).post(address, {"text": "<b>Nice</b>"})
    browse(mia).post(address, {"text": ""})

    assert LeadNote.objects.get().author_email == "mia@acme.test"
    assert "&lt;b&gt;Nice" in browse(vera).get(f"/app/leads/{lead.pk}/").text
    assert browse(vera).post(address, {"text": "x"}).status_code == 403


def test_changes_the_weights_on_a_page(browse, mia, vera, acme):
    browser = browse(mia)
    page = browser.get("/app/leads/score/").text
    assert "Agreed to be called" in page
    from leads.scoring import weights_with

    data = weights_with({}) | {"base": 50, "tag_name": "vip"}

    assert browser.post("/app/leads/score/", data | {"base": 101}).status_code == 422
    assert browser.post("/app/leads/score/", data).status_code == 302
    assert 'value="50"' in browser.get("/app/leads/score/").text
    assert browse(vera).get("/app/leads/score/").status_code == 403
