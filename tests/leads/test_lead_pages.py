"""The list of leads, adding one, the export, and the do-not-call list."""

from __future__ import annotations

import re

import pytest

from audit.models import AuditLog
from convomono.lib.ids import uuid7
from leads.models import Consent, Lead, LeadImport, Suppression, tag_mark
from leads.services import suppress
from tests.factories.accounts import NOW
from tests.factories.leads import LeadFactory, SuppressionFactory, all_marks_known

HTMX = {"HX-Request": "true"}
LEAD = {
    "phone_number": "(212) 555-0101",
    "country": "US",
    "first_name": "Ada",
    "tags": "vip, spring",
    "consent_kind": "express",
    "consent_source": "On the phone",
    "consent_on": "2026-11-02",
}


def test_lists_the_clients_own_leads_alone(browse, vera, acme, rival):
    LeadFactory.create(client=acme, first_name="Zelda")
    LeadFactory.create(client=rival, first_name="Stranger")

    page = browse(vera).get("/app/leads/").text

    assert "Zelda" in page
    assert "Stranger" not in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=BYRON", "Ada"),
        ("q=ltd+ada", "Ada"),
        ("q=555-0101", "Ada"),
        ("q=%2B1+212", "Ada"),
        ("q=ada@x.test", "Ada"),
        ("status=called", "Grace"),
        ("consent=none", "Grace"),
        ("tag=VIP", "Grace"),
    ],
)
def test_finds_leads(browse, vera, acme, query, found):
    LeadFactory.create(
        client=acme,
        first_name="Ada",
        last_name="Byron",
        company="Engine Ltd",
        email="ada@x.test",
        phone_number="+12125550101",
    )
    LeadFactory.create(
        client=acme,
        first_name="Grace",
        phone_number="+13125550142",
        status="called",
        consent_status="none",
        tags=["VIP"],
        search_text="grace +13125550142 #vip ",
    )

    page = browse(vera).get(f"/app/leads/?{query}", headers=HTMX).text

    assert found in page
    assert page.count('<th scope="row">') == 1


def test_ignores_filters_that_make_no_sense(browse, vera, acme):
    LeadFactory.create(client=acme, first_name="Zelda")

    answer = browse(vera).get("/app/leads/?status=odd&lead_import=x&sort=pk&page=-4")

    assert answer.status_code == 200
    assert "Zelda" in answer.text


def test_answers_htmx_with_the_table_and_a_boosted_link_with_the_page(browse, vera):
    browser = browse(vera)

    assert "<html" not in browser.get("/app/leads/", headers=HTMX).text
    assert "<html" in browser.get("/app/leads/", headers=HTMX | {"HX-Boosted": "true"}).text


def test_keeps_the_number_of_queries(browse, vera, acme, django_assert_num_queries):
    browser = browse(vera)
    for rows in (1, 20):
        LeadFactory.create_batch(rows, client=acme)
        with django_assert_num_queries(6):
            browser.get("/app/leads/")


def test_turns_pages(browse, vera, acme):
    LeadFactory.create_batch(51, client=acme)

    browser = browse(vera)
    first = browser.get("/app/leads/").text
    (after,) = re.findall(r'href="\?page=([\w-]+)"\s+rel="next"', first)
    second = browser.get(f"/app/leads/?page={after}").text

    assert "1–50 of 51" in first
    assert "51–51 of 51" in second


def test_adds_a_lead_with_consent(browse, mia, acme):
    answer = browse(mia).post("/app/leads/new/", LEAD)

    assert answer["Location"] == "/app/leads/"
    lead = Lead.objects.get(client=acme)
    assert (lead.phone_number, lead.tags, lead.consent_status) == (
        "+12125550101",
        ["vip", "spring"],
        "given",
    )
    assert Consent.objects.get(lead=lead).recorded_by_email == "mia@acme.test"
    assert AuditLog.objects.get().action == "lead.added"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"phone_number": "12"}, "too few digits"),
        ({"first_name": "{{x}}"}, "Two braces"),
        ({"consent_kind": ""}, "This field is required"),
        ({"time_zone": "Mars/Base"}, "no time zone"),
    ],
)
def test_refuses_a_lead_that_is_wrong_and_keeps_what_was_typed(browse, mia, change, sentence):
    answer = browse(mia).post("/app/leads/new/", LEAD | change)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert "On the phone" in answer.text


def test_says_who_has_the_number_already(browse, mia, acme, rival):
    LeadFactory.create(client=rival, phone_number="+12125550101")
    browser = browse(mia)
    assert browser.post("/app/leads/new/", LEAD).status_code == 302

    answer = browser.post("/app/leads/new/", LEAD)

    assert answer.status_code == 422
    assert "Ada has this number already." in answer.text
    assert Lead.objects.filter(client=acme).count() == 1


def test_puts_a_number_on_the_list_once(browse, mia, acme):
    lead = LeadFactory.create(client=acme, phone_number="+12125550101")
    data = {"phone_number": "212 555 0101", "country": "US", "reason": "Asked by mail"}
    browser = browse(mia)

    for _time in range(2):
        assert browser.post("/app/do-not-call/add/", data).status_code == 302

    row = Suppression.objects.get()
    lead.refresh_from_db()
    assert (row.client, row.level, row.reason) == (acme, "client", "Asked by mail")
    assert lead.status == "suppressed"
    entry = AuditLog.objects.get()
    assert entry.action == "number.suppressed"
    assert "2125550101" not in entry.resource


def test_refuses_what_is_no_number(browse, mia):
    answer = browse(mia).post("/app/do-not-call/add/", {"phone_number": "12", "country": "US"})

    assert answer.status_code == 422
    assert "too few digits" in answer.text


def test_takes_a_number_off_with_a_reason(browse, mia, acme):
    row = SuppressionFactory.create(client=acme)
    address = f"/app/do-not-call/{row.pk}/lift/"
    browser = browse(mia)

    assert browser.get(address).status_code == 200
    assert browser.post(address, {"reason": ""}).status_code == 422
    assert browser.post(address, {"reason": "A mistake"}).status_code == 302

    assert not Suppression.objects.exists()
    assert AuditLog.objects.get().details["reason"] == "A mistake"


def test_searches_the_list_by_a_part_of_the_number(browse, vera, acme, rival):
    SuppressionFactory.create(client=acme, phone_number="+12125550101", reason="First")
    SuppressionFactory.create(client=acme, phone_number="+12125550102", reason="Second")
    SuppressionFactory.create(client=rival, phone_number="+12125550101", reason="Theirs")

    page = browse(vera).get("/app/do-not-call/?q=0101", headers=HTMX).text

    assert "First" in page
    assert "Second" not in page
    assert "Theirs" not in page


def test_keeps_the_number_of_queries_of_the_list(browse, vera, acme, django_assert_num_queries):
    browser = browse(vera)
    for rows in (1, 20):
        SuppressionFactory.create_batch(rows, client=acme)
        with django_assert_num_queries(4):
            browser.get("/app/do-not-call/")


def test_hides_another_clients_entries(browse, charlie, acme):
    row = SuppressionFactory.create(client=acme)

    assert browse(charlie).post(f"/app/do-not-call/{row.pk}/lift/").status_code == 404
    assert browse(charlie).get(f"/app/do-not-call/{uuid7()}/lift/").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/app/leads/new/"),
        ("post", "/app/leads/new/"),
        ("post", "/app/leads/change/"),
        ("post", "/app/do-not-call/add/"),
        ("get", "/app/do-not-call/00000000-0000-7000-8000-000000000000/lift/"),
    ],
)
def test_lets_managers_alone_change_and_export(browse, vera, bob, method, path):
    assert getattr(browse(vera), method)(path).status_code == 403
    assert getattr(browse(bob), method)(path).status_code == 403
    assert getattr(browse(), method)(path)["Location"].startswith("/account/login/")


@pytest.mark.parametrize("path", ["/app/leads/", "/app/leads/changes/", "/app/do-not-call/"])
def test_refuses_other_verbs(browse, mia, path):
    assert browse(mia).post(path).status_code == 405
    assert browse(mia).get("/app/do-not-call/add/").status_code == 405


EDIT = {"first_name": "Ada", "last_name": "", "email": "", "company": "", "time_zone": ""}


def test_keeps_every_tag_of_a_lead_whose_name_is_corrected(browse, mia, acme):
    tags = [f"a tag that is long {n}" for n in range(30)]
    lead = LeadFactory.create(client=acme, tags=tags)
    browser = browse(mia)
    page = browser.get(f"/app/leads/{lead.pk}/edit/").text
    [shown] = re.findall(r'name="tags" value="([^"]*)"', page)

    answer = browser.post(f"/app/leads/{lead.pk}/edit/", {**EDIT, "tags": shown})

    lead.refresh_from_db()
    assert answer.status_code == 302
    assert (lead.first_name, lead.tags) == ("Ada", tags)


@pytest.mark.parametrize(
    ("tags", "sentence"),
    [(", ".join(f"t{n}" for n in range(51)), "at most 50 tags"), ("x" * 41, "at most 40 letters")],
)
def test_refuses_more_tags_than_a_lead_has(browse, mia, acme, tags, sentence):
    lead = LeadFactory.create(client=acme, tags=["old"])

    answer = browse(mia).post(f"/app/leads/{lead.pk}/edit/", {**EDIT, "tags": tags})

    lead.refresh_from_db()
    assert answer.status_code == 422
    assert sentence in answer.text
    assert lead.tags == ["old"]


def test_keeps_tags_that_came_while_somebody_edited(browse, mia, acme):
    lead = LeadFactory.create(client=acme, tags=["old", "off"])
    Lead.objects.filter(pk=lead.pk).update(tags=["old", "off", "from a rule"])

    browse(mia).post(
        f"/app/leads/{lead.pk}/edit/", {**EDIT, "tags": "old, mine", "tags_seen": "old, off"}
    )

    lead.refresh_from_db()
    assert lead.tags == ["old", "from a rule", "mine"]
    assert tag_mark("from a rule") in lead.search_text
    assert all_marks_known()


def test_shows_further_numbers_proofs_and_what_imports_and_lists_did(
    browse, mia, acme, alice, imported, django_assert_max_num_queries
):
    LeadFactory.create(client=acme, phone_number="+12125550101", first_name="Ada")
    done = imported("name,company,phone,work phone\nAda,Firm,2125550101,2125550177\n")
    LeadImport.objects.filter(pk=done.pk).update(
        options=done.options | {"consent_proof": "proofs/x.proof", "consent_proof_name": "form.pdf"}
    )
    lead = Lead.objects.get()
    suppress(
        level="client", client_id=acme.pk, campaign_id=None, phone_number=lead.phone_number,
        source="person", reason="Wrote a letter", actor=alice, now=NOW,
    )  # fmt: skip

    page = browse(mia).get(f"/app/leads/{lead.pk}/").text
    answer = browse(mia).get("/app/may-we-call/?number=%2B12125550101").text

    assert "212-555-0177" in page
    assert f"/app/imports/{done.pk}/proof/" in page
    assert "form.pdf" in answer
    assert "Changed by an import" in page
    assert "Wrote a letter" in page


def test_keeps_no_control_characters_that_somebody_types_or_a_program_sends(browse, mia, acme):
    typed = {"first_name": "A\x01da", "company": "F\x1firm", "tags": "v\x02ip, \x03"}
    typed |= {"phone_number": "212 555 0101", "country": "US", "consent_kind": "none"}
    sent = {"phone_number": "2125550102", "last_name": "By\x01ron", "tags": ["v\x02ip"]}
    browser = browse(mia)

    assert browser.post("/app/leads/new/", typed).status_code == 302
    answer = browser.post("/api/v1/client/leads/", sent, content_type="application/json")
    refused = browser.post("/app/leads/change/", {"kind": "tag", "confirmed": "1", "tag": "\x01"})

    assert answer.status_code == 201
    rows = Lead.objects.order_by("phone_number").values_list(
        "first_name", "last_name", "company", "tags"
    )
    assert list(rows) == [("Ada", "", "Firm", ["vip"]), ("", "Byron", "", ["vip"])]
    assert refused.status_code != 500
