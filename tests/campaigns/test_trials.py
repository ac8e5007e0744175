"""Trials: checked like a script before they begin, spoken with the control's knowledge, and told of at their end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accounts.models import Notification
from campaigns import jobs
from campaigns.models import BatchCall, Campaign, CampaignVersion, Enrolment, Experiment
from campaigns.queries.experiments import experiment_page
from campaigns.services import authoring, experimenting, lifecycle
from campaigns.services.variables import save_variables
from campaigns.settings_schema import DEFAULTS
from campaigns.variables import VariableRule
from campaigns.views import experiments as views
from telephony.models import VoiceAgent
from tests.factories.campaigns import NOW, enrol, launch, make_draft, run_batch

GOAL = {**DEFAULTS, "conversion": "They agreed."}
SOUND = "Hello, this is the AI assistant of Acme Dental on a recorded line."
BARE = "Hello, buy now."


def publish(campaign, actor):
    lifecycle.prepare_campaign(campaign=campaign, actor=actor, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    return campaign


def edit(campaign, actor, **fields):
    content = replace(authoring.content_of(campaign), **fields)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=actor, now=NOW)


@pytest.fixture
def campaign(alice, equipped, retell):
    """A ready campaign with a goal and facts, and nobody to call."""
    return publish(make_draft(equipped, settings=GOAL, knowledge_text="Open from 8."), alice)


@pytest.fixture
def calling(campaign):
    """The same with a running launch of three leads."""
    enrol(campaign, 3)
    run_batch(launch(campaign))
    return campaign


def begin(campaign, actor, text=SOUND, *, is_confirmed=False, part="opening_line"):
    trial = experimenting.Trial(part=part, text=text, is_confirmed=is_confirmed)
    return experimenting.start_experiment(campaign=campaign, trial=trial, actor=actor, now=NOW)


def codes(campaign, actor, text, **more):
    with pytest.raises(experimenting.TrialUnsound) as unsound:
        begin(campaign, actor, text, **more)
    assert not Experiment.objects.exists()
    return [one.code for one in unsound.value.problems]


# -- Before it begins ------------------------------------------------------------------------------


def test_refuses_a_variable_that_nobody_fills(calling, alice):
    text = SOUND + " {{frist_name}}, a word?"

    assert codes(calling, alice, text, is_confirmed=True) == ["variable_unknown"]


def test_refuses_it_where_nobody_waits_too(campaign, alice):
    text = SOUND + " {{frist_name}}, {{company}}, {{offer}}?"
    rules = [VariableRule("offer", default="something new")]
    save_variables(campaign=campaign, rules=rules, actor=alice, now=NOW)
    publish(campaign, alice)

    assert codes(campaign, alice, text) == ["variable_unknown"]
    assert begin(campaign, alice, SOUND + " {{company}}, {{offer}}?").status == "preparing"


def test_refuses_what_those_who_wait_lack_although_a_launch_has_it(calling, alice):
    Enrolment.objects.update(dynamic_vars={"offer": "ten percent off"})
    text = SOUND + " About {{offer}}."
    enrol(calling, 1, start=50)

    assert codes(calling, alice, text) == ["variable_unknown"]
    Enrolment.objects.update(dynamic_vars={"offer": "ten percent off"})
    assert begin(calling, alice, text).status == "preparing"


def test_wants_missing_notices_confirmed(calling, alice):
    missing = ["business_missing", "ai_notice_missing", "recording_notice_missing"]

    assert codes(calling, alice, BARE) == missing
    assert begin(calling, alice, BARE, is_confirmed=True).status == "preparing"


def test_checks_a_script_as_the_wizard_does(calling, alice):
    script = "Ask {{two words}} for a day."

    assert "variable_malformed" in codes(calling, alice, script, part="script", is_confirmed=True)


def test_shows_what_is_wrong_in_the_form(browse, mia, calling, retell, monkeypatch):
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)
    url = f"/app/campaigns/{calling.pk}/experiments/"
    sent = {"part": "opening_line", "opening_line": "Hello {{frist_name}}, buy now."}
    sent["voice_id"] = "11labs-Adrian"
    browser = browse(mia)
    assert "Start it all the same" not in browser.get(url).content.decode()

    refused = browser.post(url, sent)
    page = refused.content.decode()
    assert refused.status_code == 422
    assert "value for {{frist_name}}" in page
    assert "doesn&#x27;t name Acme Dental" in page
    assert "Start it all the same" not in page
    refused = browser.post(url, {**sent, "opening_line": BARE})
    page = refused.content.decode()
    assert refused.status_code == 422
    assert "say that an AI is calling" in page
    assert "Start it all the same" in page
    assert not Experiment.objects.exists()
    made = browser.post(url, {**sent, "opening_line": BARE, "is_confirmed": "on"})
    assert made.status_code == 302
    assert Experiment.objects.get().changes == {"opening_line": BARE}


# -- What it speaks from ---------------------------------------------------------------------------


def test_speaks_from_the_knowledge_of_its_control(campaign, alice, retell):
    control = CampaignVersion.objects.get()
    row = begin(campaign, alice)
    edit(campaign, alice, knowledge_text="Open from 9, as nobody has checked.")

    jobs.prepare_experiment(experiment_id=str(row.pk))

    row.refresh_from_db()
    assert row.status == "running"
    llm = VoiceAgent.objects.get().provider_llm_id
    said, tried = (
        retell.llms[llm, one.provider_agent_version].knowledge_base_ids
        for one in (control, row.variant)
    )
    assert said == tried != ()
    assert row.variant.knowledge_base_id == control.knowledge_base_id


# -- Its end ---------------------------------------------------------------------------------------


@pytest.fixture
def tried(calling, alice):
    """An experiment that draws arms in a running launch."""
    row = begin(calling, alice)
    jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    assert BatchCall.objects.get().variant == row.variant
    return row


def end(row, actor, status, winner=""):
    experimenting.end_experiment(experiment=row, status=status, winner=winner, actor=actor, now=NOW)
    row.refresh_from_db()
    return experiment_page(row)


@pytest.mark.parametrize(
    ("status", "winner", "title", "level"),
    [
        ("harmful", "", "The trial of Autumn check-ups was stopped", "warn"),
        ("decided", "variant", "The trial of Autumn check-ups won", "info"),
        ("decided", "control", "The trial of Autumn check-ups lost", "info"),
        ("stopped", "", "The experiment of Autumn check-ups ended without a decision", "info"),
    ],
)
def test_tells_the_clients_people_of_the_end_once(tried, alice, status, winner, title, level):
    end(tried, alice, status, winner)
    end(tried, alice, status, winner)

    told = Notification.objects.get(key__startswith="experiment-ended")
    assert (told.client, told.title, told.level) == (tried.client, title, level)
    assert told.url.endswith(f"/experiments/{tried.pk}/")


def test_tells_of_talk_that_brought_nothing(tried, alice):
    Experiment.objects.update(results={"harm": "cost"})

    end(tried, alice, "harmful")

    assert "far more talk" in Notification.objects.get(key__startswith="experiment-ended").body


def test_says_that_the_trial_is_published_while_it_is(tried, alice):
    page = end(tried, alice, "decided", "variant")
    assert (page.sentence, page.look_at) == ("The trial won and is the published version now.", 2)
    assert "Version 2 is" in Notification.objects.get(key__startswith="experiment-ended").body

    campaign = Campaign.objects.select_related("client").get()
    edit(campaign, alice, opening_line=SOUND + " Hello.")
    publish(campaign, alice)

    page = experiment_page(Experiment.objects.get())
    assert page.sentence == "The trial won. Another version was published since: version 3."
    assert page.look_at == 3


def test_says_that_a_trial_which_won_was_not_published(tried, alice, browse):
    edit(tried.campaign, alice, script_raw="An AI of Acme Dental.")

    page = end(tried, alice, "decided", "variant")

    assert "wasn't published: the campaign was edited meanwhile" in page.sentence
    assert page.look_at == tried.variant.number == 2
    told = Notification.objects.get(key__startswith="experiment-ended")
    assert "wasn't published" in told.body
    shown = browse(alice).get(told.url).content.decode()
    assert "Look at version 2" in shown
    assert f"/app/campaigns/{tried.campaign_id}/versions/2/" in shown
