"""Objects at Retell: made once whatever breaks, compared with our rows, put right, taken away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import Notification
from campaigns import jobs
from campaigns.models import Campaign, CampaignVersion, KnowledgeBase
from campaigns.services import authoring, indexing, lifecycle, preparing, workspace
from campaigns.services.asking import AskedAlready, ask_knowledge
from campaigns.views import workspace as views
from convomono.lib import clock
from convomono.lib.redis import redis_connection
from telephony.models import VoiceAgent
from telephony.provider import (
    AgentSettings,
    Llm,
    LlmSettings,
    Rejected,
    Unavailable,
    UnknownOutcome,
)
from tests.factories.campaigns import NOW, make_draft

STEPS = (
    "create_knowledge_base",
    "create_llm",
    "update_llm",
    "create_agent",
    "retrieve_agent",
    "update_agent",
    "publish_agent",
)
# Of a campaign that was published before, with other words and other knowledge.
SECOND_STEPS = (
    "create_knowledge_base",
    "retrieve_agent",
    "create_agent_version",
    "update_llm",
    "update_agent",
    "publish_agent",
)


def prepare(campaign, actor):
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def count(retell):
    agents = {agent_id for agent_id, _version in retell.agents}
    llms = {llm_id for llm_id, _version in retell.llms}
    return len(agents), len(llms), len(retell.knowledge_bases)


@pytest.mark.parametrize("step", STEPS)
def test_leaves_nothing_half_made_when_retell_refuses_a_step(alice, retell, step):
    campaign = make_draft(alice.client, knowledge_text="Open from 8.")
    retell.fail(step, Rejected("This is not allowed.", 400))

    prepare(campaign, alice)

    assert campaign.status == "draft"
    assert "This is not allowed. Change them and try again" in campaign.prepare_error
    assert campaign.published_version is None
    assert not CampaignVersion.objects.exists()
    prepare(campaign, alice)  # the same button again
    campaign = Campaign.objects.get(pk=campaign.pk)
    assert (campaign.status, campaign.published_version) == ("ready", 1)
    assert count(retell) == (1, 1, 1)
    assert {one.state for one in survey(retell)} == {"ours"}


def edited(campaign, actor):
    content = replace(
        authoring.content_of(campaign),
        opening_line="Acme Dental's AI here.",
        knowledge_text="Open from 9.",
    )
    lifecycle.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)
    return campaign


def published(retell):
    return {number: agent.is_published for (_id, number), agent in sorted(retell.agents.items())}


@pytest.mark.parametrize("step", SECOND_STEPS)
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected("This is not allowed.", 400), "draft"),
        (Unavailable("Service unavailable."), "preparing"),
    ],
)
def test_keeps_the_first_version_until_every_step_of_the_second_is_done(
    alice, retell, step, error, status
):
    campaign = prepare(make_draft(alice.client, knowledge_text="Open from 8."), alice)
    spoken = dict(retell.agent_settings)
    retell.fail(step, error)

    prepare(edited(campaign, alice), alice)

    assert (campaign.status, campaign.published_version) == (status, 1)
    assert [one.number for one in CampaignVersion.objects.all()] == [1]
    assert VoiceAgent.objects.get().published_version == 0
    assert [number for number, is_out in published(retell).items() if is_out] == [0]
    assert spoken.items() <= retell.agent_settings.items()  # calls go on with what was published
    prepare(campaign, alice)  # the same button, or the next try
    assert (campaign.status, campaign.published_version) == ("ready", 2)
    assert published(retell) == {0: True, 1: True}  # a draft that was there was used
    jobs.retire_knowledge()
    assert count(retell) == (1, 1, 1)
    assert {one.state for one in survey(retell)} == {"ours"}


def test_uses_the_draft_of_an_agent_that_a_lost_answer_made(alice, retell, monkeypatch):
    campaign = prepare(make_draft(alice.client), alice)
    lose_answer(retell, monkeypatch, "create_agent_version")

    prepare(edited(campaign, alice), alice)
    prepare(campaign, alice)

    assert campaign.status == "ready"
    assert published(retell) == {0: True, 1: True}


@pytest.mark.parametrize("step", ["create_knowledge_base", "create_llm", "create_agent"])
def test_finds_again_what_a_lost_answer_made(alice, retell, monkeypatch, step):
    campaign = make_draft(alice.client, knowledge_text="Open from 8.")
    make = getattr(retell, step)

    def lose(**arguments):
        monkeypatch.setattr(retell, step, make)
        make(**arguments)
        raise UnknownOutcome("Timed out.")

    monkeypatch.setattr(retell, step, lose)
    prepare(campaign, alice)
    assert campaign.status == "preparing"

    prepare(campaign, alice)

    assert campaign.status == "ready"
    assert count(retell) == (1, 1, 1)  # no orphan


def leave_over(retell, mark):
    """Make an agent and a prompt as a run would that lost its answer and forgot it."""
    llm = retell.create_llm(
        settings=LlmSettings(
            general_prompt="x", begin_message=None, default_dynamic_variables={"convomono": mark}
        )
    )
    return retell.create_agent(
        llm=Llm(llm_id=llm.llm_id, version=0, is_published=False),
        settings=AgentSettings(agent_name=f"Twin {mark}", voice_id="11labs-Anna"),
    )


def survey(retell):
    return workspace.survey(gateway=retell, now=clock.now(), real_now=clock.real_now())


def states(retell):
    return sorted((one.kind, one.state) for one in survey(retell))


def test_tells_ours_left_over_missing_and_foreign_apart(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)
    row = VoiceAgent.objects.get()
    mark = f"cm-{row.pk.hex[-8:]}"
    leave_over(retell, mark)
    leave_over(retell, "cm-00000000")  # of another installation
    KnowledgeBase.objects.create(
        client=alice.client, name="Gone", status="complete", provider_id="kb_gone", created_at=NOW
    )

    assert states(retell) == [
        ("agent", "foreign"),
        ("agent", "left_over"),
        ("agent", "ours"),
        ("knowledge", "missing"),
        ("llm", "foreign"),
        ("llm", "left_over"),
        ("llm", "ours"),
    ]
    assert campaign.status == "ready"


def test_puts_right_what_is_left_over_and_touches_nothing_foreign(alice, retell):
    prepare(make_draft(alice.client), alice)
    leave_over(retell, f"cm-{VoiceAgent.objects.get().pk.hex[-8:]}")
    leave_over(retell, "cm-00000000")

    jobs.repair_workspace()
    jobs.repair_workspace()

    assert states(retell) == [
        ("agent", "foreign"),
        ("agent", "ours"),
        ("llm", "foreign"),
        ("llm", "ours"),
    ]


@pytest.mark.parametrize("kind", ["agent", "llm", "knowledge"])
def test_makes_again_what_somebody_deleted_at_retell(alice, retell, kind):
    campaign = prepare(make_draft(alice.client, knowledge_text="Open from 8."), alice)
    {"agent": retell.agents, "llm": retell.llms, "knowledge": retell.knowledge_bases}[kind].clear()

    jobs.repair_workspace()
    campaign.refresh_from_db()
    assert campaign.status == "preparing"
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    jobs.repair_workspace()  # what the old pair left over goes

    campaign.refresh_from_db()
    assert campaign.status == "ready"
    assert {one.state for one in survey(retell)} == {"ours"}
    assert count(retell) == (1, 1, 1)


def test_takes_the_agents_of_archived_campaigns_away_after_a_day(alice, retell):
    campaign = prepare(make_draft(alice.client), alice)
    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    assert workspace.retire_agents(gateway=retell, now=NOW) == 0
    retell.fail("delete_llm", Unavailable("Connection refused."))
    later = NOW + timedelta(days=2)
    assert workspace.retire_agents(gateway=retell, now=later) == 0  # tried again later
    assert workspace.retire_agents(gateway=retell, now=later) == 1

    assert count(retell) == (0, 0, 0)
    assert survey(retell) == []
    assert Campaign.objects.get().status == "archived"


def test_shows_the_workspace_to_those_who_may(browse, root, bob, alice, retell, monkeypatch):
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)
    prepare(make_draft(alice.client), alice)
    leave_over(retell, f"cm-{VoiceAgent.objects.get().pk.hex[-8:]}")

    page = browse(root).get("/agency/retell/").content.decode()

    assert "Put 2 objects right?" in page
    assert "Acme Dental" in page
    assert browse(bob).get("/agency/retell/").status_code == 403
    assert browse(alice).get("/agency/retell/").status_code == 403
    assert browse(root).post("/agency/retell/repair/").status_code == 302


def test_says_so_when_retell_cannot_be_asked(browse, root, retell, monkeypatch):
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)
    retell.fail("list_agents", Unavailable("Connection refused."))

    assert "be reached just now" in browse(root).get("/agency/retell/").content.decode()


# -- What nobody takes up any more -----------------------------------------------------------------


def lose_answer(retell, monkeypatch, step):
    """Let Retell make something and its answer be lost, once."""
    make = getattr(retell, step)

    def lose(**arguments):
        monkeypatch.setattr(retell, step, make)
        make(**arguments)
        raise UnknownOutcome("Timed out.")

    monkeypatch.setattr(retell, step, lose)


def test_finds_what_a_lost_answer_left_of_a_campaign_nobody_prepares(alice, retell, monkeypatch):
    campaign = make_draft(alice.client)
    lose_answer(retell, monkeypatch, "create_llm")
    prepare(campaign, alice)
    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    assert states(retell) == [("llm", "left_over")]
    jobs.repair_workspace()
    assert states(retell) == []


def test_leaves_alone_what_a_job_is_making(alice, retell, monkeypatch):
    campaign = make_draft(alice.client)
    lose_answer(retell, monkeypatch, "create_llm")
    prepare(campaign, alice)
    Campaign.objects.update(status="preparing")

    assert states(retell) == [("llm", "ours")]
    jobs.repair_workspace()
    assert count(retell)[1] == 1


def test_keeps_the_id_of_failed_knowledge_until_it_is_gone(alice, retell):
    campaign = make_draft(alice.client, knowledge_text="Open from 8.")
    retell.knowledge_status = "error"
    retell.fail("delete_knowledge_base", Unavailable("Connection refused."))
    prepare(campaign, alice)
    base = KnowledgeBase.objects.get()
    assert (base.status, bool(base.provider_id)) == ("error", True)
    assert states(retell)[:1] == [("knowledge", "left_over")]

    jobs.repair_workspace()

    base.refresh_from_db()
    assert (base.provider_id, base.sent_at) == ("", None)
    assert count(retell)[2] == 0


def test_sends_failed_knowledge_again_once_the_old_one_is_gone(alice, retell):
    campaign = make_draft(alice.client, knowledge_text="Open from 8.")
    retell.knowledge_status = "error"
    retell.fail("delete_knowledge_base", Unavailable("Connection refused."))
    prepare(campaign, alice)
    retell.knowledge_status = "complete"

    KnowledgeBase.objects.update(status="indexing", sent_at=None)  # as "Have it indexed" does
    base = KnowledgeBase.objects.get()
    indexing.ensure_indexed(base=base, gateway=retell, now=NOW)

    base.refresh_from_db()
    assert base.status == "complete"
    assert count(retell)[2] == 1


@pytest.mark.parametrize("step", ["create_llm", "create_agent"])
def test_makes_one_tester_although_an_answer_was_lost(alice, retell, monkeypatch, step):
    base = KnowledgeBase.objects.create(
        client=alice.client, name="Hours", status="complete", provider_id="kb_1", created_at=NOW
    )
    lose_answer(retell, monkeypatch, step)
    real = clock.real_now()
    with pytest.raises(UnknownOutcome):
        ask_knowledge(base=base, question="When?", gateway=retell, real_now=real)
    KnowledgeBase.objects.update(tester_since=real)  # somebody else is at it
    with pytest.raises(AskedAlready):
        ask_knowledge(base=base, question="When?", gateway=retell, real_now=real)

    later = real + timedelta(minutes=2)
    ask_knowledge(base=base, question="When?", gateway=retell, real_now=later)

    assert count(retell)[:2] == (1, 1)


def test_asks_at_once_again_after_retell_refused(alice, retell, monkeypatch):
    base = KnowledgeBase.objects.create(
        client=alice.client, name="Hours", status="complete", provider_id="kb_1", created_at=NOW
    )
    real = clock.real_now()
    lose_answer(retell, monkeypatch, "create_llm")
    with pytest.raises(UnknownOutcome):
        ask_knowledge(base=base, question="When?", gateway=retell, real_now=real)

    ask_knowledge(base=base, question="When?", gateway=retell, real_now=real)

    assert count(retell)[:2] == (1, 1)  # what the lost answer made was found


def test_knows_every_row_however_many_there_are(alice, retell, monkeypatch):
    monkeypatch.setattr(workspace, "CHUNK", 2)
    for number in range(5):
        prepare(make_draft(alice.client, name=f"Campaign {number}"), alice)
    last = VoiceAgent.objects.order_by("-pk")[0]
    leave_over(retell, f"cm-{last.pk.hex[-8:]}")

    assert states(retell).count(("agent", "ours")) == 5
    assert states(retell).count(("agent", "left_over")) == 1


# -- Two jobs at once ------------------------------------------------------------------------------


def test_writes_an_agent_from_one_job_at_a_time(alice, retell):
    campaign = make_draft(alice.client)
    agent = preparing.find_or_make_agent(campaign=campaign, now=NOW)
    real = clock.real_now()
    assert preparing.claim_agent(agent=agent, real_now=real)
    asked = len(retell.asked)

    prepare(campaign, alice)
    assert campaign.status == "preparing"
    assert len(retell.asked) == asked  # the other one is at it

    assert not preparing.claim_agent(agent=agent, real_now=real)
    assert preparing.claim_agent(agent=agent, real_now=real + timedelta(minutes=4))  # it died
    preparing.release_agent(agent)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    assert Campaign.objects.get().status == "ready"
    assert VoiceAgent.objects.get().busy_until is None


def test_leaves_the_claim_of_the_job_that_came_after(alice):
    agent = preparing.find_or_make_agent(campaign=make_draft(alice.client), now=NOW)
    slow, next_one = agent, VoiceAgent.objects.get()
    real = clock.real_now()
    assert preparing.claim_agent(agent=slow, real_now=real)
    assert preparing.claim_agent(agent=next_one, real_now=real + timedelta(minutes=4))

    preparing.release_agent(slow)

    assert VoiceAgent.objects.get().busy_until is not None
    preparing.release_agent(next_one)
    assert VoiceAgent.objects.get().busy_until is None


def test_says_so_after_three_tries_that_break_off(alice, retell, monkeypatch):
    campaign = make_draft(alice.client)
    publish = preparing.publish
    monkeypatch.setattr(preparing, "publish", lambda **_: 1 / 0)
    prepare(campaign, alice)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.status == "preparing"

    jobs.prepare_agent(campaign_id=str(campaign.pk))

    campaign.refresh_from_db()
    assert campaign.status == "draft"
    assert "The agency has been told" in campaign.prepare_error
    assert Notification.objects.filter(client=None).count() == 1
    monkeypatch.setattr(preparing, "publish", publish)
    assert prepare(campaign, alice).status == "ready"


@pytest.mark.django_db(transaction=True)
def test_puts_a_job_that_stayed_behind_on_the_queue_once(alice, retell, run_jobs):
    campaign = make_draft(alice.client)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    redis_connection().flushdb()  # its own job was lost
    Campaign.objects.update(updated_at=clock.now() - timedelta(minutes=5))

    for _ in range(5):
        jobs.resume_campaigns()

    assert run_jobs() == 1
    assert Campaign.objects.get().status == "ready"
