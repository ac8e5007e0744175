"""Calling rules on the page: what binds where, a client's own limits, and the review by name and date."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from audit.models import AuditLog
from campaigns.calling_rules import Limits
from campaigns.models import Attempt, ClientLimits, RuleReview
from campaigns.queries.calling_rules import rule_rows
from campaigns.services.limits import (
    RuleReviewed,
    RuleUnknown,
    client_limits,
    review_rule,
    set_client_limits,
)
from tests.factories.campaigns import NOW

pytestmark = pytest.mark.django_db

TYPED = {
    "weekdays": ["0", "1", "2"],
    "opens_at": "10:00",
    "closes_at": "18:00",
    "calls_per_day": "2",
    "calls_per_week": "5",
    "gap_minutes": "60",
}


def test_names_the_rules_that_bind(client, vera):
    client.force_login(vera)

    page = client.get(reverse("campaigns:calling-rules")).content.decode()

    assert "us.fl.hours" in page and "Connecticut" in page
    assert "client.hours" not in page
    assert "limits/" not in page  # a viewer is offered no change


def test_lets_a_manager_tighten(client, mia, acme):
    client.force_login(mia)

    answer = client.post(reverse("campaigns:limits-edit"), TYPED, follow=True)

    page = answer.content.decode()
    assert "client.hours" in page and "client.week" in page
    assert "5 in 7 days at most" in page
    assert client_limits(acme.pk) == Limits(
        weekdays=frozenset({0, 1, 2}),
        opens_minute=600,
        closes_minute=1080,
        calls_per_day=2,
        calls_per_week=5,
        gap_seconds=3600,
    )
    assert AuditLog.objects.get(action="limits.changed").client_id == acme.pk
    assert not set_client_limits(client=acme, limits=client_limits(acme.pk), actor=mia, now=NOW)
    assert ClientLimits.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("opens_at", "07:59", "before 8:00"),
        ("closes_at", "21:01", "after 21:00"),
        ("closes_at", "00:00", "after 21:00"),
        ("closes_at", "09:00", "later than the beginning"),
        ("calls_per_day", "4", "less than or equal to 3"),
        ("calls_per_day", "0", "greater than or equal to 1"),
        ("calls_per_week", "22", "less than or equal to 21"),
        ("calls_per_week", "0", "greater than or equal to 1"),
        ("gap_minutes", "-1", "greater than or equal to 0"),
        ("weekdays", [], "required"),
        ("weekdays", ["7"], "7 is not one"),
    ],
)
def test_refuses_looser_limits(client, mia, acme, field, value, sentence):
    client.force_login(mia)

    answer = client.post(reverse("campaigns:limits-edit"), TYPED | {field: value})

    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not ClientLimits.objects.exists()


def test_holds_a_limit_at_the_next_dial(rig, ready, acme, mia):
    batch_call = ready(leads=1, is_any_hour=False, opens_minute=0, closes_minute=24 * 60)
    late = Limits(opens_minute=15 * 60, closes_minute=16 * 60)
    set_client_limits(client=acme, limits=late, actor=mia, now=NOW)

    rig.step()

    enrolment = batch_call.enrolments.get()
    assert not rig.retell.dials
    assert enrolment.decision["rules"] == ["us.tsr.310.4.hours client.hours"]
    assert enrolment.next_attempt_at == NOW.replace(hour=20)


def test_needs_no_limit_of_the_week(client, mia, acme):
    client.force_login(mia)

    client.post(reverse("campaigns:limits-edit"), TYPED | {"calls_per_week": ""})

    assert client_limits(acme.pk).calls_per_week == 0
    page = client.get(reverse("campaigns:calling-rules")).content.decode()
    assert "in 7 days at most" not in page and "client.week" not in page


def test_remembers_the_calls_of_a_week_at_the_next_dial(rig, ready, acme, mia):
    batch_call = ready(leads=1, is_any_hour=False, opens_minute=0, closes_minute=24 * 60)
    limits = Limits(calls_per_week=1)
    set_client_limits(client=acme, limits=limits, actor=mia, now=NOW)
    enrolment = batch_call.enrolments.get()
    earlier = NOW - timedelta(days=6)
    Attempt.objects.create(
        client=acme,
        enrolment=enrolment,
        number=1,
        campaign_id=batch_call.campaign_id,
        batch_call_id=batch_call.pk,
        version_id=batch_call.version_id,
        lead_id=enrolment.lead_id,
        phone_number=enrolment.phone_number,
        status="ended",
        created_at=earlier,
        placed_at=earlier,
    )

    rig.step()

    enrolment.refresh_from_db()
    assert not rig.retell.dials
    assert enrolment.waiting_reason == "person_cap"
    assert enrolment.next_attempt_at >= earlier + timedelta(days=7)


def test_keeps_another_clients_limits_to_itself(acme, rival, mia):
    set_client_limits(client=acme, limits=Limits(gap_seconds=60), actor=mia, now=NOW)

    assert client_limits(rival.pk) == Limits()


def test_shows_every_rule_unreviewed_and_filters(client, bob, django_assert_num_queries):
    client.force_login(bob)

    page = client.get(reverse("agency-campaigns:rule-list")).content.decode()
    florida = client.get(reverse("agency-campaigns:rule-list"), {"place": "US-FL"})
    reviewed = client.get(
        reverse("agency-campaigns:rule-list"),
        {"status": "reviewed"},
        headers={"HX-Request": "true"},
    )

    assert "us.il.hours" in page and "Unreviewed" in page
    assert "us.fl.cap" in florida.content.decode() and "us.il.hours" not in florida.content.decode()
    assert "No rule matches" in reviewed.content.decode()
    assert "<html" not in reviewed.content.decode()


def test_says_in_words_what_each_line_of_the_file_asks_for():
    said = {row.rule.id: row.says for row in rule_rows()}
    assert all(said.values())
    assert said["eu.aiact50"] == "That an AI calls"
    assert {row.says for row in rule_rows(kind="abandonment")} == {
        "At most 3 % of the calls answered in 30 days",
        "At most 3 % of the calls answered in 72 hours",
    }


def test_marks_a_rule_reviewed_with_name_and_date(client, root, bob):
    address = reverse("agency-campaigns:rule-review", args=["us.fl.hours"])
    typed = {"version": 1, "reviewed_on": "2026-01-02", "note": "Opinion of counsel"}
    client.force_login(root)

    answer = client.post(address, typed, follow=True)

    assert "Reviewed by" in answer.content.decode()
    assert "2026-01-02" in answer.content.decode()
    review = RuleReview.objects.get()
    assert (review.reviewed_by_email, review.rule_version) == (root.email, 1)
    assert AuditLog.objects.filter(action="rule.reviewed").count() == 1
    again = client.post(address, typed, follow=True)
    assert "has reviewed this version before" in again.content.decode()
    assert RuleReview.objects.count() == 1
    client.force_login(bob)
    assert client.post(address, typed).status_code == 403


def test_refuses_a_review_of_the_future_or_of_no_rule(client, root):
    client.force_login(root)
    typed = {"version": 1, "reviewed_on": "2999-01-01"}

    assert (
        client.post(
            reverse("agency-campaigns:rule-review", args=["us.fl.hours"]), typed
        ).status_code
        == 422
    )
    typed["reviewed_on"] = "2026-01-02"
    assert (
        client.post(
            reverse("agency-campaigns:rule-review", args=["us.atlantis"]), typed
        ).status_code
        == 404
    )
    typed["version"] = 9
    assert (
        client.post(
            reverse("agency-campaigns:rule-review", args=["us.fl.hours"]), typed
        ).status_code
        == 404
    )
    assert (
        client.get(reverse("agency-campaigns:rule-detail", args=["us.atlantis"])).status_code == 404
    )
    assert not RuleReview.objects.exists()


def test_asks_for_a_new_review_of_a_changed_rule(root):
    today = NOW.date()
    with pytest.raises(RuleUnknown):
        review_rule(rule_id="us.fl.hours", version=2, reviewer=root, on=today, note="", now=NOW)
    review_rule(rule_id="us.fl.hours", version=1, reviewer=root, on=today, note="", now=NOW)
    later = NOW + timedelta(days=1)
    with pytest.raises(RuleReviewed):
        review_rule(rule_id="us.fl.hours", version=1, reviewer=root, on=today, note="", now=later)
