"""Making a campaign ready: the agent at Retell, its versions, and every way this can break off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from campaigns import jobs
from campaigns.models import Campaign, CampaignVersion, KnowledgeBase
from campaigns.services import authoring, lifecycle
from convomono.lib.clock import now as clock_now
from telephony.models import VoiceAgent
from telephony.provider import (
    KnowledgeBase as ProviderKnowledgeBase,
    PaymentRequired,
    Rejected,
    Unauthorised,
    Unavailable,
)
from tests.factories.campaigns import NOW, make_draft, make_ready
from webhooks.payloads import KINDS

STEPS = ["create_llm", "update_llm", "create_agent", "retrieve_agent", "update_agent"]


def prepare(campaign, actor):
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def methods(retell):
    return [name for name, _arguments in retell.asked]


def test_publishes_an_agent_and_a_version(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)

    version = CampaignVersion.objects.get()
    agent = VoiceAgent.objects.get()
    assert campaign.status == "ready"
    assert campaign.published_version == version.number == 1
    assert version.variables == ["first_name"]
    assert (version.provider_agent_id, version.provider_agent_version) == (
        agent.provider_agent_id,
        0,
    )
    published = retell.agents[agent.provider_agent_id, 0]
    assert published.is_published
    settings = retell.agent_settings[agent.provider_agent_id, 0]
    assert settings.enable_dnc_detection
    assert settings.webhook_url.endswith("/api/v1/webhooks/retell")
    assert {*settings.webhook_events, "call_swept"} == set(KINDS)  # all that we apply


def test_runs_the_job_of_the_queue(alice, retell, run_jobs, django_capture_on_commit_callbacks):
    campaign = make_draft(alice.client)
    with django_capture_on_commit_callbacks(execute=True):
        lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)

    assert run_jobs() == 1

    assert Campaign.objects.get().status == "ready"


def test_asks_retell_nothing_the_second_time(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)
    retell.asked.clear()

    jobs.prepare_agent(campaign_id=str(campaign.pk))

    assert retell.asked == []
    assert CampaignVersion.objects.count() == 1


def test_makes_the_next_version_after_an_edit(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)
    content = replace(authoring.content_of(campaign), opening_line="Acme Dental's AI here.")
    authoring.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)

    prepare(campaign, alice)

    first, second = CampaignVersion.objects.order_by("number")
    assert campaign.published_version == 2
    assert (first.provider_agent_version, second.provider_agent_version) == (0, 1)
    assert first.provider_agent_id == second.provider_agent_id
    assert retell.agents[second.provider_agent_id, 1].is_published


def test_publishes_nothing_at_retell_for_an_edit_taken_back(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)
    for line in ("Acme Dental's AI here.", campaign.opening_line):
        content = replace(authoring.content_of(campaign), opening_line=line)
        authoring.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)
    retell.asked.clear()

    prepare(campaign, alice)

    assert campaign.status == "ready"
    assert methods(retell) == []


@pytest.mark.parametrize("step", [*STEPS, "publish_agent"])
def test_goes_on_where_it_broke_off(alice, retell, step):
    campaign = make_draft(alice.client)
    retell.fail(step, Unavailable("Connection refused."))

    prepare(campaign, alice)

    assert campaign.status == "preparing"
    assert "tried again each minute" in campaign.prepare_error
    prepare(campaign, alice)
    assert campaign.status == "ready"
    assert campaign.prepare_error == ""
    assert methods(retell).count("create_agent") <= 1 + (step == "create_agent")
    assert methods(retell).count("create_llm") <= 1 + (step == "create_llm")
    assert "create_agent_version" not in methods(retell)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unauthorised("Bad key.", 401), "Ask your agency"),
        (PaymentRequired("Trial has ended.", 402), "Ask your agency"),
        (Rejected("voice_id is unknown.", 400), "voice_id is unknown. Change them"),
    ],
)
def test_says_what_to_do_when_retell_refuses(alice, retell, error, words):
    retell.fail("create_llm", error)

    campaign = prepare(make_draft(alice.client), alice)

    assert campaign.status == "draft"
    assert words in campaign.prepare_error
    assert not CampaignVersion.objects.exists()


def test_discards_a_run_that_an_edit_overtook(alice, retell, monkeypatch):
    campaign = make_draft(alice.client)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    publish = retell.publish_agent

    def edit_meanwhile(**arguments):
        content = replace(authoring.content_of(campaign), opening_line="Acme Dental's AI here.")
        authoring.update_campaign(campaign=campaign, content=content, actor=alice, now=clock_now())
        publish(**arguments)

    monkeypatch.setattr(retell, "publish_agent", edit_meanwhile)
    jobs.prepare_agent(campaign_id=str(campaign.pk))

    assert Campaign.objects.get().status == "draft"
    assert not CampaignVersion.objects.exists()


def test_waits_until_the_knowledge_is_indexed(alice, retell, monkeypatch):
    campaign = make_draft(alice.client, knowledge_text="Open from 8 to 18.")
    create = retell.create_knowledge_base
    monkeypatch.setattr(
        retell,
        "create_knowledge_base",
        lambda **arguments: replace(create(**arguments), status="in_progress"),
    )

    prepare(campaign, alice)

    assert campaign.status == "preparing"
    assert "create_llm" not in methods(retell)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.status == "ready"
    base = KnowledgeBase.objects.get()
    assert methods(retell).count("create_knowledge_base") == 1
    [settings] = retell.llms.values()
    assert settings.knowledge_base_ids == (base.provider_id,)


def test_says_so_when_the_knowledge_cannot_be_read(alice, retell, monkeypatch):
    failed = ProviderKnowledgeBase(
        knowledge_base_id="kb_1", name="x", status="error", source_ids=()
    )
    monkeypatch.setattr(retell, "create_knowledge_base", lambda **_arguments: failed)

    campaign = prepare(make_draft(alice.client, knowledge_text="Open."), alice)

    assert campaign.status == "draft"
    assert "knowledge" in campaign.prepare_error


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"script_raw": " "}, "script_empty"),
        ({"script_raw": "AI of Acme Dental {{two words}}"}, "variable_malformed"),
        ({"voice_id": ""}, "voice_missing"),
    ],
)
def test_refuses_what_cannot_be_spoken(alice, retell, fields, code):
    campaign = make_draft(alice.client, **fields)

    with pytest.raises(lifecycle.ScriptRefused) as refused:
        lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)

    assert [problem.code for problem in refused.value.problems] == [code]
    assert Campaign.objects.get().status == "draft"


def test_refuses_to_prepare_what_is_ready(alice):
    with pytest.raises(lifecycle.CampaignNotDraft):
        lifecycle.prepare_campaign(campaign=make_ready(alice.client), actor=alice, now=NOW)


def test_takes_up_what_a_killed_worker_left(
    alice, retell, run_jobs, django_capture_on_commit_callbacks
):
    campaign = make_draft(alice.client)
    Campaign.objects.filter(pk=campaign.pk).update(
        status="preparing", updated_at=clock_now() - timedelta(minutes=2)
    )

    with django_capture_on_commit_callbacks(execute=True):
        jobs.resume_campaigns()
    run_jobs()

    assert Campaign.objects.get().status == "ready"
