"""Two people for a launch: who asks can't approve, what changed can't be approved, once is once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections

from accounts.models import Notification, User
from audit.models import AuditLog
from billing.models import Transaction
from campaigns import jobs
from campaigns.models import (
    BatchCall,
    Campaign,
    CampaignVersion,
    Enrolment,
    KnowledgeBase,
    LaunchRequest,
    LaunchRule,
    ScriptVariable,
    TopUp,
)
from campaigns.services import lifecycle
from campaigns.services.approving import needs_approval, set_launch_rule
from campaigns.services.authoring import content_of
from campaigns.services.experimenting import Trial, start_experiment
from campaigns.services.moving import use_version
from campaigns.services.policies import Dialling, set_dialling
from campaigns.services.topping_up import top_up
from campaigns.services.variables import save_variables
from campaigns.variables import VariableRule
from convomono.lib.ids import uuid7
from tests.factories.accounts import UserFactory
from tests.factories.billing import balances
from tests.factories.campaigns import NOW, enrol, make_draft, make_ready, run_batch

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def anton(acme):
    """A second launcher at acme: approves what alice asks for."""
    return UserFactory.create(
        email="anton@acme.test", client=acme, client_role="manager", can_launch=True
    )


@pytest.fixture
def strict(equipped, alice):
    """acme, where every launch needs a second person."""
    set_launch_rule(client_id=equipped.pk, is_active=True, above_seconds=0, actor=alice, now=NOW)
    return equipped


def ask(campaign, actor, **fields):
    return lifecycle.ask_for_launch(
        **{
            "campaign": campaign,
            "request_id": uuid7(),
            "starts_at": None,
            "note": "For Monday",
            "actor": actor,
            "now": NOW,
            **fields,
        }
    )


def approve(request, actor, now=LATER):
    fresh = LaunchRequest.objects.select_related("campaign", "client").get(pk=request.pk)
    return lifecycle.approve_launch(request=fresh, actor=actor, now=now)


def status(request):
    return LaunchRequest.objects.get(pk=request.pk).status


def launch(campaign, actor, **fields):
    return lifecycle.launch_campaign(
        campaign=campaign, launch_key=uuid7(), actor=actor, now=NOW, **fields
    )


def test_launches_alone_where_nobody_wants_otherwise(alice, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)

    assert launch(campaign, alice).tasks_count == 1


def test_refuses_a_launch_by_one_person(alice, strict):
    campaign = make_ready(strict)
    enrol(campaign)

    with pytest.raises(lifecycle.ApprovalNeeded):
        launch(campaign, alice)
    # A small reservation doesn't make a large launch small.
    set_launch_rule(client_id=strict.pk, is_active=True, above_seconds=120, actor=alice, now=NOW)
    with pytest.raises(lifecycle.ApprovalNeeded):
        launch(campaign, alice, seconds=60)

    assert not BatchCall.objects.exists()
    assert balances(strict)[:2] == (60_000, 0)


def test_lets_small_launches_pass(alice, strict):
    set_launch_rule(client_id=strict.pk, is_active=True, above_seconds=6000, actor=alice, now=NOW)
    campaign = make_ready(strict)
    enrol(campaign)

    assert launch(campaign, alice).tasks_count == 1
    assert not needs_approval(client_id=strict.pk, seconds=6000)
    assert needs_approval(client_id=strict.pk, seconds=6001)


def test_launches_what_somebody_else_asked_for(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign, 3)

    request = ask(campaign, alice)
    assert (request.leads_count, balances(strict)[1]) == (3, 0)
    batch_call = approve(request, anton)

    row = LaunchRequest.objects.get()
    assert (row.status, row.batch_call_id) == ("launched", batch_call.pk)
    assert (row.asked_by_email, row.decided_by_email) == (alice.email, anton.email)
    assert (batch_call.tasks_count, balances(strict)[1]) == (3, request.seconds)
    actions = set(AuditLog.objects.values_list("action", flat=True))
    assert {"launch.asked", "launch.approved", "campaign.launched"} <= actions
    assert Notification.objects.filter(client=strict, url__contains=str(row.pk)).count() == 2


def test_starts_when_it_was_asked_for(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    at = NOW + timedelta(hours=3)

    assert approve(ask(campaign, alice, starts_at=at), anton).scheduled_at == at
    # A time that has passed meanwhile is now, not the past.
    again = make_ready(strict)
    enrol(again, start=5)
    assert approve(ask(again, alice, starts_at=NOW), anton).scheduled_at == LATER


def test_approves_once(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign, 2)
    request = ask(campaign, alice)

    assert approve(request, anton) == approve(request, anton)

    assert Transaction.objects.filter(type="reserve").count() == 1
    assert AuditLog.objects.filter(action="launch.approved").count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("other", ["approve", "decline", "edit"])
def test_decides_once_when_two_press_at_once(alice, anton, strict, other):
    third = UserFactory.create(client=strict, client_role="owner", can_launch=True)
    campaign = make_ready(strict)
    enrol(campaign, 2)
    request = ask(campaign, alice)

    def decline():
        row = LaunchRequest.objects.select_related("campaign", "client").get(pk=request.pk)
        lifecycle.decline_launch(request=row, reason="No", actor=third, now=LATER)

    def edit():
        row = Campaign.objects.select_related("client").get(pk=campaign.pk)
        lifecycle.update_campaign(
            campaign=row,
            content=replace(content_of(row), max_attempts=7),
            actor=third,
            now=LATER,
        )

    def press(what):
        try:
            what()
        except (lifecycle.RequestOver, lifecycle.NobodyWaits, lifecycle.LaunchInProgress):
            return
        finally:
            connections.close_all()

    second = {"approve": lambda: approve(request, third), "decline": decline, "edit": edit}[other]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(press, [lambda: approve(request, anton), second]))

    launched = status(request) == "launched"
    assert BatchCall.objects.count() == launched
    assert Transaction.objects.filter(type="reserve").count() == launched
    assert status(request) in {"launched", {"decline": "declined", "edit": "outdated"}.get(other)}


def test_lets_nobody_approve_their_own(alice, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)

    with pytest.raises(lifecycle.OwnRequest):
        approve(request, alice)
    with pytest.raises(lifecycle.OwnRequest):
        lifecycle.decline_launch(request=request, reason="x", actor=alice, now=LATER)

    assert (status(request), BatchCall.objects.count()) == ("waiting", 0)


def test_knows_one_person_under_two_names(alice, mia, root, strict):
    """Whoever of the agency asked as alice can approve neither as mia nor in alice's place."""
    campaign = make_ready(strict)
    enrol(campaign)
    as_alice = User.objects.get(pk=root.pk)
    as_alice.acted_for = alice  # type: ignore[attr-defined]  # as `acting_user` sets it
    request = ask(campaign, as_alice)

    as_mia = User.objects.get(pk=root.pk)
    as_mia.acted_for = mia  # type: ignore[attr-defined]  # as `acting_user` sets it
    for person in (as_alice, as_mia, alice):
        with pytest.raises(lifecycle.OwnRequest):
            approve(request, person)


def test_declines_with_a_reason(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)

    lifecycle.decline_launch(request=request, reason="Too early", actor=anton, now=LATER)

    assert LaunchRequest.objects.get().reason == "Too early"
    assert not BatchCall.objects.exists()
    assert Notification.objects.filter(key=f"launch-declined:{request.pk}").exists()
    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)
    # The way is free for another one.
    assert ask(campaign, alice).status == "waiting"


def test_takes_back_only_ones_own(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)

    with pytest.raises(lifecycle.OthersRequest):
        lifecycle.withdraw_launch(request=request, actor=anton, now=LATER)
    lifecycle.withdraw_launch(request=request, actor=alice, now=LATER)

    assert status(request) == "withdrawn"
    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)


def test_asks_once(alice, mia, strict):
    campaign, key = make_ready(strict), uuid7()
    enrol(campaign)

    assert ask(campaign, alice, request_id=key) == ask(campaign, alice, request_id=key)
    with pytest.raises(lifecycle.RequestWaits):
        ask(campaign, mia)

    assert AuditLog.objects.filter(action="launch.asked").count() == 1


def test_asks_for_nothing_that_could_not_be_launched(alice, strict):
    campaign = make_draft(strict)
    enrol(campaign)

    with pytest.raises(lifecycle.LaunchRefused):
        ask(campaign, alice)

    assert not LaunchRequest.objects.exists()


CHANGES = {
    "variables": lambda campaign, actor: save_variables(
        campaign=campaign, rules=[VariableRule("first_name", max_chars=9)], actor=actor, now=LATER
    ),
    "hours": lambda campaign, actor: lifecycle.update_campaign(
        campaign=campaign,
        content=replace(content_of(campaign), closes_minute=19 * 60),
        actor=actor,
        now=LATER,
    ),
    "words": lambda campaign, actor: lifecycle.update_campaign(
        campaign=campaign,
        content=replace(content_of(campaign), opening_line="This is Acme Dental's AI."),
        actor=actor,
        now=LATER,
    ),
    "retries": lambda campaign, actor: set_dialling(
        campaign=campaign, dialling=Dialling(calls_per_minute=3), actor=actor, now=LATER
    ),
    "archive": lambda campaign, actor: lifecycle.archive_campaign(
        campaign=campaign, actor=actor, now=LATER
    ),
    "restore": lambda campaign, actor: lifecycle.restore_version(
        campaign=campaign, version=campaign.versions.get(), actor=actor, now=LATER
    ),
    "experiment": lambda campaign, actor: start_experiment(
        campaign=campaign,
        trial=Trial(part="opening_line", text="Hello, the AI of Acme Dental.", is_confirmed=True),
        actor=actor,
        now=LATER,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_is_out_of_date_once_the_campaign_changed(alice, anton, strict, change):
    campaign = make_ready(strict, settings={"conversion": "They agreed to a day."})
    enrol(campaign)
    request = ask(campaign, alice)

    CHANGES[change](campaign, alice)

    assert status(request) == "outdated"
    assert Notification.objects.filter(key=f"launch-outdated:{request.pk}").exists()
    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)
    assert not BatchCall.objects.exists()


def test_is_out_of_date_once_its_knowledge_moves_to_another_version(alice, strict):
    family = uuid7()
    old, new = (
        KnowledgeBase.objects.create(
            client=strict,
            name="Opening hours",
            number=number,
            family_id=family,
            is_shared=True,
            is_current=number == 1,
            status="complete",
            created_at=NOW,
        )
        for number in (1, 2)
    )
    campaign = make_ready(strict, shared_base_id=old.pk)
    enrol(campaign)
    request = ask(campaign, alice)

    use_version(base=new, actor=alice, now=LATER)

    assert status(request) == "outdated"


def test_is_out_of_date_once_its_agent_is_made_anew(alice, strict, retell):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)

    jobs.repair_workspace()  # Retell knows no such agent

    campaign.refresh_from_db()
    assert (campaign.status, status(request)) == ("preparing", "outdated")


def test_is_out_of_date_once_there_are_further_leads(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    newest = enrol(campaign, 1, start=9)[-1]
    Enrolment.objects.filter(pk=newest.pk).update(created_at=LATER)

    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)

    assert (status(request), BatchCall.objects.count()) == ("outdated", 0)


def test_notices_a_change_that_no_service_announced(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    Campaign.objects.update(concurrency_limit=77)

    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)

    assert status(request) == "outdated"


def test_notices_variables_that_no_service_announced(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    ScriptVariable.objects.create(client=strict, campaign=campaign, name="plan", default="x")

    with pytest.raises(lifecycle.RequestOver):
        approve(request, anton)

    assert status(request) == "outdated"


def test_goes_on_waiting_when_the_balance_is_gone(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    set_launch_rule(client_id=strict.pk, is_active=False, above_seconds=0, actor=alice, now=NOW)
    other = make_ready(strict)
    enrol(other, start=5)
    launch(other, alice, seconds=60_000)

    with pytest.raises(lifecycle.LaunchRefused):
        approve(request, anton)

    assert status(request) == "waiting"


def test_ends_a_request_whose_leads_were_launched_otherwise(alice, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    set_launch_rule(client_id=strict.pk, is_active=False, above_seconds=0, actor=alice, now=NOW)

    launch(campaign, alice)

    assert status(request) == "outdated"


def test_asks_before_new_leads_are_launched_by_themselves(alice, anton, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    row = TopUp.objects.create(
        client=strict, campaign=campaign, is_active=True, next_at=NOW, set_by_email=alice.email
    )

    assert not top_up(row=row, now=NOW, is_sandbox=False)

    request = LaunchRequest.objects.get()
    assert (request.asked_by_id, BatchCall.objects.count()) == (alice.pk, 0)
    assert "second person" in TopUp.objects.get().last_result
    with pytest.raises(lifecycle.OwnRequest):
        approve(request, alice)
    assert approve(request, anton).tasks_count == 1


def test_tells_programs_that_a_person_is_needed(alice, browse, strict):
    campaign = make_ready(strict)
    enrol(campaign)

    answer = browse(alice).post(
        f"/api/v1/client/campaigns/{campaign.pk}/launch/",
        {"launch_key": str(uuid7())},
        content_type="application/json",
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "approval_needed")


def test_sets_the_rule_once_and_says_who(alice, acme):
    rule = {"client_id": acme.pk, "is_active": True, "above_seconds": 600, "actor": alice}

    assert set_launch_rule(**rule, now=NOW)
    assert not set_launch_rule(**rule, now=LATER)

    assert LaunchRule.objects.get().changed_at == NOW
    assert AuditLog.objects.get(action="launch.rule_changed").user_email == alice.email


# -- Pages -----------------------------------------------------------------------------------------


def address(request, verb=""):
    return f"/app/launch-requests/{request.pk}/{verb}"


def test_asks_on_the_page_of_the_launch(alice, anton, browse, strict):
    campaign = make_ready(strict)
    enrol(campaign, 2)
    browser = browse(alice)

    page = browser.get(f"/app/campaigns/{campaign.pk}/launch/").content.decode()
    assert "Ask to launch 2 leads" in page
    assert str(anton) in page
    answer = browser.post(
        f"/app/campaigns/{campaign.pk}/launch/ask/", {"request_id": uuid7(), "note": "Please"}
    )

    request = LaunchRequest.objects.get()
    assert answer.url == address(request)
    own = browser.get(address(request)).content.decode()
    assert "Withdraw it" in own
    assert "Approve and launch" not in own
    assert (
        "asked for this launch"
        in browser.get(f"/app/campaigns/{campaign.pk}/launch/").content.decode()
    )


def test_lets_who_may_not_launch_ask_somebody_who_may(alice, mia, browse, equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 2)
    browser = browse(mia)

    assert "Ask for the launch" in browser.get(f"/app/campaigns/{campaign.pk}/").content.decode()
    assert browser.get(f"/app/campaigns/{campaign.pk}/launch/").status_code == 403
    path = f"/app/campaigns/{campaign.pk}/launch/ask/"
    assert "Ask to launch 2 leads" in browser.get(path).content.decode()
    browser.post(path, {"request_id": uuid7()})
    request = LaunchRequest.objects.get()
    assert browser.post(address(request, "approve/")).status_code == 403

    owner = browse(alice)
    assert "1 request to launch" in owner.get("/app/campaigns/").content.decode()
    assert "Approve and launch 2 leads" in owner.get(address(request)).content.decode()
    assert owner.post(address(request, "approve/")).url == f"/app/campaigns/{campaign.pk}/"
    assert status(request) == "launched"


def test_wants_a_reason(alice, anton, browse, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)

    assert browse(anton).post(address(request, "decline/")).status_code == 422
    browse(anton).post(address(request, "decline/"), {"reason": "Wait for Monday"})

    assert status(request) == "declined"
    assert "Wait for Monday" in browse(alice).get(address(request)).content.decode()


def test_says_that_nobody_else_could_approve(alice, browse, strict):
    campaign = make_ready(strict)
    enrol(campaign)

    page = browse(alice).get(f"/app/campaigns/{campaign.pk}/launch/").content.decode()

    assert "nobody else of your team may" in page


def test_refuses_on_the_page_what_is_out_of_date(alice, anton, browse, strict):
    campaign = make_ready(strict)
    enrol(campaign)
    request = ask(campaign, alice)
    Campaign.objects.update(concurrency_limit=77)
    browser = browse(anton)

    page = browser.get(address(request)).content.decode()
    assert "be approved any more" in page
    assert "Approve and launch" not in page
    browser.post(address(request, "approve/"))

    assert (status(request), BatchCall.objects.count()) == ("outdated", 0)


def test_lets_only_owners_change_the_rule(alice, mia, browse, acme):
    path = "/app/launch-requests/rule/"
    assert browse(mia).get(path).status_code == 403
    assert browse(alice).post(path, {"above_minutes": "-1"}).status_code == 422

    browse(alice).post(path, {"is_active": "on", "above_minutes": "10"})

    assert LaunchRule.objects.get().above_seconds == 600
    assert "more than 10.00 minutes" in browse(mia).get("/app/launch-requests/").content.decode()


def test_asks_the_database_as_often_for_many_requests(
    alice, browse, acme, django_assert_num_queries
):
    browser = browse(alice)

    def grow(count):
        for _number in range(count):
            campaign = make_draft(acme)
            LaunchRequest.objects.create(
                client=acme,
                campaign=campaign,
                live_key=str(campaign.pk),
                fingerprint="",
                version_number=1,
                leads_count=1,
                seconds=60,
                asked_by_email=alice.email,
                asked_at=NOW,
            )

    grow(1)
    browser.get("/app/launch-requests/")
    for more in (0, 19):
        grow(more)
        with django_assert_num_queries(4):
            browser.get("/app/launch-requests/")


# -- What is said to people who are being called ----------------------------------------------------


@pytest.fixture
def calling(alice, anton, strict, retell):
    """A launch that two people wanted, and that calls with version 1."""
    campaign = make_draft(strict)
    lifecycle.prepare_campaign(campaign=campaign, actor=alice, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    enrol(campaign, 3)
    return run_batch(approve(ask(campaign, alice), anton))


def publish_edit(campaign, actor):
    fresh = Campaign.objects.select_related("client").get(pk=campaign.pk)
    content = replace(content_of(fresh), script_raw="An AI assistant that asks for money.")
    lifecycle.update_campaign(campaign=fresh, content=content, actor=actor, now=LATER)
    lifecycle.prepare_campaign(campaign=fresh, actor=actor, now=LATER)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    return Campaign.objects.get(pk=campaign.pk)


def test_lets_a_second_person_decide_what_running_launches_say(calling, browse, anton, alice, mia):
    campaign = publish_edit(calling.campaign, anton)

    calling.refresh_from_db()
    assert (campaign.published_version, calling.version.number) == (2, 1)
    assert Notification.objects.filter(key__startswith="version-waits").count() == 1
    page = f"/app/campaigns/{campaign.pk}/versions/2/"
    assert "Use it from the next call on" not in browse(anton).get(page).content.decode()
    refused = browse(anton).post(f"{page}take-up/", follow=True).content.decode()
    assert "somebody else has to let them use it" in refused
    assert browse(mia).post(f"{page}take-up/").status_code == 403
    calling.refresh_from_db()
    assert calling.version.number == 1

    browser = browse(alice)
    assert "Use it from the next call on" in browser.get(page).content.decode()
    for _ in range(2):  # twice is once
        browser.post(f"{page}take-up/")

    calling.refresh_from_db()
    assert calling.version.number == 2
    assert AuditLog.objects.filter(action="campaign.version_taken_up").count() == 1
    assert "wait for a second person" not in browser.get(page).content.decode()


def test_takes_up_the_published_version_alone(calling, browse, anton, alice):
    campaign = publish_edit(calling.campaign, anton)
    content = replace(content_of(campaign), script_raw="An AI again.")
    lifecycle.update_campaign(campaign=campaign, content=content, actor=anton, now=LATER)

    page = f"/app/campaigns/{campaign.pk}/versions/2/"
    answer = browse(alice).post(f"{page}take-up/", follow=True).content.decode()

    assert "Another version is published by now" in answer
    calling.refresh_from_db()
    assert calling.version.number == 1


def test_tries_nothing_on_launches_that_two_people_agreed_to(calling, alice, retell):
    Campaign.objects.update(settings={**calling.version.settings, "conversion": "They agreed."})
    campaign = publish_edit(calling.campaign, alice)
    BatchCall.objects.update(version=CampaignVersion.objects.get(number=2))
    row = start_experiment(
        campaign=campaign,
        trial=Trial(part="opening_line", text="An AI, really.", is_confirmed=True),
        actor=alice,
        now=LATER,
    )
    jobs.prepare_experiment(experiment_id=str(row.pk))

    row.refresh_from_db()
    calling.refresh_from_db()
    assert (row.status, calling.variant, calling.experiment_id) == ("running", None, None)


def test_tells_what_one_person_changed_of_a_running_launch(calling, alice):
    campaign = Campaign.objects.select_related("client").get()
    content = replace(content_of(campaign), max_attempts=9, opens_minute=8 * 60)
    lifecycle.update_campaign(campaign=campaign, content=content, actor=alice, now=LATER)
    set_dialling(campaign=campaign, dialling=Dialling(calls_per_minute=9), actor=alice, now=NOW)

    told = Notification.objects.filter(key__startswith="launch-edited").order_by("created_at")
    assert [one.body for one in told] == ["calls per minute", "max attempts, opens minute"]
    rules = [VariableRule("first_name", max_chars=9)]
    at = LATER + timedelta(minutes=1)
    save_variables(campaign=campaign, rules=rules, actor=alice, now=at)
    # What is said of variables is published like words, which another person lets running launches use.
    assert told.count() == 2
    assert alice.email in told[0].title
