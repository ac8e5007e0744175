"""The list of leads shows those of one campaign or one import: which, in what order, page by page."""

from __future__ import annotations

import pytest

from campaigns.services.enrolment import enrol_lead
from leads import lead_table, met
from leads.lead_table import SORTS, lead_page, leads_matching
from leads.models import LeadImport, LeadImportChange
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory
from tests.leads.test_lead_table import HTMX, make, names
from tests.plans import plans


# Gone through and put in order, gone through, asked one by one.
@pytest.mark.parametrize("limits", [(9, 9), (9, 0), (0, 0)])
@pytest.mark.parametrize("query", ["", "q=ada", "status=new", "attempts=1", "sort=name"])
def test_shows_a_campaigns_leads_however_many_it_has(
    acme, vera, browse, monkeypatch, limits, query
):
    limit_campaigns(monkeypatch, limits)
    campaign, other = make_draft(acme), make_draft(acme)
    ada, _away, bob = (make(acme, name, attempts_count=1) for name in ("Ada", "Ada", "Bob"))
    for lead, its in ((ada, campaign), (bob, campaign), (ada, other)):
        enrol_lead(campaign=its, lead=lead, dynamic_vars={}, now=NOW)

    page = browse(vera).get(f"/app/leads/?campaign={campaign.pk}&{query}", headers=HTMX)

    wanted = ["Ada"] if query == "q=ada" else ["Ada", "Bob"]
    assert sorted(name.split()[0] for name in names(page.text)) == wanted


def limit_campaigns(monkeypatch, limits):
    monkeypatch.setattr(lead_table, "MOST_GONE_THROUGH", limits[0])
    monkeypatch.setattr(lead_table, "MOST_PUT_IN_ORDER", limits[1])


@pytest.mark.parametrize("most", [0, 1000])
@pytest.mark.parametrize("named", ["campaign", "lead_import"])
@pytest.mark.parametrize("more", [{}, {"status": "new"}])
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_shows_all_of_a_campaign_or_an_import_page_by_page(
    acme, vera, monkeypatch, sort, more, named, most
):
    limit_campaigns(monkeypatch, (most, most))
    monkeypatch.setattr(met, "MOST", most)
    campaign = make_draft(acme)
    done = LeadImport.objects.create(
        client=acme, size_bytes=1, status=LeadImport.Status.COMMITTED, created_at=NOW
    )
    for number in range(110):
        is_added, is_updated = number % 3 == 0, number % 3 == 1
        lead = LeadFactory.create(
            client=acme,
            last_name=f"N{number % 7}",
            score=number % 5,
            status="called" if number % 20 == 0 else "new",
            lead_import=done if is_added else None,
        )
        if is_added or is_updated:
            enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
        if is_updated:
            LeadImportChange.objects.create(
                client=acme, lead_import=done, lead=lead, stamped_at=NOW
            )
    filters = {named: str((campaign if named == "campaign" else done).pk), "sort": sort, **more}
    wanted = list(leads_matching(viewer=vera, filters=filters).order_by(*SORTS[sort]))

    pages = [lead_page(viewer=vera, filters=filters, token=None)]
    while pages[-1].after:
        pages.append(lead_page(viewer=vera, filters=filters, token=pages[-1].after))
    back = [pages[-1]]
    while back[-1].before:
        back.append(lead_page(viewer=vera, filters=filters, token=back[-1].before))

    assert len(wanted) > 60
    assert [lead for page in pages for lead in page.rows] == wanted
    assert [lead for page in reversed(back) for lead in page.rows] == wanted
    assert pages[0].total == str(len(wanted))


@pytest.mark.parametrize("most", [0, 1000])
@pytest.mark.parametrize("sort", ["newest", "name"])
def test_shows_nobody_of_another_clients_campaign(acme, rival, vera, monkeypatch, sort, most):
    """Whoever guesses its key sees neither their leads nor how many they are."""
    limit_campaigns(monkeypatch, (most, most))
    theirs = make_draft(rival)
    enrol_lead(campaign=theirs, lead=make(rival, "Theirs"), dynamic_vars={}, now=NOW)
    make(acme, "Mine")

    filters = {"campaign": str(theirs.pk), "sort": sort}
    page = lead_page(viewer=vera, filters=filters, token=None)

    assert (page.rows, page.total) == ([], "0")


@pytest.mark.parametrize("limits", [(1000, 0), (0, 1000)])
@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_goes_on_where_the_last_page_ended_although_the_campaign_grew(
    acme, vera, monkeypatch, sort, limits
):
    """So many were added meanwhile that they are found another way, or the other way round."""
    campaign = make_draft(acme)
    for number in range(60):
        lead = LeadFactory.create(client=acme, last_name=f"N{number % 7}")
        enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    filters = {"campaign": str(campaign.pk), "sort": sort, "status": "new"}
    wanted = list(leads_matching(viewer=vera, filters=filters).order_by(*SORTS[sort]))

    limit_campaigns(monkeypatch, (limits[0], limits[0]))
    first = lead_page(viewer=vera, filters=filters, token=None)
    limit_campaigns(monkeypatch, (limits[1], limits[1]))
    second = lead_page(viewer=vera, filters=filters, token=first.after)

    assert first.rows + second.rows == wanted


@pytest.mark.sqlite_only("reads SQLite's plans")
@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_finds_the_first_of_a_campaign_without_a_look_at_the_others(acme, vera, sort):
    filters = {"campaign": str(make_draft(acme).pk), "sort": sort}

    (plan,) = plans(lambda: lead_page(viewer=vera, filters=filters, token=None), of="ORDER BY")

    assert "SEARCH campaigns_enrolment" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("most", [0, 1000])
def test_shows_whom_an_import_added_and_whom_it_changed(
    browse, mia, acme, rival, imported, monkeypatch, most
):
    monkeypatch.setattr(met, "MOST", most)
    monkeypatch.setattr(met, "MOST_NAMED", most)
    make(acme, "Known", phone_number="+12125550101")
    make(acme, "Other", phone_number="+12125550103")
    make(rival, "Theirs", phone_number="+12125550101")
    both = imported("phone,company\n2125550101,Firm\n2125550102,Firm\n")
    updates = imported("phone,email\n2125550101,a@x.test\n2125550102,b@x.test\n")
    unchanged = imported("phone\n2125550101\n", consent=None)
    browser = browse(mia)

    def shown(done, more=""):
        return set(names(browser.get(f"/app/leads/?lead_import={done.pk}{more}").text))

    receipt = browser.get(f"/app/imports/{updates.pk}/").text
    assert f"/app/leads/?lead_import={updates.pk}" in receipt
    assert shown(both) == {"Known", "+12125550102"}
    assert shown(updates) == {"Known", "+12125550102"}
    assert shown(updates, "&q=known") == {"Known"}
    assert shown(updates, "&status=called") == set()
    assert shown(unchanged) == set()


def test_asks_as_often_for_the_leads_of_an_import_however_many_they_are(
    browse, mia, acme, imported, django_assert_num_queries
):
    numbers = [f"+1212555{n:04}" for n in range(101, 121)]
    for number in numbers:
        make(acme, "Known", phone_number=number)
    few = imported("phone,company\n+12125550101,Firm\n+12125550301,Firm\n")
    many = imported("\n".join(["phone,email", *(f"{one},a@x.test" for one in numbers)]))
    browser = browse(mia)
    browser.get("/app/leads/")

    for done in (few, many):
        with django_assert_num_queries(8):
            browser.get(f"/app/leads/?lead_import={done.pk}")
