"""Words that nobody in a running launch could fill: not published, or not taken up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accounts.models import Notification
from campaigns import jobs
from campaigns.models import BatchCall, Campaign, CampaignVersion, Enrolment
from campaigns.services import authoring, lifecycle
from campaigns.services.variables import save_variables
from campaigns.variables import VariableRule
from tests.factories.campaigns import NOW, enrol, launch, make_draft, run_batch

TYPO = "Hi {{frist_name}}, this is the AI assistant of Acme Dental."
OFFER = "This is the AI assistant of Acme Dental on a recorded line, about {{offer}}."


def publish(campaign, actor):
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def edit(campaign, actor, opening_line):
    content = replace(authoring.content_of(campaign), opening_line=opening_line)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)


def give(rows, **values):
    for row in rows:
        Enrolment.objects.filter(pk=row.pk).update(dynamic_vars=values)


@pytest.fixture
def running(alice, equipped, retell):
    """A campaign with a running launch of three leads, none of whom has a column of their own."""
    campaign = publish(make_draft(equipped), alice)
    enrol(campaign, 3)
    run_batch(launch(campaign))
    return campaign


def spoken():
    return BatchCall.objects.select_related("version").get().version.number


def test_refuses_words_that_nobody_in_line_could_fill(running, alice, browse):
    edit(running, alice, TYPO)
    page = f"/app/campaigns/{running.pk}/edit/test/"

    with pytest.raises(lifecycle.ScriptRefused) as refused:
        lifecycle.prepare_campaign(campaign=running, actor=alice, now=NOW)

    [problem] = refused.value.problems
    assert problem.code == "variable_unknown"
    assert "{{frist_name}}" in problem.sentence
    assert "{{frist_name}}" in browse(alice).get(page).content.decode()
    answer = browse(alice).post(f"/app/campaigns/{running.pk}/prepare/", follow=True)
    assert "{{frist_name}}" in answer.content.decode()
    assert (Campaign.objects.get().status, spoken()) == ("draft", 1)


def test_publishes_for_those_who_wait_and_leaves_running_launches_what_they_say(
    running, alice, browse
):
    give(enrol(running, 1, start=50)[-1:], offer="ten percent off")
    edit(running, alice, OFFER)
    assert [one.code for one in lifecycle.script_problems(running)] == ["variable_held"]

    publish(running, alice)

    assert (running.status, running.published_version, spoken()) == ("ready", 2, 1)
    told = Notification.objects.get(key__startswith="version-held")
    assert "{{offer}}" in told.body
    page = browse(alice).get(told.url).content.decode()
    assert "Running launches keep their version" in page
    assert "{{offer}}" in page


def test_lets_running_launches_use_it_once_somebody_has_a_value(running, alice, browse):
    give(enrol(running, 1, start=50)[-1:], offer="ten percent off")
    edit(running, alice, OFFER)
    publish(running, alice)
    page = f"/app/campaigns/{running.pk}/versions/2/"
    browser = browse(alice)

    refused = browser.post(f"{page}take-up/", follow=True).content.decode()
    assert "They keep theirs: none of their leads has a value for {{offer}}." in refused
    assert spoken() == 1
    give(Enrolment.objects.all(), offer="something new")
    browser.post(f"{page}take-up/")

    assert spoken() == 2
    assert "Running launches keep" not in browser.get(page).content.decode()


def test_takes_up_a_default_with_the_next_version(running, alice):
    give(enrol(running, 1, start=50)[-1:], offer="ten percent off")
    edit(running, alice, OFFER)
    publish(running, alice)
    rules = [VariableRule("offer", default="something new")]
    save_variables(campaign=running, rules=rules, actor=alice, now=NOW)
    assert running.status == "draft"

    publish(running, alice)

    assert spoken() == 3


@pytest.mark.parametrize("has", ["a lead", "a default", "no need"])
def test_takes_up_words_that_somebody_in_line_can_hear(running, alice, has):
    if has == "a lead":
        give(Enrolment.objects.all()[:1], offer="ten percent off")
    else:
        rule = VariableRule("offer", default="x" if has == "a default" else "")
        rules = [replace(rule, is_required=has == "a default")]
        save_variables(campaign=running, rules=rules, actor=alice, now=NOW)
    edit(running, alice, OFFER)
    assert lifecycle.script_problems(running) == []

    publish(running, alice)

    assert spoken() == 2
    assert not Notification.objects.filter(key__startswith="version-held").exists()


def test_counts_nobody_who_may_not_be_called(running, alice):
    first = Enrolment.objects.select_related("lead").all()[:1]
    give(first, offer="ten percent off")
    first[0].lead.consent_status = "unknown"
    first[0].lead.save()
    edit(running, alice, OFFER)

    assert [one.is_blocker for one in lifecycle.script_problems(running)] == [True]


def test_asks_each_launch_alone(running, alice):
    give(enrol(running, 2, start=50)[-2:], offer="ten percent off")
    other = run_batch(launch(running))
    edit(running, alice, OFFER)

    publish(running, alice)

    versions = dict(BatchCall.objects.values_list("pk", "version__number"))
    assert versions.pop(other.pk) == 2
    assert list(versions.values()) == [1]
    assert CampaignVersion.objects.count() == 2


def test_asks_as_much_of_one_lead_as_of_many(running, alice, django_assert_num_queries):
    edit(running, alice, TYPO)
    enrol(running, 1, start=20)
    for more in (0, 20):
        enrol(running, more, start=30)
        Enrolment.objects.filter(phone_number__gt="+12015550139").update(
            batch_call=BatchCall.objects.get()
        )
        with django_assert_num_queries(8):
            lifecycle.script_problems(running)
