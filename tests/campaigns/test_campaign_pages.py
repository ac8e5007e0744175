"""The campaign list, what its buttons do, and who may see and do what there."""

from __future__ import annotations

import pytest

from billing.models import Reservation
from campaigns.models import Campaign
from tests.factories.campaigns import enrol, launch, make_draft, make_ready, run_batch

HTMX = {"HTTP_HX_REQUEST": "true"}


# -- The list --------------------------------------------------------------------------------------


def test_lists_campaigns_with_what_they_do(browse, vera):
    make_draft(vera.client, name="Winter")

    page = browse(vera).get("/app/campaigns/").content.decode()

    assert "Winter" in page
    assert "A draft: make it ready" in page
    assert "New campaign" not in page  # viewers look


def test_filters_and_searches(browse, alice):
    make_draft(alice.client, name="Winter")
    make_ready(alice.client, name="Spring")

    browser = browse(alice)

    assert "Spring" not in browser.get("/app/campaigns/?status=draft").content.decode()
    assert "Winter" not in browser.get("/app/campaigns/?q=spr").content.decode()
    assert "No campaign matches" in browser.get("/app/campaigns/?status=live").content.decode()


def test_asks_as_many_queries_for_twenty_as_for_one(
    browse, alice, equipped, django_assert_num_queries
):
    browser = browse(alice)
    for number in range(20):
        campaign = make_ready(equipped, name=f"Campaign {number}")
        enrol(campaign, 1, start=number)
        if number % 2 or not number:
            run_batch(launch(campaign, seconds=300))
        if number in {0, 19}:
            browser.get("/app/campaigns/")
            with django_assert_num_queries(10):
                browser.get("/app/campaigns/")


def test_answers_htmx_with_the_table_alone(browse, alice):
    browser = browse(alice)

    fragment = browser.get("/app/campaigns/", **HTMX).content.decode()
    boosted = browser.get("/app/campaigns/", HTTP_HX_BOOSTED="true", **HTMX).content.decode()

    assert fragment.lstrip().startswith("<section")
    assert "<html" in boosted


def test_pauses_and_archives_many_at_once(browse, mia, rival, equipped):
    running = make_ready(equipped, name="Running")
    enrol(running)
    run_batch(launch(running))
    idle, theirs = make_draft(equipped, name="Idle"), make_draft(rival, name="Theirs")
    ids = [str(running.pk), str(idle.pk), str(theirs.pk)]
    browser = browse(mia)

    paused = browser.post("/app/campaigns/bulk/", {"do": "pause", "campaign": ids}, follow=True)
    archived = browser.post("/app/campaigns/bulk/", {"do": "archive", "campaign": ids}, follow=True)

    assert "Done for 1 campaign." in paused.content.decode()
    assert "Not dialling, so not paused: Idle." in paused.content.decode()
    assert "Still dialling, so not archived: Running." in archived.content.decode()
    assert running.batch_calls.get().status == "paused"
    assert {row.name: row.status for row in Campaign.objects.all()} == {
        "Running": "ready",
        "Idle": "archived",
        "Theirs": "draft",
    }


def test_duplicates_the_chosen_ones_from_the_list(browse, mia, rival):
    first, second = make_draft(mia.client, name="First"), make_draft(mia.client, name="Second")
    theirs = make_draft(rival, name="Theirs")
    browser = browse(mia)
    assert ">Duplicate<" in browser.get("/app/campaigns/").content.decode()

    sent = {"do": "duplicate", "campaign": [first.pk, second.pk, theirs.pk]}
    answer = browser.post("/app/campaigns/bulk/", sent, follow=True)
    assert "2 copies made: drafts without leads." in answer.content.decode()
    alone = browser.post("/app/campaigns/bulk/", {"do": "duplicate", "campaign": [second.pk]})

    copies = Campaign.objects.filter(name__endswith="(copy)").order_by("created_at")
    assert sorted(one.name for one in copies) == ["First (copy)", "Second (copy)", "Second (copy)"]
    assert str(copies[2].pk) in alone["Location"]  # one goes on in its wizard


@pytest.mark.parametrize("sent", [{}, {"do": "delete"}, {"do": "pause", "campaign": ["x", "1"]}])
def test_says_what_to_choose(browse, mia, sent):
    answer = browse(mia).post("/app/campaigns/bulk/", sent, follow=True)

    assert "Choose campaigns first" in answer.content.decode()


def test_shows_what_a_campaign_spent(browse, vera, equipped):
    campaign = make_ready(equipped)
    enrol(campaign)
    batch_call = run_batch(launch(campaign))
    Reservation.objects.filter(batch_call_id=batch_call.pk).update(
        charged_seconds=600, charged_micros=3_000_000
    )

    page = browse(vera).get("/app/campaigns/").content.decode()

    assert "$3.00" in page
    assert "10.00 min used" in page
    assert "100.00 min reserved" in page
    Reservation.objects.filter(batch_call_id=batch_call.pk).update(free_seconds=0)
    assert "min reserved" not in browse(vera).get("/app/campaigns/").content.decode()
    assert ">Archive<" not in page  # viewers look and compare


# -- Buttons --------------------------------------------------------------------------------------


def test_makes_ready_duplicates_and_archives(browse, mia):
    campaign = make_draft(mia.client)
    browser, url = browse(mia), f"/app/campaigns/{campaign.pk}/"

    browser.post(f"{url}prepare/")
    campaign.refresh_from_db()
    assert campaign.status == "preparing"
    browser.post(f"{url}duplicate/")
    assert Campaign.objects.filter(name="Autumn check-ups (copy)", status="draft").exists()
    browser.post(f"{url}archive/")
    campaign.refresh_from_db()
    assert campaign.status == "archived"


def test_leads_to_the_form_when_it_cannot_be_made_ready(browse, mia):
    campaign = make_draft(mia.client, voice_id="")

    answer = browse(mia).post(f"/app/campaigns/{campaign.pk}/prepare/", follow=True)

    assert "No voice is chosen." in answer.content.decode()
    assert answer.redirect_chain[-1][0].endswith("/edit/voice/")


# -- Who may ---------------------------------------------------------------------------------------

READS = ["", "leads/"]
MANAGES = [
    "edit/",
    "edit/script/",
    "script-check/",
    "prepare/",
    "duplicate/",
    "archive/",
    "pause/",
    "stop/",
]
LAUNCHES = ["launch/", "resume/"]


@pytest.mark.parametrize("path", [*READS, *MANAGES, *LAUNCHES])
def test_hides_another_clients_campaign(browse, charlie, alice, path):
    url = f"/app/campaigns/{make_draft(alice.client).pk}/{path}"
    browser = browse(charlie)

    answer = browser.get(url) if path in READS else browser.post(url)

    assert answer.status_code == 404


@pytest.mark.parametrize("path", [*MANAGES, *LAUNCHES])
def test_lets_viewers_only_look(browse, vera, path):
    url = f"/app/campaigns/{make_draft(vera.client).pk}/"
    browser = browse(vera)

    assert browser.get(url).status_code == 200
    assert browser.post(f"{url}{path}").status_code == 403
    assert browser.get("/app/campaigns/new/").status_code == 403


@pytest.mark.parametrize("path", LAUNCHES)
def test_lets_only_those_launch_who_may(browse, mia, path):
    url = f"/app/campaigns/{make_draft(mia.client).pk}/{path}"

    assert browse(mia).post(url).status_code == 403


def test_sends_strangers_to_the_sign_in_page(browse, db):
    for path in ("campaigns/", "campaigns/new/", "calls/"):
        assert browse().get(f"/app/{path}")["Location"].startswith("/account/login/")


@pytest.mark.parametrize("path", ["prepare/", "duplicate/", "archive/", "pause/", "resume/"])
def test_changes_nothing_by_get(browse, alice, path):
    url = f"/app/campaigns/{make_draft(alice.client).pk}/{path}"

    assert browse(alice).get(url).status_code == 405
