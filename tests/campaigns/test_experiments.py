"""Experiments: sticky arms, a test that is valid at every look, harm, and the winner as the next version."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from campaigns import jobs
from campaigns.experiments import (
    ENOUGH,
    HARM_ENOUGH,
    Arm,
    Outcome,
    arm_of,
    judge,
    sequential_test,
    sign_test,
)
from campaigns.models import Attempt, BatchCall, Campaign, CampaignVersion, Enrolment, Experiment
from campaigns.queries.experiment_outcomes import outcomes
from campaigns.services import authoring, experimenting, lifecycle, preparing
from campaigns.settings_schema import DEFAULTS
from campaigns.views import experiments as views
from convomono.lib import clock
from convomono.lib.ids import uuid7
from telephony.models import Call, VoiceAgent
from telephony.provider import Rejected
from tests.factories.campaigns import NOW, enrol, launch, make_draft, run_batch

SOUND = "Hello, this is the AI assistant of Acme Dental on a recorded line."
GOAL = {**DEFAULTS, "conversion": "They agreed."}


# -- The test --------------------------------------------------------------------------------------


def false_winners(runs: int, ratio: float, pairs: int, seed: int) -> int:
    """Count A/A experiments that name a winner, looked at after every pair."""
    draw = random.Random(seed)  # noqa: S311 - chance, no secret
    found = 0
    for _run in range(runs):
        control = [draw.random() < ratio for _ in range(pairs)]
        variant = [draw.random() < ratio for _ in range(pairs)]
        found += sequential_test(control, variant, ENOUGH).crossed_by != 0
    return found


def test_names_few_false_winners():
    assert false_winners(200, 0.2, 400, seed=1) <= 10


@pytest.mark.load
@pytest.mark.parametrize("ratio", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_names_at_most_one_false_winner_in_twenty(ratio):
    assert false_winners(2_000, ratio, 1_000, seed=7) <= 100


def test_would_fail_if_it_looked_without_care():
    """A fixed test that peeks names far more: what is promised above isn't for free."""
    draw = random.Random(3)  # noqa: S311 - chance, no secret
    wrong = 0
    for _run in range(200):
        hits = [0, 0]
        for n in range(1, 401):
            hits[0] += draw.random() < 0.2
            hits[1] += draw.random() < 0.2
            p = sum(hits) / (2 * n)
            spread = (2 * p * (1 - p) / n) ** 0.5
            if n > 20 and spread and abs(hits[0] - hits[1]) / n > 1.96 * spread:
                wrong += 1
                break
    assert wrong > 40


def test_finds_a_real_difference():
    draw = random.Random(5)  # noqa: S311 - chance, no secret
    found = 0
    for _run in range(50):
        control = [draw.random() < 0.10 for _ in range(600)]
        variant = [draw.random() < 0.25 for _ in range(600)]
        found += sequential_test(control, variant, ENOUGH).crossed_by > 0
    assert found >= 45


def outcomes_of(rows):
    return [Outcome(arm=arm, is_converted=c, has_opted_out=o) for arm, c, o in rows]


def test_says_nothing_too_early_and_names_the_better_one():
    few = judge(outcomes_of([("control", False, False), ("variant", True, False)] * 3))
    many = judge(outcomes_of([("control", False, False), ("variant", True, False)] * 30))
    other = judge(outcomes_of([("control", True, False), ("variant", False, False)] * 30))

    assert (few.winner, many.winner, other.winner) == ("", "variant", "control")
    assert few.evidence < ENOUGH <= many.evidence


def test_sees_harm_in_the_variant_alone():
    harmful = judge(outcomes_of([("control", False, False), ("variant", False, True)] * 30))
    better = judge(outcomes_of([("control", False, True), ("variant", False, False)] * 30))

    assert harmful.harm == "opt_out"
    assert better.harm == ""
    assert harmful.harm_evidence >= HARM_ENOUGH


def talks(control, variant, converts=(False, False)):
    rows: list[tuple[Arm, bool, int]] = [
        ("control", converts[0], control),
        ("variant", converts[1], variant),
    ]
    return [Outcome(arm, c, has_opted_out=False, talk_seconds=s) for arm, c, s in rows]


def test_sees_a_trial_that_takes_far_more_talk():
    dear = judge(talks(60, 90) * 30)
    cheap = judge(talks(90, 60) * 30)
    little = judge(talks(60, 61) * 300)
    even = judge((talks(60, 90) + talks(90, 60)) * 30)
    # One endless call is no pattern.
    endless = judge(talks(60, 60) * 30 + talks(60, 7200))
    worth_it = judge(talks(60, 90, converts=(False, True)) * 30)

    assert (dear.harm, dear.winner) == ("cost", "")
    assert dear.cost_evidence >= HARM_ENOUGH
    assert [one.harm for one in (cheap, little, even, endless)] == ["", "", "", ""]
    assert (worth_it.harm, worth_it.winner) == ("", "variant")


def test_stops_few_trials_that_cost_the_same():
    draw = random.Random(11)  # noqa: S311 - chance, no secret
    stopped = 0
    for _run in range(300):
        control = [int(draw.lognormvariate(3.8, 0.9)) for _ in range(300)]
        variant = [int(draw.lognormvariate(3.8, 0.9)) for _ in range(300)]
        stopped += sign_test(control, variant, HARM_ENOUGH).crossed_by != 0
    assert stopped <= 30


def test_waits_for_a_pair():
    assert judge(outcomes_of([("variant", True, False)] * 500)).winner == ""


def test_draws_each_lead_once_and_both_arms_alike():
    experiment = uuid7()
    leads = [uuid7() for _ in range(2_000)]
    arms = [arm_of(experiment_id=experiment, lead_id=lead) for lead in leads]

    assert arms == [arm_of(experiment_id=experiment, lead_id=lead) for lead in leads]
    assert 880 <= arms.count("variant") <= 1_120
    other = [arm_of(experiment_id=uuid7(), lead_id=leads[0]) for _ in range(50)]
    assert set(other) == {"control", "variant"}  # another experiment draws anew


# -- Its life --------------------------------------------------------------------------------------


@pytest.fixture
def running(alice, equipped, retell):
    """An experiment on the opening line of a campaign with a running launch of twelve leads."""
    campaign = make_draft(equipped, settings=GOAL)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    enrol(campaign, 12)
    run_batch(launch(campaign))
    return begin(campaign, alice)


def begin(campaign, actor, text="Acme Dental's AI here."):
    row = experimenting.start_experiment(
        campaign=campaign,
        trial=experimenting.Trial(part="opening_line", text=text, is_confirmed=True),
        actor=actor,
        now=NOW,
    )
    jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    return row


def reach(experiment, arm, *, converted=False, opted_out=False):
    """Let every lead of an arm be reached."""
    for row in Enrolment.objects.filter(campaign=experiment.campaign):
        if arm_of(experiment_id=experiment.pk, lead_id=row.lead_id) == arm:
            Enrolment.objects.filter(pk=row.pk).update(
                status="done",
                was_reached=True,
                is_converted=converted,
                has_opted_out=opted_out,
                last_attempted_at=experiment.started_at + timedelta(seconds=1),
                completed_at=experiment.started_at + timedelta(seconds=30),
            )


def later(experiment):
    return experiment.started_at + timedelta(hours=1)


def test_publishes_the_variant_beside_the_published_version(running, retell):
    campaign = running.campaign
    campaign.refresh_from_db()

    assert running.status == "running"
    assert (campaign.published_version, running.variant.number) == (1, 2)
    assert running.variant.opening_line == "Acme Dental's AI here."
    assert running.variant.script_raw == running.control.script_raw
    assert (campaign.status, campaign.opening_line) == ("ready", running.control.opening_line)
    assert retell.agents[running.variant.provider_agent_id, 1].is_published
    jobs.prepare_experiment(experiment_id=str(running.pk))  # twice is once
    assert CampaignVersion.objects.count() == 2


def test_lets_each_lead_hear_its_arm(running):
    batch_call = BatchCall.objects.select_related("version", "variant").get()

    heard = {
        row.lead_id: experimenting.version_for(batch_call, row) for row in Enrolment.objects.all()
    }

    for lead_id, version in heard.items():
        arm = arm_of(experiment_id=running.pk, lead_id=lead_id)
        assert version == (running.variant if arm == "variant" else running.control)
    assert len(set(heard.values())) == 2
    assert not Attempt.objects.exists()


def test_gives_new_launches_both_arms_too(running, equipped):
    enrol(running.campaign, 1, start=40)

    assert launch(running.campaign, seconds=600).variant == running.variant


def test_names_no_winner_of_few(running):
    reach(running, "variant", converted=True)
    reach(running, "control")

    found = experimenting.judge_experiment(experiment=running, now=later(running))

    running.refresh_from_db()
    assert (found.winner, running.status) == ("", "running")
    assert running.results["variant"]["converted"] == running.results["variant"]["reached"] > 0


def test_counts_no_call_that_may_still_be_analysed(running):
    reach(running, "variant", converted=True)
    soon = running.started_at + timedelta(minutes=5)

    assert outcomes(running, soon) == []
    assert outcomes(running, later(running)) != []


def test_publishes_the_winner_as_the_next_version(running, alice, retell):
    experimenting.end_experiment(
        experiment=running, status="decided", winner="variant", actor=alice, now=later(running)
    )
    again = experimenting.end_experiment(
        experiment=running, status="stopped", actor=alice, now=later(running)
    )

    assert not again  # it ended once
    campaign, batch_call = Campaign.objects.get(), BatchCall.objects.get()
    assert (campaign.published_version, campaign.opening_line) == (2, "Acme Dental's AI here.")
    assert (batch_call.version, batch_call.variant) == (running.variant, None)
    assert VoiceAgent.objects.get().published_version == 1
    assert begin(campaign, alice, "A third line, by an AI.").status == "running"


def test_leaves_launches_that_are_over_as_they_were(running, alice):
    BatchCall.objects.update(status="finished")

    experimenting.end_experiment(
        experiment=running, status="decided", winner="variant", actor=alice, now=later(running)
    )

    batch_call = BatchCall.objects.get()
    assert (batch_call.version, batch_call.variant) == (running.control, running.variant)
    assert batch_call.experiment_id == running.pk


def test_never_overwrites_an_edit_with_the_winner(running, alice):
    content = replace(authoring.content_of(running.campaign), script_raw="An AI of Acme Dental.")
    lifecycle.update_campaign(campaign=running.campaign, content=content, actor=alice, now=NOW)

    experimenting.end_experiment(
        experiment=running, status="decided", winner="variant", actor=alice, now=later(running)
    )

    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.published_version) == ("draft", 1)
    assert campaign.opening_line != "Acme Dental's AI here."
    assert BatchCall.objects.get().version == running.control


def test_stops_for_harm(running, monkeypatch):
    monkeypatch.setattr(
        experimenting,
        "outcomes",
        lambda *_: outcomes_of([("control", False, False), ("variant", True, True)] * 40),
    )

    jobs.judge_experiments()

    running.refresh_from_db()
    assert (running.status, running.winner) == ("harmful", "")  # although it converted more
    batch_call = BatchCall.objects.get()
    assert (batch_call.version, batch_call.variant) == (running.control, None)


def test_stops_for_what_it_costs_counted_from_the_calls(running, alice, browse):
    enrol(running.campaign, 40, start=20)
    Enrolment.objects.update(batch_call=BatchCall.objects.get())
    reach(running, "control")
    reach(running, "variant")
    before = running.started_at - timedelta(days=1)
    for row in Enrolment.objects.all():
        is_variant = arm_of(experiment_id=running.pk, lead_id=row.lead_id) == "variant"
        talked = {running.started_at: 90 if is_variant else 30, before: 9_000}
        for at, seconds in talked.items():  # what was talked before the trial doesn't count
            Call.objects.create(
                client_id=row.client_id,
                campaign_id=row.campaign_id,
                batch_call_id=row.batch_call_id,
                lead_id=row.lead_id,
                provider_call_id=f"call_{uuid7().hex}",
                billed_seconds=seconds,
                created_at=at,
            )

    found = experimenting.judge_experiment(experiment=running, now=later(running))

    running.refresh_from_db()
    assert (found.harm, running.status, running.winner) == ("cost", "harmful", "")
    assert found.variant.seconds_per_reached == 90
    path = f"/app/campaigns/{running.campaign_id}/experiments/{running.pk}/"
    page = browse(alice).get(path).content.decode()
    assert "takes far more talk" in page
    assert "Talk per person" in page


def test_ends_when_a_new_version_is_published(running, alice):
    campaign = Campaign.objects.get()
    content = replace(authoring.content_of(campaign), script_raw="An AI of Acme Dental asks.")
    lifecycle.update_campaign(campaign=campaign, content=content, actor=alice, now=NOW)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))

    running.refresh_from_db()
    batch_call = BatchCall.objects.get()
    assert running.status == "stopped"
    assert (batch_call.version.number, batch_call.variant) == (3, None)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"settings": DEFAULTS}, "no_goal"), ({"settings": GOAL}, "same")],
)
def test_refuses_what_cannot_be_judged(alice, retell, fields, code):
    campaign = make_draft(alice.client, **fields)
    with pytest.raises(experimenting.ExperimentRefused, match="not_ready"):
        begin(campaign, alice)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()

    with pytest.raises(experimenting.ExperimentRefused, match=code):
        begin(campaign, alice, campaign.opening_line)


def test_runs_one_at_a_time(running, alice):
    with pytest.raises(experimenting.ExperimentRefused, match="another"):
        begin(running.campaign, alice, "Something else from an AI.")

    assert Experiment.objects.count() == 1


def test_names_what_retell_refuses_and_tries_again(running, alice, retell):
    experimenting.end_experiment(
        experiment=running, status="stopped", actor=alice, now=later(running)
    )
    retell.fail("create_agent_version", Rejected("Too many versions.", 400))

    row = begin(running.campaign, alice, "Another line of an AI.")

    assert row.status == "preparing"
    assert "Too many versions" in row.prepare_error
    jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    assert (row.status, row.prepare_error) == ("running", "")


def test_says_when_the_knowledge_of_a_trial_cannot_be_read(running, alice, retell, monkeypatch):
    experimenting.end_experiment(
        experiment=running, status="stopped", actor=alice, now=later(running)
    )

    def unread(**_):
        raise preparing.KnowledgeNotIndexed

    with monkeypatch.context() as patch:
        patch.setattr(preparing, "index_knowledge", unread)
        row = begin(running.campaign, alice, "Another line of an AI.")
        assert row.prepare_error.startswith("Retell could not read the knowledge.")
        patch.setattr(preparing, "index_knowledge", lambda **_: 1 / 0)
        jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    assert (row.status, row.prepare_error[:27]) == ("preparing", "The trial could not be publ")
    jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    assert (row.status, row.prepare_error) == ("running", "")


def test_waits_while_the_campaign_itself_is_published(running, alice, retell):
    experimenting.end_experiment(
        experiment=running, status="stopped", actor=alice, now=later(running)
    )
    agent = VoiceAgent.objects.get()
    preparing.claim_agent(agent=agent, real_now=clock.real_now())

    row = begin(running.campaign, alice, "Another line of an AI.")
    assert (row.status, row.prepare_error) == ("preparing", "")
    preparing.release_agent(agent)
    jobs.prepare_experiment(experiment_id=str(row.pk))
    row.refresh_from_db()
    assert row.status == "running"


# -- Pages -----------------------------------------------------------------------------------------


def test_starts_watches_and_ends_by_plain_forms(
    browse, mia, vera, charlie, running, retell, monkeypatch
):
    monkeypatch.setattr(views, "retell_gateway", lambda: retell)
    url = f"/app/campaigns/{running.campaign_id}/experiments/"
    reach(running, "variant", converted=True)
    experimenting.judge_experiment(experiment=running, now=later(running))
    browser = browse(mia)

    page = browse(vera).get(f"{url}{running.pk}/").content.decode()
    assert "No decision yet" in page
    assert "End it" not in page
    refused = browser.post(
        url, {"part": "opening_line", "opening_line": SOUND, "voice_id": "11labs-Adrian"}
    )
    assert refused.status_code == 422
    assert "Another experiment is running" in refused.content.decode()
    browser.post(f"{url}{running.pk}/stop/")
    assert "Stopped without a decision" in browser.get(f"{url}{running.pk}/").content.decode()
    made = browser.post(url, {"part": "voice", "voice_id": "11labs-Anna"})
    assert Experiment.objects.get(status="preparing").changes["voice_name"] == "Anna"
    assert made["Location"].startswith(url)
    assert browse(charlie).get(f"{url}{running.pk}/").status_code == 404
    assert browse(vera).get(url).status_code == 403


def test_says_when_there_is_nothing_to_compare(browse, mia):
    page = browse(mia).get(f"/app/campaigns/{make_draft(mia.client).pk}/experiments/")

    assert "Nothing to compare with yet" in page.content.decode()
