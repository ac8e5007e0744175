"""What people and programs get wrong: named, and nothing is half made of it."""

from __future__ import annotations

import pytest
from django.core.cache import cache

from audit.models import AuditLog
from campaigns import jobs
from campaigns.models import BatchCall, Campaign, CampaignVersion
from campaigns.preflight import preflight
from campaigns.script import SCRIPT_MAX_CHARS
from campaigns.services import lifecycle
from campaigns.views import wizard as views
from convomono.lib.ids import uuid7
from telephony.provider import Rejected
from tests.factories.accounts import UserFactory
from tests.factories.billing import balances
from tests.factories.campaigns import NOW, enrol, make_draft, make_number, make_ready

TOO_LONG = "x" * (SCRIPT_MAX_CHARS + 1)
API = "/api/v1/client/campaigns/"


@pytest.fixture(autouse=True)
def voices(monkeypatch, retell):
    cache.clear()
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)


def step(campaign, slug):
    return f"/app/campaigns/{campaign.pk}/edit/{slug}/"


def unchanged(campaign, before):
    after = Campaign.objects.filter(pk=campaign.pk).values().get()
    return after == before and not AuditLog.objects.filter(action="campaign.changed").exists()


@pytest.mark.parametrize(
    ("slug", "sent", "words"),
    [
        ("script", {"script_raw": TOO_LONG, "opening_line": ""}, "at most 20000 characters"),
        ("script", {"script_raw": "", "opening_line": "Hi"}, "This field is required"),
        ("script", {"script_raw": "ok", "opening_line": "x" * 601}, "at most 600 characters"),
        (
            "voice",
            {
                "voice_id": "nobody",
                "language": "en-US",
                "voice_speed": "1",
                "voice_temperature": "1",
                "volume": "1",
            },
            "nobody is not one of the available choices",
        ),
        ("knowledge", {"knowledge_text": "x" * 50_001}, "at most 50000 characters"),
        ("knowledge", {"shared_base": str(uuid7())}, "not one of the available choices"),
        ("hours", {"weekdays": ["0"], "opens_at": "18:00", "closes_at": "09:00"}, "ater"),
        ("hours", {"opens_at": "09:00", "closes_at": "18:00"}, "This field is required"),
        (
            "numbers",
            {"caller_numbers": ["+13105550199"], "concurrency_limit": "5"},
            "+13105550199 is not one of the available choices",
        ),
        ("numbers", {"concurrency_limit": "501"}, "less than or equal to 500"),
    ],
)
def test_names_what_is_wrong_on_the_page_and_keeps_the_campaign(
    mia, browse, equipped, rival, slug, sent, words
):
    make_number(rival, "+13105550199")  # another client's
    campaign = make_ready(equipped)
    before = Campaign.objects.filter(pk=campaign.pk).values().get()

    answer = browse(mia).post(step(campaign, slug), sent)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert unchanged(campaign, before)


@pytest.mark.parametrize(
    "sent",
    [
        {"script_raw": TOO_LONG},
        {"script_raw": "{{two words}}"},
        {"settings": {"language": "tlh"}},
        {"settings": {"max_call_duration_ms": 1}},
        {"opens_minute": 1200, "closes_minute": 600},
        {"weekdays": []},
        {"concurrency_limit": 0},
        {"voice_id": "x" * 81},
    ],
)
def test_refuses_programs_the_same(mia, browse, equipped, sent):
    campaign = make_ready(equipped)
    before = Campaign.objects.filter(pk=campaign.pk).values().get()
    browser = browse(mia)
    kind = {"content_type": "application/json"}

    changed = browser.patch(f"{API}{campaign.pk}/", sent, **kind)
    made = browser.post(API, {"name": "New", **sent}, **kind)

    assert (changed.status_code, made.status_code) == (400, 400)
    assert set(changed.json()["fields"]) <= {*sent, "closes_minute"}
    assert unchanged(campaign, before)
    assert Campaign.objects.count() == 1


def test_names_a_voice_that_retell_does_not_know(alice, equipped, retell):
    campaign = make_draft(equipped, voice_id="11labs-Gone")
    retell.fail("create_agent", Rejected("voice_id 11labs-Gone is unknown.", 400))

    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))

    campaign.refresh_from_db()
    assert (campaign.status, campaign.published_version) == ("draft", None)
    assert "11labs-Gone is unknown" in campaign.prepare_error
    assert not CampaignVersion.objects.exists()
    assert retell.agents == {}


def test_never_calls_from_another_clients_number(alice, equipped, rival):
    """Even where the row names one, by an old choice or by hand."""
    make_number(rival, "+13105550199")
    campaign = make_ready(equipped)
    Campaign.objects.update(caller_numbers=["+13105550199"])
    enrol(campaign, 1)
    campaign.refresh_from_db()

    check = preflight(campaign, NOW)
    with pytest.raises(lifecycle.LaunchRefused):
        lifecycle.launch_campaign(
            campaign=campaign, launch_key=uuid7(), actor=alice, now=NOW, seconds=60
        )

    assert [one.code for one in check.blockers] == ["chosen_numbers_gone"]
    assert not BatchCall.objects.exists()
    assert balances(equipped)[:2] == (60_000, 0)


@pytest.mark.parametrize("year", ["0001", "1999", "2101", "9999"])
@pytest.mark.parametrize("end", ["01-01T00:00", "12-31T23:59"])
def test_refuses_years_at_the_ends_of_the_calendar(alice, browse, equipped, year, end):
    campaign, at, browser = make_ready(equipped), f"{year}-{end}", browse(alice)
    [row] = enrol(campaign)
    UserFactory.create(client=equipped, client_role="owner", can_launch=True)  # whom one may ask
    forms = {
        f"/app/campaigns/{campaign.pk}/launch/": {
            "launch_key": uuid7(), "leads": 1, "seconds": 60, "starts_at": at,
        },
        f"/app/campaigns/{campaign.pk}/launch/ask/": {"request_id": uuid7(), "starts_at": at},
        f"/app/campaigns/{campaign.pk}/top-up/": {
            "is_active": "on", "next_at": at, "every_minutes": 1440, "most_minutes": 10,
        },
        f"/app/leads/{row.lead_id}/follow-up/": {"key": uuid7(), "due_at": at, "note": "Ring"},
    }  # fmt: skip

    answers = {path: browser.post(path, typed) for path, typed in forms.items()}

    assert [one.status_code for one in answers.values()] == [422] * len(forms)
    told = "Choose a year from 2000 to 2100."
    assert [path for path, one in answers.items() if told not in one.text] == []
