"""Handing calls to people: who, when, and that Retell takes what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from campaigns.agent_settings import agent_settings, llm_settings
from campaigns.forms.talking import ConversationForm
from campaigns.models import Campaign
from campaigns.queries.transcripts import _what
from campaigns.queries.versions import _shown
from campaigns.services.templates import content_from
from campaigns.settings_schema import DEFAULTS
from telephony.payloads import agent_body, llm_body
from telephony.sandbox.agent_settings import check_settings
from telephony.sandbox.prompt_settings import check_prompt, transfer_number
from telephony.sandbox.scripts import read_script
from tests.campaigns.test_wizard import CONVERSATION, step
from tests.factories.campaigns import campaign_content, make_draft

if TYPE_CHECKING:
    from telephony.happenings import Happening

TYPED = {
    "transfer_name_0": "Dana at the desk",
    "transfer_number_0": "(212) 555-0142",
    "transfer_reason_0": "they ask for a person",
    "transfer_days_0": ["4", "0"],
    "transfer_opens_0": "09:00",
    "transfer_closes_0": "17:30",
    "transfer_time_zone_0": "America/New_York",
}
TARGET = {
    "name": "Dana at the desk",
    "number": "+12125550142",
    "reason": "they ask for a person",
    "days": [0, 4],
    "opens": "09:00",
    "closes": "17:30",
    "time_zone": "America/New_York",
}
ALWAYS = {**TARGET, "name": "Night line", "days": [], "opens": "", "closes": "", "time_zone": ""}


def bodies(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    campaign = Campaign(name="x", voice_id="11labs-Adrian", settings=settings)
    agent = agent_settings(campaign, webhook_url="https://x.test/", time_zone="UTC")
    return agent_body(agent), llm_body(llm_settings(campaign, knowledge_base_ids=()))


def errors(**sent):
    data = {**CONVERSATION, "vocab_specialization": "general", **TYPED, **sent}
    return ConversationForm(data=data, content=campaign_content()).errors


def test_hands_calls_to_whom_the_wizard_names(browse, mia):
    campaign = make_draft(mia.client)

    answer = browse(mia).post(step(campaign, "conversation"), {**CONVERSATION, **TYPED})

    assert answer.status_code == 302
    campaign.refresh_from_db()
    assert campaign.settings["transfers"] == [TARGET]
    shown = browse(mia).get(step(campaign, "conversation")).content.decode()
    assert "Dana at the desk" in shown
    assert 'value="09:00"' in shown


def test_tells_retell_whom_when_and_that_they_are_told_first():
    _agent, llm = bodies({**DEFAULTS, "transfers": [TARGET, ALWAYS]})

    check_prompt(llm)  # the sandbox takes it
    desk, night = [tool for tool in llm["general_tools"] if tool["type"] == "transfer_call"]
    assert desk["name"] != night["name"]
    assert desk["transfer_destination"] == {"type": "predefined", "number": "+12125550142"}
    assert desk["transfer_option"]["type"] == "warm_transfer"
    assert desk["transfer_option"]["private_handoff_option"]["type"] == "prompt"
    assert "they ask for a person" in desk["description"]
    assert "on Monday, Friday from 09:00 to 17:30" in desk["description"]
    assert "{{current_time_America/New_York}}" in desk["description"]
    assert "Only" not in night["description"]


def test_the_sandbox_hands_its_calls_to_them():
    agent, llm = bodies({**DEFAULTS, "transfers": [TARGET]})

    assert transfer_number(llm) == "+12125550142"
    assert read_script(agent=agent, llm=llm, variables={}).transfer_to == "+12125550142"


@pytest.mark.parametrize(
    ("sent", "field", "words"),
    [
        ({"transfer_name_0": ""}, "transfer_name_0", "Say who it is"),
        ({"transfer_number_0": ""}, "transfer_number_0", "phone number"),
        ({"transfer_number_0": "+1 900 555 0199 1"}, "transfer_number_0", "phone number"),
        ({"transfer_reason_0": ""}, "transfer_reason_0", "Say when"),
        ({"transfer_reason_0": "{{first_name}} asks"}, "transfer_reason_0", "No variables"),
        ({"transfer_opens_0": ""}, "transfer_opens_0", "both hours"),
        ({"transfer_closes_0": ""}, "transfer_closes_0", "both hours"),
        ({"transfer_closes_0": "08:00"}, "transfer_closes_0", "later"),
        ({"transfer_closes_0": "late"}, "transfer_closes_0", "valid time"),
        ({"transfer_time_zone_0": ""}, "transfer_time_zone_0", "which time zone"),
        ({"transfer_time_zone_0": "Mars/Base"}, "transfer_time_zone_0", "no time zone"),
        ({"transfer_days_0": ["7"]}, "transfer_days_0", "valid choice"),
    ],
)
def test_names_what_nobody_can_be_handed_a_call_by(sent, field, words):
    wrong = errors(**sent)

    assert list(wrong) == [field]
    assert words in str(wrong[field])


def test_takes_an_empty_row_for_nobody():
    assert not errors(**{**dict.fromkeys(TYPED, ""), "transfer_days_0": []})


@pytest.mark.parametrize(("provider", "pause", "sound"), [("soniox", 499, 0), ("soniox", 500, 1)])
def test_listens_by_a_provider_of_its_own(provider, pause, sound):
    sent = {"stt_mode": "custom", "stt_provider": provider, "endpointing_ms": str(pause)}
    data = {**CONVERSATION, "vocab_specialization": "general", **sent}
    form = ConversationForm(data=data, content=campaign_content())

    assert form.is_valid() == bool(sound)
    if not sound:
        assert "500 ms at least" in str(form.errors["endpointing_ms"])
        return
    agent, _llm = bodies(form.changes()["settings"])
    check_settings(agent)
    assert agent["custom_stt_config"] == {"provider": "soniox", "endpointing_ms": 500}


def test_tells_retell_of_no_provider_where_none_is_chosen():
    agent, _llm = bodies({**DEFAULTS, "stt_provider": "soniox"})
    assert agent["custom_stt_config"] is None


@pytest.mark.parametrize(
    ("sent", "where"),
    [
        ({"transfers": [{**TARGET, "number": "12"}]}, "number"),
        ({"transfers": [{**TARGET, "days": [7]}]}, "days"),
        ({"transfers": [TARGET] * 4}, "transfers"),
        (
            {"stt_mode": "custom", "stt_provider": "soniox", "endpointing_ms": 10},
            "endpointing_ms",
        ),
        ({"stt_provider": "nobody"}, "stt_provider"),
    ],
)
def test_refuses_the_same_from_programs(browse, mia, sent, where):
    campaign = make_draft(mia.client)

    answer = browse(mia).patch(
        f"/api/v1/client/campaigns/{campaign.pk}/",
        {"settings": sent},
        content_type="application/json",
    )

    assert answer.status_code == 400
    assert where in str(answer.json()["fields"])


def test_takes_people_from_programs(browse, mia):
    campaign = make_draft(mia.client)

    answer = browse(mia).patch(
        f"/api/v1/client/campaigns/{campaign.pk}/",
        {"settings": {"transfers": [{**TARGET, "number": "212-555-0142"}]}},
        content_type="application/json",
    )

    assert answer.status_code == 200, answer.json()
    campaign.refresh_from_db()
    assert campaign.settings["transfers"] == [TARGET]


def test_reads_as_a_sentence_between_versions_and_on_a_call():
    words = _shown([TARGET, ALWAYS])

    assert "Dana at the desk (+12125550142; Monday, Friday 09:00–17:30 America/New_York)" in words
    assert "Night line (+12125550142; at any hour)" in words
    done = {"kind": "function", "name": "transfer_call_2"}
    assert _what(cast("Happening", done)) == "Transferred the call"


def test_leaves_a_clients_people_out_of_a_template(mia):
    campaign = make_draft(mia.client, settings={**DEFAULTS, "transfers": [TARGET]})

    assert content_from(campaign).campaign.settings["transfers"] == []
