"""Home pages, a campaign's report, its files, and what machines ask."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.models import Client
from audit.models import AuditLog
from billing.models import Difference, Reconciliation
from billing.services import open_wallet
from campaigns.models import BatchCall, Enrolment
from convomono.lib.files import open_stored
from convomono.lib.ids import uuid7
from reporting.models import DailyStat, Report
from reporting.queries.homes import agency_home
from tests.factories.billing import open_wallet as wallet_with
from tests.factories.campaigns import enrol, launch, make_ready, run_batch
from tests.factories.telephony import CallFactory


@pytest.fixture
def wallets(acme, rival, root, now):
    for client in (acme, rival):
        open_wallet(client=client, price_per_minute_micros=250_000, actor=root, now=now)


@pytest.fixture
def campaign(acme, wallets, now):
    """A campaign with two leads, one of them reached, and a call that was charged."""
    row = make_ready(acme, name="Winter check-ups")
    enrol(row, 2)
    Enrolment.objects.filter(pk=Enrolment.objects.order_by("pk")[0].pk).update(
        attempts_count=1, was_reached=True, is_converted=True
    )
    DailyStat.objects.create(
        client=acme,
        campaign_id=row.pk,
        day=now.date(),
        dials_count=4,
        connects_count=3,
        humans_count=1,
        client_cost_micros=250_000,
        retell_cost_micros=120_000,
    )
    CallFactory.create(
        client=acme,
        campaign_id=row.pk,
        status="ended",
        outcome_class="human",
        to_number="+12125550101",
        duration_ms=60_000,
        retell_cost_micros=987_654,
    )
    return row


def test_says_at_home_what_runs_why_and_when_it_is_through(browse, vera):
    wallet_with(vera.client, seconds=60_000)
    campaign = make_ready(vera.client, name="Winter check-ups")
    for start in (50, 60):
        enrol(campaign, 4, start=start)
        run_batch(launch(campaign, seconds=600))
    BatchCall.objects.update(
        waiting_reason="no_number", done_count=1, queued_count=3, converted_count=1
    )

    page = browse(vera).get("/app/").content.decode()

    assert page.count("Winter check-ups") == 1  # however many launches of it go on
    assert "no phone number to call from" in page
    assert "2 of 8 leads" in page and "Reached 2" in page and "Converted 2" in page
    assert f'hx-get="/app/campaigns/{campaign.pk}/outlook/end/"' in page
    assert 'hx-swap="innerHTML"' in page and "hx-preserve" in page


def report_page(campaign):
    return reverse("reporting:campaign-report", args=[campaign.pk])


@pytest.fixture
def make(run_jobs, django_capture_on_commit_callbacks):
    """Order a file and let a worker make it."""

    def ordered_and_made(browser, campaign, kind):
        with django_capture_on_commit_callbacks(execute=True):
            order(browser, campaign, kind)
        run_jobs()

    return ordered_and_made


def order(browser, campaign, kind):
    return browser.post(reverse("reporting:report-create", args=[campaign.pk]), {"kind": kind})


def test_shows_a_newcomer_the_first_step(browse, alice, wallets):
    page = browse(alice).get("/app/").content.decode()

    assert "Set up your first campaign" in page


def test_offers_what_is_ready_to_launch(browse, alice, campaign):
    page = browse(alice).get("/app/").content.decode()

    assert reverse("campaigns:campaign-launch", args=[campaign.pk]) in page


def test_shows_each_figure_with_its_formula(browse, vera, campaign):
    page = browse(vera).get(report_page(campaign)).content.decode()

    assert "Pick-up rate" in page
    assert "Calls a person answered ÷ dials" in page
    assert "25.0%" in page


def test_asks_the_same_number_of_queries_at_any_size(
    browse, alice, campaign, django_assert_num_queries
):
    browser = browse(alice)
    addresses = (("/app/", 9), (report_page(campaign), 12))
    for start, (address, queries) in enumerate(addresses, start=1):
        with django_assert_num_queries(queries):
            browser.get(address)
        enrol(campaign, 20, start=start * 100)
        with django_assert_num_queries(queries):
            browser.get(address)


def test_hides_a_report_from_another_client(browse, charlie, campaign):
    assert browse(charlie).get(report_page(campaign)).status_code == 404
    assert order(browse(charlie), campaign, "csv").status_code == 404


def test_answers_htmx_with_the_files_alone(browse, vera, campaign):
    page = browse(vera).get(report_page(campaign), headers={"HX-Request": "true"})

    assert page.content.decode().strip().startswith('<div id="report-files"')


def test_reads_nothing_but_files_while_one_is_made(
    browse, vera, campaign, django_assert_num_queries
):
    browser = browse(vera)
    page = browser.get(report_page(campaign), headers={"HX-Request": "true"})
    with django_assert_num_queries(3):  # person with client, campaign, files
        page = browser.get(report_page(campaign), headers={"HX-Request": "true"})
    assert "Figures" not in page.content.decode()


def test_counts_each_client_by_its_own_day_in_the_evening(acme, rival, wallets, campaign, now):
    """At 2:00 UTC it is still Monday in New York, and Tuesday in Berlin."""
    Client.objects.filter(pk=rival.pk).update(time_zone="Europe/Berlin")
    night = now.replace(hour=2) + timedelta(days=1)
    tuesday = night.date()
    for client, day, dials in ((acme, tuesday, 1), (rival, tuesday, 20), (rival, now.date(), 300)):
        DailyStat.objects.create(client=client, campaign_id=uuid7(), day=day, dials_count=dials)
    page = agency_home(now=night)
    assert {row.client.pk: row.today.dials for row in page.clients} == {acme.pk: 4, rival.pk: 20}
    assert page.today.dials == 24


@pytest.mark.parametrize("kind", ["csv", "pdf"])
def test_makes_a_file_that_only_its_client_gets(browse, mia, charlie, campaign, make, kind):
    make(browse(mia), campaign, kind)

    report = Report.objects.get()
    assert report.status == "done", report.error
    assert report.metrics["pick_up_rate"] == 0.25
    address = reverse("reporting:report-download", args=[report.pk])
    content = b"".join(browse(mia).get(address).streaming_content)
    assert content.startswith(b"%PDF-" if kind == "pdf" else b"\xef\xbb\xbfcall_id,")
    assert browse(charlie).get(address).status_code == 404
    assert AuditLog.objects.filter(action="report.requested").count() == 1


def test_never_puts_retells_cost_into_a_clients_file(browse, mia, campaign, make):
    make(browse(mia), campaign, "csv")

    with open_stored(Report.objects.get().stored_name) as stored:
        content = stored.read()
    assert b"+12125550101" in content
    assert b"987654" not in content
    assert b"0.98" not in content


def test_makes_a_file_once_however_often_the_job_runs(browse, mia, campaign, make):
    make(browse(mia), campaign, "csv")
    first = Report.objects.get().stored_name

    from reporting.jobs import make_report

    make_report(report_id=str(Report.objects.get().pk))
    assert Report.objects.get().stored_name == first


def test_refuses_a_kind_of_file_there_is_not(browse, mia, campaign):
    response = order(browse(mia), campaign, "exe")

    assert response.status_code == 422
    assert not Report.objects.exists()


def test_says_404_for_a_file_that_is_not_made_yet(browse, mia, campaign):
    order(browse(mia), campaign, "csv")

    address = reverse("reporting:report-download", args=[Report.objects.get().pk])
    assert browse(mia).get(address).status_code == 404


def test_shows_money_of_the_agency_to_those_who_may_see_it(browse, bob, root, campaign):
    assert "Margin today" in browse(root).get("/agency/").content.decode()
    assert "Margin today" not in browse(bob).get("/agency/").content.decode()


def test_shows_whether_our_books_agree_with_retells(browse, bob, root, now):
    home = "/agency/"
    assert "Not compared yet" in browse(root).get(home).content.decode()
    run = Reconciliation.objects.create(
        key="night",
        window_from=now,
        window_until=now,
        next_from=now,
        status="done",
        asked_by_email="cron",
        asked_at=now,
    )
    assert "0 differences" in browse(root).get(home).content.decode()

    for number, status in enumerate(("open", "resolved")):
        Difference.objects.create(
            reconciliation=run,
            kind="cost_differs",
            provider_call_id=f"call_{number}",
            status=status,
            sentence="It cost more there.",
        )

    page = browse(root).get(home).content.decode()
    assert "1 difference" in page
    assert "1 differences" not in page
    assert f"/agency/money/books/{run.pk}/" in page
    assert "Retell's books" not in browse(bob).get(home).content.decode().replace("&#x27;", "'")


def test_shows_each_part_of_the_system(browse, bob, db):
    page = browse(bob).get("/agency/health/").content.decode()

    assert "Dispatcher" in page
    assert "Has never run" in page


def test_is_ready_when_database_and_redis_answer(browse, db):
    assert browse().get("/readyz").json() == {"ready": True, "problems": []}
    assert browse().get("/healthz").content == b"ok\n"


def test_says_what_is_missing_when_redis_is_away(browse, db, monkeypatch):
    monkeypatch.setattr("convomono.lib.redis.is_reachable", lambda: False)
    answer = browse().get("/readyz")

    assert answer.status_code == 503
    assert "Redis does not answer" in answer.json()["problems"][0]


def test_gives_viewers_the_figures_but_no_list_with_numbers(browse, mia, vera, campaign):
    viewer = browse(vera)
    assert "Make CSV" not in viewer.get(report_page(campaign)).text
    create = reverse("reporting:report-create", args=[campaign.pk])
    assert viewer.post(create, {"kind": "csv"}).status_code == 403
    assert viewer.post(create, {"kind": "pdf"}).status_code == 302

    browse(mia).post(create, {"kind": "csv"})
    report = Report.objects.get(kind="csv")
    Report.objects.filter(pk=report.pk).update(status="done", stored_name="x")
    address = reverse("reporting:report-download", args=[report.pk])
    assert viewer.get(address).status_code == 403
    assert address not in viewer.get(report_page(campaign)).text
    assert address in browse(mia).get(report_page(campaign)).text


def test_offers_nobody_a_button_that_leads_to_403(browse, alice, mia, vera, campaign):
    """Whatever a home page links to, that person may open."""
    mia.can_launch = False
    mia.save(update_fields=["can_launch"])
    for person in (alice, mia, vera):
        browser = browse(person)
        for address in links(browser.get("/app/").content.decode(), "/app/campaigns/"):
            assert browser.get(address).status_code == 200, (person.email, address)
    assert "/app/campaigns/new/" not in browse(vera).get("/app/").content.decode()
    assert "Check and launch" in browse(alice).get("/app/").content.decode()


def test_offers_the_agencys_people_what_they_may_open(browse, bob, root, campaign):
    rights = ("manage_clients", "manage_billing", "manage_campaigns")
    for chosen in ((), *((one,) for one in rights), rights):
        for one in rights:
            setattr(bob, one, one in chosen)
        bob.save()
        browser = browse(bob)
        client_page = f"/agency/clients/{campaign.client_id}/"
        pages = ["/agency/", "/agency/webhooks/"]
        pages += [client_page] if "manage_clients" in chosen else []
        for page in pages:
            text = browser.get(page).content.decode()
            main = text[text.index("<main") :]
            for address in links(main, "/agency/"):
                assert browser.get(address).status_code != 403, (chosen, page, address)
    assert client_page in browse(root).get("/agency/").content.decode()


def links(page, begin):
    return set(re.findall(rf'href="({begin}[^"?#]*)"', page))
