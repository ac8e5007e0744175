"""Knowledge that nobody waits for any more: it goes at Retell, however its making broke off."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from campaigns import jobs
from campaigns.models import KnowledgeBase
from campaigns.services import authoring, indexing, knowledge, lifecycle, workspace
from convomono.lib import clock
from telephony.provider import UnknownOutcome
from tests.factories.campaigns import NOW, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def slow(retell, monkeypatch):
    """A Retell that goes on reading what it was sent."""
    create = retell.create_knowledge_base
    monkeypatch.setattr(
        retell, "create_knowledge_base", lambda **a: replace(create(**a), status="in_progress")
    )
    return retell


@pytest.fixture
def forgetful(retell, monkeypatch):
    """A Retell whose answer to the first knowledge base is lost."""
    create = retell.create_knowledge_base

    def lose(**arguments):
        monkeypatch.setattr(retell, "create_knowledge_base", create)
        create(**arguments)
        raise UnknownOutcome("Timed out.")

    monkeypatch.setattr(retell, "create_knowledge_base", lose)
    return retell


def begin(alice):
    campaign = make_draft(alice.client, knowledge_text="Open from 8.")
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def edit(campaign, alice):
    content = replace(authoring.content_of(campaign), knowledge_text="Open from 9.")
    lifecycle.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)


def pass_time(**span):
    for base in KnowledgeBase.objects.exclude(sent_at=None):
        assert base.sent_at is not None
        KnowledgeBase.objects.filter(pk=base.pk).update(sent_at=base.sent_at - timedelta(**span))


def states(retell):
    found = workspace.survey(gateway=retell, now=clock.now(), real_now=clock.real_now())
    return [one.state for one in found if one.kind == "knowledge"]


def test_takes_away_what_was_edited_while_retell_read_it(alice, slow):
    campaign = begin(alice)
    edit(campaign, alice)

    jobs.retire_knowledge()

    assert slow.knowledge_bases == {}
    old = KnowledgeBase.objects.exclude(pk=campaign.knowledge_base_id).get()
    assert (old.status, old.provider_id) == ("retired", "")


def test_takes_away_what_its_campaign_was_archived_with(alice, slow):
    lifecycle.archive_campaign(campaign=begin(alice), actor=alice, now=NOW)

    jobs.retire_knowledge()

    assert slow.knowledge_bases == {}


def test_takes_away_what_a_lost_answer_left_before_an_edit(alice, forgetful):
    edit(begin(alice), alice)
    jobs.retire_knowledge()
    assert len(forgetful.knowledge_bases) == 1  # another worker may be sending it still

    pass_time(seconds=90)
    jobs.retire_knowledge()

    assert forgetful.knowledge_bases == {}
    assert set(KnowledgeBase.objects.values_list("status", flat=True)) == {"retired", "draft"}


def test_calls_what_a_lost_answer_left_ours_for_an_hour_alone(alice, forgetful):
    campaign = begin(alice)
    assert states(forgetful) == ["ours"]
    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    pass_time(hours=1)

    assert states(forgetful) == ["left_over"]
    jobs.repair_workspace()
    assert forgetful.knowledge_bases == {}


def test_repairs_nothing_that_a_job_has_taken_up_since_it_looked(alice, forgetful, monkeypatch):
    begin(alice)
    pass_time(hours=1)
    found = workspace.survey(gateway=forgetful, now=clock.now(), real_now=clock.real_now())
    monkeypatch.setattr(workspace, "survey", lambda **_: found)
    base = KnowledgeBase.objects.get()
    indexing.ensure_indexed(base=base, gateway=forgetful, now=clock.now())

    jobs.repair_workspace()

    assert len(forgetful.knowledge_bases) == 1


def test_leaves_what_somebody_waits_for(alice, slow):
    begin(alice)
    shared = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    knowledge.add_text(base=shared, title="a", text="b", actor=alice, now=NOW)
    knowledge.request_index(base=shared, auto_refresh=False, actor=alice, now=NOW)
    jobs.index_knowledge(base_id=str(shared.pk))
    pass_time(hours=2)

    jobs.retire_knowledge()

    assert len(slow.knowledge_bases) == 2
    assert set(KnowledgeBase.objects.values_list("status", flat=True)) == {"indexing"}


def test_takes_away_what_was_put_away_while_retell_read_it(alice, slow):
    shared = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    knowledge.add_text(base=shared, title="a", text="b", actor=alice, now=NOW)
    knowledge.request_index(base=shared, auto_refresh=False, actor=alice, now=NOW)
    jobs.index_knowledge(base_id=str(shared.pk))
    knowledge.archive_knowledge(base=shared, actor=alice, now=NOW)

    jobs.retire_knowledge()

    assert slow.knowledge_bases == {}


def test_sends_nothing_that_was_put_away_before_it_was_sent(alice, retell, run_jobs):
    shared = knowledge.create_knowledge(client=alice.client, name="Prices", actor=alice, now=NOW)
    knowledge.add_text(base=shared, title="a", text="b", actor=alice, now=NOW)
    knowledge.request_index(base=shared, auto_refresh=False, actor=alice, now=NOW)
    knowledge.archive_knowledge(base=shared, actor=alice, now=NOW)

    jobs.resume_campaigns()
    run_jobs()
    jobs.retire_knowledge()

    shared.refresh_from_db()
    assert (shared.status, retell.knowledge_bases) == ("retired", {})
    assert "create_knowledge_base" not in [name for name, _arguments in retell.asked]
