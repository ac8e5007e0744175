"""Campaigns, calls and leads for programs: the seed's names, the pages' rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from django.test import Client as Browser

from accounts.api_keys import create_api_key
from billing.models import Reservation
from campaigns import agent_choices, settings_schema, voices
from campaigns.api.serializers import CampaignWriteSerializer
from campaigns.models import BatchCall, Campaign, Enrolment
from convomono.lib.ids import uuid7
from leads.models import Lead
from telephony.models import Call
from tests.factories.campaigns import (
    NOW,
    SCRIPT,
    enrol,
    launch,
    make_draft,
    make_lead,
    make_ready,
    run_batch,
)
from tests.fakes import FakeRetell

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.models import Client, User
    from telephony.retell import RetellGateway

API = "/api/v1/client/"
LANGUAGES = [code for code, _label in agent_choices.LANGUAGES]


def send(browser, path, method="post", **body):
    return getattr(browser, method)(f"{API}{path}", body, content_type="application/json")


def question(name, kind="string"):
    return {"name": name, "kind": kind, "description": "What the person said"}


def test_takes_every_setting_that_the_wizard_has(browse, mia):
    chosen = {
        **settings_schema.DEFAULTS,
        "language": "en-GB",
        "more_languages": ["en-US", "en-AU"],
        "voice_speed": 1.2,
        "starts": "user",
        "manners": ["high_empathy", "echo_verification"],
        "vocab_specialization": "medical",
        "pronunciations": [["Sean", "ʃɔn"]],
        "keywords": ["Acme"],
        "backchannel_words": ["right"],
        "questions": [{**question("Reason", kind="enum"), "choices": ["price", "time"]}],
        "screening_identity": "Acme",
        "screening_purpose": "A reminder",
        "voicemail_action": "prompt",
        "voicemail_message": "Say who called.",
        "time_zone": "America/Chicago",
        "analysis_tier": "strongest",
        "voicemail_detection": "It says to leave a message.",
        "menu_detection": "It says to press a key.",
    }

    made = send(browse(mia), "campaigns/", name="Winter", script_raw=SCRIPT, settings=chosen)

    assert made.status_code == 201
    expected = {**chosen, "manners": ["echo_verification", "high_empathy"]}
    assert made.json()["settings"] == expected
    assert Campaign.objects.get().settings == expected


def test_names_a_voice_as_it_is_called(browse, mia):
    voices.voice_choices(
        cast("RetellGateway", FakeRetell())
    )  # the wizard's list, as it was had last
    campaign = make_draft(mia.client)  # Adrian
    path = f"campaigns/{campaign.pk}/"

    def name() -> str:
        return Campaign.objects.get().voice_name

    assert send(browse(mia), path, "patch", goal="Another").status_code == 200
    assert name() == "Adrian"
    send(browse(mia), path, "patch", voice_id="11labs-Anna")
    assert name() == "Anna"
    send(browse(mia), path, "patch", voice_id="custom_voice_1")
    assert name() == ""  # its id is shown then


def test_checks_a_change_together_with_what_is_kept(browse, mia):
    browser = browse(mia)
    settings = {"vocab_specialization": "medical"}
    made = send(browser, "campaigns/", name="Winter", settings=settings).json()

    refused = send(
        browser, f"campaigns/{made['campaign_id']}/", "patch", settings={"language": "es-ES"}
    )

    assert refused.status_code == 400
    assert "English" in str(refused.json())
    assert Campaign.objects.get().settings["language"] == "en-US"


def test_writes_reads_and_changes_a_campaign(browse, mia):
    browser = browse(mia)
    made = send(
        browser, "campaigns/", name="Winter", script_raw=SCRIPT, settings={"language": "es-ES"}
    )

    body = made.json()
    assert made.status_code == 201
    assert body["client_id"] == str(mia.client_id)
    assert body["settings"]["language"] == "es-ES"
    assert body["settings"]["max_call_duration_ms"] == 300_000
    changed = send(browser, f"campaigns/{body['campaign_id']}/", "patch", max_attempts=5)
    assert changed.status_code == 200
    assert changed.json()["script_raw"] == SCRIPT
    assert Campaign.objects.get().retry_policy.max_attempts == 5
    [listed] = browser.get(f"{API}campaigns/").json()["results"]
    assert listed["campaign_id"] == body["campaign_id"]


def test_names_the_main_language_once(browse, mia):
    browser = browse(mia)
    several = {"language": "en-US", "more_languages": ["de-DE", "es-419", "en-US"]}
    made = send(browser, "campaigns/", name="Winter", settings=several).json()
    path = f"campaigns/{made['campaign_id']}/"
    assert made["settings"]["more_languages"] == ["es-419", "de-DE"]  # in the wizard's order

    changed = send(browser, path, "patch", settings={"language": "de-DE"}).json()

    assert changed["settings"]["language"] == "de-DE"
    assert changed["settings"]["more_languages"] == ["es-419"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "A", "script_raw": "{{two words}}"}, "script_raw"),
        ({"name": "A", "opens_minute": 600, "closes_minute": 600}, "closes_minute"),
        ({"name": "A", "settings": {"voice_speed": 9}}, "settings"),
        ({"name": "A", "settings": {"more_languages": ["tlh"]}}, "settings"),
        ({"name": "A", "settings": {"more_languages": LANGUAGES[:10]}}, "settings"),
        ({"name": "A", "settings": {"questions": [question("converted")]}}, "settings"),
        ({"name": "A", "settings": {"questions": [question("1st")]}}, "settings"),
        ({"name": "A", "settings": {"questions": [question("a", kind="enum")]}}, "settings"),
        ({"name": "A", "settings": {"questions": [question("a"), question("A")]}}, "settings"),
        (
            {"name": "A", "settings": {"questions": [question(f"a{n}") for n in range(7)]}},
            "settings",
        ),
        ({"name": "A", "settings": {"screening_identity": "Acme"}}, "settings"),
        ({"name": "A", "settings": {"voicemail_action": "leave_message"}}, "settings"),
        ({"name": "A", "settings": {"time_zone": "Mars/Base"}}, "settings"),
        ({"name": "A", "settings": {"voicemail_message": "{{two words}}"}}, "settings"),
        ({"name": "A", "settings": {"pronunciations": [["Sean"]]}}, "settings"),
    ],
)
def test_names_the_field_that_is_wrong(browse, mia, body, field):
    answer = send(browse(mia), "campaigns/", **body)

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert field in answer.json()["fields"]


def test_launches_once_and_steers(browse, alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    browser, path, key = browse(alice), f"campaigns/{campaign.pk}/", str(uuid7())

    first = send(browser, f"{path}launch/", launch_key=key, minutes="30.00")
    again = send(browser, f"{path}launch/", launch_key=key)

    assert first.status_code == 201
    assert first.json()["batch_id"] == again.json()["batch_id"]
    assert first.json()["tasks_count"] == 2
    assert send(browser, f"{path}pause/").json()[0]["status"] == "paused"
    assert send(browser, f"{path}resume/").json()[0]["status"] == "scheduled"
    assert send(browser, f"{path}stop/").json()[0]["cancelled_count"] == 2
    over = send(browser, f"{path}stop/")
    assert (over.status_code, over.json()["code"]) == (409, "over")


def test_launches_a_list_that_retell_dials_by_itself(browse, alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    browser, path = browse(alice), f"campaigns/{campaign.pk}/launch/"
    assert send(browser, path, launch_key=str(uuid7()), mode="by_post").status_code == 400

    page = browser.get(f"/app/{path}?mode=retell_batch").content.decode()
    answer = send(browser, path, launch_key=str(uuid7()), mode="retell_batch")

    assert "be paused, stopped or recalled" in page
    assert 'value="retell_batch"' in page
    assert "?mode=dispatcher" in page
    assert (answer.status_code, answer.json()["mode"]) == (201, "retell_batch")
    assert BatchCall.objects.get().mode == "retell_batch"
    # Every call's longest length is set aside, not that of the lines alone.
    assert Reservation.objects.get().granted_seconds >= 2 * 300


def test_takes_a_launch_key_for_one_campaign_only(browse, alice, equipped, charlie):
    first, second = make_ready(equipped), make_ready(equipped)
    key = str(uuid7())
    for start, campaign in enumerate((first, second)):
        enrol(campaign, start=start)
    assert send(browse(alice), f"campaigns/{first.pk}/launch/", launch_key=key).status_code == 201

    answer = send(browse(alice), f"campaigns/{second.pk}/launch/", launch_key=key)

    assert (answer.status_code, answer.json()["code"]) == (409, "key_used")
    assert BatchCall.objects.count() == 1
    page = browse(alice).post(
        f"/app/campaigns/{second.pk}/launch/",
        {"launch_key": key, "leads": "1", "seconds": "300"},
        follow=True,
    )
    assert page.status_code == 200
    assert BatchCall.objects.count() == 1


def test_says_why_it_does_not_launch_or_prepare(browse, alice, equipped):
    browser = browse(alice)
    ready, draft = make_ready(equipped), make_draft(equipped, voice_id="")

    launched = send(browser, f"campaigns/{ready.pk}/launch/", launch_key=str(uuid7()))
    prepared = send(browser, f"campaigns/{draft.pk}/prepare/")

    assert (launched.status_code, launched.json()["code"]) == (409, "no_leads")
    assert (prepared.status_code, prepared.json()["code"]) == (409, "voice_missing")
    assert not BatchCall.objects.exists()


def test_asks_for_an_agent(browse, mia):
    campaign = make_draft(mia.client)

    answer = send(browse(mia), f"campaigns/{campaign.pk}/prepare/")

    assert (answer.status_code, answer.json()["status"]) == (202, "preparing")


def test_lists_calls_without_retells_cost(browse, vera, django_assert_num_queries):
    browser = browse(vera)
    for number in range(3):
        call = Call.objects.create(
            client=vera.client,
            provider_call_id=f"call_{number}",
            from_number="+12125550199",
            to_number="+12125550100",
            duration_ms=1500,
            client_cost_micros=10_000,
            retell_cost_micros=77_000,
            created_at=NOW,
        )
        with django_assert_num_queries(3):
            body = browser.get(f"{API}calls/").json()

    assert len(body["results"]) == 3
    shown = body["results"][0]
    assert (shown["from"], shown["to"]) == ("+12125550199", "+12125550100")
    assert (shown["duration_seconds"], shown["client_cost"]) == (2, "0.01")
    assert "retell_cost" not in shown and "0.077" not in str(body)
    detail = browser.get(f"{API}calls/{call.pk}/").json()
    assert (detail["transcript"], detail["call_analysis"]) == ("", {})


def test_adds_a_lead_and_enrols_it_once(browse, mia):
    campaign = make_draft(mia.client)
    browser = browse(mia)
    body = {
        "phone_number": "(212) 555-0142",
        "first_name": "Ada",
        "campaign_id": str(campaign.pk),
        "dynamic_vars": {"plan": "gold"},
        "consent": {"kind": "written", "source": "Form", "given_at": "2026-11-01T10:00:00Z"},
    }

    first = send(browser, "leads/", **body)
    again = send(browser, "leads/", **body)

    assert (first.status_code, again.status_code) == (201, 200)
    shown = first.json()
    assert shown["phone_number"] == "+12125550142"
    assert (shown["campaign_id"], shown["status"]) == (str(campaign.pk), "queued")
    assert shown["dynamic_vars"]["plan"] == "gold"
    assert Lead.objects.get().consent_status == "given"
    assert Enrolment.objects.count() == 1


def test_adds_nobody_to_an_archived_campaign(browse, mia):
    campaign = make_draft(mia.client)
    Campaign.objects.update(status="archived")

    answer = send(browse(mia), "leads/", phone_number="+12125550142", campaign_id=str(campaign.pk))

    assert (answer.status_code, answer.json()["code"]) == (409, "archived")
    assert not Enrolment.objects.exists()
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"phone_number": "123"}, "phone_number"),
        ({"phone_number": "+12125550142", "dynamic_vars": {"a": "{{b}}"}}, "dynamic_vars"),
        ({"phone_number": "+12125550142", "first_name": "{{current_time}}"}, "first_name"),
        ({"phone_number": "+12125550142", "last_name": "}}"}, "last_name"),
        ({"phone_number": "+12125550142", "company": "{{x}}"}, "company"),
        ({"phone_number": "+12125550142", "email": "{{x}}@example.com"}, "email"),
    ],
)
def test_refuses_numbers_and_variables_that_could_harm(browse, mia, body, field):
    answer = send(browse(mia), "leads/", **body)

    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_writes_only_what_may_be_written(browse, mia, rival):
    campaign = make_draft(mia.client)
    theirs = {"client_id": str(rival.pk), "client": str(rival.pk), "created_at": "2020-01-01"}

    lead = send(
        browse(mia),
        "leads/",
        phone_number="+12125550142",
        status="converted",
        consent_status="given",
        lead_id=str(uuid7()),
        attempts_count=9,
        **theirs,
    )
    changed = send(
        browse(mia),
        f"campaigns/{campaign.pk}/",
        "patch",
        status="ready",
        published_version=7,
        is_any_hour=True,
        **theirs,
    )

    assert (lead.status_code, changed.status_code) == (201, 200)
    row = Lead.objects.get()
    assert (row.client, row.status, row.consent_status) == (mia.client, "new", "none")
    campaign = Campaign.objects.select_related("calling_window").get()
    assert (campaign.client, campaign.status) == (mia.client, "draft")
    assert campaign.published_version is None
    assert not campaign.calling_window.is_any_hour


def test_lists_leads_of_a_campaign(browse, vera, django_assert_num_queries):
    campaign = make_draft(vera.client)
    make_lead(vera.client, 90)
    browser = browse(vera)
    for number in range(3):
        enrol(campaign, 1, start=number)
        with django_assert_num_queries(4):
            body = browser.get(f"{API}leads/?campaign_id={campaign.pk}").json()

    assert len(body["results"]) == 3
    assert {row["campaign_id"] for row in body["results"]} == {str(campaign.pk)}
    assert len(browser.get(f"{API}leads/").json()["results"]) == 4
    assert browser.get(f"{API}leads/?campaign_id=x").status_code == 400


def test_keeps_clients_and_roles_apart(browse, alice, mia, vera, charlie, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)
    batch_call = run_batch(launch(campaign, seconds=300))
    path = f"campaigns/{campaign.pk}/"

    assert browse(charlie).get(f"{API}{path}").status_code == 404
    assert browse(charlie).get(f"{API}campaigns/").json()["results"] == []
    assert browse(charlie).get(f"{API}leads/").json()["results"] == []
    for action in ("prepare", "pause", "stop", "launch", "resume"):
        sent = {"launch_key": str(uuid7())}
        assert send(browse(charlie), f"{path}{action}/", **sent).status_code == 404
        assert send(browse(vera), f"{path}{action}/", **sent).status_code == 403
    assert send(browse(mia), f"{path}launch/", launch_key=str(uuid7())).status_code == 403
    assert (
        send(
            browse(charlie), "leads/", phone_number="+12125550143", campaign_id=str(campaign.pk)
        ).status_code
        == 404
    )
    assert browse().get(f"{API}campaigns/").status_code in {401, 403}
    batch_call.refresh_from_db()
    assert batch_call.status == "running"


def test_describes_itself(browse, root):
    schema = browse(root).get("/api/v1/schema/")

    assert schema.status_code == 200
    assert "/api/v1/client/campaigns/{campaign_id}/launch/" in schema.content.decode()


def test_reads_back_all_that_can_be_written(browse: Callable[[User], Browser], mia: User) -> None:
    written = {
        "name": "Winter",
        "goal": "A day",
        "script_raw": SCRIPT,
        "opening_line": "Hi",
        "voice_id": "11labs-Adrian",
        "knowledge_text": "Open 8 to 18.",
        "concurrency_limit": 7,
        "weekdays": [1, 3],
        "opens_minute": 600,
        "closes_minute": 960,
        "max_attempts": 4,
        "busy_delay_seconds": 600,
        "no_answer_delay_seconds": 1800,
        "voicemail_delay_seconds": 3600,
        "declined_delay_seconds": 7200,
    }
    browser = browse(mia)

    made = send(browser, "campaigns/", **written)

    assert {*written, "settings"} == {*CampaignWriteSerializer().fields}
    assert written.items() <= made.json().items()
    path = f"campaigns/{made.json()['campaign_id']}/"
    assert written.items() <= browser.get(f"{API}{path}").json().items()
    changed = send(browser, path, "patch", weekdays=[0], max_attempts=2, knowledge_text="")
    expected = {**written, "weekdays": [0], "max_attempts": 2, "knowledge_text": ""}
    assert expected.items() <= changed.json().items()


def test_launches_only_with_a_key_made_for_it(alice: User, equipped: Client) -> None:
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    path, answers = f"{API}campaigns/{campaign.pk}/launch/", []
    for scope in ("write", "launch"):
        _key, secret = create_api_key(
            client=equipped, name="CRM", scope=scope, expires_at=None, actor=alice, now=NOW
        )
        body = {"launch_key": str(uuid7())}
        bearer = {"Authorization": f"Bearer {secret}"}
        answers.append(Browser().post(path, body, content_type="application/json", headers=bearer))

    assert [answer.status_code for answer in answers] == [403, 201]
    assert BatchCall.objects.get().launched_by_email == "API key CRM (alice@acme.test)"
