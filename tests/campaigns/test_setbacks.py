"""A campaign that can't be made ready: it waits while Retell is away, and its people hear of a refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from accounts.models import Notification
from campaigns import jobs
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services import authoring, knowledge, lifecycle, moving, preparing
from convomono.lib import clock
from telephony.models import VoiceAgent
from telephony.provider import RateLimited, Rejected, Unavailable, UnknownOutcome
from tests.factories.campaigns import NOW, make_draft

pytestmark = pytest.mark.django_db
BUSY = [
    RateLimited("Account rate limited.", 1.0),
    Unavailable("Service unavailable."),
    UnknownOutcome("Timed out."),
]


def make_ready(alice, **fields):
    campaign = make_draft(alice.client, **fields)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    return run(campaign)


def run(campaign):
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def edit(campaign, alice, line="Acme Dental's AI here."):
    content = replace(authoring.content_of(campaign), opening_line=line)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    return campaign


def told(alice):
    return list(Notification.objects.filter(client=alice.client).values_list("title", flat=True))


@pytest.fixture
def newer(alice, retell):
    """The next version of a knowledge base that three ready campaigns use."""
    base = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    knowledge.add_text(base=base, title="a", text="b", actor=alice, now=NOW)
    for version in (base, None):
        one = version or knowledge.start_version(base=base, actor=alice, now=NOW)
        knowledge.request_index(base=one, auto_refresh=False, actor=alice, now=NOW)
        jobs.index_knowledge(base_id=str(one.pk))
    for number in range(3):
        make_ready(alice, name=f"C{number}", shared_base_id=base.pk)
    return KnowledgeBase.objects.get(number=2)


@pytest.mark.parametrize("error", BUSY)
def test_makes_every_campaign_ready_with_new_knowledge_though_retell_was_busy(
    alice, retell, newer, error
):
    moved = moving.use_version(base=newer, actor=alice, now=NOW)
    retell.fail("create_agent_version", error)

    for campaign in moved.campaigns:
        run(campaign)

    assert sorted(Campaign.objects.values_list("status", flat=True)) == [
        "preparing",
        "ready",
        "ready",
    ]
    assert told(alice) == []
    [waiting] = Campaign.objects.filter(status="preparing")
    assert "tried again each minute" in waiting.prepare_error
    run(waiting)
    assert (waiting.status, waiting.published_version, waiting.prepare_error) == ("ready", 2, "")


def test_makes_agents_that_were_missing_again_though_retell_was_busy(alice, retell):
    campaign = make_ready(alice)
    retell.agents.clear()
    jobs.repair_workspace()
    retell.fail("create_agent", RateLimited("Account rate limited.", None))

    assert run(campaign).status == "preparing"
    assert run(campaign).status == "ready"


@pytest.mark.django_db(transaction=True)
def test_comes_back_to_it_a_minute_later_and_not_before(alice, retell, run_jobs):
    campaign = edit(make_ready(alice), alice)
    run_jobs()
    Campaign.objects.update(status="preparing", updated_at=clock.now() - timedelta(hours=1))
    campaign.refresh_from_db()
    retell.fail("retrieve_agent", RateLimited("Account rate limited.", None))
    VoiceAgent.objects.update(fingerprint="")
    run(campaign)

    jobs.resume_campaigns()
    assert run_jobs() == 0
    Campaign.objects.update(updated_at=clock.now() - timedelta(minutes=1))
    jobs.resume_campaigns()

    assert run_jobs() == 1
    assert Campaign.objects.get().status == "ready"


def test_is_a_draft_after_ten_tries_and_says_so_once(alice, retell):
    campaign = edit(make_ready(alice), alice)
    for _ in range(10):
        retell.fail("retrieve_agent", Unavailable("Service unavailable."))

    seen = [run(campaign).status for _ in range(10)]

    assert seen == ["preparing"] * 9 + ["draft"]
    assert "try again in a few minutes" in campaign.prepare_error
    assert told(alice) == [f"{campaign.name} could not be made ready and is a draft now"]
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    assert run(campaign).status == "ready"
    assert VoiceAgent.objects.get().tries_count == 0


def test_tells_its_people_once_that_retell_refused(alice, retell):
    campaign = edit(make_ready(alice), alice)
    for _ in range(2):
        retell.fail("update_agent", Rejected("voice_id is unknown.", 400))
        lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
        assert run(campaign).status == "draft"

    [note] = Notification.objects.filter(client=alice.client)
    assert "voice_id is unknown. Change them and try again." in note.body
    assert note.url == f"/app/campaigns/{campaign.pk}/edit/test/"
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    assert run(campaign).published_version == 2

    edit(campaign, alice, "Acme Dental's AI once more.")
    retell.fail("update_agent", Rejected("voice_id is unknown.", 400))
    assert run(campaign).status == "draft"

    assert len(told(alice)) == 2  # it was ready in between


def test_tells_nobody_of_a_run_that_an_edit_overtook(alice, retell, monkeypatch):
    campaign = edit(make_ready(alice), alice)

    def refuse(**_arguments):
        Campaign.objects.update(updated_at=NOW + timedelta(seconds=1))
        raise Rejected("voice_id is unknown.", 400)

    monkeypatch.setattr(retell, "update_agent", refuse)

    assert run(campaign).status == "preparing"
    assert told(alice) == []


def test_tries_a_fault_of_ours_three_times_and_tells_both(alice, retell, monkeypatch):
    campaign = edit(make_ready(alice), alice)
    monkeypatch.setattr(preparing, "publish", lambda **_: 1 / 0)

    assert [run(campaign).status for _ in range(3)] == ["preparing", "preparing", "draft"]
    assert len(told(alice)) == len(told_agency()) == 1


def told_agency():
    return list(Notification.objects.filter(client=None))


def test_says_on_its_pages_that_it_is_tried_again(browse, alice, retell):
    campaign = make_draft(alice.client)
    retell.fail("create_llm", Unavailable("Service unavailable."))
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    run(campaign)

    for path in ("", "edit/test/"):
        page = browse(alice).get(f"/app/campaigns/{campaign.pk}/{path}").content.decode()
        assert "tried again each minute" in page
        assert "a moment, please" not in page


def test_names_the_knowledge_that_failed(alice, retell):
    shared = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    knowledge.add_text(base=shared, title="a", text="b", actor=alice, now=NOW)
    KnowledgeBase.objects.update(status="error", error="menu.pdf: encrypted.")
    retell.knowledge_status = "error"
    own = make_ready(alice, shared_base_id=shared.pk, knowledge_text="Open from 8.")
    assert "could not read the knowledge text" in own.prepare_error

    other = make_ready(alice, shared_base_id=shared.pk)

    assert other.prepare_error == (
        "The knowledge base “Prices” can't be used. Retell could not read the sources."
    )
