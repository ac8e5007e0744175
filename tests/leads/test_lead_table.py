"""The list of leads: filters, order, keyset pages, views to keep, rows changed in place."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from zoneinfo import available_timezones

import pytest
from django.apps import apps

from audit.models import AuditLog
from campaigns.services.enrolment import enrol_lead
from convomono.lib.pages import keyset_page
from convomono.lib.split_areas import SPLIT_AREAS
from leads import lead_table
from leads.imports.places import place_of
from leads.lead_table import SORTS, lead_lines, lead_page, leads_matching, order_of
from leads.models import Lead, MarkSet, SavedView, tag_mark, zone_mark
from leads.services.erasure import erase_lead
from leads.services.marks import know_marks
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory

HTMX = {"HX-Request": "true"}


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row">\s*<a[^>]*>([^<]+)</a>', page)


def make(client, name, **fields):
    lead = LeadFactory.build(client=client, first_name=name, **fields)
    lead.note_texts()
    lead.save(force_insert=True)
    know_marks([lead])
    return lead


@pytest.mark.parametrize(
    "query",
    [
        "outcome=machine",
        "attempts=3",
        "score_from=60",
        "zone=America/Chicago",
        "added_from=2026-11-24",
        "called_from=2026-11-24&called_to=2026-11-24",
        "campaign={campaign}",
        "consent=revoked",
    ],
)
def test_filters(browse, vera, acme, query):
    make(acme, "Other", time_zone="America/New_York", attempts_count=1)
    lead = make(
        acme,
        "Ada",
        last_outcome="machine",
        attempts_count=4,
        score=60,
        time_zone="America/Chicago",
        consent_status="revoked",
        created_at=NOW + timedelta(days=1),
        last_attempted_at=NOW + timedelta(days=1),
    )
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)

    page = browse(vera).get(f"/app/leads/?{query.format(campaign=campaign.pk)}", headers=HTMX)

    assert names(page.text) == ["Ada"]


def test_counts_days_in_the_clients_zone(browse, vera, acme):
    make(acme, "Evening", created_at=NOW.replace(day=24, hour=4))  # the 23rd in New York

    page = browse(vera).get("/app/leads/?added_from=2026-11-23&added_to=2026-11-23").text

    assert names(page) == ["Evening"]


def test_offers_every_zone_that_leads_are_given(browse, vera, acme):
    places = ["MI", "ID", "IN", "BC", "NS", "AZ"]
    given = {zone for place in places for c in ("US", "CA") for zone in place_of(c, place, "")[1]}
    given |= {zone for zones in SPLIT_AREAS.values() for zone in zones}
    page = browse(vera).get("/app/leads/").text

    assert {"America/Detroit", "America/Boise", "America/Vancouver"} < given
    assert [zone for zone in given if f'value="{zone}"' not in page] == []
    assert page.count('value="America/New_York"') == 1


def test_finds_no_zone_by_its_name(browse, vera, acme):
    make(acme, "Ada", time_zone="America/Chicago")

    assert names(browse(vera).get("/app/leads/?q=chicago").text) == []
    assert "chicago" not in zone_mark("America/Chicago")


@pytest.mark.parametrize("digits", ["5749", "574", "9412", "0ac0"])
def test_finds_numbers_and_no_time_zones_by_digits(browse, vera, acme, digits):
    zones = sorted(available_timezones())
    for start in range(0, len(zones), 60):
        make(
            acme,
            f"In{start}",
            phone_number=f"+4420794{start:05}",
            zone_candidates=zones[start : start + 60],
        )
    make(acme, "Ada", phone_number=f"+1{digits.ljust(10, '2')}")

    assert names(browse(vera).get(f"/app/leads/?q={digits}").text) == ["Ada"]


def test_finds_zones_and_tags_of_leads_with_the_longest_names(browse, vera, acme):
    lead = make(
        acme, "A" * 120, last_name="B" * 120, company="C" * 200, email=f"{'d' * 240}@x.test",
        external_id="E" * 120, other_numbers=["+12125550177", "+12125550178"],
        tags=[f"{n:02}{'t' * 38}" for n in range(29)] + ["last"], time_zone="America/Chicago",
    )  # fmt: skip

    for query in ("zone=America/Chicago", "tag=last", "q=2125550178"):
        page = browse(vera).get(f"/app/leads/?{query}").text
        assert str(lead.pk) in page, query


def test_exports_further_numbers(acme):
    lead = make(acme, "Ada", other_numbers=["+12125550177", "+12125550178"])

    head, line = lead_lines([lead])

    assert line[head.index("tags")] == ""
    assert line[head.index("other_numbers")] == "+12125550177, +12125550178"


def test_looks_into_no_campaign_of_another_client(browse, charlie, acme, rival):
    lead = make(acme, "Ada")
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    make(rival, "Theirs")

    page = browse(charlie).get(f"/app/leads/?campaign={campaign.pk}").text

    assert names(page) == []


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_shows_every_lead_once_on_the_way_there_and_back(acme, vera, sort, size):
    for number in range(7):
        LeadFactory.create(
            client=acme,
            last_name=f"N{number % 3}",
            score=number % 2,
            attempts_count=number % 3,
            last_attempted_at=None if number % 2 else NOW + timedelta(hours=number % 3),
            created_at=NOW + timedelta(seconds=number // 2),
        )
    order = order_of({"sort": sort})
    rows = leads_matching(viewer=vera, filters={})
    wanted = list(rows.order_by(*order).values_list("pk", flat=True))

    pages, token = [], None
    while token != "":
        pages.append(keyset_page(rows, order=order, token=token, size=size))
        token = pages[-1].after
    assert [lead.pk for page in pages for lead in page.rows] == wanted

    back = [pages[-1]]
    while back[-1].before:
        back.append(keyset_page(rows, order=order, token=back[-1].before, size=size))
    assert [lead.pk for page in reversed(back) for lead in page.rows] == wanted
    assert back[-1].start_index() == 1


@pytest.mark.parametrize("token", ["x", "2", "W10", "WyJhIiwieCIsInkiLCJ6IiwxLCIyIl0", "a" * 3000])
def test_takes_no_word_of_strangers_for_a_page(browse, vera, acme, token):
    make(acme, "Ada")

    assert names(browse(vera).get(f"/app/leads/?page={token}").text) == ["Ada"]


@pytest.mark.sqlite_only("reads SQLite's plans")
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_sorts_by_an_index_that_begins_with_the_client(acme, vera, sort):
    rows = leads_matching(viewer=vera, filters={}).order_by(*SORTS[sort])

    plan = rows.values_list("pk", flat=True)[:51].explain()

    assert "client_id=?" in plan
    assert "TEMP B-TREE" not in plan  # an import's leads are of one instant, and many have no name


@pytest.mark.sqlite_only("reads SQLite's plans")
def test_looks_for_rare_leads_in_the_index_alone(acme, vera):
    filters = {"q": "zzzz", "attempts": "0", "score_from": "50"}
    rows = leads_matching(viewer=vera, filters=filters).order_by(*SORTS["newest"])

    plan = rows.values_list("created_at", "pk")[:51].explain()

    assert "COVERING INDEX lead_scan" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.sqlite_only("reads SQLite's plans")
@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"status": "converted"}, "COVERING INDEX lead_by_status"),
        ({"consent": "revoked"}, "COVERING INDEX lead_by_consent"),
        ({"consent": "none"}, "COVERING INDEX lead_by_consent"),
        ({"consent": "revoked", "status": "called"}, "COVERING INDEX lead_by_consent"),
        ({"outcome": "machine"}, "COVERING INDEX lead_by_outcome"),
        ({"outcome": "machine", "zone": "America/Chicago"}, "(_id=?)"),
        ({"tag": "rare"}, "(_id=?)"),
        ({"zone": "America/Chicago", "q": "ada"}, "(_id=?)"),
        ({"status": "called", "q": "ada", "tag": "rare"}, "(_id=?)"),
        ({"campaign": "{campaign}", "status": "called"}, "(_id=?)"),
    ],
)
def test_finds_few_among_many_by_what_they_are(acme, vera, filters, index):
    """Whoever matches stands anywhere among a million: their index names them, and nothing else is read."""
    lead = make(
        acme, "Ada", status="called", last_outcome="machine", consent_status="revoked",
        tags=["rare"], time_zone="America/Chicago",
    )  # fmt: skip
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)
    filters = {name: value.format(campaign=campaign.pk) for name, value in filters.items()}
    rows = leads_matching(viewer=vera, filters=filters).order_by(*SORTS["newest"])

    plan = rows.values_list("created_at", "pk")[:51].explain()

    assert index in plan, plan


@pytest.mark.parametrize("most", [0, 1000])
def test_finds_a_tag_and_none_that_begins_or_ends_with_it(acme, vera, monkeypatch, most):
    monkeypatch.setattr(lead_table, "FEW", most)
    for tag in ("vip", "vip gold", "gold #vip", "VIPs", "old vip", "#vip"):
        make(acme, tag, tags=[tag], company=f"Suite #{tag}")
    make(acme, "Nobody", company="Suite #vip")

    def found(tag: str) -> list[str]:
        rows = leads_matching(viewer=vera, filters={"tag": tag})
        return sorted(rows.values_list("first_name", flat=True))

    for tag in ("vip", "vip gold", "gold #vip", "#vip"):
        assert found(tag) == [tag]
    assert found("gold") == []
    words = leads_matching(viewer=vera, filters={"q": "gold vip"})
    assert words.count() == 2


def test_marks_leads_of_before_as_those_of_now(acme):
    tags, zones = ["vip", "vip gold", "gold #vip"], ["America/Chicago"]
    lead = make(acme, "Ada", tags=tags, time_zone="", zone_candidates=zones)
    suite = make(acme, "Cid", company="Suite #5")
    Lead.objects.filter(pk=suite.pk).update(search_text="cid suite #5 +12125550177 ")
    other = make(acme, "Bob", tags=["vip"])
    now = (lead.search_text, lead.marks_key)
    before = "".join(f"#{tag} " for tag in tags)
    text = lead.search_text.replace("".join(map(tag_mark, tags)), before)
    Lead.objects.filter(pk=lead.pk).update(search_text=text, marks_key="old")
    assert text != now[0]

    import_module("leads.migrations.0003_exact_tags").note_exactly(apps, None)

    lead.refresh_from_db()
    assert (lead.search_text, lead.marks_key) == now
    assert MarkSet.objects.get(key=lead.marks_key).marks == lead.marks
    suite.refresh_from_db()
    assert "suite 5 " in suite.search_text
    untouched = (other.search_text, other.marks_key)
    other.refresh_from_db()
    assert (other.search_text, other.marks_key) == untouched


@pytest.mark.parametrize("most", [0, 1000])
def test_finds_the_same_whether_few_are_named_or_not(acme, rival, vera, monkeypatch, most):
    monkeypatch.setattr(lead_table, "FEW", most)
    monkeypatch.setattr(lead_table, "FEW_ENROLLED", most)
    campaign = make_draft(acme)
    leads = [
        make(client, name, status=status, tags=["vip"])
        for client in (acme, rival)
        for name, status in (("Ada", "called"), ("Bob", "called"), ("Ada", "new"))
    ]
    enrol_lead(campaign=campaign, lead=leads[0], dynamic_vars={}, now=NOW)
    asked = {"q": "ada", "status": "called", "tag": "vip"}

    for filters in (asked, asked | {"campaign": str(campaign.pk)}):
        assert list(leads_matching(viewer=vera, filters=filters)) == [leads[0]]
    there = {"campaign": str(campaign.pk), "status": "new"}
    assert not leads_matching(viewer=vera, filters=there).exists()


@pytest.mark.sqlite_only("reads SQLite's statements")
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_looks_for_a_text_once_whatever_the_order(
    browse, vera, acme, sort, django_assert_num_queries
):
    for number in range(52):
        LeadFactory.create(client=acme, first_name="Ada", last_name=f"N{number % 3}", score=number)
    browser = browse(vera)
    browser.get("/app/leads/")

    with django_assert_num_queries(7) as asked:
        page = browser.get(f"/app/leads/?q=ada&sort={sort}").text

    assert sum("LIKE" in one["sql"] for one in asked.captured_queries) == 1
    assert len(names(page)) == 50
    assert re.search(r"1–50\s+of\s+52", page), page[-3000:]


@pytest.mark.parametrize("limit", [2, 1000])
@pytest.mark.parametrize("sort", sorted(SORTS))
def test_shows_every_hit_once_in_order_however_many(acme, rival, vera, monkeypatch, sort, limit):
    monkeypatch.setattr(lead_table, "COUNT_LIMIT", limit)
    for number in range(120):
        LeadFactory.create(
            client=rival if number % 40 == 7 else acme,
            first_name="Bob" if number % 40 == 3 else "Ada",
            last_name=f"N{number % 7}",
            score=number % 5,
            attempts_count=number % 3,
        )
    filters = {"q": "ada", "sort": sort}
    wanted = list(leads_matching(viewer=vera, filters=filters).order_by(*SORTS[sort]))

    page = lead_page(viewer=vera, filters=filters, token=None)
    shown = page.rows
    while page.after:
        page = lead_page(viewer=vera, filters=filters, token=page.after)
        shown += page.rows

    assert shown == wanted
    assert len(wanted) == 114


def test_shows_an_erased_lead_only_to_whoever_asks_for_such(acme, vera, mia):
    lead = make(acme, "Ada", tags=["vip"], last_outcome="machine", time_zone="America/Chicago")
    erase_lead(lead=lead, reason="Asked", actor=mia, now=NOW)
    assert not MarkSet.objects.exists()
    asked: tuple[dict[str, str], ...] = (
        {}, {"consent": "none"}, {"score_from": "0"}, {"attempts": "0"}, {"outcome": "machine"},
        {"tag": "vip"}, {"zone": "America/Chicago"}, {"q": "ada"}, {"q": "erased"},
    )  # fmt: skip

    for filters in asked:
        assert not leads_matching(viewer=vera, filters=filters).exists(), filters
    assert leads_matching(viewer=vera, filters={"status": "erased"}).exists()


def test_shows_the_columns_that_were_chosen(browse, vera, acme):
    make(acme, "Ada", email="ada@x.test")
    browser = browse(vera)

    usual, chosen = (browser.get(f"/app/leads/{q}").text for q in ("", "?columns=email"))

    assert "ada@x.test" not in usual
    assert "ada@x.test" in chosen
    assert '<th scope="col">Number</th>' not in re.sub(r"\s+", " ", chosen).replace("> N", ">N")


def test_keeps_a_view_for_oneself_or_for_everybody(browse, mia, vera, charlie):
    data = {"name": "Hot", "query": "score_from=60&page=x&evil=1", "is_shared": "on"}

    answer = browse(mia).post("/app/leads/views/", data)

    shared = SavedView.objects.get()
    assert answer["Location"] == f"/app/leads/?score_from=60&view={shared.pk}"
    assert "Hot" in browse(vera).get("/app/leads/").text
    assert "Hot" not in browse(charlie).get("/app/leads/").text
    browse(vera).post("/app/leads/views/", data | {"name": "Mine"})
    assert SavedView.objects.get(name="Mine").user == vera
    assert "Mine" not in browse(mia).get("/app/leads/").text
    assert {one.action for one in AuditLog.objects.all()} == {"leads.view_saved"}


@pytest.mark.parametrize("path", ["/app/leads/", "/app/campaigns/"])
def test_brings_the_query_that_a_view_would_save_along_with_the_table(browse, mia, path):
    field = re.compile(
        r'<input type="hidden"\s+name="query"\s+value="q=ada"\s+id="view-query"([^>]*)>'
    )

    fragment, page = (browse(mia).get(f"{path}?q=ada", headers=one).text for one in (HTMX, {}))

    assert [one.strip() for one in field.findall(fragment)] == ['hx-swap-oob="true"']
    assert [one.strip() for one in field.findall(page)] == [""]


def test_forgets_a_view_of_ones_own_and_managers_the_shared_ones(browse, mia, vera, alice, acme):
    own = SavedView.objects.create(client=acme, user=alice, name="Own", query="", created_at=NOW)
    shared = SavedView.objects.create(client=acme, name="All", query="", created_at=NOW)

    assert browse(mia).post(f"/app/leads/views/{own.pk}/delete/").status_code == 404
    assert browse(vera).post(f"/app/leads/views/{shared.pk}/delete/").status_code == 404
    assert browse(mia).post(f"/app/leads/views/{shared.pk}/delete/").status_code == 302
    assert SavedView.objects.get() == own


EDIT = {"first_name": "Ada", "last_name": "Byron", "email": "", "company": "", "time_zone": ""}


def test_changes_a_lead_in_its_row(browse, mia, acme):
    lead = make(acme, "Adda")
    browser = browse(mia)
    address = f"/app/leads/{lead.pk}/edit/"

    form = browser.get(f"{address}?columns=tags", headers=HTMX).text
    row = browser.post(f"{address}?columns=tags", EDIT | {"tags": "vip, new"}, headers=HTMX).text

    lead = Lead.objects.get(pk=lead.pk)
    assert "<html" not in form
    assert row.strip().startswith("<tr")
    assert "vip, new" in row
    assert (lead.first_name, lead.tags) == ("Ada", ["vip", "new"])
    assert "#vip " in lead.search_text
    assert AuditLog.objects.get().details == {"changed": ["first_name", "last_name", "tags"]}
    assert browser.get(f"/app/leads/{lead.pk}/row/", headers=HTMX).text.strip().startswith("<tr")


def test_changes_a_lead_without_scripts_and_says_what_is_wrong(browse, mia, vera, charlie, acme):
    lead = make(acme, "Ada")
    address = f"/app/leads/{lead.pk}/edit/"

    assert browse(mia).post(address, EDIT | {"company": "{{x}}"}).status_code == 422
    assert browse(mia).post(address, EDIT | {"time_zone": "Mars"}).status_code == 422
    assert browse(mia).post(address, EDIT | {"tags": "{{"}).status_code == 422
    assert browse(mia).post(address, EDIT)["Location"] == f"/app/leads/{lead.pk}/"
    assert browse(vera).post(address, EDIT).status_code == 403
    assert browse(charlie).post(address, EDIT).status_code == 404


def test_keeps_what_the_form_does_not_ask_for(browse, mia, acme):
    lead = make(acme, "Ada", region="TX", external_id="7")

    browse(mia).post(f"/app/leads/{lead.pk}/edit/", EDIT)

    lead = Lead.objects.get(pk=lead.pk)
    assert (lead.region, lead.external_id) == ("TX", "7")


@pytest.mark.parametrize("asked", ["+1 212 555 0177", "(212) 555-0177", "555 0177", "0177 212"])
def test_finds_a_number_however_its_digits_are_grouped(browse, vera, acme, asked):
    LeadFactory.create(client=acme, first_name="Zelda", phone_number="+12125550177")
    LeadFactory.create(client=acme, first_name="Bob", phone_number="+13125550101")

    page = browse(vera).get("/app/leads/", {"q": asked}).text

    assert ("Zelda" in page) == (asked != "0177 212")  # seven digits are one number
    assert "Bob" not in page
