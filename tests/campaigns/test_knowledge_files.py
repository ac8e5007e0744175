"""Files of knowledge: kept for every version that may be indexed again, deleted once none can be."""

from __future__ import annotations

import io
import os
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from campaigns import jobs, knowledge_jobs
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services import knowledge, lifecycle, moving, versions
from convomono.lib import clock, files
from tests.factories.campaigns import NOW, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    """A storage of its own: the others' tests leave files behind that no row names."""
    default = {**settings.STORAGES["default"], "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "default": default}


@pytest.fixture
def base(alice):
    made = knowledge.create_knowledge(client=alice.client, name="Menu", actor=alice, now=NOW)
    add(made, alice)
    return made


def add(base, alice):
    return knowledge.add_file(
        base=base,
        name="menu.pdf",
        suffix=".pdf",
        content=io.BytesIO(b"%PDF-1"),
        size_bytes=6,
        actor=alice,
        now=NOW,
    )


def index(base, alice):
    knowledge.request_index(base=base, auto_refresh=False, actor=alice, now=NOW)
    jobs.index_knowledge(base_id=str(base.pk))
    base.refresh_from_db()
    return base


def prepare(campaign, alice):
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def age():
    """Let all files be two days old."""
    then = (clock.real_now() - timedelta(days=2)).timestamp()
    for name in files.older("knowledge", before=clock.real_now() + timedelta(days=1)):
        os.utime(default_storage.path(name), (then, then))


def stored(base):
    return [default_storage.exists(one.stored_name) for one in base.sources.all()]


def test_deletes_the_file_of_a_source_that_was_never_published(
    alice, base, django_capture_on_commit_callbacks
):
    source = base.sources.get()

    with django_capture_on_commit_callbacks(execute=True):
        knowledge.remove_source(base=base, source=source, actor=alice, now=NOW)

    assert not default_storage.exists(source.stored_name)


def test_keeps_the_file_that_an_earlier_version_has(
    alice, base, retell, django_capture_on_commit_callbacks
):
    draft = knowledge.start_version(base=index(base, alice), actor=alice, now=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        source = draft.sources.get()
        knowledge.remove_source(base=draft, source=source, actor=alice, now=NOW)
    KnowledgeBase.objects.filter(pk=base.pk).update(status="retired", provider_id="")
    age()

    assert knowledge_jobs.purge_knowledge_files() == 0
    assert index(base, alice).status == "complete"  # back to it, with its file


def test_deletes_what_no_row_names_once_it_is_a_day_old(alice, base):
    lost = files.store(room="knowledge", client_id=alice.client_id, suffix=".pdf", content=b"%PDF")

    assert knowledge_jobs.purge_knowledge_files() == 0  # its row may be written just now
    age()
    assert knowledge_jobs.purge_knowledge_files() == 1

    assert not default_storage.exists(lost)
    assert stored(base) == [True]


def test_deletes_the_files_of_what_was_put_away(alice, base, retell):
    index(base, alice)
    knowledge.archive_knowledge(base=base, actor=alice, now=NOW)
    age()

    assert knowledge_jobs.purge_knowledge_files() == 1
    assert knowledge_jobs.purge_knowledge_files() == 0
    assert stored(base) == [False]


def test_keeps_what_a_campaign_may_go_back_to(alice, base, retell):
    index(base, alice)
    campaign = prepare(make_draft(alice.client, shared_base_id=base.pk), alice)
    Campaign.objects.update(shared_base=None)
    knowledge.archive_knowledge(base=base, actor=alice, now=NOW)
    jobs.retire_knowledge()
    age()
    assert knowledge_jobs.purge_knowledge_files() == 0

    versions.restore_version(
        campaign=campaign, version=campaign.versions.get(), actor=alice, now=NOW
    )
    assert prepare(campaign, alice).status == "ready"  # it was sent again, with its file
    assert knowledge_jobs.purge_knowledge_files() == 0

    lifecycle.archive_campaign(campaign=campaign, actor=alice, now=NOW)
    assert knowledge_jobs.purge_knowledge_files() == 1


def test_looks_at_all_files_however_many_there_are(alice, base, monkeypatch):
    monkeypatch.setattr("campaigns.services.knowledge_files.AT_ONCE", 2)
    for _ in range(5):
        files.store(room="knowledge", client_id=alice.client_id, suffix=".pdf", content=b"%PDF")
    age()

    assert knowledge_jobs.purge_knowledge_files() == 5
    assert stored(base) == [True]


def test_says_so_when_a_file_is_no_longer_kept(alice, base, retell):
    index(base, alice)
    newer = index(knowledge.start_version(base=base, actor=alice, now=NOW), alice)
    moving.use_version(base=newer, actor=alice, now=NOW)
    KnowledgeBase.objects.update(status="retired", provider_id="", sent_at=None)
    campaign = make_draft(alice.client, shared_base_id=newer.pk)
    default_storage.delete(newer.sources.get().stored_name)

    prepare(campaign, alice)

    assert campaign.status == "draft"
    assert campaign.prepare_error == (
        "The knowledge base “Menu” can't be used. One of its files is no longer kept. "
        "Add it again, or choose other knowledge."
    )
    newer.refresh_from_db()
    assert (newer.status, newer.sent_at) == ("error", None)
