"""The back office's tables of leads: lists, search, import and export with the same checks."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
import tablib  # type: ignore[import-untyped]  # has none
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError

from audit.models import AuditLog
from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.ids import uuid7
from leads import admin, resources
from leads.models import Lead, Suppression
from leads.resources import LeadResource, SuppressionResource
from leads.services.people import LeadFields, create_lead
from leads.services.suppressions import mark_leads
from tests.factories.accounts import NOW, ClientFactory
from tests.factories.campaigns import make_draft
from tests.factories.leads import (
    ConsentFactory,
    LeadFactory,
    SuppressionFactory,
    all_marks_known,
    upload,
)

TABLES = ["lead", "suppression", "consent", "leadimport"]


@pytest.fixture
def clerk(bob):
    """An admin who may work on campaigns and leads."""
    bob.manage_campaigns = True
    bob.save()
    return bob


@pytest.mark.parametrize("table", TABLES)
def test_shows_each_table_to_those_who_manage_campaigns(browse, clerk, root, alice, table):
    lead = ConsentFactory.create().lead
    SuppressionFactory.create(client=lead.client)
    upload(alice, "phone\n2125550101\n")

    for person in (clerk, root):
        assert browse(person).get(f"/admin/leads/{table}/").status_code == 200
        assert browse(person).get(f"/admin/leads/{table}/?q=2125").status_code == 200
    assert browse(alice).get(f"/admin/leads/{table}/").status_code == 302


def test_refuses_admins_without_the_permission(browse, bob):
    assert browse(bob).get("/admin/leads/lead/").status_code == 403


def test_puts_a_number_on_the_agencys_list_through_the_service(browse, clerk):
    browser = browse(clerk)
    data = {"phone_number": "+1 212 555 0101", "reason": "Complaint", "client": ""}

    assert browser.post("/admin/leads/suppression/add/", data).status_code == 302
    wrong = browser.post("/admin/leads/suppression/add/", data | {"phone_number": "12"})

    row = Suppression.objects.get()
    assert (row.level, row.phone_number, row.scope_key) == (
        "agency",
        "+12125550101",
        "agency:+12125550101",
    )
    assert AuditLog.objects.get().action == "number.suppressed"
    assert "too few digits" in wrong.text


def test_lifts_an_entry_through_the_service(browse, clerk, acme):
    row = SuppressionFactory.create(client=acme)

    browse(clerk).post(f"/admin/leads/suppression/{row.pk}/delete/", {"post": "yes"})

    assert not Suppression.objects.exists()
    assert AuditLog.objects.get().action == "suppression.lifted"


def test_imports_leads_with_the_same_checks(browse, clerk, acme):
    LeadFactory.create(client=acme, phone_number="+12125550101", first_name="Old")
    content = (
        "client,phone_number,first_name,status\n"
        f"{acme.name},212 555 0101,Ada,converted\n{acme.name},'+12125550102,Grace,\n"
    )
    file = SimpleUploadedFile("leads.csv", content.encode())
    browser = browse(clerk)

    shown = browser.post(
        "/admin/leads/lead/import/", {"import_file": file, "format": "0", "resource": "0"}
    )
    form = shown.context["confirm_form"]
    browser.post("/admin/leads/lead/process_import/", {**form.initial, "resource": "0"})

    rows = Lead.objects.order_by("phone_number").values_list("first_name", "status", "search_text")
    assert [(name, status, text.split()[-2:]) for name, status, text in rows] == [
        ("Ada", "new", ["ada", "+12125550101"]),
        ("Grace", "new", ["grace", "+12125550102"]),
    ]
    entry = AuditLog.objects.get(action="leads.imported")
    assert entry.user_email == clerk.email
    assert entry.details == {"back_office": {"new": 1, "update": 1}, "clients": [acme.name]}


def test_names_a_bad_number_in_an_import(acme):
    result = LeadResource().import_data(table(["client", "phone_number"], (acme.name, "12")))

    assert result.has_validation_errors()
    assert not Lead.objects.exists()


def table(headers: list[str], *rows: tuple[str, ...]):
    return tablib.Dataset(*rows, headers=headers)


def test_imports_leads_in_bulk(acme, django_assert_max_num_queries):
    rows = [(acme.name, f"+1212555{n:04}", f"P{n}") for n in range(100, 150)]
    headers = ["client", "phone_number", "first_name"]

    with django_assert_max_num_queries(16):  # three looks and two writes for all
        result = LeadResource().import_data(table(headers, *rows), raise_errors=True)
    LeadResource().import_data(
        table([*headers, "company"], (*rows[0][:2], "New", "Firm")), raise_errors=True
    )

    assert result.totals["new"] == 50
    lead = Lead.objects.get(phone_number="+12125550100")
    assert (lead.first_name, lead.company, lead.zones) == ("New", "Firm", ["America/New_York"])
    assert "firm" in lead.search_text
    assert all_marks_known()


def test_refuses_a_number_that_stands_twice_in_an_import(acme):
    rows = [(acme.name, "+12125550100", "A"), (acme.name, "(212) 555-0100", "B")]

    result = LeadResource().import_data(table(["client", "phone_number", "first_name"], *rows))

    assert result.has_validation_errors()
    assert "Another row with this number" in str(result.invalid_rows[0].error)


def test_suppresses_in_bulk_as_the_service_does(acme):
    lead = LeadFactory.create(client=acme, phone_number="+12125550100")
    rows = [("", "+12125550101", "Law"), (acme.name, "212 555 0100", "Asked")]
    headers = ["client", "phone_number", "reason"]

    for _again in range(2):
        result = SuppressionResource().import_data(table(headers, *rows), raise_errors=True)

    assert result.totals["skip"] == 2
    lead.refresh_from_db()
    assert lead.status == "suppressed"
    assert set(Suppression.objects.values_list("level", "scope_key")) == {
        ("agency", "agency:+12125550101"),
        ("client", f"client:{acme.pk}:+12125550100"),
    }


def test_names_a_client_that_there_is_none_of(acme):
    result = SuppressionResource().import_data(
        table(["client", "phone_number"], ("Nobody", "+12125550101"))
    )

    assert result.has_validation_errors()
    assert not Suppression.objects.exists()


def test_exports_without_formulas(acme):
    LeadFactory.create(client=acme, phone_number="+12125550101", first_name="=1+1")

    text = LeadResource().export().csv

    assert "'+12125550101,'=1+1" in text


def test_leaves_nobody_in_the_zone_of_a_number_that_moved_house(acme):
    """A table without zones put a Californian with a New York number into New York's hours."""
    headers = ["client", "phone_number", "country", "region", "company"]
    moved = (acme.name, "+12125550101", "US", "CA", "Firm")
    for _again in range(2):
        LeadResource().import_data(table(headers, moved), raise_errors=True)
    assert Lead.objects.get().zone_candidates == ["America/Los_Angeles"]

    wrong = table(["client", "phone_number", "time_zone"], (acme.name, "+12125550102", "Mars/Base"))
    assert "no IANA time zone" in str(LeadResource().import_data(wrong).invalid_rows[0].error)


def test_sends_whoever_wants_to_change_a_lead_to_its_own_page(browse, clerk, acme):
    """There changes are checked, recorded and scored."""
    lead = LeadFactory.create(client=acme, first_name="Ada")
    address = f"/admin/leads/lead/{lead.pk}/change/"
    assert browse(clerk).get(address).status_code == 200
    browse(clerk).post(address, {"first_name": "Eve", "time_zone": "Mars/Base"})
    lead.refresh_from_db()
    assert lead.first_name == "Ada"


@pytest.mark.parametrize(
    ("column", "text"),
    [("first_name", "{{system}}"), ("company", "x" * 201), ("external_id", "y" * 121)],
)
def test_refuses_cells_that_an_upload_refuses(acme, column, text):
    headers = ["client", "phone_number", column]

    result = LeadResource().import_data(table(headers, (acme.name, "+12125550100", text)))

    assert column in result.invalid_rows[0].error_dict
    assert not Lead.objects.exists()


@pytest.mark.parametrize("level", ["client", "agency"])
def test_shows_a_new_lead_for_what_it_is_when_its_number_is_listed(acme, level):
    SuppressionFactory.create(
        client=acme if level == "client" else None, level=level, phone_number="+12125550100"
    )
    rows = [(acme.name, "+12125550100"), (acme.name, "+12125550101")]

    LeadResource().import_data(table(["client", "phone_number"], *rows), raise_errors=True)

    found = dict(Lead.objects.values_list("phone_number", "status"))
    assert found == {"+12125550100": "suppressed", "+12125550101": "new"}


def test_records_who_imported_a_do_not_call_list(acme, root):
    rows = [("", "+12125550101", "Law")]

    for _again in range(2):  # the second time changes nothing and says nothing
        SuppressionResource().import_data(
            table(["client", "phone_number", "reason"], *rows), raise_errors=True, user=root
        )

    assert AuditLog.objects.get(action="suppressions.imported").user_email == root.email


@pytest.mark.django_db(transaction=True)
def test_adds_a_batch_of_entries_that_met_a_conflict(monkeypatch):
    acme = ClientFactory.create(name="Acme")
    lead = LeadFactory.create(client=acme, phone_number="+12125550101")
    mark = mark_leads
    conflicts = [Conflict()]

    def contended(**fields):
        if conflicts:
            raise conflicts.pop()
        mark(**fields)

    monkeypatch.setattr(resources, "mark_leads", contended)

    result = SuppressionResource().import_data(
        table(["client", "phone_number", "reason"], ("Acme", "+12125550101", "Asked")),
        use_transactions=False,  # as on MongoDB
    )

    assert not result.base_errors
    assert conflicts == []
    assert Suppression.objects.get().phone_number == "+12125550101"
    lead.refresh_from_db()
    assert lead.status == "suppressed"


@pytest.mark.django_db(transaction=True)
def test_says_that_somebody_added_one_of_the_leads_meanwhile(monkeypatch):
    acme = ClientFactory.create(name="Acme")
    SuppressionFactory.create(client=acme, phone_number="+12125550101")

    def refused(*_rows, **_fields):
        raise IntegrityError("UNIQUE constraint failed")

    monkeypatch.setattr(Lead.objects, "bulk_create", refused)

    result = LeadResource().import_data(table(["client", "phone_number"], ("Acme", "+12125550101")))

    assert "UNIQUE" in str(result.base_errors[0].error)
    assert not Lead.objects.exists()


class Conflict(Exception):
    """A write lost against another, as either engine says it."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY

    def has_error_label(self, label: str) -> bool:
        return label == "TransientTransactionError"


def test_keeps_numbers_that_another_list_had_added_when_that_one_is_undone(acme, alice):
    numbers = ["+12125550101", "+12125550102"]
    for number in numbers:
        SuppressionFactory.create(client=acme, phone_number=number, operation_id=uuid7())
    named = table(["client", "phone_number", "reason"], (acme.name, numbers[0], "Asked"))

    SuppressionResource().import_data(named, dry_run=True)
    assert not Suppression.objects.filter(operation_id=None).exists()
    SuppressionResource().import_data(named)
    SuppressionResource().import_data(named)

    assert Suppression.objects.get(operation_id=None).phone_number == numbers[0]


@pytest.mark.parametrize(
    ("table", "action"),
    [("lead", "leads.exported"), ("suppression", "suppressions.exported")],
)
def test_puts_an_export_on_record_and_refuses_a_huge_one(
    browse, clerk, bob, monkeypatch, table, action
):
    made: dict[str, Any] = {"lead": LeadFactory, "suppression": SuppressionFactory}
    made[table].create_batch(3)
    fields = {"format": "0", "resource": "0"}
    fields |= {f"{table}resource_phone_number": "on", f"{table}resource_client": "on"}
    browser, address = browse(clerk), f"/admin/leads/{table}/export/"

    sent = browser.post(address, fields)
    entry = AuditLog.objects.get()
    monkeypatch.setattr(admin, "MOST_EXPORTED", 2)
    refused = browser.post(address, fields)

    assert len(sent.content.splitlines()) == 4
    assert (entry.action, entry.user_email, entry.details) == (
        action,
        clerk.email,
        {"back_office": 3},
    )
    assert "These are more than 2" in refused.text
    assert AuditLog.objects.count() == 1


def test_names_the_row_of_a_lead_without_a_client_and_takes_the_others(acme):
    rows = [(acme.name, "212-736-5001"), ("", "212-736-5002"), (acme.name, "2127365003.0")]

    result = LeadResource().import_data(
        tablib.Dataset(*rows, headers=("client", "phone_number")), dry_run=False
    )

    assert [(row.number, row.error_dict) for row in result.invalid_rows] == [
        (2, {"client": ["Name the client whose lead this is."]})
    ]
    numbers = set(Lead.objects.values_list("phone_number", flat=True))
    assert numbers == {"+12127365001", "+12127365003"}


def test_moves_a_lead_in_the_line_with_its_score(acme, alice):
    lead = create_lead(
        client=acme, phone_number="2127365001", country="US", fields=LeadFields(), consent=None,
        actor=alice, now=NOW,
    )  # fmt: skip
    enrol_lead(campaign=make_draft(acme), lead=lead, dynamic_vars={}, now=NOW)
    row = (acme.name, "2127365001", "Ada", "Byron", "a@x.test", "Co")
    headers = ("client", "phone_number", "first_name", "last_name", "email", "company")

    LeadResource().import_data(tablib.Dataset(row, headers=headers), dry_run=False)

    lead.refresh_from_db()
    before = lead.score
    assert Enrolment.objects.get().priority == before > 0


def test_makes_no_entry_of_one_campaign_an_entry_of_all(acme):
    SuppressionFactory.create(
        client=acme, level="campaign", campaign_id=uuid7(), phone_number="+12127365001"
    )

    result = SuppressionResource().import_data(SuppressionResource().export(), dry_run=False)

    assert [list(row.error_dict) for row in result.invalid_rows] == [["level"]]
    assert Suppression.objects.get().level == "campaign"


@pytest.mark.parametrize("resource", [LeadResource, SuppressionResource])
def test_undoes_what_a_spreadsheet_did_to_numbers(acme, resource):
    rows = [(acme.name, one) for one in ("2.127365001E+09", "2127365002.0", 2127365003.0)]

    result = resource().import_data(
        tablib.Dataset(*rows, headers=("client", "phone_number")), dry_run=False
    )

    assert result.totals["new"] == 3
