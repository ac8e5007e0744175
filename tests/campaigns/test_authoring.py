"""Writing campaigns: what is kept, what an edit undoes, what a copy takes along."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.models import AuditLog
from campaigns.dialling.breaking import Safety
from campaigns.models import Campaign, KnowledgeBase, RetryPolicy
from campaigns.services import authoring, lifecycle
from campaigns.services.policies import Dialling, dialling_of, set_dialling
from campaigns.services.variables import save_variables, variable_rules
from campaigns.variables import VariableRule
from tests.factories.campaigns import (
    NOW,
    campaign_content,
    enrol,
    launch,
    make_draft,
    make_ready,
)


def edit(campaign, actor, **fields):
    content = replace(authoring.content_of(campaign), **fields)
    return authoring.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)


def test_creates_a_draft_with_its_rules(alice):
    campaign = authoring.create_campaign(
        client=alice.client, content=campaign_content(max_attempts=2), actor=alice, now=NOW
    )

    assert campaign.status == "draft"
    assert campaign.created_by_email == "alice@acme.test"
    assert campaign.retry_policy.max_attempts == 2
    assert campaign.calling_window.weekdays == [0, 1, 2, 3, 4]
    assert AuditLog.objects.get().action == "campaign.created"


def test_reads_back_what_was_written(alice):
    content = campaign_content(knowledge_text="Open from 8 to 18.", opens_minute=600)
    campaign = authoring.create_campaign(client=alice.client, content=content, actor=alice, now=NOW)

    assert authoring.content_of(campaign) == content
    assert campaign.kb_files_meta() == [
        {"title": "Autumn check-ups", "kind": "text", "size_bytes": 18}
    ]


def test_makes_a_ready_campaign_a_draft_when_its_words_change(alice):
    campaign = make_ready(alice.client)

    assert edit(campaign, alice, script_raw="An AI of Acme Dental says hello.")

    assert campaign.status == "draft"
    assert campaign.versions.get().script_raw != campaign.script_raw  # calls keep theirs


@pytest.mark.parametrize("fields", [{"max_attempts": 5}, {"name": "Winter"}, {"opens_minute": 600}])
def test_keeps_a_campaign_ready_when_its_words_stay(alice, fields):
    campaign = make_ready(alice.client)

    assert edit(campaign, alice, **fields)

    assert campaign.status == "ready"
    assert replace(authoring.content_of(campaign), **fields) == authoring.content_of(campaign)


def test_writes_nothing_when_nothing_changed(alice):
    campaign = make_ready(alice.client)
    before = AuditLog.objects.count()

    assert not edit(campaign, alice)

    assert AuditLog.objects.count() == before


def test_gives_new_knowledge_a_base_of_its_own(alice):
    campaign = make_draft(alice.client, knowledge_text="Old")
    old = campaign.knowledge_base_id
    KnowledgeBase.objects.update(status="complete")

    edit(campaign, alice, knowledge_text="New")

    assert campaign.knowledge_base_id != old
    assert authoring.knowledge_text(campaign) == "New"
    edit(campaign, alice, knowledge_text="")
    assert campaign.knowledge_base_id is None


def test_duplicates_the_content_without_leads_or_agent(alice):
    campaign = make_ready(alice.client, knowledge_text="Hours", max_attempts=4)
    enrol(campaign, 2)

    copy = lifecycle.duplicate_campaign(campaign=campaign, name="Copy", actor=alice, now=NOW)

    assert copy.status == "draft"
    assert copy.published_version is None
    assert copy.knowledge_base_id != campaign.knowledge_base_id
    assert replace(authoring.content_of(copy), name=campaign.name) == authoring.content_of(campaign)
    assert copy.enrolments.count() == 0


def test_duplicates_how_a_campaign_dials_and_what_is_said_of_its_variables(alice):
    campaign = make_ready(alice.client)
    dialling = Dialling(
        dispositions={"dial_busy": {"most": 2, "delay_seconds": 600}},
        is_other_time_of_day=True,
        callback_delay_seconds=7200,
        safety=Safety(failed_percent=20),
        calls_per_minute=5,
    )
    set_dialling(campaign=campaign, dialling=dialling, actor=alice, now=NOW)
    RetryPolicy.objects.update(gap_seconds=3600, technical_delay_seconds=60)
    rule = VariableRule(name="policy", kind="text", is_required=False, default="none", max_chars=20)
    save_variables(campaign=campaign, rules=[rule], actor=alice, now=NOW)
    campaign.refresh_from_db()

    copy = lifecycle.duplicate_campaign(campaign=campaign, name="Copy", actor=alice, now=NOW)

    assert dialling_of(copy) == dialling
    retry = RetryPolicy.objects.get(campaign=copy)
    assert (retry.gap_seconds, retry.technical_delay_seconds) == (3600, 60)
    assert variable_rules(copy.pk) == [rule]
    assert RetryPolicy.objects.count() == 2


def test_writes_one_knowledge_base_however_often_a_text_is_saved(alice):
    campaign = make_draft(alice.client)
    for text in ("W", "We open", "We open at 8."):
        edit(campaign, alice, knowledge_text=text)

    base = KnowledgeBase.objects.get()
    source = base.sources.get()
    assert (source.text, source.size_bytes) == ("We open at 8.", 13)
    edit(campaign, alice, knowledge_text="")
    assert not KnowledgeBase.objects.exists()
    assert campaign.knowledge_base_id is None


@pytest.mark.parametrize(
    "sent",
    [{"sent_at": NOW}, {"provider_id": "kb_1"}, {"status": "indexing"}, {"status": "complete"}],
)
def test_never_changes_a_knowledge_base_that_was_sent(alice, sent):
    campaign = make_draft(alice.client, knowledge_text="Old")
    old = campaign.knowledge_base_id
    KnowledgeBase.objects.update(**sent)

    edit(campaign, alice, knowledge_text="New")

    assert campaign.knowledge_base_id != old
    assert KnowledgeBase.objects.get(pk=str(old)).sources.get().text == "Old"


def test_never_changes_a_knowledge_base_that_a_version_names(alice):
    campaign = make_ready(alice.client, knowledge_text="Old")
    old = campaign.knowledge_base_id
    KnowledgeBase.objects.update(status="draft", sent_at=None, provider_id="")

    edit(campaign, alice, knowledge_text="New")

    assert KnowledgeBase.objects.get(pk=str(old)).sources.get().text == "Old"


def test_archives_once_and_refuses_edits_then(alice):
    campaign = make_draft(alice.client)

    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)
    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    assert campaign.status == "archived"
    assert AuditLog.objects.filter(action="campaign.archived").count() == 1
    with pytest.raises(authoring.CampaignArchived):
        edit(campaign, alice, name="Again")


def test_keeps_a_campaign_that_dials_out_of_the_archive(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)
    launch(campaign)

    with pytest.raises(authoring.CampaignLive):
        lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)

    assert Campaign.objects.get().status == "ready"
