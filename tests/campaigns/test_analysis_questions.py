"""What is read out of each call besides the goal: whether it must be answered, examples, and when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from campaigns import jobs
from campaigns.agent_settings import agent_settings, fingerprint, llm_settings
from campaigns.models import Campaign, CampaignVersion
from campaigns.queries.versions import diff_versions
from campaigns.services import lifecycle
from telephony.payloads import agent_body
from tests.factories.campaigns import NOW, make_draft

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLD = {"name": "Insurer", "kind": "string", "description": "Who insures them", "choices": []}
DETAILED = {**TOLD, "examples": ["Aetna, of Ohio", "Kaiser"], "condition": "They are insured."}
TYPED = {
    "conversion": "",
    "analysis_tier": "standard",
    "name_0": "Insurer",
    "kind_0": "string",
    "description_0": "Who insures them",
    "examples_0": "Aetna, of Ohio\r\n\r\n Kaiser \nKaiser",
    "condition_0": " They are insured. ",
}


def results(campaign: Campaign) -> str:
    return f"/app/campaigns/{campaign.pk}/edit/analysis/"


def told(settings: dict[str, object]) -> dict[str, object]:
    """Return what Retell is told of the first question."""
    campaign = Campaign(name="x", voice_id="v", settings=settings)
    body = agent_body(agent_settings(campaign, webhook_url="", time_zone="UTC"))
    first: dict[str, object] = body["post_call_analysis_data"][0]
    return first


def test_keeps_the_details_of_a_question_and_shows_them_again(browse, mia):
    campaign, browser = make_draft(mia.client), browse(mia)

    assert "<details open>" not in browser.get(results(campaign)).content.decode()
    assert browser.post(results(campaign), TYPED).status_code == 302

    campaign.refresh_from_db()
    assert campaign.settings["questions"] == [DETAILED]
    page = browser.get(results(campaign)).content.decode()
    assert "Aetna, of Ohio\nKaiser</textarea>" in page
    assert "They are insured." in page
    assert page.count("<details open>") == 1  # what was written is seen
    must = {**TYPED, "condition_0": "", "examples_0": "", "required_0": "on"}
    assert browser.post(results(campaign), must).status_code == 302
    campaign.refresh_from_db()
    assert campaign.settings["questions"] == [{**TOLD, "required": True}]


def test_leaves_a_question_without_details_as_it_always_was(browse, mia):
    campaign = make_draft(mia.client)
    plain = {**TYPED, "examples_0": "", "condition_0": ""}

    assert browse(mia).post(results(campaign), plain).status_code == 302

    campaign.refresh_from_db()
    assert campaign.settings["questions"] == [TOLD]


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"required_0": "on"}, "condition_0", "always asked"),
        ({"kind_0": "number"}, "examples_0", "words alone"),
        ({"examples_0": "\n".join(f"one {n}" for n in range(11))}, "examples_0", "at most 10"),
        ({"examples_0": "x" * 121}, "examples_0", "at most 120 characters"),
        ({"condition_0": "x" * 301}, "condition_0", "at most 300"),
    ],
)
def test_names_the_detail_that_is_wrong_and_keeps_what_was_typed(browse, mia, typed, field, words):
    campaign = make_draft(mia.client)

    answer = browse(mia).post(results(campaign), {**TYPED, **typed})

    page = answer.content.decode()
    assert answer.status_code == 422
    error = page.split(f'id="id_{field}_error"')[1].split("</div>")[0]
    assert words in error
    assert page.count("<details open>") == 1  # where the error stands
    assert 'value="Insurer"' in page
    campaign.refresh_from_db()
    assert not campaign.settings.get("questions")


def test_tells_retell_each_detail_and_nothing_that_was_not_asked_for():
    plain = {"type": "string", "name": "Insurer", "description": "Who insures them"}

    assert told({"questions": [TOLD]}) == plain
    assert told({"questions": [DETAILED]}) == {
        **plain,
        "examples": ["Aetna, of Ohio", "Kaiser"],
        "conditional_prompt": "They are insured.",
    }
    assert told({"questions": [{**TOLD, "required": True}]}) == {**plain, "required": True}


def test_makes_another_agent_for_each_detail_and_none_for_an_older_campaign():
    def mark(*questions: Mapping[str, object]) -> str:
        campaign = Campaign(name="x", voice_id="v", settings={"questions": list(questions)})
        llm = llm_settings(campaign, knowledge_base_ids=())
        return fingerprint(llm=llm, agent=agent_settings(campaign, webhook_url="", time_zone="UTC"))

    # As it was before there were details: every campaign there is keeps its agent.
    assert mark(TOLD) == "0e8e0604fceaa1ecc67e7801b6b4996ab771a11f11c9054c62eb5c80fb1e62d6"
    changed: list[dict[str, object]] = [{"required": True}, {"examples": ["x"]}, {"condition": "x"}]
    assert len({mark(TOLD), *(mark({**TOLD, **one}) for one in changed)}) == 4


def test_shows_restores_and_duplicates_the_details(alice, retell):
    campaign = make_draft(alice.client, settings={"questions": [DETAILED]})
    publish(campaign, alice)
    Campaign.objects.filter(pk=campaign.pk).update(
        settings={"questions": [{**TOLD, "kind": "enum", "choices": ["A", "B"], "required": True}]}
    )
    publish(campaign, alice)
    first, second = CampaignVersion.objects.order_by("number")

    [changed] = diff_versions(first, second).values
    assert changed.name == "questions"
    assert changed.before == (
        "Insurer: Who insures them "
        "(words; such as Aetna, of Ohio / Kaiser; asked if: They are insured.)"
    )
    assert changed.after == "Insurer: Who insures them (one of A, B; must be answered)"
    lifecycle.restore_version(campaign=campaign, version=first, actor=alice, now=NOW)
    campaign.refresh_from_db()
    assert campaign.settings["questions"] == [DETAILED]
    copy = lifecycle.duplicate_campaign(campaign=campaign, name="Copy", actor=alice, now=NOW)
    assert copy.settings["questions"] == [DETAILED]


def publish(campaign, actor):
    campaign.refresh_from_db()
    Campaign.objects.filter(pk=campaign.pk).update(status=Campaign.Status.DRAFT)
    campaign.refresh_from_db()
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()


def test_takes_the_details_from_programs(browse, mia):
    browser = browse(mia)

    def send(question):
        body = {"name": "Winter", "settings": {"questions": [question]}}
        return browser.post("/api/v1/client/campaigns/", body, content_type="application/json")

    made = send({**DETAILED, "required": False})
    assert made.status_code == 201
    assert made.json()["settings"]["questions"] == [DETAILED]
    for wrong, field in (
        ({"required": True}, "condition"),
        ({"kind": "boolean"}, "examples"),
        ({"examples": ["x"] * 11}, "examples"),
    ):
        refused = send({**DETAILED, **wrong})
        assert refused.status_code == 400
        assert field in str(refused.json()["fields"])
