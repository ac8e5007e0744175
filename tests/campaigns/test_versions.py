"""Versions: unchangeable, compared line by line, gone back to, and taken up by running launches."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audit.models import AuditLog
from campaigns import jobs
from campaigns.models import Attempt, Campaign, CampaignVersion
from campaigns.queries.versions import diff_text, diff_versions
from campaigns.services import authoring, lifecycle
from convomono.lib.models import RowsAreFixed
from tests.factories.campaigns import NOW, enrol, launch, make_draft, make_ready, run_batch


def edit(campaign, actor, **fields):
    content = replace(authoring.content_of(campaign), **fields)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)


def publish(campaign, actor):
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


@pytest.fixture
def twice(alice, mia, retell):
    """A campaign with two versions, the second by mia."""
    campaign = publish(make_draft(alice.client, knowledge_text="Open from 8."), alice)
    edit(
        campaign,
        mia,
        script_raw=f"{campaign.script_raw}\nBe brief.",
        voice_id="11labs-Anna",
        voice_name="Anna",
        knowledge_text="Open from 9.",
        settings={**campaign.settings, "voice_speed": 1.2, "more_languages": ["es-419", "de-DE"]},
    )
    return publish(campaign, mia)


def test_names_who_published_each(twice):
    first, second = CampaignVersion.objects.order_by("number")

    assert (first.published_by_email, second.published_by_email) == (
        "alice@acme.test",
        "mia@acme.test",
    )
    assert twice.published_version == 2


def test_tells_what_is_different(twice):
    first, second = CampaignVersion.objects.order_by("number")

    diff = diff_versions(first, second)

    changed = {text.title: text for text in diff.texts if text.is_changed}
    assert set(changed) == {"Script", "Facts of this campaign"}
    assert [(line.kind, line.text) for line in changed["Script"].lines][-1] == (
        "added",
        "Be brief.",
    )
    assert {(value.name, value.before, value.after) for value in diff.values} == {
        ("Voice", "Adrian", "Anna"),
        ("voice speed", "1.0", "1.2"),
        ("more languages", "–", "es-419; de-DE"),
    }
    assert diff_versions(first, first).is_empty


def test_never_changes_a_version(twice):
    version = CampaignVersion.objects.get(number=1)
    version.script_raw = "Something else."

    for change in (
        version.save,
        version.delete,
        lambda: CampaignVersion.objects.update(script_raw=""),
        CampaignVersion.objects.all().delete,
    ):
        with pytest.raises(RowsAreFixed):
            change()


def test_compares_long_and_empty_texts():
    assert diff_text("", "") == []
    assert [line.kind for line in diff_text("a\nb", "a\nc")] == ["same", "removed", "added"]
    assert len(diff_text("\n".join("a" * 3000), "")) == 3000


def test_goes_back_to_an_earlier_one_as_the_next(twice, alice):
    first = CampaignVersion.objects.get(number=1)

    lifecycle.restore_version(campaign=twice, version=first, actor=alice, now=NOW)

    assert twice.status == "draft"
    assert authoring.content_of(twice).knowledge_text == "Open from 8."
    assert twice.voice_name == "Adrian"
    publish(twice, alice)
    third = CampaignVersion.objects.get(number=3)
    assert diff_versions(first, third).is_empty
    assert AuditLog.objects.filter(action="campaign.restored").count() == 1


def test_lets_a_running_launch_take_up_the_next_version(alice, equipped, retell):
    campaign = publish(make_draft(equipped), alice)
    enrol(campaign, 1)
    running = run_batch(launch(campaign))
    over = launch_over(campaign)

    edit(campaign, alice, opening_line="Acme Dental's AI here.")
    running.refresh_from_db()
    assert running.version.number == 1  # a draft changes nothing
    publish(campaign, alice)

    running.refresh_from_db()
    over.refresh_from_db()
    assert (running.version.number, over.version.number) == (2, 1)
    assert not Attempt.objects.exists()


def launch_over(campaign):
    enrol(campaign, 1, start=50)
    row = launch(campaign)
    row.status = "finished"
    row.save()
    return row


def test_restores_while_a_launch_runs_without_touching_it(twice, alice, equipped):
    enrol(twice, 1)
    running = run_batch(launch(twice))

    first = CampaignVersion.objects.get(number=1)
    lifecycle.restore_version(campaign=twice, version=first, actor=alice, now=NOW)

    running.refresh_from_db()
    assert (running.version.number, running.status) == (2, "running")


def test_refuses_to_restore_into_the_archive(twice, alice):
    lifecycle.archive_campaign(campaign=twice, actor=alice, now=NOW)

    with pytest.raises(lifecycle.CampaignArchived):
        lifecycle.restore_version(
            campaign=twice, version=CampaignVersion.objects.get(number=1), actor=alice, now=NOW
        )


# -- Pages -----------------------------------------------------------------------------------------


def test_shows_the_list_and_the_difference(browse, vera, twice):
    browser, url = browse(vera), f"/app/campaigns/{twice.pk}/versions/"

    page = browser.get(url).content.decode()
    one = browser.get(f"{url}2/").content.decode()

    assert "mia@acme.test" in page
    assert "Version 2" in page
    assert '<ins class="diff__line">Be brief.</ins>' in one
    assert "Go back to this version" not in one  # viewers look
    assert browser.get(f"{url}9/").status_code == 404
    assert browser.get(f"{url}2/?against=99999999999999999999").status_code == 200
    assert browser.post(f"{url}1/restore/").status_code == 403


def test_restores_by_a_plain_form(browse, mia, charlie, twice):
    url = f"/app/campaigns/{twice.pk}/versions/1/restore/"

    assert browse(charlie).post(url).status_code == 404
    assert browse(mia).get(url).status_code == 405
    assert browse(mia).post(url)["Location"].endswith("/edit/test/")
    assert Campaign.objects.get().status == "draft"


def test_says_that_there_is_none_yet(browse, mia):
    page = browse(mia).get(f"/app/campaigns/{make_draft(mia.client).pk}/versions/")

    assert "No version yet" in page.content.decode()


def test_asks_as_many_queries_for_many_versions_as_for_one(browse, vera, django_assert_num_queries):
    campaign, browser = make_ready(vera.client), browse(vera)
    first = CampaignVersion.objects.get()
    url = f"/app/campaigns/{campaign.pk}/versions/"
    browser.get(url)
    with django_assert_num_queries(4):
        browser.get(url)
    for number in range(2, 22):
        first.pk, first.number = None, number
        first._state.adding = True
        first.id = CampaignVersion().id
        first.save()
    with django_assert_num_queries(4):
        browser.get(url)
