"""Campaigns move to a version some at a time: each block is short, and the rest is never lost."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import AuditLog
from campaigns import knowledge_jobs
from campaigns.models import Campaign, KnowledgeBase
from campaigns.services import knowledge, moving
from convomono.lib.redis import redis_connection
from tests.factories.campaigns import NOW, make_draft

pytestmark = pytest.mark.django_db


@pytest.fixture
def versions(alice, monkeypatch):
    """Two versions of a knowledge base, and five campaigns that use the first."""
    monkeypatch.setattr(moving, "SLICE", 2)
    base = knowledge.create_knowledge(client=alice.client, name="Hours", actor=alice, now=NOW)
    KnowledgeBase.objects.update(status="complete", provider_id="kb_1")
    newer = knowledge.start_version(base=base, actor=alice, now=NOW)
    KnowledgeBase.objects.filter(pk=newer.pk).update(status="complete", provider_id="kb_2")
    for number in range(5):
        make_draft(alice.client, name=f"C {number}", shared_base_id=base.pk)
    Campaign.objects.exclude(name="C 4").update(status="ready")
    return base, KnowledgeBase.objects.get(pk=newer.pk)


def count(base):
    return Campaign.objects.filter(shared_base=base).count()


def test_moves_every_campaign_to_a_version_however_many_use_it(alice, versions):
    _old, newer = versions

    moved = moving.use_version(base=newer, actor=alice, now=NOW)

    assert (count(newer), len(moved.campaigns), moved.is_all) == (5, 4, True)
    assert sorted(Campaign.objects.values_list("status", flat=True)) == [
        "draft",
        *["preparing"] * 4,
    ]
    assert Campaign.objects.filter(prepared_by_email=alice.email).count() == 4
    [row] = AuditLog.objects.filter(action="knowledge.used")
    assert row.details == {"version": 2, "campaigns": 5}


def test_moves_so_many_in_a_block_and_leaves_the_others_to_a_job(alice, versions, monkeypatch):
    monkeypatch.setattr(moving, "SLICES_AT_ONCE", 1)
    _old, newer = versions

    moved = moving.use_version(base=newer, actor=alice, now=NOW)
    assert (count(newer), moved.is_all) == (2, False)

    asked = {"base_id": str(newer.pk), "actor_email": alice.email}
    assert knowledge_jobs.move_campaigns(**asked) == 2
    assert knowledge_jobs.move_campaigns(**asked) == 0
    assert count(newer) == 5


@pytest.mark.sqlite_only("reads SQLite's statements")
def test_writes_as_little_for_twenty_campaigns_as_for_two(alice, versions, monkeypatch):
    _old, newer = versions
    moving.use_version(base=newer, actor=alice, now=NOW)
    asked = []
    for size in (2, 20):
        Campaign.objects.update(shared_base=versions[0])
        monkeypatch.setattr(moving, "SLICE", size)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            moving.move_campaigns(base=newer, actor_email=alice.email, now=NOW, most_slices=1)
        asked.append(len(queries))

    assert asked[0] == asked[1]


def test_goes_on_from_where_it_was_killed(browse, alice, versions, monkeypatch):
    _old, newer = versions
    move = moving._move_slice
    done: list[int] = []

    def die(*arguments):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return move(*arguments)

    monkeypatch.setattr(moving, "_move_slice", die)
    with pytest.raises(KeyboardInterrupt):
        moving.use_version(base=newer, actor=alice, now=NOW)
    monkeypatch.setattr(moving, "_move_slice", move)

    page = browse(alice).get(f"/app/knowledge/{newer.pk}/").content.decode()
    assert "Use it in 3 campaigns" in page
    moving.use_version(base=newer, actor=alice, now=NOW)
    assert count(newer) == 5


def test_stops_once_somebody_lets_them_use_another_version(alice, versions, monkeypatch):
    monkeypatch.setattr(moving, "SLICES_AT_ONCE", 1)
    old, newer = versions
    moving.use_version(base=newer, actor=alice, now=NOW)
    moving.use_version(base=old, actor=alice, now=NOW)  # back again at once

    knowledge_jobs.move_campaigns(base_id=str(newer.pk), actor_email=alice.email)

    assert count(old) == 5
    assert list(KnowledgeBase.objects.filter(is_current=True)) == [old]


@pytest.mark.django_db(transaction=True)
def test_moves_the_rest_by_a_worker(browse, alice, versions, retell, run_jobs, monkeypatch):
    monkeypatch.setattr(moving, "SLICES_AT_ONCE", 1)
    redis_connection().flushdb()
    _old, newer = versions

    page = browse(alice).post(f"/app/knowledge/{newer.pk}/use/", follow=True).content.decode()
    assert "In use. 2 campaigns get their next versions now." in page
    assert "Other campaigns follow by themselves" in page
    run_jobs()

    assert count(newer) == 5
