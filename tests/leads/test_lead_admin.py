"""The back office's tables of leads: lists, search, import and export with the same checks."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditLog
from leads.models import Lead, Suppression
from leads.resources import LeadResource
from tests.factories.leads import ConsentFactory, LeadFactory, SuppressionFactory, upload

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
    assert [(name, status, text.split()[:2]) for name, status, text in rows] == [
        ("Ada", "new", ["ada", "+12125550101"]),
        ("Grace", "new", ["grace", "+12125550102"]),
    ]


def test_names_a_bad_number_in_an_import(acme):
    import tablib  # type: ignore[import-untyped]  # has none

    data = tablib.Dataset([acme.name, "12"], headers=["client", "phone_number"])

    result = LeadResource().import_data(data)

    assert result.has_validation_errors()
    assert not Lead.objects.exists()


def test_exports_without_formulas(acme):
    LeadFactory.create(client=acme, phone_number="+12125550101", first_name="=1+1")

    text = LeadResource().export().csv

    assert "'+12125550101,'=1+1" in text
