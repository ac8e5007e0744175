"""Rules on outcomes: tested on past calls before they are switched on, carried out once for each call."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from django.urls import reverse

from accounts.models import ClientEvent, Notification
from audit.models import AuditLog
from campaigns.automation import OUTCOMES, CallFacts, means, outcome_words
from campaigns.models import (
    Attempt,
    AutomationRule,
    AutomationRun,
    Enrolment,
    FollowUp,
)
from campaigns.services import automating, outcome_actions
from campaigns.services.automating import (
    RuleContent,
    RuleUntested,
    note_outcome,
    run_due,
    save_rule,
    switch_rule,
    try_rule,
)
from convomono.lib.db import run_atomic
from leads.models import Lead
from leads.services.scoring import weighing_of
from leads.services.weights import change_weights
from telephony.models import Call
from tests.campaigns.dialling.conftest import policy, ready, rig, statuses  # noqa: F401 - fixtures
from tests.factories.campaigns import NOW, TESTS, make_ready
from tests.factories.leads import all_marks_known

if TYPE_CHECKING:
    from campaigns.automation import Params
    from campaigns.models import BatchCall


@pytest.fixture(autouse=True)
def _ask_for_rules_anew():
    automating._known.clear()


def switched_on(
    batch_call: BatchCall, action: str, outcomes=("human",), **params
) -> AutomationRule:
    content = RuleContent(
        name="After a call",
        campaign_id=batch_call.campaign_id,
        outcomes=outcomes,
        action=action,
        params=cast("Params", params),
    )
    rule = save_rule(client=batch_call.client, content=content, actor=TESTS, now=NOW)
    try_rule(rule=rule, now=NOW)
    switch_rule(rule=rule, is_active=True, actor=TESTS, now=NOW)
    rule.refresh_from_db()
    return rule


def call_and_run(rig, reason: str = "user_hangup") -> Attempt:  # noqa: F811
    rig.step()
    attempt: Attempt = rig.ringing()[0]
    rig.end(attempt, reason)
    rig.tick(90)
    run_due(now=rig.now)
    attempt.refresh_from_db()
    return attempt


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (("human", "user_hangup", True, "done"), {"converted"}),
        (("human", "user_hangup", False, "done"), {"human"}),
        (("human", "user_requested_dnc", False, "suppressed"), {"human", "opted_out"}),
        (("human", "user_requested_callback", False, "queued"), {"human", "callback"}),
        (("machine", "voicemail_reached", False, "queued"), {"machine"}),
        (("no_contact", "dial_busy", False, "exhausted"), {"no_contact", "exhausted"}),
        (("technical", "error_retell", False, "queued"), {"failed"}),
        (("not_placed", "credit_exhausted", False, "queued"), set()),
    ],
)
def test_names_what_a_call_came_to(facts, words):
    names = ("outcome_class", "reason", "is_converted", "lead_status")
    call = CallFacts(**dict(zip(names, facts, strict=True)))

    assert outcome_words(call) == words
    assert words <= set(OUTCOMES)
    assert not means(set(OUTCOMES) - words, call)


@pytest.mark.django_db
def test_acts_once_on_a_call_however_often_it_is_asked(rig, ready):  # noqa: F811
    rule = switched_on(ready(), "tag", tag="hot")
    attempt = call_and_run(rig)

    assert Lead.objects.get().tags == ["hot"]
    assert "#hot" in Lead.objects.get().search_text
    assert all_marks_known()
    assert run_due(now=rig.now) == 0
    run_atomic(lambda: note_outcome(attempt=attempt, now=rig.now))
    run = AutomationRun.objects.get()
    assert (run.rule, run.status, run.result) == (rule, "done", "Tagged “hot”.")


@pytest.mark.django_db
def test_weighs_a_lead_anew_when_it_tags_it(rig, ready, acme):  # noqa: F811
    change_weights(client=acme, weights={"tag": 25}, tag="hot", actor=TESTS, now=NOW)
    switched_on(ready(), "tag", tag="hot")

    call_and_run(rig)

    lead = Lead.objects.get()
    untagged = Lead.objects.get()
    untagged.tags = []
    weighing = weighing_of(acme.pk)
    assert lead.score == weighing.points(lead) > weighing.points(untagged)


@pytest.mark.django_db
def test_gives_a_lead_no_more_tags_than_it_may_have(rig, ready):  # noqa: F811
    switched_on(ready(), "tag", tag="hot")
    full = [f"t{n}" for n in range(50)]
    Lead.objects.update(tags=full)

    call_and_run(rig)

    assert Lead.objects.get().tags == full
    assert AutomationRun.objects.get().result == "It has 50 tags already, the most there may be."


@pytest.mark.django_db
def test_leaves_alone_who_was_erased_meanwhile(rig, ready, acme):  # noqa: F811
    batch_call = ready()
    other = make_ready(acme, name="Other")
    switched_on(batch_call, "tag", tag="hot")
    switched_on(batch_call, "follow_up", note="Ring them", delay_minutes=60)
    switched_on(batch_call, "enrol", campaign_id=str(other.pk))
    rig.step()
    rig.end(rig.ringing()[0], "user_hangup")
    Lead.objects.update(erased_at=rig.now)
    rig.tick(90)

    run_due(now=rig.now)

    assert set(AutomationRun.objects.values_list("result", flat=True)) == {"The person was erased."}
    assert Lead.objects.get().tags == []
    assert not FollowUp.objects.exists()
    assert not Enrolment.objects.filter(campaign=other).exists()


@pytest.mark.django_db
def test_waits_for_the_analysis_and_goes_by_what_it_says(rig, ready):  # noqa: F811
    switched_on(ready(), "tag", ("converted",), tag="won")
    rig.step()
    attempt = rig.ringing()[0]
    rig.end(attempt, "user_hangup")
    rig.tick(60)
    assert run_due(now=rig.now) == 0
    rig.analyse(attempt, custom_analysis_data={"converted": True})
    rig.tick(30)

    assert run_due(now=rig.now) == 1
    assert Lead.objects.get().tags == ["won"]


@pytest.mark.django_db
def test_leaves_other_outcomes_campaigns_and_times_alone(rig, ready, rival):  # noqa: F811
    rule = switched_on(ready(), "tag", ("converted",), tag="won")
    ready(client=rival, number="+12125550177", start=50)
    rig.step()
    rig.step()
    for attempt in rig.ringing():
        rig.end(attempt, "user_hangup")
    rig.tick(90)

    assert run_due(now=rig.now) == 0
    assert AutomationRun.objects.get().status == "skipped"
    assert not Lead.objects.exclude(tags=[]).exists()
    switch_rule(rule=rule, is_active=False, actor=TESTS, now=rig.now)
    automating._known.clear()
    assert note_outcome(attempt=Attempt.objects.order_by("pk")[0], now=rig.now) == 0


@pytest.mark.django_db
def test_counts_in_a_test_only_the_call_that_brought_it_about(rig, ready):  # noqa: F811
    batch_call = ready()
    policy(batch_call.campaign, max_attempts=2)
    # The first call reached a person who is called again, the second one reaches the goal.
    for reason in ("user_requested_callback", "user_hangup"):
        rig.step()
        attempt = rig.ringing()[0]
        rig.end(attempt, reason)
        rig.analyse(attempt, custom_analysis_data={"converted": reason == "user_hangup"})
        rig.tick(24 * 3600 + 60)
    Enrolment.objects.update(status="exhausted")
    first, second = Attempt.objects.order_by("number")
    assert Enrolment.objects.get().is_converted

    def meant(*outcomes: str) -> list[Attempt]:
        AutomationRule.objects.all().delete()
        rule = switched_on(batch_call, "tag", outcomes, tag="x")
        return try_rule(rule=rule, now=rig.now).newest

    assert meant("exhausted") == [second]
    assert meant("converted") == [second]
    assert meant("human") == [first]
    Call.objects.filter(attempt_id=first.pk).update(corrected_outcome="goal")
    assert meant("converted") == [second, first]


@pytest.mark.django_db
def test_notes_calls_that_end_as_a_rule_is_switched_on(rig, ready):  # noqa: F811
    batch_call = ready(leads=2)
    rig.step()
    rig.step()
    early, fresh = rig.ringing()
    rig.end(early, "user_hangup")  # from here on this process knows of no rule, for five seconds
    rig.tick(2)
    rule = switched_on(batch_call, "tag", tag="hot")
    AutomationRule.objects.update(activated_at=rig.now)
    rig.end(fresh, "user_hangup")
    assert not AutomationRun.objects.exists()

    run_due(now=rig.now)
    run_due(now=rig.now)
    rig.tick(90)
    run_due(now=rig.now)

    run = AutomationRun.objects.get()
    assert (run.rule, run.attempt_id, run.status) == (rule, fresh.pk, "done")


@pytest.mark.django_db
def test_does_each_action(rig, ready, acme):  # noqa: F811
    batch_call = ready(leads=2)
    other = make_ready(acme, name="Other")
    switched_on(batch_call, "follow_up", note="Ring them", delay_minutes=60)
    switched_on(batch_call, "enrol", campaign_id=str(other.pk))
    switched_on(batch_call, "notify", note="Look")
    switched_on(batch_call, "webhook")
    attempt = call_and_run(rig)

    follow_up = FollowUp.objects.get()
    assert (follow_up.note, follow_up.due_at) == ("Ring them", rig.now + timedelta(hours=1))
    assert AuditLog.objects.get(action="follow_up.created").user_type == "system"
    enrolled = Enrolment.objects.get(campaign=other)
    assert (enrolled.lead_id, enrolled.batch_call) == (attempt.lead_id, None)
    assert Notification.objects.get(title="After a call").client == acme
    event = ClientEvent.objects.get(kind="automation.matched")
    assert event.data["lead_id"] == str(attempt.lead_id)
    assert AutomationRun.objects.filter(status="done").exclude(result="").count() == 4


@pytest.mark.django_db
def test_takes_along_what_the_other_campaigns_message_says_of_a_lead(rig, ready, acme):  # noqa: F811
    batch_call = ready()
    left = {"voicemail_action": "leave_message", "voicemail_message": "About {{offer}}."}
    other = make_ready(acme, name="Other", settings=left)
    switched_on(batch_call, "enrol", campaign_id=str(other.pk))
    Enrolment.objects.update(dynamic_vars={"offer": "Gold", "shoe": "42"})
    call_and_run(rig)

    assert Enrolment.objects.get(campaign=other).dynamic_vars == {"offer": "Gold"}


@pytest.mark.django_db
def test_calls_again_while_the_launch_goes_on_and_not_after_it(rig, ready):  # noqa: F811
    batch_call = ready(leads=2)
    switched_on(batch_call, "retry", delay_minutes=30)
    attempt = call_and_run(rig)

    enrolment = Enrolment.objects.get(pk=attempt.enrolment_id)
    assert enrolment.status == "queued"
    assert enrolment.next_attempt_at == rig.now + timedelta(minutes=30)
    statuses(batch_call)  # the counters moved with it

    for ringing in rig.ringing():
        rig.end(ringing, "user_hangup")
    rig.tick(91)
    run_due(now=rig.now)
    statuses(batch_call)


@pytest.mark.django_db
def test_gives_a_failing_action_up_after_five_tries_and_says_so(rig, ready, client, vera):  # noqa: F811
    batch_call = ready()
    broken = switched_on(batch_call, "tag")  # without its tag: a row that somebody damaged
    switched_on(batch_call, "tag", tag="hot")
    call_and_run(rig)

    assert Lead.objects.get().tags == ["hot"]  # it held up nobody
    failed = AutomationRun.objects.get(rule=broken)
    waits = []
    while failed.status == "pending":
        assert "is tried again" in failed.result
        waits.append((failed.due_at - rig.now).total_seconds() / 60)
        assert run_due(now=failed.due_at - timedelta(seconds=1)) == 0
        failed.refresh_from_db()
        assert failed.tries_count == len(waits)
        rig.now = failed.due_at
        run_due(now=rig.now)
        failed.refresh_from_db()
    assert waits == [1, 5, 30, 120]
    assert (failed.status, failed.tries_count) == ("failed", 5)
    run_due(now=rig.now + timedelta(days=1))
    failed.refresh_from_db()
    assert failed.tries_count == 5
    assert Notification.objects.get(title="The rule “After a call” failed").client == vera.client
    client.force_login(vera)
    page = client.get(reverse("campaigns:automation-detail", args=[broken.pk])).content.decode()
    assert "Given up: It failed 5 times and was given up." in page


@pytest.mark.django_db
def test_counts_no_failure_that_another_worker_has_counted(rig, ready):  # noqa: F811
    broken = switched_on(ready(), "tag")
    call_and_run(rig)
    read_by_both = AutomationRun.objects.get(rule=broken)

    automating._put_off(read_by_both, rig.now)
    automating._put_off(read_by_both, rig.now)

    assert AutomationRun.objects.get(rule=broken).tries_count == 2


@pytest.mark.django_db
def test_calls_nobody_again_in_a_launch_that_ends_meanwhile_or_beyond_its_attempts(
    rig,  # noqa: F811
    ready,  # noqa: F811
):
    batch_call = ready(leads=2)
    policy(batch_call.campaign, max_attempts=1)
    rule = switched_on(batch_call, "retry", delay_minutes=30)
    attempt = call_and_run(rig)
    assert AutomationRun.objects.get().result == "All attempts that the campaign allows were made."

    policy(batch_call.campaign, max_attempts=3)
    read = Attempt.objects.select_related("enrolment__batch_call__campaign__retry_policy").get(
        pk=attempt.pk
    )
    assert read.enrolment.batch_call is not None
    assert not read.enrolment.batch_call.is_over
    type(batch_call).objects.update(status="finished")
    assert outcome_actions.ACTIONS["retry"](rule, read, rig.now) == "The launch was over already."
    assert Enrolment.objects.get(pk=attempt.enrolment_id).status == "done"


@pytest.mark.django_db
def test_is_switched_on_only_as_it_was_tested(acme, rig, ready):  # noqa: F811
    batch_call = ready()
    call_and_run(rig)
    content = RuleContent(
        name="r", campaign_id=None, outcomes=("human",), action="notify", params={"note": "x"}
    )
    rule = save_rule(client=acme, content=content, actor=TESTS, now=NOW)
    with pytest.raises(RuleUntested):
        switch_rule(rule=rule, is_active=True, actor=TESTS, now=NOW)

    result = try_rule(rule=rule, now=NOW)
    assert (result.looked_at, result.meant, len(result.newest)) == (1, 1, 1)
    assert not Notification.objects.filter(title="r").exists()  # a test does nothing
    switch_rule(rule=rule, is_active=True, actor=TESTS, now=NOW)
    switch_rule(rule=rule, is_active=True, actor=TESTS, now=NOW)

    changed = save_rule(client=acme, content=content, rule=rule, actor=TESTS, now=NOW)
    assert (changed.is_active, changed.tested_at) == (False, None)
    with pytest.raises(RuleUntested):
        switch_rule(rule=changed, is_active=True, actor=TESTS, now=NOW)
    assert batch_call.campaign_id


TYPED = {"name": "Hot leads", "outcomes": ["converted"], "action": "tag", "tag": " #Hot "}


@pytest.mark.django_db
def test_is_written_tested_and_switched_on_in_the_browser(client, mia, vera, charlie):
    client.force_login(mia)
    page = client.post(reverse("campaigns:automation-create"), TYPED, follow=True)
    assert "Test it on past calls" in page.content.decode()
    rule = AutomationRule.objects.get()
    assert (rule.params, rule.is_active) == ({"tag": "hot"}, False)
    switch = reverse("campaigns:automation-switch", args=[rule.pk])
    test = reverse("campaigns:automation-test", args=[rule.pk])

    assert (
        "Test it on past calls first"
        in client.post(switch, {"to": "on"}, follow=True).content.decode()
    )
    assert "0 of the last 0 calls" in client.post(test).content.decode()
    assert "On: it holds" in client.post(switch, {"to": "on"}, follow=True).content.decode()
    assert "Hot leads" in client.get(reverse("campaigns:automation-list")).content.decode()
    edit = reverse("campaigns:automation-edit", args=[rule.pk])
    assert client.get(edit).status_code == 200
    client.post(edit, TYPED | {"tag": "warm"})
    rule.refresh_from_db()
    assert (rule.params, rule.is_active) == ({"tag": "warm"}, False)
    assert AuditLog.objects.filter(action__startswith="automation.").count() == 3

    client.force_login(vera)
    assert client.get(reverse("campaigns:automation-detail", args=[rule.pk])).status_code == 200
    assert client.post(switch, {"to": "on"}).status_code == 403
    client.force_login(charlie)
    assert client.post(switch, {"to": "on"}).status_code == 404
    assert client.post(test).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"tag": ""},
        {"outcomes": []},
        {"outcomes": ["unheard_of"]},
        {"action": "explode"},
        {"action": "follow_up", "note": "x"},
        {"action": "follow_up", "delay_minutes": "60"},
        {"action": "enrol"},
        {"action": "retry", "delay_minutes": "1"},
        {"name": ""},
    ],
)
def test_refuses_what_it_could_not_do(client, mia, wrong):
    client.force_login(mia)

    assert client.post(reverse("campaigns:automation-create"), TYPED | wrong).status_code == 422
    assert not AutomationRule.objects.exists()


@pytest.mark.django_db
def test_takes_no_campaign_of_another_client(client, mia, rival):
    theirs = make_ready(rival)
    client.force_login(mia)

    for field in ("campaign", "target"):
        typed = TYPED | {"action": "enrol", field: str(theirs.pk)}
        assert client.post(reverse("campaigns:automation-create"), typed).status_code == 422


@pytest.mark.django_db
def test_keeps_the_tags_of_two_rules_on_one_call(rig, ready, monkeypatch):  # noqa: F811
    batch_call = ready(leads=1)
    switched_on(batch_call, "tag", tag="warm")
    switched_on(batch_call, "tag", tag="north")
    rig.step()
    attempt = rig.ringing()[0]
    rig.end(attempt)
    rig.tick(90)
    # Each run has read the call, its enrolment and its lead before the other wrote its tag.
    monkeypatch.setattr(Attempt.objects, "select_related", stale_attempts())

    run_due(now=rig.now)

    assert sorted(Lead.objects.get().tags) == ["north", "warm"]


def stale_attempts():
    """Return a reader of attempts that were read before anybody wrote, as two workers would have."""
    names = ("enrolment__lead", "enrolment__batch_call__campaign__retry_policy", "client")
    rows = [Attempt.objects.select_related(*names).get() for _ in range(2)]

    class Read:
        def filter(self, pk):
            return self

        def first(self):
            return rows.pop()

    return lambda *_: Read()


@pytest.mark.django_db
def test_waits_before_the_next_call(rig, ready):  # noqa: F811
    batch_call = ready(leads=1)
    switched_on(batch_call, "wait", ("no_contact",), delay_minutes=3 * 24 * 60)

    call_and_run(rig, "dial_busy")

    enrolment = Enrolment.objects.get()
    assert AutomationRun.objects.get().result == "Put off."
    assert (enrolment.status, enrolment.next_attempt_at) == ("queued", rig.now + timedelta(days=3))
    rig.tick(3600)
    rig.step()
    assert len(rig.retell.dials) == 1


@pytest.mark.django_db
def test_puts_off_nobody_who_was_promised_a_call_or_has_left(rig, ready):  # noqa: F811
    batch_call = ready(leads=1)
    switched_on(batch_call, "wait", ("callback", "human"), delay_minutes=3 * 24 * 60)

    call_and_run(rig, "user_requested_callback")

    enrolment = Enrolment.objects.get()
    assert enrolment.next_attempt_at == enrolment.callback_at
    assert "for one that was promised" in AutomationRun.objects.get().result


@pytest.mark.django_db
def test_takes_along_what_the_other_campaign_asks_for(rig, ready, browse, alice):  # noqa: F811
    batch_call = ready(leads=1)
    Enrolment.objects.update(dynamic_vars={"policy": "A-17", "secret": "no"})
    other = make_ready(batch_call.client, script_raw="An AI of Acme Dental on {{policy}}.")
    rule = switched_on(batch_call, "enrol", campaign_id=str(other.pk))

    call_and_run(rig)

    values = Enrolment.objects.get(campaign=other).dynamic_vars
    assert values["policy"] == "A-17"
    assert "secret" not in values
    page = browse(alice).get(f"/app/automation/{rule.pk}/").content.decode()
    assert "They wait there until somebody launches them" in page
    assert f"/app/campaigns/{other.pk}/top-up/" in page


@pytest.mark.django_db
def test_forgets_what_was_done_half_a_year_ago(rig, ready):  # noqa: F811
    batch_call = ready(leads=2)
    switched_on(batch_call, "tag", tag="warm")
    rig.step()
    rig.step()
    for attempt in rig.ringing():
        rig.end(attempt)
    old, waits = AutomationRun.objects.order_by("pk")
    AutomationRun.objects.filter(pk=old.pk).update(status="done")
    later = rig.now + timedelta(days=179)

    assert automating.purge_runs(now=later) == 0
    assert automating.purge_runs(now=later + timedelta(days=2)) == 1
    assert AutomationRun.objects.get().pk == waits.pk
